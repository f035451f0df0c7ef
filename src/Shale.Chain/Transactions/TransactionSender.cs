using System.Globalization;
using Shale.Chain.Rpc;

namespace Shale.Chain.Transactions;

/// <summary>
/// Sends transactions of one account and sees them through: nonces under a lock that all programs with this key on the machine share, prices within limits, signed bytes on file
/// before they are sent, raised prices when a transaction is stuck, the same bytes again when it was dropped or a reorganisation took it back. A program that ended between signing and
/// the receipt, and that asks for the same call again, goes on with the transaction that it had signed. Safe for use from several threads.
/// </summary>
public sealed class TransactionSender
{
    // Another program, or a node that lags, may take the nonce that was chosen; each time the next one is taken.
    private const int MostNonces = 5;

    private const ulong PlainTransfer = 21_000;

    private readonly ChainClient _client;
    private readonly IAccount _account;
    private readonly TransactionOptions _options;
    private readonly TransactionJournal _journal;

    /// <summary>Makes a sender.</summary>
    /// <param name="client">The chain.</param>
    /// <param name="account">Who signs and pays.</param>
    /// <param name="options">Folder and limits.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="IOException">The folder cannot be made.</exception>
    public TransactionSender(ChainClient client, IAccount account, TransactionOptions options)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(account);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _client = client;
        _account = account;
        _options = options;
        _journal = new TransactionJournal(options.Folder, client.ChainId, account.Address, client.Time);
    }

    /// <summary>Who signs and pays.</summary>
    public Address Address => _account.Address;

    /// <summary>Sends a transaction and waits for it.</summary>
    /// <param name="to">The contract or account; null deploys.</param>
    /// <param name="value">attoFIL that go along.</param>
    /// <param name="call">A generated call or deployment; null only moves the value.</param>
    /// <param name="description">What it is for, in a few words, for messages: "accept lease 5".</param>
    /// <param name="wait">What is waited for.</param>
    /// <param name="progress">Is told each step.</param>
    /// <param name="cancel">Ends the wait. A transaction that was signed stays on file and may still be mined; asking for the same call again goes on with it.</param>
    /// <returns>The receipt; its events are read with <see cref="TransactionReceipt.Event{T}"/>.</returns>
    /// <exception cref="ChainException">It was not sent (<see cref="ChainErrorKind.Reverted"/>, <see cref="ChainErrorKind.InsufficientFunds"/>, <see cref="ChainErrorKind.FeeAboveLimit"/>,
    /// <see cref="ChainErrorKind.Refused"/>, <see cref="ChainErrorKind.Unreachable"/>), failed (<see cref="ChainErrorKind.Failed"/>), lost its nonce to another transaction
    /// (<see cref="ChainErrorKind.Replaced"/>), or was not done in time (<see cref="ChainErrorKind.NotMined"/>).</exception>
    public async Task<TransactionReceipt> SendAsync(
        Address? to, UInt128 value, IContractCall? call, string description, Wait wait = Wait.Mined, IProgress<TransactionProgress>? progress = null, CancellationToken cancel = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(description);
        var data = call?.Encode() ?? [];
        if (to is null && data.Length == 0)
        {
            throw new ArgumentException("A transaction to nobody deploys a contract and needs its code.", nameof(call));
        }

        var (entry, owner, sent) = await BeginAsync(to, value, data, description, progress, cancel).ConfigureAwait(false);
        using (owner)
        {
            return await new TransactionWatch(_client, _account, _options, _journal, entry, wait, progress).RunAsync(sent, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Puts the transaction on file and sends it, or finds the one that was left behind.</summary>
    private async Task<(JournalEntry Entry, IDisposable Owner, bool Sent)> BeginAsync(
        Address? to, UInt128 value, byte[] data, string description, IProgress<TransactionProgress>? progress, CancellationToken cancel)
    {
        ulong lowest = 0;
        for (var round = 1; ; round++)
        {
            using var held = await _journal.LockAsync(cancel).ConfigureAwait(false);
            var entries = _journal.Read();
            if (entries.Count > 0 && await TakeUpAsync(entries, to, value, data, progress, cancel).ConfigureAwait(false) is { } found)
            {
                return (found.Entry, found.Owner, true);
            }

            var signed = await PrepareAsync(to, value, data, Math.Max(lowest, entries.Count == 0 ? 0 : entries[^1].Nonce + 1), description, cancel).ConfigureAwait(false);
            var nonce = signed.Transaction.Nonce;
            var owner = _journal.TryOwn(nonce) ?? throw new IOException($"Nonce {nonce} of {Address} is locked by another program, although no transaction with it is on file.");
            try
            {
                var entry = new JournalEntry(nonce, description, _client.Time.GetUtcNow(), false, [signed]);
                _journal.Write(entry);
                progress?.Report(new TransactionProgress(TransactionStage.Signed, signed.Hash, nonce, $"Signed: {description}"));
                var (result, failure, tried) = await Broadcast.SendAsync(_client, signed, cancel).ConfigureAwait(false);
                switch (result)
                {
                    case BroadcastResult.Accepted:
                        progress?.Report(new TransactionProgress(TransactionStage.Sent, signed.Hash, nonce, $"Sent: {description}, transaction {signed.Hash}"));
                        return (entry, owner, true);
                    case BroadcastResult.Unknown:
                        progress?.Report(new TransactionProgress(TransactionStage.Unreachable, signed.Hash, nonce, $"No node answered ({tried}). Trying on"));
                        return (entry, owner, false);
                    case BroadcastResult.NonceTaken when round < MostNonces:
                        // No node took it, so that it cannot come back: the next nonce.
                        _journal.Delete(nonce);
                        owner.Dispose();
                        lowest = nonce + 1;
                        continue;
                    default:
                        _journal.Delete(nonce);
                        throw JsonRpcClient.Exception($"Sending the transaction ({description})", failure!, tried);
                }
            }
            catch
            {
                owner.Dispose();
                throw;
            }
        }
    }

    /// <summary>
    /// Looks after what earlier programs left on file. Gives the entry that does what is asked for now, if it is not done and nobody alive waits for it. What is final is taken off file;
    /// everything else that is not mined is sent again, since later nonces wait for it.
    /// </summary>
    private async Task<(JournalEntry Entry, IDisposable Owner)?> TakeUpAsync(
        List<JournalEntry> entries, Address? to, UInt128 value, byte[] data, IProgress<TransactionProgress>? progress, CancellationToken cancel)
    {
        var mined = await _client.GetNonceAsync(Address, BlockTag.Latest, cancel).ConfigureAwait(false);
        var final = await FinalNonceAsync(cancel).ConfigureAwait(false);
        (JournalEntry, IDisposable)? taken = null;
        foreach (var entry in entries.ToArray())
        {
            if (_journal.TryOwn(entry.Nonce) is not { } owner)
            {
                continue;
            }

            var keep = false;
            try
            {
                var waiting = entry.Nonce >= mined;
                var same = taken is null && !entry.Done && entry.Does(to, value, data);
                if (same && (waiting || (_client.Time.GetUtcNow() - entry.SignedAt <= _options.TakeUpFor && await HasReceiptAsync(entry, cancel).ConfigureAwait(false))))
                {
                    keep = true;
                    taken = (entry, owner);
                    progress?.Report(new TransactionProgress(TransactionStage.TakenUp, entry.Newest.Hash, entry.Nonce,
                        string.Create(CultureInfo.InvariantCulture, $"Going on with the transaction for this that was signed at {entry.SignedAt:u}: {entry.Newest.Hash}")));
                }

                if (waiting)
                {
                    _ = await Broadcast.SendAsync(_client, entry.Newest, cancel).ConfigureAwait(false);
                }
                else if (!keep && entry.Nonce < final)
                {
                    _journal.Delete(entry.Nonce);
                    entries.Remove(entry);
                }
            }
            catch
            {
                keep = false;
                taken?.Item2.Dispose();
                throw;
            }
            finally
            {
                if (!keep)
                {
                    owner.Dispose();
                }
            }
        }

        return taken;
    }

    private async Task<ulong> FinalNonceAsync(CancellationToken cancel)
    {
        try
        {
            var final = await _client.GetFinalizedAsync(cancel).ConfigureAwait(false);
            return await _client.GetNonceAsync(Address, BlockTag.At(final.Number), cancel).ConfigureAwait(false);
        }
        catch (ChainException)
        {
            // A node that keeps no old state: the files are cleaned up another time.
            return 0;
        }
    }

    private async Task<bool> HasReceiptAsync(JournalEntry entry, CancellationToken cancel)
    {
        foreach (var attempt in entry.Attempts)
        {
            if (await _client.GetReceiptAsync(attempt.Hash, cancel).ConfigureAwait(false) is not null)
            {
                return true;
            }
        }

        return false;
    }

    private async Task<SignedTransaction> PrepareAsync(Address? to, UInt128 value, byte[] data, ulong lowest, string description, CancellationToken cancel)
    {
        var quote = await _client.GetFeesAsync(cancel).ConfigureAwait(false);
        RpcCall[] calls =
        [
            RpcCall.Of("eth_getTransactionCount", Address.ToString(), BlockTag.Pending.ToJson()),
            RpcCall.Of("eth_getTransactionCount", Address.ToString(), BlockTag.Latest.ToJson()),
            ChainClient.BlockCall(BlockTag.Latest),
            RpcCall.Of("eth_getBalance", Address.ToString(), BlockTag.Latest.ToJson()),
            RpcCall.Of("eth_estimateGas", ChainClient.Message(Address, to, value, data)),
        ];
        ulong pending = 0, latest = 0, estimate = 0;
        UInt128 balance = 0;
        BlockHeader? block = null;
        _ = await _client.Rpc.AskTogetherAsync(calls, (i, result) => i switch
        {
            0 => Quantity.TryRead(result, out pending),
            1 => Quantity.TryRead(result, out latest),
            2 => RpcModels.TryReadBlock(result, out block) && block is not null,
            3 => Quantity.TryRead(result, out balance),
            _ => Quantity.TryRead(result, out estimate) && estimate >= PlainTransfer,
        }, cancel).ConfigureAwait(false);

        if (estimate > block!.GasLimit)
        {
            throw new ChainException(ChainErrorKind.Refused, string.Create(CultureInfo.InvariantCulture,
                $"The transaction ({description}) would take {estimate} gas, more than the {block.GasLimit} that fit into a block. Nothing was sent."));
        }

        var gasLimit = Math.Min((ulong)Math.Ceiling(estimate * _options.GasMargin), block.GasLimit);
        var price = FeePolicy.First(quote, gasLimit, _options);
        var cost = value + (price.MaxFee * gasLimit);
        if (balance < cost)
        {
            throw new ChainException(ChainErrorKind.InsufficientFunds, string.Create(CultureInfo.InvariantCulture,
                $"{Address} has {balance} attoFIL; the transaction ({description}) takes {value} and up to {cost - value} for gas. Nothing was sent. Send FIL to the account."));
        }

        return new Transaction(_client.ChainId, Math.Max(lowest, Math.Max(pending, latest)), price, gasLimit, to, value, data).Sign(_account);
    }
}
