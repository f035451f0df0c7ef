namespace Shale.Ssh.Forwarding;

/// <summary>The far end of a forward: a duplex stream whose directions end one by one.</summary>
public abstract class ForwardedStream : IAsyncDisposable
{
    /// <summary>Reads what the far end sends.</summary>
    /// <param name="buffer">Where to.</param>
    /// <param name="cancellationToken">Set when the channel is closed.</param>
    /// <returns>How many bytes; 0 at the end.</returns>
    public abstract ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken);

    /// <summary>Writes to the far end, all of it.</summary>
    /// <param name="data">The bytes.</param>
    /// <param name="cancellationToken">Set when the channel is closed.</param>
    /// <returns>Done when all is written.</returns>
    public abstract ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken);

    /// <summary>Tells the far end that nothing more follows; reading goes on.</summary>
    /// <param name="cancellationToken">Set when the channel is closed.</param>
    /// <returns>Done when the far end was told.</returns>
    public abstract ValueTask CompleteWritesAsync(CancellationToken cancellationToken);

    /// <summary>Closes both directions.</summary>
    /// <returns>Done when closed.</returns>
    public abstract ValueTask DisposeAsync();
}
