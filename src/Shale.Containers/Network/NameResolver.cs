using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Shale.Containers.Exec;

namespace Shale.Containers.Network;

/// <summary>
/// Host names as the container sees them: its /etc/hosts, then the servers of its /etc/resolv.conf, asked from its network (Docker's own
/// server at 127.0.0.11 exists only there). A small stub resolver (RFC 1035, RFC 3596): one question a message, UDP, A and AAAA.
/// </summary>
internal static class NameResolver
{
    private const int MaxServers = 3; // resolv.conf(5)
    private const int MaxAddresses = 16;
    private static readonly TimeSpan ServerTime = TimeSpan.FromSeconds(3);

    /// <summary>Addresses in the order to be tried; empty if there are none.</summary>
    public static async Task<IReadOnlyList<IPAddress>> ResolveAsync(ContainerRoot root, string host, CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(host, out var literal))
        {
            return [literal];
        }

        host = host.TrimEnd('.');
        if (host.Length is 0 or > 253)
        {
            return [];
        }

        var found = FromHosts(root.TryReadSmallFile("/etc/hosts", 1 << 20), host);
        if (found.Count > 0)
        {
            return found;
        }

        if (host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase))
        {
            return [IPAddress.Loopback, IPAddress.IPv6Loopback]; // RFC 6761 section 6.3
        }

        foreach (var server in Servers(root.TryReadSmallFile("/etc/resolv.conf", 64 * 1024)))
        {
            var answers = await Task.WhenAll(AskAsync(root, server, host, 1, cancellationToken), AskAsync(root, server, host, 28, cancellationToken)).ConfigureAwait(false);
            if (answers[0] is not null || answers[1] is not null)
            {
                return [.. answers[0] ?? [], .. answers[1] ?? []];
            }
        }

        return [];
    }

    /// <summary>Addresses of a name in a hosts(5) file; IPv4 first.</summary>
    internal static List<IPAddress> FromHosts(byte[]? file, string host)
    {
        var found = new List<IPAddress>();
        foreach (var line in Encoding.UTF8.GetString(file ?? []).Split('\n'))
        {
            var words = line.Split('#')[0].Split((char[])[' ', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 1 && words.Skip(1).Contains(host, StringComparer.OrdinalIgnoreCase) && IPAddress.TryParse(words[0], out var address) && found.Count < MaxAddresses)
            {
                found.Add(address);
            }
        }

        return [.. found.OrderBy(a => a.AddressFamily == AddressFamily.InterNetworkV6)];
    }

    internal static List<IPAddress> Servers(byte[]? file)
    {
        var servers = new List<IPAddress>();
        foreach (var line in Encoding.UTF8.GetString(file ?? []).Split('\n'))
        {
            var words = line.Split((char[])[' ', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 1 && words[0] == "nameserver" && IPAddress.TryParse(words[1], out var address) && servers.Count < MaxServers)
            {
                servers.Add(address);
            }
        }

        return servers;
    }

    internal static byte[]? Question(ushort id, string host, ushort type)
    {
        using var message = new MemoryStream();
        message.Write([(byte)(id >> 8), (byte)id, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0]); // recursion desired, one question
        foreach (var label in host.Split('.'))
        {
            var bytes = Encoding.ASCII.GetBytes(label);
            if (bytes.Length is 0 or > 63)
            {
                return null;
            }

            message.WriteByte((byte)bytes.Length);
            message.Write(bytes);
        }

        message.Write([0, (byte)(type >> 8), (byte)type, 0, 1]);
        return message.ToArray();
    }

    /// <summary>The addresses of an answer; null if it is not one to this question or says that the server failed.</summary>
    internal static List<IPAddress>? Answer(ReadOnlySpan<byte> message, ReadOnlySpan<byte> question, ushort type)
    {
        // The question comes back as it was; that, the id and the connected socket tie the answer to it.
        if (message.Length < question.Length || !message[..2].SequenceEqual(question[..2]) || (message[2] & 0x80) == 0
            || BinaryPrimitives.ReadUInt16BigEndian(message[4..]) != 1 || !message[12..question.Length].SequenceEqual(question[12..]))
        {
            return null;
        }

        if ((message[3] & 0x0f) is not (0 or 3))
        {
            return null; // not NOERROR or NXDOMAIN: ask the next server
        }

        var found = new List<IPAddress>();
        var at = question.Length;
        for (var left = BinaryPrimitives.ReadUInt16BigEndian(message[6..]); left > 0 && found.Count < MaxAddresses; left--)
        {
            // The owner's name: labels, or a pointer of two bytes; aliases (CNAME) are followed by the server.
            while (at < message.Length && message[at] is > 0 and < 0xc0)
            {
                at += message[at] + 1;
            }

            at += at < message.Length && message[at] >= 0xc0 ? 2 : 1;
            if (at + 10 > message.Length)
            {
                break;
            }

            var kind = BinaryPrimitives.ReadUInt16BigEndian(message[at..]);
            var length = BinaryPrimitives.ReadUInt16BigEndian(message[(at + 8)..]);
            at += 10;
            if (at + length > message.Length)
            {
                break;
            }

            if (kind == type && length == (type == 1 ? 4 : 16))
            {
                found.Add(new IPAddress(message.Slice(at, length)));
            }

            at += length;
        }

        return found;
    }

    private static async Task<List<IPAddress>?> AskAsync(ContainerRoot root, IPAddress server, string host, ushort type, CancellationToken cancellationToken)
    {
        var question = Question((ushort)RandomNumberGenerator.GetInt32(65536), host, type);
        if (question is null)
        {
            return [];
        }

        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(ServerTime);
        try
        {
            using var socket = ContainerNetwork.NewSocket(root, server.AddressFamily, SocketType.Dgram);
            await socket.ConnectAsync(new IPEndPoint(server, 53), timer.Token).ConfigureAwait(false);
            await socket.SendAsync(question, timer.Token).ConfigureAwait(false);
            var buffer = new byte[1500];
            while (true)
            {
                var length = await socket.ReceiveAsync(buffer, timer.Token).ConfigureAwait(false);
                if (length >= 2 && buffer.AsSpan(0, 2).SequenceEqual(question.AsSpan(0, 2)))
                {
                    return Answer(buffer.AsSpan(0, length), question, type);
                }
            }
        }
        catch (Exception e) when (e is SocketException or IOException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return null;
        }
    }
}
