using System.Threading.Channels;

namespace Shale.Gateway.Payments;

/// <summary>
/// Keeps meters' files, on a thread of its own: each takes two flushes of the disk, and the few threads that carry the bytes of sessions must
/// not wait for them. A meter that waits already is written once, as it then stands.
/// </summary>
internal sealed class MeterKeeper : IAsyncDisposable
{
    // Bounded by the leases: each waits once at most.
    private readonly Channel<PaidLease> _waiting = Channel.CreateUnbounded<PaidLease>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Task _loop;

    public MeterKeeper() => _loop = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Has a meter written. After <see cref="DisposeAsync"/> nothing happens: a lease that ends writes its own.</summary>
    public void Add(PaidLease lease) => _waiting.Writer.TryWrite(lease);

    /// <summary>Writes those that wait, and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _loop.ConfigureAwait(false);
    }

    private void Run()
    {
        while (_waiting.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (_waiting.Reader.TryRead(out var lease))
            {
                lease.SaveWaiting();
            }
        }
    }
}
