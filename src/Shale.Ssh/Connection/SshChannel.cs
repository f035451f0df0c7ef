using System.IO.Pipelines;

namespace Shale.Ssh.Connection;

/// <summary>
/// A channel's two streams (RFC 4254 section 5). One reader and any number of writers may use it at once. Writing waits while the peer's window is closed,
/// and reading opens ours: who does not read <see cref="Input"/> stops the peer, never the other channels.
/// </summary>
public abstract class SshChannel : IAsyncDisposable
{
    /// <summary>The channel type it was opened with.</summary>
    public abstract string ChannelType { get; }

    /// <summary>
    /// What the peer sends; completed after the peer's EOF or close. Bytes are credited to the peer's window as they are consumed
    /// (<see cref="PipeReader.AdvanceTo(SequencePosition)"/>), so at most one window (2 MiB) is ever buffered.
    /// </summary>
    public abstract PipeReader Input { get; }

    /// <summary>Set when the channel is closed by either side or its connection is over.</summary>
    public abstract CancellationToken Closed { get; }

    /// <summary>Sends bytes in as many packets as it takes. The memory is the caller's again when the call completes.</summary>
    /// <param name="data">The bytes.</param>
    /// <param name="cancellationToken">Ends the wait for the window.</param>
    /// <returns>Done when all is with the transport.</returns>
    /// <exception cref="IOException">The channel is closed, or EOF was sent.</exception>
    public abstract ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken);

    /// <summary>Takes a buffer whose bytes lie where the packet is built, for streams that carry bulk.</summary>
    /// <returns>The buffer; dispose it to return its memory.</returns>
    public abstract OutputBuffer RentOutputBuffer();

    /// <summary>Tells the peer that nothing more follows; reading goes on. Does nothing the second time.</summary>
    /// <param name="cancellationToken">Ends the wait for the transport.</param>
    /// <returns>Done when the message is with the transport.</returns>
    public abstract ValueTask SendEofAsync(CancellationToken cancellationToken);

    /// <summary>Closes both directions. What was written before still arrives.</summary>
    /// <returns>Done when the message is with the transport.</returns>
    public abstract ValueTask DisposeAsync();
}

/// <summary>
/// A reusable piece of memory of a packet's size or some with room around it for what a packet needs, so that bytes read from a file descriptor are encrypted from where they
/// were read. Not safe for use from several threads at once.
/// </summary>
public abstract class OutputBuffer : IDisposable
{
    /// <summary>
    /// Where to put bytes: as many as one packet carries (32 KiB unless the peer asked for less), or as several do while it is filled each time. It may be another piece of memory after each send.
    /// </summary>
    public abstract Memory<byte> Memory { get; }

    /// <summary>Sends the first bytes of <see cref="Memory"/>; when the call completes, more may be put there.</summary>
    /// <param name="count">How many.</param>
    /// <param name="cancellationToken">Ends the wait for the window.</param>
    /// <returns>Done when the bytes are with the transport.</returns>
    /// <exception cref="IOException">The channel is closed, or EOF was sent.</exception>
    public abstract ValueTask SendAsync(int count, CancellationToken cancellationToken);

    /// <summary>Sends the first bytes of <see cref="Memory"/> as standard error (a session's extended data stream 1).</summary>
    /// <param name="count">How many.</param>
    /// <param name="cancellationToken">Ends the wait for the window.</param>
    /// <returns>Done when the bytes are with the transport.</returns>
    /// <exception cref="IOException">The channel is closed, or EOF was sent.</exception>
    public abstract ValueTask SendErrorAsync(int count, CancellationToken cancellationToken);

    /// <summary>Returns the memory.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Returns the memory.</summary>
    /// <param name="disposing">Always set; there is no finalizer.</param>
    protected abstract void Dispose(bool disposing);
}
