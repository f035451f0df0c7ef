using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Shale.Ssh.Connection;
using Shale.Ssh.Keys;
using Shale.Ssh.Transport;
using Channel = Shale.Ssh.Connection.Channel;

namespace Shale.Ssh.Client;

/// <summary>What became of connecting.</summary>
/// <param name="Client">The client, if it is connected and authenticated.</param>
/// <param name="Closed">Why not, otherwise.</param>
public readonly record struct SshConnectResult(SshClient? Client, ConnectionClosed Closed)
{
    /// <summary>Whether there is a client.</summary>
    [MemberNotNullWhen(true, nameof(Client))]
    public bool IsConnected => Client is not null;
}

/// <summary>A small client: one authenticated connection, on which sessions and other channels are opened. Members may be used from any thread.</summary>
public sealed class SshClient : IAsyncDisposable
{
    private const int SocketBuffer = 64 * 1024;

    private readonly SshTransport _transport;
    private readonly ChannelMultiplexer _multiplexer;
    private readonly Requests _requests;
    private readonly IAsyncDisposable? _owned;
    private Task _running = Task.CompletedTask;

    private SshClient(SshTransport transport, SshClientOptions options, IAsyncDisposable? owned)
    {
        _transport = transport;
        _owned = owned;
        _requests = new Requests(this, options);
        _multiplexer = new ChannelMultiplexer(transport, _requests, options.MaxChannels);
    }

    /// <summary>The first exchange hash, which names the session (RFC 4253 section 7.2).</summary>
    public ReadOnlyMemory<byte> SessionId => _transport.Exchanger.SessionId;

    /// <summary>The server's host key.</summary>
    public SshPublicKey HostKey => _transport.Exchanger.HostPublicKey!;

    /// <summary>The server's identification string.</summary>
    public string ServerVersion => _transport.PeerVersion;

    /// <summary>Set when the connection is over.</summary>
    public CancellationToken Closed => _transport.Closed;

    /// <summary>How the connection ended, once it has.</summary>
    public ConnectionClosed Closing => _transport.Closing;

    internal SshTransport Transport => _transport;

    internal ChannelMultiplexer Multiplexer => _multiplexer;

    /// <summary>Connects over a socket that is connected already.</summary>
    /// <param name="socket">The socket, owned by the client from then on, whatever comes of it.</param>
    /// <param name="options">What to connect with.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>The client, or why there is none.</returns>
    public static ValueTask<SshConnectResult> ConnectAsync(Socket socket, SshClientOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(socket);
        if (socket.ProtocolType == ProtocolType.Tcp)
        {
            socket.NoDelay = true;
        }

        return ConnectAsync(new NetworkStream(socket, ownsSocket: true), options, cancellationToken);
    }

    /// <summary>Connects over a duplex stream.</summary>
    /// <param name="stream">The stream, owned by the client from then on, whatever comes of it.</param>
    /// <param name="options">What to connect with.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>The client, or why there is none.</returns>
    public static ValueTask<SshConnectResult> ConnectAsync(Stream stream, SshClientOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var pipe = new StreamDuplexPipe(
            PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: SocketBuffer, minimumReadSize: SocketBuffer / 4, leaveOpen: true, useZeroByteReads: true)),
            PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true)));
        return ConnectAsync(pipe, stream, options, cancellationToken);
    }

    /// <summary>Connects over a pair of pipes.</summary>
    /// <param name="pipe">The pipes.</param>
    /// <param name="owned">What to dispose at the end, if anything.</param>
    /// <param name="options">What to connect with.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>The client, or why there is none.</returns>
    public static async ValueTask<SshConnectResult> ConnectAsync(
        IDuplexPipe pipe, IAsyncDisposable? owned, SshClientOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(pipe);
        ArgumentNullException.ThrowIfNull(options);
        var transport = new SshTransport(pipe, Role.Client, new TransportOptions
        {
            SoftwareVersion = "Shale",
            VerifyHostKey = options.VerifyHostKey,
            KexAlgorithms = [.. options.KeyExchangeAlgorithms],
            HostKeyAlgorithms = [.. options.HostKeyAlgorithms],
            Ciphers = [.. options.Ciphers],
            Macs = [.. options.Macs],
            RekeyAfterBytes = options.RekeyAfterBytes,
            TimeProvider = options.TimeProvider,
            Logger = options.LoggerFactory.CreateLogger("Shale.Ssh.Client"),
        });
        var client = new SshClient(transport, options, owned);
        bool connected;
        await using (options.TimeProvider.CreateTimer(
            _ => transport.Fail(DisconnectReason.ConnectionLost, "Connecting took too long."), null, options.ConnectTimeout, Timeout.InfiniteTimeSpan))
        await using (cancellationToken.UnsafeRegister(
            static transport => ((SshTransport)transport!).Fail(DisconnectReason.ByApplication, "Connecting was cancelled."), transport))
        {
            connected = await transport.OpenAsync() && await ClientAuthentication.RunAsync(transport, options);
        }

        if (!connected)
        {
            var closing = transport.Closing;
            await client.DisposeAsync();
            cancellationToken.ThrowIfCancellationRequested();
            return new SshConnectResult(null, closing);
        }

        client._running = Task.Run(async () => await client._multiplexer.RunAsync(), CancellationToken.None);
        return new SshConnectResult(client, default);
    }

    /// <summary>Opens a session channel.</summary>
    /// <param name="cancellationToken">Ends the wait for the server.</param>
    /// <returns>The session, ready for its requests, or <see langword="null"/> if the server refuses.</returns>
    public async ValueTask<SshClientSession?> OpenSessionAsync(CancellationToken cancellationToken)
    {
        var opened = await _multiplexer.OpenAsync("session", default, separateError: true, cancellationToken);
        return opened.Channel is Channel channel ? new SshClientSession(channel) : null;
    }

    /// <summary>Opens a channel of any type.</summary>
    /// <param name="channelType">The type.</param>
    /// <param name="payload">The type's own bytes of SSH_MSG_CHANNEL_OPEN.</param>
    /// <param name="cancellationToken">Ends the wait for the server.</param>
    /// <returns>The channel, or why there is none.</returns>
    public ValueTask<ChannelOpenResult> OpenChannelAsync(string channelType, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken) =>
        _multiplexer.OpenAsync(channelType, payload, separateError: false, cancellationToken);

    /// <summary>Sends a global request and awaits its answer.</summary>
    /// <param name="name">The request.</param>
    /// <param name="payload">Its own fields.</param>
    /// <param name="cancellationToken">Ends the wait for the server.</param>
    /// <returns>The answer's own fields, or <see langword="null"/> for a refusal.</returns>
    public ValueTask<byte[]?> RequestAsync(string name, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken) =>
        _requests.SendAsync(name, payload, cancellationToken);

    /// <summary>Exchanges keys again, without waiting for it.</summary>
    public void StartKeyExchange() => _transport.Exchanger.Start();

    /// <summary>Tells the server goodbye and closes the connection.</summary>
    /// <returns>Done when everything is closed.</returns>
    public async ValueTask DisposeAsync()
    {
        _transport.Fail(DisconnectReason.ByApplication, "disconnected by user");
        await _running;
        await _transport.DisposeAsync();
        if (_owned is not null)
        {
            await _owned.DisposeAsync();
        }
    }

    private sealed record StreamDuplexPipe(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    /// <summary>What the server asks the client, and what it answers.</summary>
    private sealed class Requests(SshClient client, SshClientOptions options) : IConnectionRequestHandler
    {
        private readonly ILogger _logger = options.LoggerFactory.CreateLogger("Shale.Ssh.Client");
        private readonly Lock _gate = new();
        private readonly Queue<TaskCompletionSource<byte[]?>> _waiting = new();

        public async ValueTask<byte[]?> SendAsync(string name, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
        {
            var answer = new TaskCompletionSource<byte[]?>(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (_gate)
            {
                // Answers come in the order of requests.
                _waiting.Enqueue(answer);
                client._transport.Send(new GlobalRequestMessage(name, WantReply: true, payload));
            }

            await using var closed = client.Closed.UnsafeRegister(static answer => ((TaskCompletionSource<byte[]?>)answer!).TrySetResult(null), answer);
            return await answer.Task.WaitAsync(cancellationToken);
        }

        public void OnChannelOpen(in ChannelOpenMessage open)
        {
            var type = open.ChannelType;
            var handler = options.ChannelTypes.FirstOrDefault(h => h.ChannelType == type);
            if (handler is null || client._multiplexer.Reserve(type) is not { } channel)
            {
                client._multiplexer.Refuse(
                    null,
                    open.Sender,
                    handler is null ? ChannelOpenFailure.UnknownChannelType : ChannelOpenFailure.ResourceShortage,
                    "This client does not serve it.");
                return;
            }

            client._multiplexer.Accept(channel, open);
            var payload = open.Fields.ToArray();
            _ = Task.Run(() => ServeAsync(handler, channel, payload));
        }

        public Task OnGlobalRequestAsync(GlobalRequestMessage request)
        {
            if (request.WantReply)
            {
                client._transport.Send(new GlobalReplyMessage(Success: false, default));
            }

            return Task.CompletedTask;
        }

        public bool OnGlobalReply(bool success, ReadOnlySpan<byte> fields)
        {
            TaskCompletionSource<byte[]?>? answer;
            lock (_gate)
            {
                _waiting.TryDequeue(out answer);
            }

            answer?.TrySetResult(success ? fields.ToArray() : null);
            return answer is not null;
        }

        private async Task ServeAsync(IClientChannelHandler handler, Channel channel, byte[] payload)
        {
            try
            {
                await handler.HandleChannelAsync(channel, payload, channel.Closed);
            }
            catch (Exception e) when (e is OperationCanceledException or IOException && (channel.Closed.IsCancellationRequested || channel.IsClosedByPeer))
            {
                // The server closed it while the handler worked.
            }
#pragma warning disable CA1031 // A handler's bug ends its channel, not the connection.
            catch (Exception e)
#pragma warning restore CA1031
            {
                SshLog.HandlerFailed(_logger, e, client.ServerVersion, channel.LocalId, channel.ChannelType);
            }

            await channel.Input.CompleteAsync();
            channel.SendClose();
        }
    }
}
