using Microsoft.Extensions.Logging;
using Shale.Ssh.Connection;
using Shale.Ssh.Listening;
using Shale.Wire;

namespace Shale.Ssh.Forwarding;

/// <summary>The server's forwards (RFC 4254 section 7, OpenSSH's PROTOCOL section 2.4): channels to streams that an <see cref="IForwardingHandler"/> opens, and back.</summary>
internal sealed class ServerForwarding(ServerConnection connection, SshServerOptions options, ILogger logger) : IAsyncDisposable
{
    public const string DirectTcpIp = "direct-tcpip";
    public const string DirectStreamLocal = "direct-streamlocal@openssh.com";

    private const string TcpForward = "tcpip-forward";
    private const string CancelTcpForward = "cancel-tcpip-forward";
    private const string StreamLocalForward = "streamlocal-forward@openssh.com";
    private const string CancelStreamLocalForward = "cancel-streamlocal-forward@openssh.com";

    private readonly Dictionary<string, RemoteForward> _listeners = [];

    /// <summary>Whether a global request is about forwards.</summary>
    public static bool IsRequest(string name) => name is TcpForward or CancelTcpForward or StreamLocalForward or CancelStreamLocalForward;

    /// <summary>Opens a channel to a host and port, or to a Unix socket.</summary>
    public void OpenDirect(in ChannelOpenMessage open)
    {
        TcpChannelFields tcp = default;
        string path = "";
        var wellFormed = open.ChannelType == DirectTcpIp
            ? TcpChannelFields.TryRead(open.Fields.Span, out tcp) && tcp.Host.Length > 0 && tcp.Port is >= 1 and <= 65_535
            : ForwardAddress.TryReadPath(open.Fields.Span, hasReserved: true, out path);
        if (!wellFormed)
        {
            connection.Multiplexer.Refuse(null, open.Sender, ChannelOpenFailure.ConnectFailed, "The address is malformed.");
            return;
        }

        if (options.Forwarding is not { } handler || !connection.User.PermitPortForwarding)
        {
            connection.Multiplexer.Refuse(null, open.Sender, ChannelOpenFailure.AdministrativelyProhibited, "Forwarding is not permitted.");
            return;
        }

        if (connection.Multiplexer.Reserve(open.ChannelType) is not { } channel)
        {
            connection.Multiplexer.Refuse(null, open.Sender, ChannelOpenFailure.ResourceShortage, "This connection has as many channels as it may have.");
            return;
        }

        var answer = open with { Fields = default };
        _ = Task.Run(() => ConnectAsync(handler, channel, answer, tcp, path));
    }

    /// <summary>Answers a global request about forwards. Called for one request at a time.</summary>
    /// <returns>The reply's fields, or <see langword="null"/> for a refusal.</returns>
    public async ValueTask<byte[]?> OnGlobalRequestAsync(GlobalRequestMessage request)
    {
        var isTcp = request.Name is TcpForward or CancelTcpForward;
        TcpForwardFields tcp = default;
        var path = "";
        var wellFormed = isTcp
            ? TcpForwardFields.TryRead(request.Fields.Span, out tcp) && tcp.Port <= 65_535
            : ForwardAddress.TryReadPath(request.Fields.Span, hasReserved: false, out path);
        if (!wellFormed)
        {
            return null;
        }

        if (request.Name is CancelTcpForward or CancelStreamLocalForward)
        {
            return await CancelAsync(isTcp ? Key(tcp.Address, (int)tcp.Port) : path) ? [] : null;
        }

        if (options.Forwarding is not { } handler || !connection.User.PermitPortForwarding || _listeners.Count >= options.MaxRemoteForwards
            || _listeners.ContainsKey(isTcp ? Key(tcp.Address, (int)tcp.Port) : path))
        {
            return null;
        }

        var listener = await ListenAsync(handler, isTcp, tcp, path);
        if (listener is null)
        {
            return null;
        }

        var key = isTcp ? Key(tcp.Address, listener.Port) : path;
        if (!_listeners.TryAdd(key, new RemoteForward(listener)))
        {
            await listener.DisposeAsync();
            return null;
        }

        _listeners[key].Run(() => AcceptAsync(_listeners[key], isTcp ? tcp.Address : path, isTcp));
        if (!isTcp || tcp.Port != 0)
        {
            return [];
        }

        var port = new byte[sizeof(uint)];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(port, listener.Port);
        return port;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var listener in _listeners.Values)
        {
            await listener.DisposeAsync();
        }

        _listeners.Clear();
    }

    private static string Key(string address, int port) => $"{address}\0{port}";

    private async ValueTask<bool> CancelAsync(string key)
    {
        if (!_listeners.Remove(key, out var forward))
        {
            return false;
        }

        await forward.DisposeAsync();
        return true;
    }

    private async ValueTask<ForwardListener?> ListenAsync(IForwardingHandler handler, bool isTcp, TcpForwardFields tcp, string path)
    {
        try
        {
            return isTcp
                ? await handler.ListenTcpAsync(connection, tcp.Address, (int)tcp.Port, connection.Closed)
                : await handler.ListenUnixAsync(connection, path, connection.Closed);
        }
        catch (OperationCanceledException) when (connection.Closed.IsCancellationRequested)
        {
            // The client is gone.
            return null;
        }
#pragma warning disable CA1031 // Whatever keeps the handler from listening, the client is told no, and the connection goes on.
        catch (Exception e)
#pragma warning restore CA1031
        {
            SshLog.ForwardFailed(logger, e, connection.Info.Id);
            return null;
        }
    }

    private async Task ConnectAsync(IForwardingHandler handler, Channel channel, ChannelOpenMessage open, TcpChannelFields tcp, string path)
    {
        ForwardOpenResult result;
        try
        {
            result = open.ChannelType == DirectTcpIp
                ? await handler.OpenTcpAsync(connection, tcp.Host, (int)tcp.Port, connection.Closed)
                : await handler.OpenUnixAsync(connection, path, connection.Closed);
        }
        catch (OperationCanceledException) when (connection.Closed.IsCancellationRequested)
        {
            result = ForwardOpenResult.Refused(ChannelOpenFailure.ConnectFailed, "The connection is over.");
        }
#pragma warning disable CA1031 // Whatever keeps the handler from connecting, the client is told so, and the connection goes on.
        catch (Exception e)
#pragma warning restore CA1031
        {
            SshLog.ForwardFailed(logger, e, connection.Info.Id);
            result = ForwardOpenResult.Refused(ChannelOpenFailure.ConnectFailed, "The far end could not be reached.");
        }

        if (result.Stream is not { } stream)
        {
            var failure = result.Failure == ChannelOpenFailure.None ? ChannelOpenFailure.ConnectFailed : result.Failure;
            connection.Multiplexer.Refuse(channel, open.Sender, failure, result.Description ?? "");
            return;
        }

        connection.Multiplexer.Accept(channel, open);
        await ChannelPump.RunAsync(channel, stream, logger, connection.Info.Id, connection.Closed);
    }

    private async Task AcceptAsync(RemoteForward forward, string address, bool isTcp)
    {
        var token = forward.Token;
        while (!token.IsCancellationRequested)
        {
            ForwardedConnection? accepted;
            try
            {
                accepted = await forward.Listener.AcceptAsync(token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
#pragma warning disable CA1031 // A listener that breaks ends its forward, not the connection.
            catch (Exception e)
#pragma warning restore CA1031
            {
                SshLog.ForwardFailed(logger, e, connection.Info.Id);
                return;
            }

            if (accepted is null)
            {
                return;
            }

            _ = Task.Run(() => ForwardAsync(accepted, address, isTcp ? forward.Listener.Port : null), CancellationToken.None);
        }
    }

    /// <summary>Opens forwarded-tcpip, or forwarded-streamlocal@openssh.com: string socket path, string reserved.</summary>
    private async Task ForwardAsync(ForwardedConnection accepted, string address, int? port)
    {
        using var buffer = new PooledBufferWriter(4096);
        var writer = new WireWriter(buffer);
        if (port is { } number)
        {
            new TcpChannelFields(address, (uint)number, accepted.OriginatorAddress, (uint)accepted.OriginatorPort).Write(writer);
        }
        else
        {
            writer.WriteString(address);
            writer.WriteString("");
        }

        ChannelOpenResult opened;
        try
        {
            opened = await connection.Multiplexer.OpenAsync(
                port is null ? "forwarded-streamlocal@openssh.com" : "forwarded-tcpip", buffer.WrittenMemory, separateError: false, connection.Closed);
        }
        catch (OperationCanceledException)
        {
            opened = default;
        }

        if (opened.Channel is not Channel channel)
        {
            await accepted.Stream.DisposeAsync();
            return;
        }

        await ChannelPump.RunAsync(channel, accepted.Stream, logger, connection.Info.Id, connection.Closed);
    }

    /// <summary>A listener and what accepts from it.</summary>
    private sealed class RemoteForward(ForwardListener listener) : IAsyncDisposable
    {
        private readonly CancellationTokenSource _cancelled = new();
        private Task _accepting = Task.CompletedTask;

        public ForwardListener Listener => listener;

        public CancellationToken Token => _cancelled.Token;

        public void Run(Func<Task> accept) => _accepting = Task.Run(accept);

        public async ValueTask DisposeAsync()
        {
            await _cancelled.CancelAsync();
            await listener.DisposeAsync();
            await _accepting;
            _cancelled.Dispose();
        }
    }
}
