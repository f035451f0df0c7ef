using System.Globalization;
using Shale.Chain.Rpc;

namespace Shale.Chain.Transactions;

/// <summary>Sees one transaction through, from its first sending to its end. Used once, by one thread.</summary>
internal sealed class TransactionWatch(
    ChainClient client, IAccount account, TransactionOptions options, TransactionJournal journal, JournalEntry entry, Wait wait, IProgress<TransactionProgress>? progress)
{
    // Each raises the price by a quarter at least: ten are more than ninefold.
    private const int MostAttempts = 10;

    private readonly TimeProvider time = client.Time;
    private JournalEntry entry = entry;
    private DateTimeOffset lastAttempt;
    private DateTimeOffset lastSent;
    private DateTimeOffset? takenSince;
    private TransactionReceipt? seen;
    private string lastProblem = "";
    private string lastRefusal = "";
    private bool limitSaid;

    /// <summary>Waits to the end. A transaction that no node is known to have is looked for, and sent again, at once.</summary>
    internal async Task<TransactionReceipt> RunAsync(bool sent, CancellationToken cancel)
    {
        var start = lastAttempt = time.GetUtcNow();
        lastSent = sent ? start : DateTimeOffset.MinValue;
        while (true)
        {
            TransactionReceipt? receipt = null;
            try
            {
                receipt = await LookAsync(cancel).ConfigureAwait(false);
                lastProblem = "";
            }
            catch (ChainException e) when (e.Kind != ChainErrorKind.Replaced)
            {
                // Whatever a node says to a question: the transaction is on its way, and another answer may come.
                if (lastProblem != e.Message)
                {
                    Report(TransactionStage.Unreachable, e.Message);
                }

                lastProblem = e.Message;
            }

            if (receipt is not null)
            {
                return await ConcludeAsync(receipt, cancel).ConfigureAwait(false);
            }

            if (time.GetUtcNow() - start > options.GiveUpAfter)
            {
                throw new ChainException(ChainErrorKind.NotMined, string.Create(CultureInfo.InvariantCulture,
                    $"Transaction {entry.Newest.Hash} ({entry.Description}, nonce {entry.Nonce}) was {(seen is null ? "not mined" : "mined but not final")} within {options.GiveUpAfter.TotalMinutes:0.##} minutes. "
                    + $"{(lastProblem.Length > 0 ? lastProblem + " " : "")}{(lastRefusal.Length > 0 ? $"Sending it again, the nodes said: {lastRefusal}. " : "")}It may still be mined. Asking for the same again goes on with it.")) { TransactionHash = entry.Newest.Hash };
            }

            await Task.Delay(options.PollInterval, time, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>One look at the chain; the receipt once what is waited for has come.</summary>
    private async Task<TransactionReceipt?> LookAsync(CancellationToken cancel)
    {
        // The nonce is read before the receipts: with the nonce taken and then no receipt, it was not ours that took it (or receipts lag, which is waited for).
        var mined = await client.GetNonceAsync(account.Address, BlockTag.Latest, cancel).ConfigureAwait(false);
        var receipt = await FindReceiptAsync(cancel).ConfigureAwait(false);
        if (receipt is null)
        {
            if (seen is not null)
            {
                Report(TransactionStage.TakenBack, string.Create(CultureInfo.InvariantCulture, $"A reorganisation took {entry.Description} out of block {seen.BlockNumber}; it waits again"));
                seen = null;
                lastAttempt = time.GetUtcNow();
                await SendAgainAsync(report: false, cancel).ConfigureAwait(false);
            }

            await PushAsync(mined, cancel).ConfigureAwait(false);
            return null;
        }

        takenSince = null;
        if (seen is null || seen.BlockHash != receipt.BlockHash)
        {
            Report(TransactionStage.Mined, string.Create(CultureInfo.InvariantCulture, $"Mined in block {receipt.BlockNumber}: {entry.Description}"), receipt.TransactionHash);
            seen = receipt;
        }

        if (wait == Wait.Mined)
        {
            return receipt;
        }

        var final = await client.GetFinalizedAsync(cancel).ConfigureAwait(false);
        if (final.Number < receipt.BlockNumber)
        {
            return null;
        }

        // Final means that the block of that number is this one for good: the receipt is read again after finality was.
        var again = await client.GetReceiptAsync(receipt.TransactionHash, cancel).ConfigureAwait(false);
        var block = again is null ? null : await client.GetBlockAsync(BlockTag.At(again.BlockNumber), cancel).ConfigureAwait(false);
        if (again is null || block?.Hash != again.BlockHash || final.Number < again.BlockNumber)
        {
            return null;
        }

        Report(TransactionStage.Final, string.Create(CultureInfo.InvariantCulture, $"Final in block {again.BlockNumber}: {entry.Description}"), again.TransactionHash);
        return again;
    }

    private async Task<TransactionReceipt?> FindReceiptAsync(CancellationToken cancel)
    {
        for (var i = entry.Attempts.Count - 1; i >= 0; i--)
        {
            if (await client.GetReceiptAsync(entry.Attempts[i].Hash, cancel).ConfigureAwait(false) is { } receipt)
            {
                return receipt;
            }
        }

        return null;
    }

    /// <summary>What is to be done about a transaction that is not mined.</summary>
    private async Task PushAsync(ulong mined, CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        if (mined > entry.Nonce)
        {
            takenSince ??= now;
            if (now - takenSince > options.ReplacedAfter)
            {
                using var held = await journal.LockAsync(cancel).ConfigureAwait(false);
                journal.Delete(entry.Nonce);
                throw new ChainException(ChainErrorKind.Replaced, string.Create(CultureInfo.InvariantCulture,
                    $"Another transaction of {account.Address} took nonce {entry.Nonce}, so {entry.Newest.Hash} ({entry.Description}) was not executed. Does another program or machine use the same key? Ask for it again."))
                { TransactionHash = entry.Newest.Hash };
            }

            return;
        }

        takenSince = null;
        if (now - lastAttempt > options.StuckAfter)
        {
            lastAttempt = now;
            await RaiseAsync(mined, cancel).ConfigureAwait(false);
        }
        else if (now - lastSent > options.SendAgainAfter)
        {
            lastSent = now;
            if (await client.GetTransactionAsync(entry.Newest.Hash, cancel).ConfigureAwait(false) is null)
            {
                await SendAgainAsync(report: true, cancel).ConfigureAwait(false);
            }
        }
    }

    private async Task SendAgainAsync(bool report, CancellationToken cancel)
    {
        lastSent = time.GetUtcNow();
        var (result, _, tried) = await Broadcast.SendAsync(client, entry.Newest, cancel).ConfigureAwait(false);
        if (report && result == BroadcastResult.Accepted)
        {
            Report(TransactionStage.SentAgain, $"No node knew it any more; sent again: {entry.Description}");
        }
        else if (result != BroadcastResult.Accepted)
        {
            lastRefusal = tried;
        }
    }

    /// <summary>
    /// Signs again with the same nonce and a higher price, on file before it is sent. What blocks may be an earlier transaction that a program left behind: then that one is raised.
    /// </summary>
    private async Task RaiseAsync(ulong mined, CancellationToken cancel)
    {
        using var held = await journal.LockAsync(cancel).ConfigureAwait(false);
        var first = journal.Read().Find(e => e.Nonce >= mined);
        if (first is null || first.Nonce > entry.Nonce)
        {
            return;
        }

        if (first.Nonce == entry.Nonce)
        {
            entry = await RaiseAsync(entry, cancel).ConfigureAwait(false);
            return;
        }

        using var owner = journal.TryOwn(first.Nonce);
        if (owner is not null)
        {
            _ = await RaiseAsync(first, cancel).ConfigureAwait(false);
        }
    }

    private async Task<JournalEntry> RaiseAsync(JournalEntry stuck, CancellationToken cancel)
    {
        var last = stuck.Newest.Transaction;
        var price = stuck.Attempts.Count >= MostAttempts ? null : FeePolicy.Raise(last.Price, await client.GetFeesAsync(cancel).ConfigureAwait(false), last.GasLimit, options);
        if (price is null)
        {
            if (!limitSaid)
            {
                Report(TransactionStage.PriceAtLimit, $"Not mined for long, and its price cannot be raised within the limit: {stuck.Description}. Waiting on");
            }

            limitSaid = true;
            return stuck;
        }

        var signed = (last with { Price = price.Value }).Sign(account);
        var raised = stuck with { Attempts = [.. stuck.Attempts, signed] };
        journal.Write(raised);
        lastSent = time.GetUtcNow();
        var (result, _, tried) = await Broadcast.SendAsync(client, signed, cancel).ConfigureAwait(false);
        if (result != BroadcastResult.Accepted && raised.Nonce == entry.Nonce)
        {
            // Where every turn is long enough to raise the price again, nothing is sent again as it was: this is then all that the nodes say.
            lastRefusal = tried;
        }

        Report(TransactionStage.PriceRaised, string.Create(CultureInfo.InvariantCulture,
            $"Not mined for long: sent again with {price.Value.MaxFee} instead of {last.Price.MaxFee} attoFIL per gas{(result == BroadcastResult.Accepted ? "" : $" ({tried})")}: {stuck.Description}"), signed.Hash);
        return raised;
    }

    private async Task<TransactionReceipt> ConcludeAsync(TransactionReceipt receipt, CancellationToken cancel)
    {
        using (await journal.LockAsync(cancel).ConfigureAwait(false))
        {
            if (wait == Wait.Final)
            {
                journal.Delete(entry.Nonce);
            }
            else
            {
                // Stays on file until it is final: should a reorganisation take it back, the next transaction sends it again.
                journal.Write(entry with { Done = true });
            }
        }

        if (receipt.Succeeded)
        {
            return receipt;
        }

        var (reason, error) = await ReasonAsync(receipt, cancel).ConfigureAwait(false);
        throw new ChainException(ChainErrorKind.Failed, string.Create(CultureInfo.InvariantCulture,
            $"Transaction {receipt.TransactionHash} ({entry.Description}) was mined in block {receipt.BlockNumber} and failed: {reason}. Only its gas was paid."), error) { TransactionHash = receipt.TransactionHash };
    }

    /// <summary>Receipts have no reason, so the call is made again on the state after its block: what others did before it in that block counts, and it did nothing itself.</summary>
    private async Task<(string Reason, ContractError? Error)> ReasonAsync(TransactionReceipt receipt, CancellationToken cancel)
    {
        var transaction = entry.Attempts.First(a => a.Hash == receipt.TransactionHash).Transaction;
        if (receipt.GasUsed >= transaction.GasLimit)
        {
            return ("it used up its gas", null);
        }

        try
        {
            var at = BlockTag.At(receipt.BlockNumber);
            var message = ChainClient.Message(account.Address, transaction.To, transaction.Value, transaction.Data);
            _ = await client.Rpc.AskAsync<byte[]>(RpcCall.Of("eth_call", message, at.ToJson()), Quantity.TryRead, cancel).ConfigureAwait(false);
            return ("what it met within its block is gone", null);
        }
        catch (ChainException e) when (e.ContractError is not null)
        {
            return (e.ContractError.Message, e.ContractError);
        }
        catch (ChainException)
        {
            return ("the node does not say why", null);
        }
    }

    private void Report(TransactionStage stage, string message, Bytes32? hash = null) => progress?.Report(new TransactionProgress(stage, hash ?? entry.Newest.Hash, entry.Nonce, message));
}
