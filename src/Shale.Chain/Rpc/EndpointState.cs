namespace Shale.Chain.Rpc;

/// <summary>What is known about one endpoint. Guarded by its own lock.</summary>
internal sealed class EndpointState(RpcEndpoint endpoint, TimeProvider time) : IDisposable
{
    // A node that fails again and again is asked once a minute.
    private static readonly TimeSpan LongestAside = TimeSpan.FromMinutes(1);

    // Nodes behind a load balancer change: a chain ID is asked for again from time to time, and after every failure.
    private static readonly TimeSpan TrustFor = TimeSpan.FromMinutes(10);

    private readonly Lock _gate = new();
    private DateTimeOffset _asideUntil = DateTimeOffset.MinValue;
    private DateTimeOffset _trustedUntil = DateTimeOffset.MinValue;
    private int _failures;

    internal RpcEndpoint Endpoint { get; } = endpoint;

    internal RpcTransport Transport { get; } = new(endpoint, time);

    /// <summary>Whether it refused a batch: then calls go one by one.</summary>
    internal bool RefusesBatches { get; set; }

    /// <summary>Why it is left aside, or null.</summary>
    internal string? Reason
    {
        get
        {
            lock (_gate)
            {
                return time.GetUtcNow() < _asideUntil ? field : null;
            }
        }

        private set;
    }

    /// <summary>Whether it is left aside because its chain ID is another.</summary>
    internal bool OnWrongChain { get; private set; }

    internal DateTimeOffset AsideUntil
    {
        get
        {
            lock (_gate)
            {
                return _asideUntil;
            }
        }
    }

    internal bool ChainIsConfirmed
    {
        get
        {
            lock (_gate)
            {
                return time.GetUtcNow() < _trustedUntil;
            }
        }
    }

    internal void ConfirmChain()
    {
        lock (_gate)
        {
            _trustedUntil = time.GetUtcNow() + TrustFor;
            OnWrongChain = false;
        }
    }

    internal void Succeeded()
    {
        lock (_gate)
        {
            _failures = 0;
            _asideUntil = DateTimeOffset.MinValue;
        }
    }

    /// <summary>Leaves it aside: for a second after a first failure, longer after each further one.</summary>
    internal void Failed(string reason)
    {
        lock (_gate)
        {
            _failures = Math.Min(_failures + 1, 16);
            var wait = TimeSpan.FromSeconds(1 << Math.Min(_failures - 1, 6));
            _asideUntil = time.GetUtcNow() + (wait < LongestAside ? wait : LongestAside);
            _trustedUntil = DateTimeOffset.MinValue;
            Reason = reason;
        }
    }

    internal void LeaveAside(string reason, TimeSpan duration, bool wrongChain = false)
    {
        lock (_gate)
        {
            _asideUntil = time.GetUtcNow() + duration;
            _trustedUntil = wrongChain ? DateTimeOffset.MinValue : _trustedUntil;
            OnWrongChain = wrongChain;
            Reason = reason;
        }
    }

    public void Dispose() => Transport.Dispose();
}
