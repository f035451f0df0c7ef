using System.Security.Cryptography;
using Shale.Ssh.Ciphers;
using Shale.Wire;

namespace Shale.Ssh.KeyExchange;

/// <summary>What both sides hash and sign (RFC 4253 section 8, RFC 5656 section 4), and the keys that come out (RFC 4253 section 7.2).</summary>
internal static class ExchangeHash
{
    /// <summary>
    /// HASH(string V_C || string V_S || string I_C || string I_S || string K_S || value Q_C || value Q_S || K).
    /// </summary>
    public static byte[] Compute(
        KeyAgreement agreement,
        ReadOnlySpan<byte> clientVersion,
        ReadOnlySpan<byte> serverVersion,
        ReadOnlySpan<byte> clientInit,
        ReadOnlySpan<byte> serverInit,
        ReadOnlySpan<byte> hostKey,
        ReadOnlySpan<byte> clientValue,
        ReadOnlySpan<byte> serverValue,
        ReadOnlySpan<byte> secret)
    {
        using var buffer = new PooledBufferWriter(256 * 1024, holdsSecrets: true);
        var writer = new WireWriter(buffer);
        writer.WriteString(clientVersion);
        writer.WriteString(serverVersion);
        writer.WriteString(clientInit);
        writer.WriteString(serverInit);
        writer.WriteString(hostKey);
        WriteValue(writer, agreement, clientValue);
        WriteValue(writer, agreement, serverValue);
        writer.WriteBytes(secret);
        return CryptographicOperations.HashData(agreement.Hash, buffer.WrittenSpan);
    }

    public static void WriteValue(WireWriter writer, KeyAgreement agreement, ReadOnlySpan<byte> value)
    {
        if (agreement.ValuesAreMpints)
        {
            writer.WriteMpint(value);
        }
        else
        {
            writer.WriteString(value);
        }
    }

    public static bool TryReadValue(ref WireReader reader, KeyAgreement agreement, out ReadOnlySpan<byte> value) =>
        agreement.ValuesAreMpints
            ? reader.TryReadMpint(agreement.MaxValueLength, out value)
            : reader.TryReadString(agreement.MaxValueLength, out value);

    /// <summary>Derives the keys of one direction.</summary>
    /// <param name="hash">The exchange's hash.</param>
    /// <param name="secret">K, encoded.</param>
    /// <param name="exchangeHash">H.</param>
    /// <param name="sessionId">The first exchange's H.</param>
    /// <param name="clientToServer">Which direction.</param>
    /// <param name="suite">How long the keys are.</param>
    public static DirectionKeys Derive(
        HashAlgorithmName hash,
        ReadOnlySpan<byte> secret,
        ReadOnlySpan<byte> exchangeHash,
        ReadOnlySpan<byte> sessionId,
        bool clientToServer,
        CipherSuite suite) =>
        new(
            Derive(hash, secret, exchangeHash, sessionId, clientToServer ? 'A' : 'B', suite.IvSize),
            Derive(hash, secret, exchangeHash, sessionId, clientToServer ? 'C' : 'D', suite.KeySize),
            Derive(hash, secret, exchangeHash, sessionId, clientToServer ? 'E' : 'F', suite.MacKeySize));

    /// <summary>K1 = HASH(K || H || X || session_id), K2 = HASH(K || H || K1), K3 = HASH(K || H || K1 || K2), …; key = K1 || K2 || K3 || …</summary>
    internal static byte[] Derive(
        HashAlgorithmName hash, ReadOnlySpan<byte> secret, ReadOnlySpan<byte> exchangeHash, ReadOnlySpan<byte> sessionId, char letter, int length)
    {
        var key = new byte[length];
        using var incremental = IncrementalHash.CreateHash(hash);
        Span<byte> block = stackalloc byte[64];
        block = block[..incremental.HashLengthInBytes];
        for (var done = 0; done < length; done += block.Length)
        {
            incremental.AppendData(secret);
            incremental.AppendData(exchangeHash);
            if (done == 0)
            {
                incremental.AppendData([(byte)letter]);
                incremental.AppendData(sessionId);
            }
            else
            {
                incremental.AppendData(key.AsSpan(0, done));
            }

            incremental.GetHashAndReset(block);
            block[..Math.Min(block.Length, length - done)].CopyTo(key.AsSpan(done));
        }

        CryptographicOperations.ZeroMemory(block);
        return key;
    }
}
