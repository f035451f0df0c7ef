using System.IO.Pipelines;
using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Shale.Ssh.Connection;
using Shale.Ssh.Transport;
using Shale.Wire;
using Channel = Shale.Ssh.Connection.Channel;

namespace Shale.Ssh.Session;

/// <summary>
/// The server's side of one session channel: collects what comes before the start, starts the handler once, hands it events, and closes the channel when it is done.
/// </summary>
internal sealed class ServerSession : SshSession, IChannelRequestHandler
{
    private const int MaxEnvironment = 128;
    private const int MaxEvents = 64;

    private readonly ServerConnection _connection;
    private readonly Channel _channel;
    private readonly ISessionHandler _handler;
    private readonly ILogger _logger;
    private readonly Dictionary<string, string> _environment = [];
    private readonly Channel<SessionEvent> _events = System.Threading.Channels.Channel.CreateBounded<SessionEvent>(
        new BoundedChannelOptions(MaxEvents) { SingleWriter = true, FullMode = BoundedChannelFullMode.Wait });

    private readonly Lock _exitGate = new();
    private (string Request, byte[] Fields)? _exit;
    private bool _started;
    private SessionKind _kind;
    private byte[] _command = [];
    private string? _subsystem;
    private ReadOnlyMemory<byte>? _originalCommand;
    private PseudoTerminal? _terminal;
    private bool _agentForwarding;

    public ServerSession(ServerConnection connection, Channel channel, ISessionHandler handler, ILogger logger)
    {
        _connection = connection;
        _channel = channel;
        _handler = handler;
        _logger = logger;
    }

    public override SshServerConnection Connection => _connection;

    public override SessionKind Kind => _kind;

    public override ReadOnlyMemory<byte> Command => _command;

    public override string? Subsystem => _subsystem;

    public override ReadOnlyMemory<byte>? OriginalCommand => _originalCommand;

    public override PseudoTerminal? Terminal => _terminal;

    public override IReadOnlyDictionary<string, string> Environment => _environment;

    public override bool AgentForwardingGranted => _agentForwarding;

    public override PipeReader Input => _channel.Input;

    public override bool TakesInputInline
    {
        get => _channel.TakesInputInline;
        set => _channel.TakesInputInline = value;
    }

    public override bool IsOnlyChannel => _channel.IsOnlyOne;

    public override ChannelReader<SessionEvent> Events => _events.Reader;

    public override ValueTask WriteOutputAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) =>
        _channel.WriteAsync(data, 0, cancellationToken);

    public override ValueTask WriteErrorAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) =>
        _channel.WriteAsync(data, ChannelDataMessage.StandardError, cancellationToken);

    public override OutputBuffer RentOutputBuffer() => _channel.RentOutputBuffer();

    public override ValueTask SendEofAsync(CancellationToken cancellationToken) => _channel.SendEofAsync(cancellationToken);

    public override ValueTask ExitAsync(int status, CancellationToken cancellationToken)
    {
        var fields = new byte[sizeof(uint)];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(fields, status);
        SetExit(SessionRequests.ExitStatus, fields);
        return ValueTask.CompletedTask;
    }

    public override ValueTask ExitSignalAsync(string signal, bool coreDumped, string message, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(signal);
        ArgumentNullException.ThrowIfNull(message);
        using var buffer = new PooledBufferWriter(64 * 1024);
        var writer = new WireWriter(buffer);
        writer.WriteString(signal);
        writer.WriteBoolean(coreDumped);
        writer.WriteString(message);
        writer.WriteString("");
        SetExit(SessionRequests.ExitSignal, buffer.WrittenSpan.ToArray());
        return ValueTask.CompletedTask;
    }

    public bool? OnRequest(in ChannelRequestMessage request)
    {
        var fields = request.Fields.Span;
        switch (request.RequestType)
        {
            case SessionRequests.PtyReq:
                return !_started && _terminal is null && User.PermitPty && SessionRequests.TryReadPty(fields, out _terminal);
            case SessionRequests.Env:
                return !_started && SetEnvironment(fields);
            case SessionRequests.AuthAgentReq:
                return !_started && GrantAgentForwarding();
            case SessionRequests.Shell when fields.IsEmpty:
                return Start(SessionKind.Shell, [], null, request.WantReply);
            case SessionRequests.Exec when SessionRequests.TryReadExec(fields, out var command):
                return Start(SessionKind.Exec, command, null, request.WantReply);
            case SessionRequests.Subsystem when SessionRequests.TryReadSubsystem(fields, out var name):
                return Start(SessionKind.Subsystem, [], name, request.WantReply);
            case SessionRequests.WindowChange:
                return _terminal is not null && SessionRequests.TryReadWindowChange(fields, out var size) && Resize(size);
            case SessionRequests.Signal:
                return SessionRequests.TryReadSignal(fields, out var signal) && _started && _events.Writer.TryWrite(new SignalReceived(signal));
            case SessionRequests.Break:
                return SessionRequests.TryReadBreak(fields, out var length) && _started && _events.Writer.TryWrite(new BreakReceived(length));
            case SessionRequests.EndOfWrite:
                // The client's own reader is gone (OpenSSH's PROTOCOL section 2.1): writing fails from here on, as into a pipe whose reader is gone.
                _channel.RefuseOutput();
                return false;
            default:
                return false;
        }
    }

    public void OnClosed()
    {
        _events.Writer.TryComplete();
        if (!_started)
        {
            _connection.Remove(this);
        }
    }

    private void SetExit(string request, byte[] fields)
    {
        lock (_exitGate)
        {
            _exit ??= (request, fields);
        }
    }

    private bool SetEnvironment(ReadOnlySpan<byte> fields)
    {
        if (!SessionRequests.TryReadEnvironment(fields, out var name, out var value)
            || (_environment.Count >= MaxEnvironment && !_environment.ContainsKey(name))
            || !_handler.AcceptsEnvironment(_connection, name, value))
        {
            return false;
        }

        _environment[name] = value;
        return true;
    }

    private bool GrantAgentForwarding()
    {
        if (!User.PermitAgentForwarding)
        {
            return false;
        }

        _agentForwarding = true;
        _connection.GrantAgentForwarding();
        return true;
    }

    private bool Resize(TerminalSize size)
    {
        if (!_started)
        {
            _terminal = _terminal! with { Size = size };
            return true;
        }

        // A queue full of resizes needs only the last of them; one that is full of signals drops what comes.
        while (!_events.Writer.TryWrite(new WindowChanged(size)))
        {
            if (!_events.Reader.TryPeek(out var oldest) || oldest is not WindowChanged || !_events.Reader.TryRead(out _))
            {
                return false;
            }
        }

        return true;
    }

    private bool? Start(SessionKind kind, byte[] command, string? subsystem, bool wantReply)
    {
        if (_started)
        {
            return false;
        }

        (_kind, _command, _subsystem) = (kind, command, subsystem);
        if (User.ForcedCommand is { } forced)
        {
            _originalCommand = kind == SessionKind.Subsystem ? Encoding.UTF8.GetBytes(subsystem!) : command;
            (_kind, _command, _subsystem) = (SessionKind.Exec, Encoding.UTF8.GetBytes(forced), null);
        }

        if (!_handler.Accepts(this))
        {
            return false;
        }

        _started = true;
        if (wantReply)
        {
            // Before the handler's first output.
            _connection.Multiplexer.Send(new ChannelSignalMessage(MessageNumber.ChannelSuccess, _channel.RemoteId));
        }

        // Not so a subsystem: it may be the one that pays for the forwards.
        var forwards = _kind == SessionKind.Subsystem ? Task.CompletedTask : _connection.GlobalRequestsAnswered;
        _ = Task.Run(() => RunAsync(forwards));
        return null;
    }

    private async Task RunAsync(Task forwards)
    {
        try
        {
            await forwards.WaitAsync(_channel.Closed);
            await _handler.HandleSessionAsync(this, _channel.Closed);
        }
        catch (OperationCanceledException) when (_channel.Closed.IsCancellationRequested)
        {
            // The client is gone, and the handler said so.
        }
        catch (IOException) when (_channel.IsClosedByPeer)
        {
            // The client went while the handler wrote.
        }
#pragma warning disable CA1031 // A handler's bug ends its session, not the server.
        catch (Exception e)
#pragma warning restore CA1031
        {
            SshLog.HandlerFailed(_logger, e, _connection.Info.Id, _channel.LocalId, _channel.ChannelType);
        }

        await _connection.EndSessionAsync(this);
        Close();
    }

    private void Close()
    {
        (string Request, byte[] Fields)? exit;
        lock (_exitGate)
        {
            exit = _exit;
        }

        if (!_channel.Closed.IsCancellationRequested)
        {
            _channel.SendEof();
            if (exit is var (request, fields))
            {
                _channel.SendRequest(request, fields);
            }

            _channel.SendClose();
        }

        // Last: a read of the handler's that it left behind may make this throw, and by now nothing hangs on it.
        _events.Writer.TryComplete();
        _connection.Remove(this);
        _channel.Input.Complete();
    }
}
