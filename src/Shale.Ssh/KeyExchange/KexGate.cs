namespace Shale.Ssh.KeyExchange;

/// <summary>
/// Lets only as many key exchanges compute at once as there are cores. A flood of them (DHEat, CVE-2002-20001) then waits here, off the thread pool, while established sessions go on;
/// what waits is bounded by the number of connections that may be unauthenticated.
/// </summary>
internal sealed class KexGate(int concurrency) : IDisposable
{
    private readonly SemaphoreSlim _slots = new(concurrency);

    public static KexGate Shared { get; } = new(Environment.ProcessorCount);

    /// <summary>Computes on the thread pool, never on the thread that serves sockets.</summary>
    public async Task<T> RunAsync<T>(Func<T> compute, CancellationToken cancellationToken)
    {
        await _slots.WaitAsync(cancellationToken);
        try
        {
            return await Task.Run(compute, cancellationToken);
        }
        finally
        {
            _slots.Release();
        }
    }

    public void Dispose() => _slots.Dispose();
}
