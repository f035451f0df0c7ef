using System.Net;
using System.Net.Sockets;
using Shale.Containers.Exec;
using Shale.Containers.Files;
using Shale.Containers.Network;

namespace Shale.Containers.Leases;

/// <summary>Connections into the container's network and to its Unix sockets.</summary>
public sealed partial class LeaseContainer
{
    /// <summary>Longer than a busy server takes to accept, shorter than a user's patience.</summary>
    private static readonly TimeSpan ConnectTime = TimeSpan.FromSeconds(15);

    /// <summary>
    /// Connects to a TCP port as a process of the container would: "localhost" is the container's, names are resolved by its files and servers.
    /// The caller disposes the socket.
    /// </summary>
    /// <exception cref="ForwardException">Nobody answers there, there is no such name, or the lease is paused.</exception>
    public async Task<Socket> ConnectTcpAsync(string host, int port, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(host);
        if (port is <= 0 or > 65535)
        {
            throw new ForwardException(ForwardFailure.ConnectFailed, "There is no such port.");
        }

        var root = await ForwardRootAsync(cancellationToken).ConfigureAwait(false);
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(ConnectTime);
        try
        {
            var addresses = await NameResolver.ResolveAsync(root, host, timer.Token).ConfigureAwait(false);
            Exception? last = null;
            foreach (var address in addresses)
            {
                try
                {
                    var socket = await PolledSocket.ConnectAsync(root, new IPEndPoint(address, port), timer.Token).ConfigureAwait(false);
                    socket.NoDelay = true;
                    return socket;
                }
                catch (SocketException e)
                {
                    last = e;
                }
            }

            throw new ForwardException(ForwardFailure.ConnectFailed, last is null ? $"{host}: no such name in the container." : $"{host}:{port} in the container: {last.Message}", last);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ForwardException(ForwardFailure.ConnectFailed, $"{host}:{port} in the container does not answer.", e);
        }
        catch (Exception e) when (e is ObjectDisposedException || (e is IOException and not ForwardException))
        {
            throw new ForwardException(ForwardFailure.ConnectFailed, "The container's network can't be reached.", e);
        }
    }

    /// <summary>Listens on a TCP port inside the container.</summary>
    /// <param name="address">As in tcpip-forward (RFC 4254 section 7.1): empty or "*" for all, "localhost" for loopback, or an IP address.</param>
    /// <param name="port">The port; 0: any free one.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ForwardException">The port is taken, the address is not the container's, or the lease is paused.</exception>
    public async Task<ContainerListener> ListenTcpAsync(string address, int port, CancellationToken cancellationToken)
    {
        var ip = address switch
        {
            null or "" or "*" => IPAddress.Any,
            "localhost" => IPAddress.Loopback,
            _ when IPAddress.TryParse(address, out var parsed) => parsed,
            _ => throw new ForwardException(ForwardFailure.Prohibited, $"'{address}' is not an address to listen on."),
        };
        if (port is < 0 or > 65535)
        {
            throw new ForwardException(ForwardFailure.Prohibited, "There is no such port.");
        }

        var root = await ForwardRootAsync(cancellationToken).ConfigureAwait(false);
        Socket? socket = null;
        try
        {
            socket = ContainerNetwork.NewSocket(root, ip.AddressFamily, SocketType.Stream);
            socket.Bind(new IPEndPoint(ip, port));
            socket.Listen(128);
            return new TcpForwardListener(socket);
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
        {
            socket?.Dispose();
            throw new ForwardException(ForwardFailure.Prohibited, $"Port {port} in the container: {e.Message}", e);
        }
    }

    /// <summary>Connects to a Unix socket of the container with a user's rights; the caller disposes it.</summary>
    /// <param name="path">Its path in the container; relative to the user's home.</param>
    /// <param name="user"><c>name|uid[:group|gid]</c>; null: the lease's user.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ForwardException">It is not there, is no socket, nobody listens, the user may not, or the lease is paused.</exception>
    public async Task<Socket> ConnectUnixAsync(ReadOnlyMemory<byte> path, string? user, CancellationToken cancellationToken)
    {
        var root = await ForwardRootAsync(cancellationToken).ConfigureAwait(false);
        var found = UserOf(root, user);
        using var calls = new UserCalls(found, "shale-connect");
        try
        {
            var (socket, error) = await calls.RunAsync(() => (ContainerNetwork.ConnectUnix(root, path.Span, found.Home, out var e), e), cancellationToken).ConfigureAwait(false);
            return socket ?? throw UnixFailure(path, error);
        }
        catch (ObjectDisposedException e)
        {
            throw new ForwardException(ForwardFailure.ConnectFailed, "The container of this lease has just ended.", e);
        }
    }

    /// <summary>Listens on a Unix socket (mode 0600) of the container with a user's rights.</summary>
    /// <param name="path">Its path in the container; nothing may be there.</param>
    /// <param name="user"><c>name|uid[:group|gid]</c>; null: the lease's user.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ForwardException">Something is there, the user may not, or the lease is paused.</exception>
    public async Task<ContainerListener> ListenUnixAsync(ReadOnlyMemory<byte> path, string? user, CancellationToken cancellationToken)
    {
        var root = await ForwardRootAsync(cancellationToken).ConfigureAwait(false);
        var found = UserOf(root, user);
        var calls = new UserCalls(found, "shale-listen");
        try
        {
            var (listener, error) = await calls.RunAsync(() => (ContainerNetwork.ListenUnix(root, calls, path.Span, found.Home, out var e), e), cancellationToken).ConfigureAwait(false);
            return listener ?? throw UnixFailure(path, error);
        }
        catch (Exception e)
        {
            calls.Dispose();
            if (e is ObjectDisposedException)
            {
                throw new ForwardException(ForwardFailure.ConnectFailed, "The container of this lease has just ended.", e);
            }

            throw;
        }
    }

    private static ForwardException UnixFailure(ReadOnlyMemory<byte> path, FileError error) =>
        new(
            error is FileError.AccessDenied or FileError.NotPermitted ? ForwardFailure.Prohibited : ForwardFailure.ConnectFailed,
            $"{CommandLine.Text(path.Span)} in the container: {System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage((int)error)}");

    private ContainerUser UserOf(ContainerRoot root, string? user) =>
        ContainerUser.TryResolve(root, user ?? _record.User) ?? throw new ForwardException(ForwardFailure.Prohibited, $"The container has no user '{user ?? _record.User}'.");

    private async Task<ContainerRoot> ForwardRootAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (_pausedByUs)
            {
                throw PausedFailure();
            }

            var attachment = await AttachAsync(cancellationToken).ConfigureAwait(false);
            return attachment.Root ?? throw new ForwardException(ForwardFailure.Prohibited, "The container's network can't be reached from this machine: its engine is another's.");
        }
        catch (ExecException e)
        {
            throw new ForwardException(ForwardFailure.Prohibited, e.Message, e);
        }
    }
}
