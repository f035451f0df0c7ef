using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Shale.Agent.Files;

namespace Shale.Agent.Sockets;

/// <summary>
/// A Unix socket of mode 0600 that serves each connection on a task of its own. Only processes of the agent's own user are served,
/// and root's.
/// </summary>
internal sealed partial class SocketListener : IAsyncDisposable
{
    /// <summary>More than any user has shells; past it a connection is closed at once rather than left waiting.</summary>
    private const int MaxConnections = 256;

    /// <summary>Above <see cref="MaxConnections"/>, so that who comes too many is told so and doesn't wait in line.</summary>
    private const int Backlog = 1024;

    private const int SocketLevel = 1; // SOL_SOCKET
    private const int PeerCredentials = 17; // SO_PEERCRED

    private static readonly TimeSpan AcceptRetry = TimeSpan.FromMilliseconds(100);

    private readonly Socket _socket;
    private readonly string _path;
    private readonly Func<NetworkStream, CancellationToken, Task> _serve;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private int _connections;

    private SocketListener(Socket socket, string path, Func<NetworkStream, CancellationToken, Task> serve, ILogger logger)
    {
        _socket = socket;
        _path = path;
        _serve = serve;
        _logger = logger;
        _accepting = Task.Run(AcceptAsync);
    }

    /// <summary>Connections that are open now.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Listens; whatever an agent that was killed left at the path is removed.</summary>
    /// <exception cref="AgentException">The path is too long.</exception>
    /// <exception cref="SocketException">It can't listen there.</exception>
    public static SocketListener Start(string path, Func<NetworkStream, CancellationToken, Task> serve, ILogger logger)
    {
        var endpoint = new UnixDomainSocketEndPoint(AgentFolder.CheckSocketPath(path));
        File.Delete(path);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            // Between bind and chmod the folder's own mode (0700) keeps others away.
            socket.Bind(endpoint);
            File.SetUnixFileMode(path, AgentFolder.FileMode);
            socket.Listen(Backlog);
            return new SocketListener(socket, path, serve, logger);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _socket.Dispose();
        await _accepting.ConfigureAwait(false);
        File.Delete(_path);
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                Socket accepted = await _socket.AcceptAsync(_stop.Token).ConfigureAwait(false);
                if (Interlocked.Increment(ref _connections) > MaxConnections || !IsOurs(accepted))
                {
                    accepted.Dispose();
                    Interlocked.Decrement(ref _connections);
                    continue;
                }

                _ = Task.Run(() => ServeAsync(accepted));
            }
            catch (Exception cause) when (cause is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException cause) when (!_stop.IsCancellationRequested)
            {
                // No descriptors left, most likely: connections end and give theirs back.
                AgentLog.AcceptFailed(_logger, cause, _path);
                await Task.Delay(AcceptRetry).ConfigureAwait(false);
            }
            catch (SocketException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(Socket accepted)
    {
        try
        {
            await using var stream = new NetworkStream(accepted, ownsSocket: true);
            await _serve(stream, _stop.Token).ConfigureAwait(false);
        }
        catch (Exception cause) when (cause is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
        {
            // The other end is gone, or the agent stops.
        }
        catch (Exception cause)
        {
            // A bug costs this connection, not the agent: other leases are paid by the same process.
            AgentLog.ConnectionFailed(_logger, cause, _path);
        }
        finally
        {
            Interlocked.Decrement(ref _connections);
        }
    }

    private static bool IsOurs(Socket socket)
    {
        // struct ucred: pid, uid, gid.
        Span<byte> credentials = stackalloc byte[12];
        try
        {
            if (socket.GetRawSocketOption(SocketLevel, PeerCredentials, credentials) != credentials.Length)
            {
                return false;
            }
        }
        catch (SocketException)
        {
            return false;
        }

        uint user = MemoryMarshal.Read<uint>(credentials[4..]);
        return user == 0 || user == EffectiveUser();
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();
}
