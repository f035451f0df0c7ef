using Shale.Wire;

namespace Shale.Ssh.Forwarding;

/// <summary>
/// The fields of direct-tcpip and forwarded-tcpip (RFC 4254 section 7.2): string host, uint32 port, string originator address, uint32 originator port. For direct-tcpip the host to connect to, for
/// forwarded-tcpip the address that was connected.
/// </summary>
internal readonly record struct TcpChannelFields(string Host, uint Port, string Originator, uint OriginatorPort)
{
    public static bool TryRead(ReadOnlySpan<byte> fields, out TcpChannelFields result)
    {
        result = default;
        var reader = new WireReader(fields);
        if (!ForwardAddress.TryReadHost(ref reader, out var host) || !reader.TryReadUInt32(out var port)
            || !reader.TryReadUtf8(ForwardAddress.MaxLength, out var originator) || !reader.TryReadUInt32(out var originatorPort) || !reader.IsAtEnd)
        {
            return false;
        }

        result = new TcpChannelFields(host, port, originator, originatorPort);
        return true;
    }

    public void Write(WireWriter writer)
    {
        writer.WriteString(Host);
        writer.WriteUInt32(Port);
        writer.WriteString(Originator);
        writer.WriteUInt32(OriginatorPort);
    }
}

/// <summary>The fields of tcpip-forward and cancel-tcpip-forward (RFC 4254 section 7.1): string address, uint32 port.</summary>
internal readonly record struct TcpForwardFields(string Address, uint Port)
{
    public static bool TryRead(ReadOnlySpan<byte> fields, out TcpForwardFields result)
    {
        result = default;
        var reader = new WireReader(fields);
        if (!ForwardAddress.TryReadHost(ref reader, out var address) || !reader.TryReadUInt32(out var port) || !reader.IsAtEnd)
        {
            return false;
        }

        result = new TcpForwardFields(address, port);
        return true;
    }
}

/// <summary>
/// The path in streamlocal-forward@openssh.com, cancel-streamlocal-forward@openssh.com and direct-streamlocal@openssh.com, which has two reserved fields behind it
/// (OpenSSH's PROTOCOL section 2.4).
/// </summary>
internal static class ForwardAddress
{
    /// <summary>A host name's limit, and above a Unix socket path's (108).</summary>
    public const int MaxLength = 255;

    public static bool TryReadHost(ref WireReader reader, out string host)
    {
        var read = reader.TryReadUtf8(MaxLength, out var text);
        host = text ?? "";
        return read && !host.Any(char.IsControl);
    }

    public static bool TryReadPath(ReadOnlySpan<byte> fields, bool hasReserved, out string path)
    {
        var reader = new WireReader(fields);
        var read = reader.TryReadUtf8(MaxLength, out var text)
            && (!hasReserved || (reader.TryReadString(MaxLength, out _) && reader.TryReadUInt32(out _)))
            && reader.IsAtEnd
            && text.Length > 0 && !text.Contains('\0');
        path = text ?? "";
        return read;
    }
}
