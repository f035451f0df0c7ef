using System.Buffers;
using System.Text;
using Shale.Gateway.Forwarding;
using Shale.Gateway.Scp;
using Shale.Ssh.Auth;
using Shale.Ssh.Connection;
using Shale.Ssh.Forwarding;
using Shale.Ssh.Session;
using Shale.Ssh.Transport;
using Shale.Wire;

namespace Shale.Fuzz.Ssh;

/// <summary>
/// Every message that is read, by its number (RFC 4253, 4252, 4254, 8308). What is read and written again must be read as the same; where a message has one encoding only, must be the same bytes.
/// </summary>
public sealed class SshMessageTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "ssh-message";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds =>
    [
        SshInput.Bytes(new DisconnectMessage(11, "bye")),
        SshInput.Bytes(new ServiceRequestMessage(ServiceRequestMessage.UserAuth)),
        SshInput.Bytes(new ExtInfoMessage([new("server-sig-algs", "ssh-ed25519,rsa-sha2-512"), new("ping@openssh.com", "0")])),
        Request("user", "publickey", w => { w.WriteBoolean(true); w.WriteString("ssh-ed25519"); w.WriteString(new byte[51]); w.WriteString(new byte[83]); }),
        Request("user", "publickey-hostbound-v00@openssh.com", w => { w.WriteBoolean(false); w.WriteString("ssh-ed25519"); w.WriteString(new byte[51]); w.WriteString(new byte[51]); }),
        Request("user", "none", _ => { }),
        SshInput.Bytes(new UserAuthFailureMessage(["publickey"], false)),
        SshInput.Bytes(new GlobalRequestMessage("tcpip-forward", true, Fields(w => { w.WriteString("localhost"); w.WriteUInt32(8080); }))),
        SshInput.Bytes(new GlobalRequestMessage("streamlocal-forward@openssh.com", true, Fields(w => w.WriteString("/tmp/socket")))),
        SshInput.Bytes(new ChannelOpenMessage("session", 0, 1 << 21, 1 << 15, default)),
        SshInput.Bytes(new ChannelOpenMessage("direct-tcpip", 1, 1 << 21, 1 << 15, Fields(new TcpChannelFields("localhost", 80, "::1", 5).Write))),
        SshInput.Bytes(new ChannelOpenMessage("direct-streamlocal@openssh.com", 1, 1, 1, Fields(w => { w.WriteString("/tmp/socket"); w.WriteString(""); w.WriteUInt32(0); }))),
        SshInput.Bytes(new ChannelOpenConfirmationMessage(1, 2, 3, 4)),
        SshInput.Bytes(new ChannelOpenFailureMessage(1, 2, "no")),
        SshInput.Bytes(new ChannelWindowAdjustMessage(1, uint.MaxValue)),
        Fields(w => { w.WriteByte(MessageNumber.ChannelData); w.WriteUInt32(0); w.WriteString("data"); }),
        Fields(w => { w.WriteByte(MessageNumber.ChannelExtendedData); w.WriteUInt32(0); w.WriteUInt32(1); w.WriteString("data"); }),
        SshInput.Bytes(new ChannelSignalMessage(MessageNumber.ChannelEof, 1)),
        SshInput.Bytes(new ChannelSignalMessage(MessageNumber.ChannelClose, 1)),
        .. SshSessionRequestTarget.Requests.Select(r => SshInput.Bytes(new ChannelRequestMessage(1, r.Name, true, r.Fields))),
    ];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty)
        {
            return;
        }

        ReadOnlyMemory<byte> memory = input.ToArray();
        switch (input[0])
        {
            case MessageNumber.Disconnect when DisconnectMessage.TryRead(input, out var disconnect):
                RequireClean(PeerText.Clean(disconnect.Description));
                break;
            case MessageNumber.ServiceRequest when ServiceRequestMessage.TryRead(input, out var service):
                RequireSame(input, service);
                break;
            case MessageNumber.ExtInfo when ExtInfoMessage.TryRead(input, out var info) && info.Extensions.All(e => e.Value.All(char.IsAscii)):
                RequireSame(input, info);
                break;
            case MessageNumber.UserAuthRequest when UserAuthRequestMessage.TryRead(memory, out var request):
                foreach (var hostBound in new[] { false, true })
                {
                    if (PublicKeyFields.TryRead(request.Fields.Span, hostBound, out var fields))
                    {
                        _ = fields.SignedData(new byte[32], request.UserName, request.Service);
                    }
                }

                break;
            case MessageNumber.UserAuthFailure:
                _ = UserAuthFailureMessage.TryRead(input, out _);
                break;
            case MessageNumber.GlobalRequest when GlobalRequestMessage.TryRead(memory, out var global):
                _ = TcpForwardFields.TryRead(global.Fields.Span, out _);
                _ = ForwardAddress.TryReadPath(global.Fields.Span, hasReserved: false, out _);
                RequireAgain(global, GlobalRequestMessage.TryRead, static (a, b) => a.Name == b.Name && a.WantReply == b.WantReply && a.Fields.Span.SequenceEqual(b.Fields.Span));
                break;
            case MessageNumber.ChannelOpen when ChannelOpenMessage.TryRead(memory, out var open):
                RequireSame(input, open);
                if (TcpChannelFields.TryRead(open.Fields.Span, out var tcp) && tcp.Host.Any(char.IsControl))
                {
                    throw new InvalidOperationException("A host name has control characters.");
                }

                if (ForwardAddress.TryReadPath(open.Fields.Span, hasReserved: true, out var path) && path.Contains('\0', StringComparison.Ordinal))
                {
                    throw new InvalidOperationException("A path has a NUL.");
                }

                break;
            case MessageNumber.ChannelOpenConfirmation:
                _ = ChannelOpenConfirmationMessage.TryRead(input, out _);
                break;
            case MessageNumber.ChannelOpenFailure when ChannelOpenFailureMessage.TryRead(input, out var failure):
                RequireClean(PeerText.Clean(failure.Description));
                break;
            case MessageNumber.ChannelWindowAdjust when ChannelWindowAdjustMessage.TryRead(input, out var adjust):
                RequireSame(input, adjust);
                break;
            case MessageNumber.ChannelData or MessageNumber.ChannelExtendedData when ChannelDataMessage.TryRead(input, out var data):
                if (data.Data.Length > input.Length - 9)
                {
                    throw new InvalidOperationException("There is more data than came.");
                }

                break;
            case MessageNumber.ChannelEof or MessageNumber.ChannelClose or MessageNumber.ChannelSuccess or MessageNumber.ChannelFailure when ChannelSignalMessage.TryRead(input, out var signal):
                RequireSame(input, signal);
                break;
            case MessageNumber.ChannelRequest when ChannelRequestMessage.TryRead(memory, out var request):
                RequireAgain(
                    request, ChannelRequestMessage.TryRead, static (a, b) => a.Recipient == b.Recipient && a.RequestType == b.RequestType && a.WantReply == b.WantReply && a.Fields.Span.SequenceEqual(b.Fields.Span));
                break;
        }
    }

    internal static byte[] Fields(Action<WireWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        write(new WireWriter(buffer));
        return buffer.WrittenSpan.ToArray();
    }

    private static byte[] Request(string user, string method, Action<WireWriter> fields) => Fields(w =>
    {
        w.WriteByte(MessageNumber.UserAuthRequest);
        w.WriteString(user);
        w.WriteString(ServiceRequestMessage.Connection);
        w.WriteString(method);
        fields(w);
    });

    private static void RequireSame(ReadOnlySpan<byte> input, IMessage message)
    {
        if (!SshInput.Bytes(message).AsSpan().SequenceEqual(input))
        {
            throw new InvalidOperationException($"{message.GetType().Name} has another encoding than it came in.");
        }
    }

    private delegate bool Reader<T>(ReadOnlyMemory<byte> payload, out T message);

    /// <summary>A boolean has 255 encodings of true (RFC 4251 section 5), so bytes may differ.</summary>
    private static void RequireAgain<T>(T message, Reader<T> read, Func<T, T, bool> same)
        where T : IMessage
    {
        if (!read(SshInput.Bytes(message), out var again) || !same(message, again))
        {
            throw new InvalidOperationException($"{typeof(T).Name} is another one after it was written.");
        }
    }

    private static void RequireClean(string text)
    {
        if (text.Any(char.IsControl))
        {
            throw new InvalidOperationException("A text for people has control characters.");
        }
    }
}

/// <summary>The fields of session requests: the first byte says of which.</summary>
public sealed class SshSessionRequestTarget : IFuzzTarget
{
    internal static readonly (string Name, byte[] Fields)[] Requests =
    [
        (SessionRequests.PtyReq, SshMessageTarget.Fields(w => { w.WriteString("xterm"); w.WriteUInt32(80); w.WriteUInt32(24); w.WriteUInt32(0); w.WriteUInt32(0); w.WriteString(new byte[] { 53, 0, 0, 0, 1, 129, 0, 0, 150, 0, 0 }); })),
        (SessionRequests.WindowChange, SshMessageTarget.Fields(w => { w.WriteUInt32(80); w.WriteUInt32(24); w.WriteUInt32(0); w.WriteUInt32(0); })),
        (SessionRequests.Env, SshMessageTarget.Fields(w => { w.WriteString("LANG"); w.WriteString("C.UTF-8"); })),
        (SessionRequests.Exec, SshMessageTarget.Fields(w => w.WriteString("true"))),
        (SessionRequests.Subsystem, SshMessageTarget.Fields(w => w.WriteString("sftp"))),
        (SessionRequests.Signal, SshMessageTarget.Fields(w => w.WriteString("TERM"))),
        (SessionRequests.Break, SshMessageTarget.Fields(w => w.WriteUInt32(500))),
        (SessionRequests.Shell, []),
    ];

    /// <inheritdoc/>
    public string Name => "ssh-session-request";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => Requests.Select((r, i) => (byte[])[(byte)i, .. r.Fields]);

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty)
        {
            return;
        }

        var fields = input[1..];
        var holds = (input[0] % Requests.Length) switch
        {
            0 => !SessionRequests.TryReadPty(fields, out var terminal) || (terminal.Size.Columns is >= 0 and <= ushort.MaxValue && terminal.Size.Rows is >= 0 and <= ushort.MaxValue),
            1 => !SessionRequests.TryReadWindowChange(fields, out var size) || size.Columns is >= 0 and <= ushort.MaxValue,
            2 => !SessionRequests.TryReadEnvironment(fields, out var name, out var value) || (name.Length > 0 && !name.AsSpan().ContainsAny('=', '\0') && !value.Contains('\0', StringComparison.Ordinal)),
            3 => !SessionRequests.TryReadExec(fields, out var command) || !command.AsSpan().Contains((byte)0),
            4 => !SessionRequests.TryReadSubsystem(fields, out var subsystem) || subsystem.Length > 0,
            5 => !SessionRequests.TryReadSignal(fields, out var signal) || !signal.Any(char.IsWhiteSpace),
            6 => !SessionRequests.TryReadBreak(fields, out var length) || (length.TotalMilliseconds is >= 500 and <= 3000),
            _ => true,
        };
        if (!holds)
        {
            throw new InvalidOperationException($"{Requests[input[0] % Requests.Length].Name} was read as something that it must not be.");
        }
    }
}

/// <summary>Messages of the agent protocol from the container, and the command of the old scp protocol.</summary>
public sealed class SshAgentMessageTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "ssh-agent-message";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds =>
    [
        [11], [13, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0], SshMessageTarget.Fields(w => { w.WriteByte(27); w.WriteString("session-bind@openssh.com"); }),
        SshMessageTarget.Fields(w => { w.WriteByte(27); w.WriteString("pay@shaleprotocol.com"); }),
    ];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        // Payment's extension never passes, whatever is around it.
        if (AgentSocket.IsAllowed(input) && input[0] is not (11 or 13) && input.StartsWith("\u001b\0\0\0\u0015pay@shaleprotocol.com"u8))
        {
            throw new InvalidOperationException("Payment's messages pass to the agent.");
        }
    }
}

/// <summary>The command of the old scp protocol.</summary>
public sealed class ScpCommandTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "scp-command";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => new[] { "scp -t /x", "scp -rp -f -- 'a b' c", "scp -d -t \"x\\\"y\"", "scp -v -f ~/x*" }.Select(Encoding.UTF8.GetBytes);

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (ScpCommand.TryParse(input, out var command) && (command.Paths.Count == 0 || command.Paths.Any(p => p.AsSpan().Contains((byte)0))))
        {
            throw new InvalidOperationException("A command was taken that names no path, or one with a NUL.");
        }
    }
}
