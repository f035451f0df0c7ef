using System.Globalization;
using System.Text.Json;

namespace Shale.Chain.Rpc;

/// <summary>
/// Several endpoints of one chain. The one that answered last is asked first, so that one reading of the chain comes from one node. An endpoint that fails, is on another chain, or
/// is far from where the others are is left aside for a while and named in messages.
/// </summary>
internal sealed class EndpointPool : IDisposable
{
    private static readonly TimeSpan CompareEvery = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan CompareTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan WrongChainAside = TimeSpan.FromMinutes(1);

    private readonly EndpointState[] _states;
    private readonly ChainOptions _options;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _comparing = new(1, 1);
    private DateTimeOffset _comparedAt = DateTimeOffset.MinValue;
    private int _preferred;

    internal EndpointPool(ChainOptions options, TimeProvider time)
    {
        _options = options;
        _time = time;
        _states = [.. options.Endpoints.Select(e => new EndpointState(e, time))];
    }

    internal IReadOnlyList<EndpointState> All => _states;

    /// <summary>Endpoints that are left aside, and why; for status displays and messages.</summary>
    internal IEnumerable<string> Aside() => _states.Select(s => (s.Endpoint, s.Reason)).Where(s => s.Reason is not null).Select(s => $"{s.Endpoint}: {s.Reason}");

    /// <summary>The endpoint to ask next: one that is not left aside and was not tried in this round; else the one whose time aside ends first.</summary>
    internal EndpointState Choose(ISet<EndpointState> tried)
    {
        var start = Volatile.Read(ref _preferred);
        EndpointState? best = null;
        for (var i = 0; i < _states.Length; i++)
        {
            var state = _states[(start + i) % _states.Length];
            if (!tried.Contains(state) && state.Reason is null)
            {
                return state;
            }

            if (!tried.Contains(state) && (best is null || state.AsideUntil < best.AsideUntil))
            {
                best = state;
            }
        }

        return best ?? _states[start % _states.Length];
    }

    internal void Prefer(EndpointState state) => Volatile.Write(ref _preferred, Array.IndexOf(_states, state));

    /// <summary>Whether the endpoint says that it is on our chain; asked before it is believed anything. Null: it is; else why not.</summary>
    internal async Task<RpcFailure?> ConfirmChainAsync(EndpointState state, CancellationToken cancel)
    {
        if (state.ChainIsConfirmed)
        {
            return null;
        }

        var (answers, whole) = await state.Transport.PostAsync([RpcCall.Of("eth_chainId")], _options.RequestTimeout, cancel).ConfigureAwait(false);
        var answer = answers is null ? RpcAnswer.Of(whole!) : answers[0];
        return CheckChain(state, answer);
    }

    /// <summary>Judges an answer to <c>eth_chainId</c>.</summary>
    internal RpcFailure? CheckChain(EndpointState state, RpcAnswer answer)
    {
        if (answer.Failure is { } failure)
        {
            return failure;
        }

        if (!Quantity.TryRead(answer.Result, out ulong actual))
        {
            return RpcResponse.Malformed("its chain ID is not a number");
        }

        if (actual == _options.ChainId)
        {
            state.ConfirmChain();
            return null;
        }

        var wrong = new RpcFailure(ChainErrorKind.WrongChain, true, string.Create(CultureInfo.InvariantCulture, $"it is on chain {actual}, not {_options.ChainId}"));
        state.LeaveAside(wrong.Reason, WrongChainAside, wrongChain: true);
        return wrong;
    }

    /// <summary>With several endpoints: compares their heads from time to time, and leaves aside who lags, or is where nobody else is.</summary>
    internal async Task CompareHeadsAsync(CancellationToken cancel)
    {
        if (_states.Length < 2 || _time.GetUtcNow() - _comparedAt < CompareEvery || !await _comparing.WaitAsync(0, cancel).ConfigureAwait(false))
        {
            return;
        }

        try
        {
            _comparedAt = _time.GetUtcNow();
            var heads = await Task.WhenAll(_states.Where(s => s.Reason is null).Select(s => HeadAsync(s, cancel))).ConfigureAwait(false);
            var known = heads.Where(h => h.Head is not null).OrderByDescending(h => h.Head).ToList();
            if (known.Count < 2)
            {
                return;
            }

            // One of three or more may claim any head it likes: the second highest is what two agree on at least.
            var reference = known[known.Count >= 3 ? 1 : 0].Head!.Value;
            foreach (var (state, head) in known)
            {
                if (head + (ulong)_options.LargestLag < reference)
                {
                    state.LeaveAside(string.Create(CultureInfo.InvariantCulture, $"it lags {reference - head} blocks behind the others"), CompareEvery);
                }
                else if (head > reference + (ulong)_options.LargestLag)
                {
                    state.LeaveAside(string.Create(CultureInfo.InvariantCulture, $"it claims a head {head - reference} blocks ahead of all others"), CompareEvery);
                }
            }
        }
        finally
        {
            _comparing.Release();
        }
    }

    public void Dispose()
    {
        foreach (var state in _states)
        {
            state.Dispose();
        }

        _comparing.Dispose();
    }

    private async Task<(EndpointState State, ulong? Head)> HeadAsync(EndpointState state, CancellationToken cancel)
    {
        var timeout = CompareTimeout < _options.RequestTimeout ? CompareTimeout : _options.RequestTimeout;
        RpcCall[] calls = [RpcCall.Of("eth_chainId"), RpcCall.Of("eth_blockNumber")];
        var answers = new RpcAnswer[2];
        for (var i = 0; i < calls.Length; i++)
        {
            var (one, whole) = await state.Transport.PostAsync([calls[i]], timeout, cancel).ConfigureAwait(false);
            answers[i] = one is null ? RpcAnswer.Of(whole!) : one[0];
            if (answers[i].Failure is { } failure)
            {
                state.Failed(failure.Reason);
                return (state, null);
            }
        }

        if (CheckChain(state, answers[0]) is not null)
        {
            return (state, null);
        }

        return (state, Quantity.TryRead(answers[1].Result, out ulong head) ? head : null);
    }
}
