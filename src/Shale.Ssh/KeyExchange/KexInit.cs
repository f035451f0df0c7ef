using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Shale.Ssh.Transport;
using Shale.Wire;

namespace Shale.Ssh.KeyExchange;

/// <summary>
/// SSH_MSG_KEXINIT (RFC 4253 section 7.1):
/// <code>
/// byte      20
/// byte[16]  cookie (random bytes)
/// name-list kex_algorithms
/// name-list server_host_key_algorithms
/// name-list encryption_algorithms_client_to_server
/// name-list encryption_algorithms_server_to_client
/// name-list mac_algorithms_client_to_server
/// name-list mac_algorithms_server_to_client
/// name-list compression_algorithms_client_to_server
/// name-list compression_algorithms_server_to_client
/// name-list languages_client_to_server
/// name-list languages_server_to_client
/// boolean   first_kex_packet_follows
/// uint32    0 (reserved for future extension)
/// </code>
/// </summary>
internal sealed record KexInit(
    byte[] Cookie,
    string[] KexAlgorithms,
    string[] HostKeyAlgorithms,
    string[] CiphersClientToServer,
    string[] CiphersServerToClient,
    string[] MacsClientToServer,
    string[] MacsServerToClient,
    string[] CompressionClientToServer,
    string[] CompressionServerToClient,
    bool FirstPacketFollows)
{
    private const int CookieSize = 16;

    /// <summary>No list of any client comes near; the packet's own bound holds for all of them together.</summary>
    private const int MaxListLength = 8 * 1024;

    /// <summary>Our own offer.</summary>
    /// <param name="kex">Key exchange methods and markers.</param>
    /// <param name="hostKeys">Host key signature algorithms.</param>
    /// <param name="ciphers">Ciphers, both directions.</param>
    /// <param name="macs">MACs, both directions.</param>
    public static KexInit Offer(string[] kex, string[] hostKeys, string[] ciphers, string[] macs) =>
        new(RandomNumberGenerator.GetBytes(CookieSize), kex, hostKeys, ciphers, ciphers, macs, macs, ["none"], ["none"], FirstPacketFollows: false);

    public static bool TryRead(ReadOnlySpan<byte> payload, [NotNullWhen(true)] out KexInit? message)
    {
        message = null;
        var reader = new WireReader(payload);
        if (!reader.TryReadByte(out var number) || number != MessageNumber.KexInit || !reader.TryReadBytes(CookieSize, out var cookie))
        {
            return false;
        }

        var lists = new string[10][];
        for (var i = 0; i < lists.Length; i++)
        {
            if (!reader.TryReadNameList(MaxListLength, out var names))
            {
                return false;
            }

            lists[i] = names;
        }

        if (!reader.TryReadBoolean(out var follows) || !reader.TryReadUInt32(out _) || !reader.IsAtEnd)
        {
            return false;
        }

        message = new KexInit(
            cookie.ToArray(), lists[0], lists[1], lists[2], lists[3], lists[4], lists[5], lists[6], lists[7], follows);
        return true;
    }

    public void Write(WireWriter writer)
    {
        writer.WriteByte(MessageNumber.KexInit);
        writer.WriteBytes(Cookie);
        writer.WriteNameList(KexAlgorithms);
        writer.WriteNameList(HostKeyAlgorithms);
        writer.WriteNameList(CiphersClientToServer);
        writer.WriteNameList(CiphersServerToClient);
        writer.WriteNameList(MacsClientToServer);
        writer.WriteNameList(MacsServerToClient);
        writer.WriteNameList(CompressionClientToServer);
        writer.WriteNameList(CompressionServerToClient);
        writer.WriteNameList([]);
        writer.WriteNameList([]);
        writer.WriteBoolean(FirstPacketFollows);
        writer.WriteUInt32(0);
    }
}
