using System.Diagnostics.CodeAnalysis;
using Shale.Wire;

namespace Shale.Payments.Channel;

/// <summary>
/// The little of the ssh-agent protocol (draft-ietf-sshm-ssh-agent, OpenSSH's PROTOCOL.agent) that carries payment messages.
/// </summary>
public static class AgentProtocol
{
    /// <summary>SSH_AGENT_FAILURE.</summary>
    public const byte Failure = 5;

    /// <summary>SSH_AGENT_SUCCESS; the body follows it.</summary>
    public const byte Success = 6;

    /// <summary>SSH_AGENTC_EXTENSION.</summary>
    public const byte Extension = 27;

    /// <summary>SSH_AGENT_EXTENSION_FAILURE.</summary>
    public const byte ExtensionFailure = 28;

    /// <summary>The extension that names the host at the other end.</summary>
    public const string SessionBindName = "session-bind@openssh.com";

    /// <summary>The most bytes of an agent message here: a body and its name.</summary>
    public const int MaxMessageSize = PaymentProtocol.MaxBodySize + 64;

    private const int MaxNameSize = 64;

    /// <summary>Wraps a payment body into an extension request.</summary>
    public static byte[] WrapRequest(ReadOnlySpan<byte> body)
    {
        using var buffer = new PooledBufferWriter(MaxMessageSize);
        var writer = new WireWriter(buffer);
        writer.WriteByte(Extension);
        writer.WriteString(PaymentProtocol.Name);
        writer.WriteBytes(body);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads the name of an extension request and leaves what follows it.</summary>
    public static bool TryReadExtension(ReadOnlySpan<byte> message, [NotNullWhen(true)] out string? name, out ReadOnlySpan<byte> content)
    {
        name = null;
        content = default;
        var reader = new WireReader(message);
        if (!reader.TryReadByte(out byte type) || type != Extension || !reader.TryReadAscii(MaxNameSize, out name))
        {
            return false;
        }

        content = reader.Remaining;
        return true;
    }
}

/// <summary>
/// session-bind@openssh.com (OpenSSH's PROTOCOL.agent, section 1): the client tells its agent which host a channel comes from.
/// </summary>
/// <param name="HostKey">The host's key blob.</param>
/// <param name="SessionId">The SSH session identifier.</param>
/// <param name="Signature">The host key's signature over it, made in the key exchange.</param>
/// <param name="IsForwarding">True for a forwarded channel; false for the client's own authentication.</param>
public readonly record struct SessionBindMessage(
    ReadOnlyMemory<byte> HostKey, ReadOnlyMemory<byte> SessionId, ReadOnlyMemory<byte> Signature, bool IsForwarding)
{
    /// <summary>The longest exchange hash is SHA-512's.</summary>
    private const int MaxSessionId = 64;

    /// <summary>Reads what follows the extension's name.</summary>
    public static bool TryRead(ReadOnlySpan<byte> content, out SessionBindMessage message)
    {
        message = default;
        var reader = new WireReader(content);
        if (!reader.TryReadString(PaymentProtocol.MaxHostKeySize, out ReadOnlySpan<byte> hostKey) || hostKey.IsEmpty ||
            !reader.TryReadString(MaxSessionId, out ReadOnlySpan<byte> sessionId) || sessionId.IsEmpty ||
            !reader.TryReadString(PaymentProtocol.MaxHostKeySize, out ReadOnlySpan<byte> signature) ||
            !reader.TryReadByte(out byte forwarding) || forwarding > 1 ||
            !reader.IsAtEnd)
        {
            return false;
        }

        message = new SessionBindMessage(hostKey.ToArray(), sessionId.ToArray(), signature.ToArray(), forwarding == 1);
        return true;
    }
}
