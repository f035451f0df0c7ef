using Microsoft.Extensions.Logging;
using Shale.Ssh.Auth;
using Shale.Ssh.Forwarding;
using Shale.Ssh.Keys;
using Shale.Ssh.Listening;
using Shale.Ssh.Session;
using Shale.Ssh.Transport;

namespace Shale.Ssh.Connection;

/// <summary>The server's side of the connection protocol for one authenticated peer.</summary>
internal sealed class ServerConnection : SshServerConnection, IConnectionRequestHandler, IAsyncDisposable
{
    private const int MaxPayload = 4 * 1024;

    private readonly SshTransport _transport;
    private readonly SshServerOptions _options;
    private readonly AuthenticatedPeer _peer;
    private readonly ILogger _logger;
    private readonly HashSet<ServerSession> _sessions = [];
    private readonly Lock _gate = new();
    private readonly ServerForwarding _forwarding;
    private readonly GlobalRequests _globalRequests;
    private readonly ConnectionWatch _watch;
    private bool _noMoreSessions;
    private bool _agentForwardingGranted;

    public ServerConnection(SshTransport transport, SshServerOptions options, AuthenticatedPeer peer, ConnectionInfo info, ILogger logger)
    {
        _transport = transport;
        _options = options;
        _peer = peer;
        _logger = logger;
        Info = info;
        Multiplexer = new ChannelMultiplexer(transport, this, options.MaxChannels);
        _forwarding = new ServerForwarding(this, options, logger);
        _globalRequests = new GlobalRequests(this, transport, options, _forwarding);
        _watch = new ConnectionWatch(transport, options, _globalRequests, peer.User.ValidUntil);
    }

    public ChannelMultiplexer Multiplexer { get; }

    public override ConnectionInfo Info { get; }

    public override AuthenticatedUser User => _peer.User;

    public override SshPublicKey Key => _peer.Key;

    public override SshCertificate? Certificate => _peer.Certificate;

    public override int SessionCount
    {
        get
        {
            lock (_gate)
            {
                return _sessions.Count;
            }
        }
    }

    public override bool AgentForwardingGranted => Volatile.Read(ref _agentForwardingGranted);

    public override long BytesReceived => _transport.BytesReceived;

    public override long BytesSent => _transport.Writer.BytesSent;

    public override CancellationToken Closed => _transport.Closed;

    /// <summary>Done when all global requests that came so far are answered. Asked by the connection's reader.</summary>
    public Task GlobalRequestsAnswered => _globalRequests.AllAnswered;

    /// <summary>Serves the connection until it is over.</summary>
    public async ValueTask RunAsync()
    {
        if (_options.Observer is { } observer)
        {
            await observer.OnOpenedAsync(this, Closed);
        }

        _globalRequests.AnnounceHostKeys();
        _transport.Writer.Flush();
        _watch.Start();
        await Multiplexer.RunAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _watch.Dispose();
        await _globalRequests.DisposeAsync();
        await _forwarding.DisposeAsync();
    }

    public override async ValueTask<ChannelOpenResult> OpenChannelAsync(
        string channelType, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(channelType);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(payload.Length, MaxPayload);
        if (channelType.StartsWith("auth-agent", StringComparison.Ordinal) && !AgentForwardingGranted)
        {
            return new ChannelOpenResult(null, ChannelOpenFailure.AdministrativelyProhibited, "The client did not ask for agent forwarding.");
        }

        return await Multiplexer.OpenAsync(channelType, payload, separateError: false, cancellationToken);
    }

    public override byte[] SignWithHostKey(ReadOnlySpan<byte> data)
    {
        var exchanger = _transport.Exchanger;
        return exchanger.HostKey!.Sign(exchanger.HostKeyAlgorithm, data);
    }

    public override ValueTask DisconnectAsync(DisconnectReason reason, string description)
    {
        ArgumentNullException.ThrowIfNull(description);
        _transport.Fail(reason, description);
        return ValueTask.CompletedTask;
    }

    public void GrantAgentForwarding()
    {
        Volatile.Write(ref _agentForwardingGranted, true);
        _options.Observer?.OnAgentForwardingGranted(this);
    }

    public void DisallowSessions() => _noMoreSessions = true;

    public async ValueTask EndSessionAsync(ServerSession session)
    {
        int remaining;
        lock (_gate)
        {
            _sessions.Remove(session);
            remaining = _sessions.Count;
        }

        if (_options.Observer is not { } observer)
        {
            return;
        }

        try
        {
            await observer.OnSessionEndingAsync(session, remaining, Closed);
        }
        catch (OperationCanceledException) when (Closed.IsCancellationRequested)
        {
            // Nobody is left to close anything for.
        }
#pragma warning disable CA1031 // An observer's bug must not keep a session open.
        catch (Exception e)
#pragma warning restore CA1031
        {
            SshLog.ObserverFailed(_logger, e, Info.Id);
        }
    }

    public void Remove(ServerSession session)
    {
        lock (_gate)
        {
            _sessions.Remove(session);
        }
    }

    public void OnChannelOpen(in ChannelOpenMessage open)
    {
        switch (open.ChannelType)
        {
            case "session":
                OpenSession(open);
                break;
            case ServerForwarding.DirectTcpIp or ServerForwarding.DirectStreamLocal:
                _forwarding.OpenDirect(open);
                break;
            default:
                OpenCustom(open);
                break;
        }
    }

    public Task OnGlobalRequestAsync(GlobalRequestMessage request) => _globalRequests.OnRequestAsync(request);

    public bool OnGlobalReply(bool success, ReadOnlySpan<byte> fields) => _globalRequests.OnReply();

    private void OpenSession(in ChannelOpenMessage open)
    {
        if (!open.Fields.IsEmpty)
        {
            Multiplexer.Refuse(null, open.Sender, ChannelOpenFailure.ConnectFailed, "A session has no fields of its own.");
            return;
        }

        Channel? channel = null;
        ServerSession? session = null;
        lock (_gate)
        {
            if (!_noMoreSessions && _sessions.Count < _options.MaxSessions && (channel = Multiplexer.Reserve(open.ChannelType)) is not null)
            {
                session = new ServerSession(this, channel, _options.Sessions, _logger);
                channel.Requests = session;
                _sessions.Add(session);
            }
        }

        if (session is null)
        {
            var (failure, text) = _noMoreSessions
                ? (ChannelOpenFailure.AdministrativelyProhibited, "The client said that it would open no more sessions.")
                : (ChannelOpenFailure.ResourceShortage, $"A connection may have {_options.MaxSessions} sessions at once.");
            Multiplexer.Refuse(null, open.Sender, failure, text);
            return;
        }

        Multiplexer.Accept(channel!, open);
    }

    private void OpenCustom(in ChannelOpenMessage open)
    {
        var type = open.ChannelType;
        if (_options.ChannelTypes.FirstOrDefault(h => h.ChannelType == type) is not { } handler)
        {
            Multiplexer.Refuse(null, open.Sender, ChannelOpenFailure.UnknownChannelType, "This server has no such channels.");
            return;
        }

        var failure = handler.Accept(this, open.Fields.Span);
        if (failure != ChannelOpenFailure.None)
        {
            Multiplexer.Refuse(null, open.Sender, failure, "Refused.");
            return;
        }

        if (Multiplexer.Reserve(type) is not { } channel)
        {
            Multiplexer.Refuse(null, open.Sender, ChannelOpenFailure.ResourceShortage, "This connection has as many channels as it may have.");
            return;
        }

        Multiplexer.Accept(channel, open);
        _ = Task.Run(() => ServeCustomAsync(handler, channel));
    }

    private async Task ServeCustomAsync(IChannelTypeHandler handler, Channel channel)
    {
        try
        {
            await handler.HandleChannelAsync(this, channel, channel.Closed);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException && (channel.Closed.IsCancellationRequested || channel.IsClosedByPeer))
        {
            // The client closed it while the handler worked.
        }
#pragma warning disable CA1031 // A handler's bug ends its channel, not the server.
        catch (Exception e)
#pragma warning restore CA1031
        {
            SshLog.HandlerFailed(_logger, e, Info.Id, channel.LocalId, channel.ChannelType);
        }

        await channel.Input.CompleteAsync();
        await channel.SendEofAsync(CancellationToken.None);
        channel.SendClose();
    }
}
