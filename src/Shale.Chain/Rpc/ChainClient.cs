using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Shale.Chain.Rpc;

/// <summary>
/// What a chain says, over its nodes' JSON-RPC. Every method throws <see cref="ChainException"/> when no endpoint gives a usable answer, with what was tried and what to do. Safe for use
/// from several threads.
/// </summary>
public sealed class ChainClient : IDisposable
{
    // Epochs without a block come singly; sixty in a row are half an hour without any miner.
    private const int MostNullRounds = 60;

    private readonly JsonRpcClient _rpc;
    private readonly ChainOptions _options;
    private readonly Lock _gate = new();
    private BlockHeader? _finalized;

    /// <summary>Makes a client; nothing is asked yet.</summary>
    /// <param name="options">How the chain is reached.</param>
    /// <param name="time">Clock and timers; the system's if null.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public ChainClient(ChainOptions options, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        Time = time ?? TimeProvider.System;
        _rpc = new JsonRpcClient(options, Time);
    }

    /// <summary>The chain that every endpoint has to be on.</summary>
    public ulong ChainId => _options.ChainId;

    /// <summary>Endpoints that are left aside at the moment, each with the reason, without secrets.</summary>
    public IReadOnlyList<string> EndpointsAside => [.. _rpc.Pool.Aside()];

    internal TimeProvider Time { get; }

    internal JsonRpcClient Rpc => _rpc;

    /// <summary>The number of the newest block.</summary>
    /// <param name="cancel">Ends the wait.</param>
    public Task<ulong> GetHeadAsync(CancellationToken cancel = default) => _rpc.AskAsync<ulong>(RpcCall.Of("eth_blockNumber"), Quantity.TryRead, cancel);

    /// <summary>A block's header.</summary>
    /// <param name="tag">Which block.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>Null when there is no such block (yet).</returns>
    /// <exception cref="ChainException">With <see cref="ChainErrorKind.NullRound"/> when the epoch has none.</exception>
    public Task<BlockHeader?> GetBlockAsync(BlockTag tag, CancellationToken cancel = default) => _rpc.AskAsync<BlockHeader?>(BlockCall(tag), RpcModels.TryReadBlock, cancel);

    /// <summary>The header of a block by number, or of the nearest one after it where that epoch has none.</summary>
    /// <param name="number">The number.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>Null when the chain has not got so far.</returns>
    public Task<BlockHeader?> GetBlockAtOrAfterAsync(ulong number, CancellationToken cancel = default) => SkipNullRoundsAsync(number, forward: true, cancel);

    /// <summary>The header of a block by number, or of the nearest one before it where that epoch has none.</summary>
    /// <param name="number">The number.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>Null when the chain has not got so far.</returns>
    public Task<BlockHeader?> GetBlockAtOrBeforeAsync(ulong number, CancellationToken cancel = default) => SkipNullRoundsAsync(number, forward: false, cancel);

    /// <summary>
    /// The newest final block: by the tag <c>finalized</c>, or where a node does not know it the block <see cref="ChainOptions.FinalityDepth"/> below the head. Never older than an
    /// answer given before.
    /// </summary>
    /// <param name="cancel">Ends the wait.</param>
    public async Task<BlockHeader> GetFinalizedAsync(CancellationToken cancel = default)
    {
        var found = await TaggedOrDeepAsync(BlockTag.Finalized, cancel).ConfigureAwait(false);
        lock (_gate)
        {
            // After a change of endpoint, the next one may be behind; what was final stays so.
            return _finalized = _finalized is { } before && before.Number > found.Number ? before : found;
        }
    }

    /// <summary>The newest block that is unlikely to be taken back: by the tag <c>safe</c>, or where a node does not know it a final one.</summary>
    /// <param name="cancel">Ends the wait.</param>
    public Task<BlockHeader> GetSafeAsync(CancellationToken cancel = default) => TaggedOrDeepAsync(BlockTag.Safe, cancel);

    /// <summary>Calls a contract without a transaction.</summary>
    /// <typeparam name="T">What the function returns.</typeparam>
    /// <param name="contract">The contract.</param>
    /// <param name="call">A generated call.</param>
    /// <param name="at">At the end of which block.</param>
    /// <param name="from">Who calls; nobody in particular if null.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="ChainException">With <see cref="ChainErrorKind.Reverted"/> when the contract refuses.</exception>
    public async Task<T> CallAsync<T>(Address contract, IContractCall<T> call, BlockTag at = default, Address? from = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(call);
        return await _rpc.AskAsync(EthCall(contract, call, at, from), Result(contract, call), cancel).ConfigureAwait(false);
    }

    /// <summary>Makes several calls of one contract, in batches; give a block by number or hash for one consistent picture.</summary>
    /// <typeparam name="T">What the functions return.</typeparam>
    /// <param name="contract">The contract.</param>
    /// <param name="calls">Generated calls.</param>
    /// <param name="at">At the end of which block.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>The results in the order of the calls.</returns>
    public async Task<IReadOnlyList<T>> CallManyAsync<T>(Address contract, IReadOnlyList<IContractCall<T>> calls, BlockTag at = default, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(calls);
        return await _rpc.AskManyAsync([.. calls.Select(c => EthCall(contract, c, at, null))], i => Result(contract, calls[i]), cancel).ConfigureAwait(false);
    }

    /// <summary>An account's balance in attoFIL.</summary>
    /// <param name="account">The account.</param>
    /// <param name="at">At the end of which block.</param>
    /// <param name="cancel">Ends the wait.</param>
    public Task<UInt128> GetBalanceAsync(Address account, BlockTag at = default, CancellationToken cancel = default) =>
        _rpc.AskAsync<UInt128>(RpcCall.Of("eth_getBalance", account.ToString(), at.ToJson()), Quantity.TryRead, cancel);

    /// <summary>A contract's code; empty for an account.</summary>
    /// <param name="account">The address.</param>
    /// <param name="at">At the end of which block.</param>
    /// <param name="cancel">Ends the wait.</param>
    public async Task<ReadOnlyMemory<byte>> GetCodeAsync(Address account, BlockTag at = default, CancellationToken cancel = default) =>
        await _rpc.AskAsync<byte[]>(RpcCall.Of("eth_getCode", account.ToString(), at.ToJson()), Quantity.TryRead, cancel).ConfigureAwait(false);

    /// <summary>The nonce of an account's next transaction.</summary>
    /// <param name="account">The account.</param>
    /// <param name="at"><see cref="BlockTag.Latest"/> counts what was mined, <see cref="BlockTag.Pending"/> also what waits.</param>
    /// <param name="cancel">Ends the wait.</param>
    public Task<ulong> GetNonceAsync(Address account, BlockTag at = default, CancellationToken cancel = default) =>
        _rpc.AskAsync<ulong>(RpcCall.Of("eth_getTransactionCount", account.ToString(), at.ToJson()), Quantity.TryRead, cancel);

    /// <summary>The logs of a range of blocks, in the chain's order. Public Filecoin nodes give at most 2,880 epochs and 10,000 results.</summary>
    /// <param name="filter">Which logs.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="ChainException">With <see cref="ChainErrorKind.TooMuch"/> when the node wants a smaller range, <see cref="ChainErrorKind.Pruned"/> when it no longer has it.</exception>
    public async Task<IReadOnlyList<LogEntry>> GetLogsAsync(LogFilter filter, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(filter);
        var logs = await _rpc.AskAsync<IReadOnlyList<LogEntry>>(
            RpcCall.Of("eth_getLogs", RpcModels.ToJson(filter)),
            (JsonElement result, out IReadOnlyList<LogEntry> value) => RpcModels.TryReadLogs(result, out value!) && value.All(log => RpcModels.Matches(filter, log)),
            cancel).ConfigureAwait(false);
        return [.. logs.OrderBy(l => l.BlockNumber).ThenBy(l => l.LogIndex)];
    }

    /// <summary>What gas costs now.</summary>
    /// <param name="cancel">Ends the wait.</param>
    public async Task<FeeQuote> GetFeesAsync(CancellationToken cancel = default)
    {
        var block = await _rpc.AskAsync<BlockHeader?>(BlockCall(BlockTag.Latest), (JsonElement e, out BlockHeader? b) => RpcModels.TryReadBlock(e, out b) && b is not null, cancel).ConfigureAwait(false);
        if (block!.BaseFee is { } baseFee)
        {
            var (tip, failure, _) = await _rpc.TryAskAsync<UInt128>(RpcCall.Of("eth_maxPriorityFeePerGas"), Quantity.TryRead, cancel).ConfigureAwait(false);
            if (failure is null)
            {
                return new FeeQuote(baseFee, tip);
            }

            // A node without that method has eth_gasPrice, which is base fee and tip together.
            var all = await _rpc.AskAsync<UInt128>(RpcCall.Of("eth_gasPrice"), Quantity.TryRead, cancel).ConfigureAwait(false);
            return new FeeQuote(baseFee, all > baseFee ? all - baseFee : UInt128.Zero);
        }

        return new FeeQuote(null, await _rpc.AskAsync<UInt128>(RpcCall.Of("eth_gasPrice"), Quantity.TryRead, cancel).ConfigureAwait(false));
    }

    /// <summary>The gas that a transaction would use on top of the newest block, without margin.</summary>
    /// <param name="from">Who sends.</param>
    /// <param name="to">To whom; null deploys.</param>
    /// <param name="value">attoFIL that go along.</param>
    /// <param name="data">The call.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="ChainException">With <see cref="ChainErrorKind.Reverted"/> when the contract would refuse.</exception>
    public Task<ulong> EstimateGasAsync(Address from, Address? to, UInt128 value, ReadOnlyMemory<byte> data, CancellationToken cancel = default) =>
        _rpc.AskAsync<ulong>(RpcCall.Of("eth_estimateGas", Message(from, to, value, data)), Quantity.TryRead, cancel);

    /// <summary>What became of a transaction.</summary>
    /// <param name="transaction">Its hash.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>Null while it is not mined, and when a reorganisation took it back.</returns>
    public Task<TransactionReceipt?> GetReceiptAsync(Bytes32 transaction, CancellationToken cancel = default) => _rpc.AskAsync<TransactionReceipt?>(
        RpcCall.Of("eth_getTransactionReceipt", transaction.ToString()),
        (JsonElement e, out TransactionReceipt? r) => RpcModels.TryReadReceipt(e, out r) && (r is null || r.TransactionHash == transaction),
        cancel);

    /// <summary>A transaction that a node knows, mined or waiting.</summary>
    /// <param name="transaction">Its hash.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>Null when the node does not know it.</returns>
    public Task<TransactionInfo?> GetTransactionAsync(Bytes32 transaction, CancellationToken cancel = default) => _rpc.AskAsync<TransactionInfo?>(
        RpcCall.Of("eth_getTransactionByHash", transaction.ToString()),
        (JsonElement e, out TransactionInfo? t) => RpcModels.TryReadTransaction(e, out t) && (t is null || t.Hash == transaction),
        cancel);

    /// <inheritdoc/>
    public void Dispose() => _rpc.Dispose();

    internal static RpcCall BlockCall(BlockTag tag) =>
        tag.IsHash ? RpcCall.Of("eth_getBlockByHash", tag.Hash.ToString(), false) : RpcCall.Of("eth_getBlockByNumber", tag.ToJson(), false);

    internal static JsonObject Message(Address? from, Address? to, UInt128 value, ReadOnlyMemory<byte> data)
    {
        var message = new JsonObject { ["data"] = Quantity.Of(data.Span) };
        if (from is { } sender)
        {
            message["from"] = sender.ToString();
        }

        if (to is { } receiver)
        {
            message["to"] = receiver.ToString();
        }

        if (value > 0)
        {
            message["value"] = Quantity.Of(value);
        }

        return message;
    }

    private static RpcCall EthCall(Address contract, IContractCall call, BlockTag at, Address? from) => RpcCall.Of("eth_call", Message(from, contract, 0, call.Encode()), at.ToJson());

    private static RpcParser<T> Result<T>(Address contract, IContractCall<T> call) => (JsonElement element, out T value) =>
    {
        value = default!;
        if (!Quantity.TryRead(element, out byte[] data))
        {
            return false;
        }

        // What has no code answers every call with nothing.
        return data.Length == 0
            ? throw new ChainException(ChainErrorKind.Refused, $"There is no contract at {contract} that answers {call.Signature}. Check the network and the address.")
            : call.TryDecodeResult(data, out value!);
    };

    private async Task<BlockHeader> TaggedOrDeepAsync(BlockTag tag, CancellationToken cancel)
    {
        var (block, failure, tried) = await _rpc.TryAskAsync<BlockHeader?>(BlockCall(tag), RpcModels.TryReadBlock, cancel).ConfigureAwait(false);
        if (failure is null && block is not null)
        {
            return block;
        }

        if (failure is { Kind: not (ChainErrorKind.Refused or ChainErrorKind.NotFound or ChainErrorKind.NullRound) })
        {
            throw JsonRpcClient.Exception($"Asking for the {tag} block", failure, tried);
        }

        var head = await GetHeadAsync(cancel).ConfigureAwait(false);
        var deep = head > (ulong)_options.FinalityDepth ? head - (ulong)_options.FinalityDepth : 0;
        return await GetBlockAtOrBeforeAsync(deep, cancel).ConfigureAwait(false)
            ?? throw new ChainException(ChainErrorKind.NotFound, string.Create(CultureInfo.InvariantCulture, $"No endpoint has block {deep}, {_options.FinalityDepth} below its own head. Name another endpoint."));
    }

    private async Task<BlockHeader?> SkipNullRoundsAsync(ulong number, bool forward, CancellationToken cancel)
    {
        for (var skipped = 0; ; skipped++)
        {
            var (block, failure, tried) = await _rpc.TryAskAsync<BlockHeader?>(BlockCall(BlockTag.At(number)), RpcModels.TryReadBlock, cancel).ConfigureAwait(false);
            if (failure is null && (block is null || block.Number == number || (block.Number > number) == forward))
            {
                return block;
            }

            if (failure is { Kind: ChainErrorKind.NotFound })
            {
                return null;
            }

            if (failure is { Kind: not ChainErrorKind.NullRound } || skipped == MostNullRounds || (number == 0 && !forward))
            {
                throw JsonRpcClient.Exception($"Asking for block {number.ToString(CultureInfo.InvariantCulture)}", failure ?? RpcResponse.Malformed("the answer is another block"), tried);
            }

            number = forward ? number + 1 : number - 1;
        }
    }
}
