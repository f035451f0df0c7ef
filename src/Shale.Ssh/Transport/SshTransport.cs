using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Extensions.Logging;
using Shale.Ssh.Connection;
using Shale.Ssh.KeyExchange;
using Shale.Wire;

namespace Shale.Ssh.Transport;

/// <summary>
/// One end of the transport protocol (RFC 4253): identification, packets, key exchanges, and the messages of its own. One reader calls <see cref="ReceiveAsync"/> and owns all state that changes
/// by what is received; anyone may send. A peer that breaks the protocol makes <see cref="Fail"/> be called and every read return <see langword="false"/>; nothing is thrown.
/// </summary>
internal sealed class SshTransport : IAsyncDisposable
{
    /// <summary>RFC 4253 section 4.2: 255 characters with CR and LF.</summary>
    private const int MaxIdentificationLength = 255;

    /// <summary>Lines that a server may send before its identification, as a client reads them. OpenSSH allows 1,024; none is known to send more than a few.</summary>
    private const int MaxPrefaceLines = 64;

    /// <summary>How long the last bytes may take when a connection is closed.</summary>
    private static readonly TimeSpan LingerTime = TimeSpan.FromSeconds(2);

    [ThreadStatic]
    private static PooledBufferWriter? s_scratch;

    private readonly IDuplexPipe _pipe;
    private readonly TransportOptions _options;
    // Never disposed: it has no timer, and what hangs on it may still be told while the transport goes.
    private readonly CancellationTokenSource _closed = new();
    private readonly PacketReader _reader;
    private readonly KeyExchanger _exchanger;
    private readonly Lock _failGate = new();
    private Task _writing = Task.CompletedTask;
    private ConnectionClosed? _closing;
    private bool _identified;

    public SshTransport(IDuplexPipe pipe, Role role, TransportOptions options)
    {
        _pipe = pipe;
        _options = options;
        Role = role;
        _reader = new PacketReader(pipe.Input);
        OwnVersion = "SSH-2.0-" + options.SoftwareVersion;
        _exchanger = new KeyExchanger(this, options);
        Writer = new PacketWriter(pipe.Output, options.RekeyAfterBytes, _exchanger.Start, () => TryLeaveSharedThread());
    }

    public Role Role { get; }

    public PacketWriter Writer { get; }

    /// <summary>Whether the caller runs on a thread that waits for the bytes of all connections, and only a few bytes of a channel may be handled.</summary>
    public Func<bool> IsSharedThread { get; init; } = static () => false;

    /// <summary>Makes the caller's thread one that he may keep for a while, if it can be.</summary>
    public Func<bool> TryLeaveSharedThread { get; init; } = static () => true;

    /// <summary>Where the connection stands, apart from a key exchange that may run now.</summary>
    public Phase Phase { get; private set; } = Phase.KexInit;

    /// <summary>The phase of the key exchange that runs; <see cref="Phase.None"/> for none.</summary>
    public Phase ExchangePhase { get; set; }

    public string OwnVersion { get; }

    public string PeerVersion { get; private set; } = "";

    public KeyExchanger Exchanger => _exchanger;

    /// <summary>The extensions that the peer told in EXT_INFO.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> PeerExtensions { get; private set; } = [];

    /// <summary>The message last received; valid until the next <see cref="ReceiveAsync"/>.</summary>
    public ReadOnlyMemory<byte> Payload => _reader.Payload;

    public byte MessageNumber => _reader.Payload.Span[0];

    public long BytesReceived => _reader.BytesReceived;

    public long BytesReceivedUnderKeys => _reader.BytesUnderKeys;

    /// <summary>When something was last received, by <see cref="TimeProvider.GetTimestamp"/>.</summary>
    public long LastReceived { get; private set; }

    /// <summary>Set when the connection is over.</summary>
    public CancellationToken Closed => _closed.Token;

    /// <summary>How the connection ended, once it has.</summary>
    public ConnectionClosed Closing
    {
        get
        {
            lock (_failGate)
            {
                return _closing ?? default;
            }
        }
    }

    public bool IsClosing
    {
        get
        {
            lock (_failGate)
            {
                return _closing is not null;
            }
        }
    }

    /// <summary>Exchanges identification lines and the first keys.</summary>
    /// <returns>Whether that went well.</returns>
    public async ValueTask<bool> OpenAsync()
    {
        Writer.WriteRaw(Encoding.ASCII.GetBytes(OwnVersion + "\r\n"));
        _writing = Writer.RunAsync();

        // Our offer goes out with the identification: it saves a round trip.
        if (Role == Role.Server)
        {
            _exchanger.Start();
        }

        Writer.Flush();
        if (!await ReadIdentificationAsync())
        {
            return false;
        }

        _identified = true;
        _exchanger.Start();
        ExchangePhase = Phase.KexInit;
        if (!await ReceiveRawAsync() || !await _exchanger.RunAsync())
        {
            return false;
        }

        Phase = Phase.ServiceRequest;
        return true;
    }

    /// <summary>Moves on to authentication or to the connection protocol.</summary>
    public void Enter(Phase phase)
    {
        Phase = phase;
        if (phase == Phase.Connection)
        {
            _reader.MaxLength = PacketReader.MaxLengthAfterAuthentication;
        }
    }

    /// <summary>
    /// Receives the next message for the layers above, in <see cref="Payload"/>. Key exchanges that the peer starts, and the transport's own messages, are dealt with on the way.
    /// </summary>
    /// <returns>Whether there is one; if not, the connection is over.</returns>
    public ValueTask<bool> ReceiveAsync()
    {
        var read = _reader.ReadAsync();
        if (!read.IsCompletedSuccessfully)
        {
            return ReceiveSlowAsync(read);
        }

        // The common case, a packet of a channel that lies there already, takes no state machine.
        var status = read.Result;
        return status == PacketStatus.Packet && IsPlainChannelMessage()
            ? ValueTask.FromResult(true)
            : ReceiveSlowAsync(ValueTask.FromResult(status));
    }

    /// <summary>Receives a packet that the rules allow now, whatever it is. For key exchanges.</summary>
    public async ValueTask<bool> ReceiveRawAsync()
    {
        while (true)
        {
            Writer.Flush();
            var status = await _reader.ReadAsync();
            await LeaveSharedThreadAsync();
            if (!Admit(status))
            {
                return false;
            }

            switch (Judge())
            {
                case MessageVerdict.Forbidden:
                    return Fail(DisconnectReason.ProtocolError, $"Message {MessageNumber} must not come now.");
                case MessageVerdict.Unknown:
                    Send(new UnimplementedMessage(_reader.Sequence), flush: false);
                    break;
                case MessageVerdict.Allowed when MessageNumber is >= 20 and <= 49:
                    return true;
                default:
                    if (!HandleOwnMessage())
                    {
                        return false;
                    }

                    break;
            }
        }
    }

    /// <summary>Opens everything after this with other keys.</summary>
    public void SwitchIncomingKeys(Ciphers.PacketOpener opener, bool resetSequence) => _reader.SwitchKeys(opener, resetSequence);

    /// <summary>Whether the first exchange took more packets than strict kex allows.</summary>
    public bool SequenceWrapped => _reader.SequenceWrapped;

    /// <summary>Number of packets read before the current one since the sequence began; 0 for the first.</summary>
    public uint IncomingSequence => _reader.Sequence;

    /// <summary>Sends a message.</summary>
    public void Send<T>(in T message, bool flush = true)
        where T : IMessage
    {
        var scratch = s_scratch ??= new PooledBufferWriter(512 * 1024);
        scratch.Clear();
        message.Write(new WireWriter(scratch));
        Writer.Send(scratch.WrittenSpan, flush);
        if (scratch.WrittenCount > 16 * 1024)
        {
            scratch.Dispose();
        }

        if (Writer.Overflowed)
        {
            Fail(DisconnectReason.ProtocolError, "The key exchange was not answered.");
        }
    }

    /// <summary>Ends the connection with a word to the peer. Only the first end counts.</summary>
    /// <returns><see langword="false"/>, for the convenience of callers.</returns>
    public bool Fail(DisconnectReason reason, string description)
    {
        End(new ConnectionClosed(ByPeer: false, reason, description), tellPeer: true);
        return false;
    }

    /// <summary>Writes a line to a peer that isn't speaking SSH yet and ends the connection.</summary>
    private bool Refuse(string line)
    {
        Writer.WriteRaw(Encoding.ASCII.GetBytes(line + "\r\n"));
        End(new ConnectionClosed(ByPeer: false, DisconnectReason.ProtocolError, line), tellPeer: false);
        return false;
    }

    public async ValueTask DisposeAsync()
    {
        End(new ConnectionClosed(ByPeer: false, DisconnectReason.ByApplication, "closed"), tellPeer: true);
        if (await Task.WhenAny(_writing, Task.Delay(LingerTime, _options.TimeProvider)) != _writing)
        {
            // The peer does not read: what is left is not for it.
            _pipe.Output.CancelPendingFlush();
            await _writing;
        }

        Writer.Dispose();
        _reader.Dispose();
        try
        {
            await _pipe.Input.CompleteAsync();
        }
        catch (InvalidOperationException)
        {
            // A pipe whose stream broke down meanwhile is complete enough.
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> ReceiveSlowAsync(ValueTask<PacketStatus> read)
    {
        while (true)
        {
            if (!read.IsCompleted)
            {
                Writer.Flush();
            }

            var status = await read;
            if (status != PacketStatus.Packet || !IsQuick)
            {
                await LeaveSharedThreadAsync();
            }

            if (!Admit(status))
            {
                return false;
            }

            switch (Judge())
            {
                case MessageVerdict.Forbidden:
                    return Fail(DisconnectReason.ProtocolError, $"Message {MessageNumber} must not come now.");
                case MessageVerdict.Unknown:
                    Send(new UnimplementedMessage(_reader.Sequence));
                    break;
                case MessageVerdict.Allowed when MessageNumber == Transport.MessageNumber.KexInit:
                    if (!await _exchanger.RunAsync())
                    {
                        return false;
                    }

                    break;
                case MessageVerdict.Allowed when MessageNumber is not (< 5 or Transport.MessageNumber.ExtInfo or Transport.MessageNumber.Ping or Transport.MessageNumber.Pong):
                    await RekeyOrDrainAsync();
                    return !IsClosing;
                default:
                    if (!HandleOwnMessage())
                    {
                        return false;
                    }

                    break;
            }

            await RekeyOrDrainAsync();
            read = _reader.ReadAsync();
        }
    }

    /// <summary>Whether the current message is handled in no time: data and windows of channels.</summary>
    private bool IsQuick => MessageNumber is Transport.MessageNumber.ChannelData or Transport.MessageNumber.ChannelWindowAdjust;

    private async ValueTask LeaveSharedThreadAsync()
    {
        if (!TryLeaveSharedThread())
        {
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        }
    }

    /// <summary>Whether the current message is one of a channel, and nothing else is to be done before it.</summary>
    private bool IsPlainChannelMessage()
    {
        if (MessageNumber is < 90 or > 100 || (!IsQuick && IsSharedThread()) || Phase != Phase.Connection || ExchangePhase != Phase.None || _closing is not null
            || Writer.NeedsDraining || _reader.IsRekeyDue(_options.RekeyAfterBytes))
        {
            return false;
        }

        LastReceived = _options.TimeProvider.GetTimestamp();
        return true;
    }

    private async ValueTask RekeyOrDrainAsync()
    {
        if (_reader.IsRekeyDue(_options.RekeyAfterBytes))
        {
            _exchanger.Start();
        }

        if (Writer.NeedsDraining)
        {
            await Writer.WaitUntilDrainedAsync(Closed);
        }
    }

    private bool Admit(PacketStatus status)
    {
        switch (status)
        {
            case PacketStatus.Packet when IsClosing:
                return false;
            case PacketStatus.Packet:
                LastReceived = _options.TimeProvider.GetTimestamp();
                return true;
            case PacketStatus.End:
                End(new ConnectionClosed(ByPeer: true, DisconnectReason.None, "The connection was lost."), tellPeer: false);
                return false;
            case PacketStatus.Malformed:
                return Fail(DisconnectReason.ProtocolError, "A packet's length is out of bounds.");
            case PacketStatus.Forged:
                return Fail(DisconnectReason.MacError, "A packet is not authentic.");
            default:
                return false;
        }
    }

    private MessageVerdict Judge() => MessageRules.Judge(
        Role,
        ExchangePhase != Phase.None ? ExchangePhase : Phase,
        strictFirstExchange: _exchanger.IsFirst && _exchanger.IsStrict && ExchangePhase != Phase.None,
        MessageNumber);

    private bool HandleOwnMessage()
    {
        switch (MessageNumber)
        {
            case Transport.MessageNumber.Disconnect:
                var told = DisconnectMessage.TryRead(Payload.Span, out var disconnect);
                End(
                    new ConnectionClosed(
                        ByPeer: true,
                        told ? PeerText.ToReason(disconnect.Reason) : DisconnectReason.None,
                        told ? PeerText.Clean(disconnect.Description) : ""),
                    tellPeer: false);
                return false;
            case Transport.MessageNumber.ExtInfo:
                if (!ExtInfoMessage.TryRead(Payload.Span, out var info))
                {
                    return Fail(DisconnectReason.ProtocolError, "EXT_INFO is malformed.");
                }

                PeerExtensions = info.Extensions;
                return true;
            case Transport.MessageNumber.Ping:
                return Pong();
            default:
                return true;
        }
    }

    /// <summary>ping@openssh.com (OpenSSH's PROTOCOL section 1.9): a pong carries the ping's string back.</summary>
    private bool Pong()
    {
        var payload = Payload.Span;
        var reader = new WireReader(payload[1..]);
        if (!reader.TryReadString(out _) || !reader.IsAtEnd)
        {
            return Fail(DisconnectReason.ProtocolError, "PING is malformed.");
        }

        var pong = ArrayPool<byte>.Shared.Rent(payload.Length);
        payload.CopyTo(pong);
        pong[0] = Transport.MessageNumber.Pong;
        Writer.Send(pong.AsSpan(0, payload.Length));
        ArrayPool<byte>.Shared.Return(pong);
        return !Writer.Overflowed || Fail(DisconnectReason.ProtocolError, "The key exchange was not answered.");
    }

    private async ValueTask<bool> ReadIdentificationAsync()
    {
        for (var line = 0; line <= MaxPrefaceLines; line++)
        {
            var (status, bytes) = await _reader.ReadLineAsync(MaxIdentificationLength);
            if (status == PacketStatus.Malformed)
            {
                return Refuse("Invalid SSH identification string.");
            }

            if (!Admit(status))
            {
                return false;
            }

            if (!bytes.AsSpan().StartsWith("SSH-"u8))
            {
                // Only servers may say something first (RFC 4253 section 4.2).
                if (Role == Role.Client && !bytes.AsSpan().Contains((byte)0))
                {
                    continue;
                }

                return Refuse("Invalid SSH identification string.");
            }

            if (bytes.AsSpan().ContainsAnyExceptInRange((byte)0x20, (byte)0x7E) || bytes.Length > MaxIdentificationLength - 2)
            {
                return Refuse("Invalid SSH identification string.");
            }

            PeerVersion = Encoding.ASCII.GetString(bytes);
            return PeerVersion.StartsWith("SSH-2.0-", StringComparison.Ordinal)
                || (Role == Role.Client && PeerVersion.StartsWith("SSH-1.99-", StringComparison.Ordinal))
                || Refuse("Protocol major versions differ.");
        }

        return Refuse("Invalid SSH identification string.");
    }

    private void End(ConnectionClosed closing, bool tellPeer)
    {
        lock (_failGate)
        {
            if (_closing is not null)
            {
                return;
            }

            _closing = closing;
        }

        SshLog.TransportClosed(_options.Logger, closing.ByPeer, closing.Reason, closing.Description);
        if (tellPeer && _identified)
        {
            Send(new DisconnectMessage((uint)closing.Reason, closing.Description));
        }

        Writer.Complete();
        _reader.Cancel();

        // What hangs on the token runs elsewhere: here may be anybody's thread.
        _ = _closed.CancelAsync();
    }
}
