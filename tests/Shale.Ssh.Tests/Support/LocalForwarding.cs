using System.Net;
using System.Net.Sockets;
using Shale.Ssh.Connection;
using Shale.Ssh.Forwarding;

namespace Shale.Ssh.Tests.Support;

/// <summary>Opens forwards on this machine.</summary>
internal sealed class LocalForwarding : IForwardingHandler
{
    /// <summary>What a listener waits for before it listens.</summary>
    public Func<Task> BeforeListening { get; set; } = () => Task.CompletedTask;

    public async ValueTask<ForwardOpenResult> OpenTcpAsync(SshServerConnection connection, string host, int port, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(host, port, cancellationToken);
            return ForwardOpenResult.Connected(new SocketStream(socket));
        }
        catch (SocketException e)
        {
            socket.Dispose();
            return ForwardOpenResult.Refused(ChannelOpenFailure.ConnectFailed, e.Message);
        }
    }

    public async ValueTask<ForwardOpenResult> OpenUnixAsync(SshServerConnection connection, string path, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
        return ForwardOpenResult.Connected(new SocketStream(socket));
    }

    public async ValueTask<ForwardListener?> ListenTcpAsync(SshServerConnection connection, string address, int port, CancellationToken cancellationToken)
    {
        await BeforeListening();
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
        socket.Listen();
        return new Listener(socket, null);
    }

    public ValueTask<ForwardListener?> ListenUnixAsync(SshServerConnection connection, string path, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        socket.Listen();
        return ValueTask.FromResult<ForwardListener?>(new Listener(socket, path));
    }

    private sealed class Listener(Socket socket, string? path) : ForwardListener
    {
        public override int Port => socket.LocalEndPoint is IPEndPoint end ? end.Port : 0;

        public override async ValueTask<ForwardedConnection?> AcceptAsync(CancellationToken cancellationToken)
        {
            var accepted = await socket.AcceptAsync(cancellationToken);
            return accepted.RemoteEndPoint is IPEndPoint from
                ? new ForwardedConnection(new SocketStream(accepted), from.Address.ToString(), from.Port)
                : new ForwardedConnection(new SocketStream(accepted), "", 0);
        }

        public override ValueTask DisposeAsync()
        {
            socket.Dispose();
            if (path is not null)
            {
                File.Delete(path);
            }

            return ValueTask.CompletedTask;
        }
    }
}
