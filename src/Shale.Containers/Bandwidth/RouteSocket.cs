using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Shale.Containers.Exec;

namespace Shale.Containers.Bandwidth;

/// <summary>A network interface as rtnetlink tells of it.</summary>
/// <param name="Index">Its index in its namespace.</param>
/// <param name="Name">Its name.</param>
/// <param name="Peer">For one end of a veth pair: the other end's index in its own namespace.</param>
/// <param name="Received">Bytes received.</param>
/// <param name="Sent">Bytes sent.</param>
internal readonly record struct NetworkLink(int Index, string Name, int Peer, ulong Received, ulong Sent);

/// <summary>
/// A route netlink socket (rtnetlink(7)) in one network namespace, for what tc and ip do: list links, set a token bucket filter (tbf).
/// It changes a rate in microseconds, where a tc process takes milliseconds. Not safe for several threads.
/// </summary>
internal sealed unsafe partial class RouteSocket : IDisposable
{
    private const int AF_NETLINK = 16, SOCK_RAW = 3, SOCK_CLOEXEC = 0x80000;
    private const ushort RTM_GETLINK = 18, RTM_NEWLINK = 16, RTM_NEWQDISC = 36, NLMSG_ERROR = 2, NLMSG_DONE = 3;
    private const ushort NLM_F_REQUEST = 1, NLM_F_ACK = 4, NLM_F_REPLACE = 0x100, NLM_F_DUMP = 0x300, NLM_F_CREATE = 0x400;
    private const ushort IFLA_IFNAME = 3, IFLA_LINK = 5, IFLA_STATS64 = 23, TCA_KIND = 1, TCA_OPTIONS = 2, TCA_TBF_PARMS = 1, TCA_TBF_RATE64 = 4, TCA_TBF_BURST = 6;

    private readonly SafeFileHandle _fd;
    private readonly byte[] _answer = new byte[64 * 1024];
    private uint _sequence;

    private RouteSocket(SafeFileHandle fd) => _fd = fd;

    /// <summary>A socket in the given namespace; null: this process's own.</summary>
    public static RouteSocket Open(SafeFileHandle? network)
    {
        if (network is null)
        {
            return new RouteSocket(Native.Owned(SocketCall(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), "socket(AF_NETLINK)"));
        }

        var (fd, error) = Network.ContainerNetwork.OnThread(network, () => SocketCall(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
        return fd >= 0 ? new RouteSocket(new SafeFileHandle(fd, true)) : throw Native.Failure("socket(AF_NETLINK)", error);
    }

    /// <summary>All interfaces but loopback.</summary>
    public List<NetworkLink> Links()
    {
        // struct ifinfomsg of 16 zero bytes: all families, all interfaces.
        Send(RTM_GETLINK, NLM_F_DUMP, new byte[16]);
        var links = new List<NetworkLink>();
        while (true)
        {
            foreach (var (type, body) in Receive())
            {
                if (type == NLMSG_DONE)
                {
                    return links;
                }

                if (type == RTM_NEWLINK && body.Length >= 16 && Link(body) is { Name: not "lo" } link)
                {
                    links.Add(link);
                }
            }
        }
    }

    /// <summary>Limits what an interface sends: a token bucket filter as its root queue, made or changed in place.</summary>
    /// <param name="link">The interface's index.</param>
    /// <param name="rate">Bytes a second.</param>
    /// <param name="burst">Bytes at once; at least one packet.</param>
    /// <param name="limit">Bytes that may wait; more are dropped.</param>
    public void SetRate(int link, ulong rate, uint burst, uint limit)
    {
        // struct tcmsg: u8 family, pad, s32 interface, u32 handle, u32 parent (TC_H_ROOT), u32 info.
        var message = new List<byte>(128);
        message.AddRange([0, 0, 0, 0]);
        message.AddRange(BitConverter.GetBytes(link));
        message.AddRange(BitConverter.GetBytes(0x00010000u));
        message.AddRange(BitConverter.GetBytes(0xffffffffu));
        message.AddRange(BitConverter.GetBytes(0u));
        Attribute(message, TCA_KIND, "tbf\0"u8);

        // struct tc_tbf_qopt: two of tc_ratespec {u8 cell_log, u8 linklayer (1: ethernet), u16, s16, u16, u32 rate}, u32 limit, buffer, mtu.
        Span<byte> parameters = stackalloc byte[36];
        parameters.Clear();
        parameters[1] = 1;
        BitConverter.TryWriteBytes(parameters[8..], (uint)Math.Min(rate, uint.MaxValue));
        BitConverter.TryWriteBytes(parameters[24..], limit);
        var options = new List<byte>(64);
        Attribute(options, TCA_TBF_PARMS, parameters);
        Attribute(options, TCA_TBF_BURST, BitConverter.GetBytes(burst));
        if (rate > uint.MaxValue)
        {
            Attribute(options, TCA_TBF_RATE64, BitConverter.GetBytes(rate));
        }

        Attribute(message, TCA_OPTIONS, CollectionsMarshal.AsSpan(options));
        Send(RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, CollectionsMarshal.AsSpan(message));
        Receive(); // throws where the kernel refused
    }

    public void Dispose() => _fd.Dispose();

    private static NetworkLink Link(ReadOnlySpan<byte> body)
    {
        var link = new NetworkLink(BitConverter.ToInt32(body[4..]), "", 0, 0, 0);
        for (var at = 16; at + 4 <= body.Length;)
        {
            int length = BitConverter.ToUInt16(body[at..]), type = BitConverter.ToUInt16(body[(at + 2)..]) & 0x3fff;
            if (length < 4 || at + length > body.Length)
            {
                break;
            }

            var value = body.Slice(at + 4, length - 4);
            link = type switch
            {
                IFLA_IFNAME => link with { Name = Encoding.ASCII.GetString(value.TrimEnd((byte)0)) },
                IFLA_LINK when value.Length >= 4 => link with { Peer = BitConverter.ToInt32(value) },
                // struct rtnl_link_stats64: packets received, sent; bytes received, sent; ...
                IFLA_STATS64 when value.Length >= 32 => link with { Received = BitConverter.ToUInt64(value[16..]), Sent = BitConverter.ToUInt64(value[24..]) },
                _ => link,
            };
            at += (length + 3) & ~3;
        }

        return link;
    }

    private static void Attribute(List<byte> to, ushort type, ReadOnlySpan<byte> value)
    {
        to.AddRange(BitConverter.GetBytes((ushort)(value.Length + 4)));
        to.AddRange(BitConverter.GetBytes(type));
        to.AddRange(value);
        to.AddRange(new byte[-value.Length & 3]);
    }

    private void Send(ushort type, ushort flags, ReadOnlySpan<byte> body)
    {
        // struct nlmsghdr: u32 length, u16 type, u16 flags, u32 sequence, u32 port.
        var message = new byte[16 + body.Length];
        BitConverter.TryWriteBytes(message, message.Length);
        BitConverter.TryWriteBytes(message.AsSpan(4), type);
        BitConverter.TryWriteBytes(message.AsSpan(6), (ushort)(flags | NLM_F_REQUEST));
        BitConverter.TryWriteBytes(message.AsSpan(8), ++_sequence);
        body.CopyTo(message.AsSpan(16));
        fixed (byte* bytes = message)
        {
            Native.Check((int)Native.Write(_fd, bytes, (nuint)message.Length), "write(AF_NETLINK)");
        }
    }

    private List<(ushort Type, byte[] Body)> Receive()
    {
        nint length;
        fixed (byte* bytes = _answer)
        {
            do
            {
                length = Native.Read(_fd, bytes, (nuint)_answer.Length);
            }
            while (length < 0 && Native.LastError == Native.EINTR);
        }

        Native.Check((int)length, "read(AF_NETLINK)");
        var messages = new List<(ushort, byte[])>();
        for (var at = 0; at + 16 <= length;)
        {
            var size = BitConverter.ToInt32(_answer, at);
            var type = BitConverter.ToUInt16(_answer, at + 4);
            if (size < 16 || at + size > length)
            {
                break;
            }

            if (type == NLMSG_ERROR && size >= 20 && BitConverter.ToInt32(_answer, at + 16) is var error and not 0)
            {
                throw Native.Failure("rtnetlink", -error);
            }

            messages.Add((type, _answer.AsSpan(at + 16, size - 16).ToArray()));
            at += (size + 3) & ~3;
        }

        return messages;
    }

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int SocketCall(int family, int type, int protocol);
}
