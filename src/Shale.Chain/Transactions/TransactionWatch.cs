using System.Globalization;
using Shale.Chain.Rpc;

namespace Shale.Chain.Transactions;

/// <summary>Sees one transaction through, from its first sending to its end. Used once, by one thread.</summary>
internal sealed class TransactionWatch(
    ChainClient client, IAccount account, TransactionOptions options, TransactionJournal journal, JournalEntry entry, Wait wait, IProgress<TransactionProgress>? progress)
{
    // Each raises the price by a quarter at least: ten are more than ninefold.
    private const int MostAttempts = 10;

    private readonly TimeProvider _time = client.Time;
    private JournalEntry _entry = entry;
    private DateTimeOffset _lastAttempt;
    private DateTimeOffset _lastSent;
    private DateTimeOffset? _takenSince;
    private TransactionReceipt? _seen;
    private string _lastProblem = "";
    private string _lastRefusal = "";
    private bool _limitSaid;

    /// <summary>Waits to the end. A transaction that no node is known to have is looked for, and sent again, at once.</summary>
    internal async Task<TransactionReceipt> RunAsync(bool sent, CancellationToken cancel)
    {
        var start = _lastAttempt = _time.GetUtcNow();
        _lastSent = sent ? start : DateTimeOffset.MinValue;
        while (true)
        {
            TransactionReceipt? receipt = null;
            try
            {
                receipt = await LookAsync(cancel).ConfigureAwait(false);
                _lastProblem = "";
            }
            catch (ChainException e) when (e.Kind != ChainErrorKind.Replaced)
            {
                // Whatever a node says to a question: the transaction is on its way, and another answer may come.
                if (_lastProblem != e.Message)
                {
                    Report(TransactionStage.Unreachable, e.Message);
                }

                _lastProblem = e.Message;
            }

            if (receipt is not null)
            {
                return await ConcludeAsync(receipt, cancel).ConfigureAwait(false);
            }

            if (_time.GetUtcNow() - start > options.GiveUpAfter)
            {
                throw new ChainException(ChainErrorKind.NotMined, string.Create(CultureInfo.InvariantCulture,
                    $"Transaction {_entry.Newest.Hash} ({_entry.Description}, nonce {_entry.Nonce}) was {(_seen is null ? "not mined" : "mined but not final")} within {options.GiveUpAfter.TotalMinutes:0.##} minutes. "
                    + $"{(_lastProblem.Length > 0 ? _lastProblem + " " : "")}{(_lastRefusal.Length > 0 ? $"Sending it again, the nodes said: {_lastRefusal}. " : "")}It may still be mined. Asking for the same again goes on with it.")) { TransactionHash = _entry.Newest.Hash };
            }

            await Task.Delay(options.PollInterval, _time, cancel).ConfigureAwait(false);
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
            if (_seen is not null)
            {
                Report(TransactionStage.TakenBack, string.Create(CultureInfo.InvariantCulture, $"A reorganisation took {_entry.Description} out of block {_seen.BlockNumber}; it waits again"));
                _seen = null;
                _lastAttempt = _time.GetUtcNow();
                await SendAgainAsync(report: false, cancel).ConfigureAwait(false);
            }

            await PushAsync(mined, cancel).ConfigureAwait(false);
            return null;
        }

        _takenSince = null;
        if (_seen is null || _seen.BlockHash != receipt.BlockHash)
        {
            Report(TransactionStage.Mined, string.Create(CultureInfo.InvariantCulture, $"Mined in block {receipt.BlockNumber}: {_entry.Description}"), receipt.TransactionHash);
            _seen = receipt;
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

        Report(TransactionStage.Final, string.Create(CultureInfo.InvariantCulture, $"Final in block {again.BlockNumber}: {_entry.Description}"), again.TransactionHash);
        return again;
    }

    private async Task<TransactionReceipt?> FindReceiptAsync(CancellationToken cancel)
    {
        for (var i = _entry.Attempts.Count - 1; i >= 0; i--)
        {
            if (await client.GetReceiptAsync(_entry.Attempts[i].Hash, cancel).ConfigureAwait(false) is { } receipt)
            {
                return receipt;
            }
        }

        return null;
    }

    /// <summary>What is to be done about a transaction that is not mined.</summary>
    private async Task PushAsync(ulong mined, CancellationToken cancel)
    {
        var now = _time.GetUtcNow();
        if (mined > _entry.Nonce)
        {
            _takenSince ??= now;
            if (now - _takenSince > options.ReplacedAfter)
            {
                using var held = await journal.LockAsync(cancel).ConfigureAwait(false);
                journal.Delete(_entry.Nonce);
                throw new ChainException(ChainErrorKind.Replaced, string.Create(CultureInfo.InvariantCulture,
                    $"Another transaction of {account.Address} took nonce {_entry.Nonce}, so {_entry.Newest.Hash} ({_entry.Description}) was not executed. Does another program or machine use the same key? Ask for it again."))
                { TransactionHash = _entry.Newest.Hash };
            }

            return;
        }

        _takenSince = null;
        if (now - _lastAttempt > options.StuckAfter)
        {
            _lastAttempt = now;
            await RaiseAsync(mined, cancel).ConfigureAwait(false);
        }
        else if (now - _lastSent > options.SendAgainAfter)
        {
            _lastSent = now;
            if (await client.GetTransactionAsync(_entry.Newest.Hash, cancel).ConfigureAwait(false) is null)
            {
                await SendAgainAsync(report: true, cancel).ConfigureAwait(false);
            }
        }
    }

    private async Task SendAgainAsync(bool report, CancellationToken cancel)
    {
        _lastSent = _time.GetUtcNow();
        var (result, _, tried) = await Broadcast.SendAsync(client, _entry.Newest, cancel).ConfigureAwait(false);
        if (report && result == BroadcastResult.Accepted)
        {
            Report(TransactionStage.SentAgain, $"No node knew it any more; sent again: {_entry.Description}");
        }
        else if (result != BroadcastResult.Accepted)
        {
            _lastRefusal = tried;
        }
    }

    /// <summary>
    /// Signs again with the same nonce and a higher price, on file before it is sent. What blocks may be an earlier transaction that a program left behind: then that one is raised.
    /// </summary>
    private async Task RaiseAsync(ulong mined, CancellationToken cancel)
    {
        using var held = await journal.LockAsync(cancel).ConfigureAwait(false);
        var first = journal.Read().Find(e => e.Nonce >= mined);
        if (first is null || first.Nonce > _entry.Nonce)
        {
            return;
        }

        if (first.Nonce == _entry.Nonce)
        {
            _entry = await RaiseAsync(_entry, cancel).ConfigureAwait(false);
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
            if (!_limitSaid)
            {
                Report(TransactionStage.PriceAtLimit, $"Not mined for long, and its price cannot be raised within the limit: {stuck.Description}. Waiting on");
            }

            _limitSaid = true;
            return stuck;
        }

        var signed = (last with { Price = price.Value }).Sign(account);
        var raised = stuck with { Attempts = [.. stuck.Attempts, signed] };
        journal.Write(raised);
        _lastSent = _time.GetUtcNow();
        var (result, _, tried) = await Broadcast.SendAsync(client, signed, cancel).ConfigureAwait(false);
        if (result != BroadcastResult.Accepted && raised.Nonce == _entry.Nonce)
        {
            // Where every turn is long enough to raise the price again, nothing is sent again as it was: this is then all that the nodes say.
            _lastRefusal = tried;
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
                journal.Delete(_entry.Nonce);
            }
            else
            {
                // Stays on file until it is final: should a reorganisation take it back, the next transaction sends it again.
                journal.Write(_entry with { Done = true });
            }
        }

        if (receipt.Succeeded)
        {
            return receipt;
        }

        var (reason, error) = await ReasonAsync(receipt, cancel).ConfigureAwait(false);
        throw new ChainException(ChainErrorKind.Failed, string.Create(CultureInfo.InvariantCulture,
            $"Transaction {receipt.TransactionHash} ({_entry.Description}) was mined in block {receipt.BlockNumber} and failed: {reason}. Only its gas was paid."), error) { TransactionHash = receipt.TransactionHash };
    }

    /// <summary>Receipts have no reason, so the call is made again on the state after its block: what others did before it in that block counts, and it did nothing itself.</summary>
    private async Task<(string Reason, ContractError? Error)> ReasonAsync(TransactionReceipt receipt, CancellationToken cancel)
    {
        var transaction = _entry.Attempts.First(a => a.Hash == receipt.TransactionHash).Transaction;
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

    private void Report(TransactionStage stage, string message, Bytes32? hash = null) => progress?.Report(new TransactionProgress(stage, hash ?? _entry.Newest.Hash, _entry.Nonce, message));
}
