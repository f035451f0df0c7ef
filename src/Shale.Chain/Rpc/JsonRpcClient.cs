using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Shale.Chain.Rpc;

/// <summary>Reads a value out of a result; false if it is not what the method answers.</summary>
internal delegate bool RpcParser<T>(JsonElement result, out T value);

/// <summary>
/// JSON-RPC over HTTP with several endpoints: what fails on the way, or is answered with "try again", is repeated with growing, jittered waits and on the other
/// endpoints; what a node decided is not. No endpoint is asked anything before its chain ID was checked.
/// </summary>
internal sealed class JsonRpcClient : IDisposable
{
    private readonly ChainOptions _options;
    private readonly TimeProvider _time;
    private readonly EndpointPool _pool;

    internal JsonRpcClient(ChainOptions options, TimeProvider time)
    {
        options.Validate();
        _options = options;
        _time = time;
        _pool = new EndpointPool(options, time);
    }

    internal EndpointPool Pool => _pool;

    /// <summary>Asks one thing.</summary>
    /// <exception cref="ChainException">There was no answer, or a refusal.</exception>
    internal async Task<T> AskAsync<T>(RpcCall call, RpcParser<T> parser, CancellationToken cancel)
    {
        var results = await ExchangeAsync([call], (_, result) => parser(result, out var value) ? (true, (object?)value) : (false, null), false, cancel).ConfigureAwait(false);
        return results[0].Failure is { } failure ? throw Exception(call.Method, failure, results[0].Tried) : (T)results[0].Value!;
    }

    /// <summary>Asks one thing of the first endpoint that answers; a refusal is a value.</summary>
    internal async Task<(T? Value, RpcFailure? Failure, string Tried)> TryAskAsync<T>(RpcCall call, RpcParser<T> parser, CancellationToken cancel)
    {
        var results = await ExchangeAsync([call], (_, result) => parser(result, out var value) ? (true, (object?)value) : (false, null), false, cancel).ConfigureAwait(false);
        return results[0].Failure is { } failure ? (default, failure, results[0].Tried) : ((T?)results[0].Value, null, "");
    }

    /// <summary>Asks several things of the same kind; they may come from several endpoints.</summary>
    /// <exception cref="ChainException">One of them had no answer, or was refused.</exception>
    internal async Task<T[]> AskManyAsync<T>(IReadOnlyList<RpcCall> calls, Func<int, RpcParser<T>> parsers, CancellationToken cancel)
    {
        var results = await ExchangeAsync(calls, (i, result) => parsers(i)(result, out var value) ? (true, (object?)value) : (false, null), false, cancel).ConfigureAwait(false);
        var values = new T[calls.Count];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = results[i].Failure is { } failure ? throw Exception(calls[i].Method, failure, results[i].Tried) : (T)results[i].Value!;
        }

        return values;
    }

    /// <summary>Asks several things of one endpoint together with its chain ID: what is to be signed stands on answers of a node that was on our chain when it gave them.</summary>
    /// <exception cref="ChainException">One of them had no answer, or was refused.</exception>
    internal async Task<JsonElement[]> AskTogetherAsync(IReadOnlyList<RpcCall> calls, Func<int, JsonElement, bool> valid, CancellationToken cancel)
    {
        RpcCall[] all = [RpcCall.Of("eth_chainId"), .. calls];
        var results = await ExchangeAsync(all, (i, result) => (i == 0 || valid(i - 1, result), result), true, cancel).ConfigureAwait(false);
        for (var i = 0; i < results.Length; i++)
        {
            if (results[i].Failure is { } failure)
            {
                throw Exception(all[i].Method, failure, results[i].Tried);
            }
        }

        return [.. results.Skip(1).Select(r => (JsonElement)r.Value!)];
    }

    /// <summary>Asks every endpoint that is not left aside, at once, and gives each one's answer: for what has to reach as many nodes as possible.</summary>
    internal async Task<List<(RpcEndpoint Endpoint, RpcAnswer Answer)>> AskAllAsync(RpcCall call, CancellationToken cancel)
    {
        var fit = _pool.All.Where(s => s.Reason is null).ToList();
        var answers = await Task.WhenAll((fit.Count > 0 ? fit : _pool.All).Select(async state =>
        {
            var failure = await _pool.ConfirmChainAsync(state, cancel).ConfigureAwait(false);
            if (failure is not null)
            {
                return (state, RpcAnswer.Of(failure));
            }

            var (one, whole) = await state.Transport.PostAsync([call], _options.RequestTimeout, cancel).ConfigureAwait(false);
            return (state, one is null ? RpcAnswer.Of(whole!) : one[0]);
        })).ConfigureAwait(false);
        return [.. answers.Select(a => (a.state.Endpoint, a.Item2))];
    }

    internal static ChainException Exception(string what, RpcFailure failure, string tried)
    {
        var error = failure.RevertData is { } data ? Abi.RevertData.Decode(data.Span) : null;
        if (error is Abi.UnknownContractError { Data.IsEmpty: true } && failure.Reason.Contains(':', StringComparison.Ordinal))
        {
            return new ChainException(failure.Kind, $"The contract reverted: {failure.Reason} ({tried}).", error);
        }

        return error is not null
            ? new ChainException(failure.Kind, $"The contract reverted: {error.Message}.", error)
            : new ChainException(failure.Kind, $"{what} failed. {tried}.{Advice(failure.Kind)}");
    }

    public void Dispose() => _pool.Dispose();

    private static string Advice(ChainErrorKind kind) => kind switch
    {
        ChainErrorKind.Unreachable or ChainErrorKind.Malformed => " Check the connection, or name another endpoint.",
        ChainErrorKind.WrongChain => " Name an endpoint of the right chain, or another network.",
        ChainErrorKind.Pruned => " Name an endpoint of a node that keeps more of the past (an archive node).",
        ChainErrorKind.NotFound => " The node may lag: try again in a while, or name another endpoint.",
        ChainErrorKind.TooMuch => " Ask for a smaller range.",
        ChainErrorKind.NullRound => " The epoch has no block: ask for the next one.",
        ChainErrorKind.InsufficientFunds => " Send FIL to the account.",
        _ => "",
    };

    private async Task<Outcome[]> ExchangeAsync(IReadOnlyList<RpcCall> calls, Func<int, JsonElement, (bool Valid, object? Value)> read, bool together, CancellationToken cancel)
    {
        await _pool.CompareHeadsAsync(cancel).ConfigureAwait(false);
        var results = new Outcome[calls.Count];
        var pending = Enumerable.Range(0, calls.Count).ToList();
        var tried = new HashSet<EndpointState>();
        var log = new TriedLog();
        var final = true;
        for (var attempt = 1; ; attempt++)
        {
            var state = _pool.Choose(tried);
            tried.Add(state);
            if (together)
            {
                pending = [.. Enumerable.Range(0, calls.Count)];
            }

            var failure = await _pool.ConfirmChainAsync(state, cancel).ConfigureAwait(false)
                ?? await AttemptAsync(state, calls, pending, read, results, together, cancel).ConfigureAwait(false);
            if (pending.Count == 0)
            {
                state.Succeeded();
                _pool.Prefer(state);
                return results;
            }

            var last = failure ?? results[pending[0]].Failure!;
            log.Add(state.Endpoint, last.Reason);
            final &= !last.Retry;
            if (last.Kind is ChainErrorKind.Unreachable or ChainErrorKind.Malformed)
            {
                state.Failed(last.Reason);
            }

            // A refusal for good, or a wrong chain, ends it once every endpoint had its say.
            var all = tried.Count >= _pool.All.Count;
            if (attempt >= _options.Attempts || (all && (final || _pool.All.All(s => s.OnWrongChain && s.Reason is not null))))
            {
                var said = log.ToString() + string.Concat(_pool.All.Where(s => s.Reason is not null && !log.Has(s.Endpoint)).Select(s => $"; {s.Endpoint} is left aside: {s.Reason}"));
                foreach (var i in pending)
                {
                    results[i] = new Outcome(null, failure ?? results[i].Failure ?? last, said);
                }

                return results;
            }

            if (all)
            {
                tried.Clear();
                await Task.Delay(Wait(attempt / _pool.All.Count, last.RetryAfter), _time, cancel).ConfigureAwait(false);
            }
        }
    }

    /// <summary>One attempt on one endpoint; takes what is answered for good out of <paramref name="pending"/>. Gives a failure that concerns the endpoint as a whole.</summary>
    private async Task<RpcFailure?> AttemptAsync(
        EndpointState state, IReadOnlyList<RpcCall> calls, List<int> pending, Func<int, JsonElement, (bool Valid, object? Value)> read, Outcome[] results, bool together, CancellationToken cancel)
    {
        foreach (var chunk in pending.ToArray().Chunk(state.RefusesBatches ? 1 : _options.BatchSize))
        {
            RpcCall[] batch = [.. chunk.Select(i => calls[i])];
            var (answers, whole) = await state.Transport.PostAsync(batch, _options.RequestTimeout, cancel).ConfigureAwait(false);
            if (answers is null && batch.Length > 1 && (whole!.Kind is not ChainErrorKind.Unreachable || !whole.Retry))
            {
                // An error or nonsense for a whole batch: some nodes take none.
                state.RefusesBatches = true;
                return await AttemptAsync(state, calls, pending, read, results, together, cancel).ConfigureAwait(false);
            }

            if (answers is null)
            {
                return whole;
            }

            for (var i = 0; i < chunk.Length; i++)
            {
                var (index, answer) = (chunk[i], answers[i]);
                if (together && index == 0 && _pool.CheckChain(state, answer) is { } wrong)
                {
                    return wrong;
                }

                if (answer.Failure is null)
                {
                    var (valid, value) = read(index, answer.Result);
                    answer = valid ? answer : RpcAnswer.Of(RpcResponse.Malformed($"its answer to {calls[index].Method} makes no sense"));
                    results[index] = new Outcome(value, answer.Failure, "");
                }
                else
                {
                    results[index] = new Outcome(null, answer.Failure, $"{state.Endpoint}: {answer.Failure.Reason}");
                }

                if (answer.Failure is not { Retry: true })
                {
                    pending.Remove(index);
                }
            }
        }

        return null;
    }

    private TimeSpan Wait(int round, TimeSpan? asked)
    {
        var delay = _options.FirstDelay.TotalMilliseconds * Math.Pow(2, Math.Min(round, 20));
        delay = Math.Min(delay, _options.LongestDelay.TotalMilliseconds);

        // Half of it is fixed and half is chance, so that many clients of one node do not come back together.
#pragma warning disable CA5394 // no secret depends on it
        delay *= 0.5 + (Random.Shared.NextDouble() / 2);
#pragma warning restore CA5394
        var wait = TimeSpan.FromMilliseconds(delay);
        return asked is { } longer && longer > wait ? longer : wait;
    }

    private readonly record struct Outcome(object? Value, RpcFailure? Failure, string Tried);

    /// <summary>What was tried, each endpoint with its last failure and how often.</summary>
    private sealed class TriedLog
    {
        private readonly List<(RpcEndpoint Endpoint, string Reason, int Times)> _entries = [];

        internal bool Has(RpcEndpoint endpoint) => _entries.Exists(e => ReferenceEquals(e.Endpoint, endpoint));

        internal void Add(RpcEndpoint endpoint, string reason)
        {
            var at = _entries.FindIndex(e => ReferenceEquals(e.Endpoint, endpoint));
            if (at < 0)
            {
                _entries.Add((endpoint, reason, 1));
            }
            else
            {
                _entries[at] = (endpoint, reason, _entries[at].Times + 1);
            }
        }

        public override string ToString()
        {
            var text = new StringBuilder();
            foreach (var (endpoint, reason, times) in _entries)
            {
                text.Append(text.Length == 0 ? "" : "; ").Append(endpoint).Append(": ").Append(reason);
                if (times > 1)
                {
                    text.Append(CultureInfo.InvariantCulture, $" (tried {times} times)");
                }
            }

            return text.ToString();
        }
    }
}
