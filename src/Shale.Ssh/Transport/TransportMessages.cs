using Shale.Ssh.Connection;
using Shale.Wire;

namespace Shale.Ssh.Transport;

/// <summary>A message that can be sent.</summary>
internal interface IMessage
{
    void Write(WireWriter writer);
}

/// <summary>SSH_MSG_DISCONNECT (RFC 4253 section 11.1): uint32 reason code, string description, string language tag.</summary>
internal readonly record struct DisconnectMessage(uint Reason, string Description) : IMessage
{
    /// <summary>More than this nobody reads.</summary>
    public const int MaxDescriptionLength = 1024;

    public static bool TryRead(ReadOnlySpan<byte> payload, out DisconnectMessage message)
    {
        message = default;
        var reader = new WireReader(payload);
        if (!reader.TryReadByte(out var number) || number != MessageNumber.Disconnect
            || !reader.TryReadUInt32(out var reason) || !reader.TryReadUtf8(MaxDescriptionLength, out var description))
        {
            return false;
        }

        // The language tag, which some leave out, says nothing that we need.
        message = new DisconnectMessage(reason, description);
        return true;
    }

    public void Write(WireWriter writer)
    {
        writer.WriteByte(MessageNumber.Disconnect);
        writer.WriteUInt32(Reason);
        writer.WriteString(Description);
        writer.WriteString("");
    }
}

/// <summary>SSH_MSG_UNIMPLEMENTED (RFC 4253 section 11.4): uint32 sequence number of the message that nobody knew.</summary>
internal readonly record struct UnimplementedMessage(uint Sequence) : IMessage
{
    public void Write(WireWriter writer)
    {
        writer.WriteByte(MessageNumber.Unimplemented);
        writer.WriteUInt32(Sequence);
    }
}

/// <summary>SSH_MSG_SERVICE_REQUEST (RFC 4253 section 10): string service name.</summary>
internal readonly record struct ServiceRequestMessage(string Service) : IMessage
{
    public const string UserAuth = "ssh-userauth";
    public const string Connection = "ssh-connection";

    public static bool TryRead(ReadOnlySpan<byte> payload, out ServiceRequestMessage message)
    {
        message = default;
        var reader = new WireReader(payload);
        if (!reader.TryReadByte(out var number) || number != MessageNumber.ServiceRequest
            || !reader.TryReadAscii(WireReader.MaxNameLength, out var service) || !reader.IsAtEnd)
        {
            return false;
        }

        message = new ServiceRequestMessage(service);
        return true;
    }

    public void Write(WireWriter writer)
    {
        writer.WriteByte(MessageNumber.ServiceRequest);
        writer.WriteString(Service);
    }
}

/// <summary>SSH_MSG_SERVICE_ACCEPT (RFC 4253 section 10): string service name.</summary>
internal readonly record struct ServiceAcceptMessage(string Service) : IMessage
{
    public void Write(WireWriter writer)
    {
        writer.WriteByte(MessageNumber.ServiceAccept);
        writer.WriteString(Service);
    }
}

/// <summary>SSH_MSG_EXT_INFO (RFC 8308 section 2.3): uint32 count, then string name and string value of each extension.</summary>
internal sealed record ExtInfoMessage(IReadOnlyList<KeyValuePair<string, string>> Extensions) : IMessage
{
    public const string ServerSigAlgs = "server-sig-algs";

    /// <summary>How many extensions are read; OpenSSH sends three.</summary>
    private const int MaxExtensions = 64;

    public static bool TryRead(ReadOnlySpan<byte> payload, out ExtInfoMessage message)
    {
        message = new ExtInfoMessage([]);
        var reader = new WireReader(payload);
        if (!reader.TryReadByte(out var number) || number != MessageNumber.ExtInfo || !reader.TryReadUInt32(out var count) || count > MaxExtensions)
        {
            return false;
        }

        var extensions = new List<KeyValuePair<string, string>>();
        for (var i = 0u; i < count; i++)
        {
            if (!reader.TryReadAscii(WireReader.MaxNameLength, out var name) || !reader.TryReadString(8 * 1024, out var value))
            {
                return false;
            }

            extensions.Add(new(name, System.Text.Encoding.Latin1.GetString(value)));
        }

        message = new ExtInfoMessage(extensions);
        return reader.IsAtEnd;
    }

    public void Write(WireWriter writer)
    {
        writer.WriteByte(MessageNumber.ExtInfo);
        writer.WriteUInt32((uint)Extensions.Count);
        foreach (var (name, value) in Extensions)
        {
            writer.WriteString(name);
            writer.WriteString(value);
        }
    }
}

/// <summary>Text that a peer sent, made fit for logs and terminals.</summary>
internal static class PeerText
{
    public static string Clean(string text) =>
        string.Create(text.Length, text, static (span, source) =>
        {
            for (var i = 0; i < span.Length; i++)
            {
                span[i] = char.IsControl(source[i]) || source[i] is '\u2028' or '\u2029' or (>= '\u202A' and <= '\u202E') ? '?' : source[i];
            }
        });

    public static DisconnectReason ToReason(uint code) =>
        code <= 15 ? (DisconnectReason)code : DisconnectReason.None;
}
