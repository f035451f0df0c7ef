using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Shale.Crypto;

namespace Shale.Ssh.KeyExchange;

/// <summary>diffie-hellman-group14-sha256, -group16-sha512 and -group18-sha512 (RFC 4253 section 8, RFC 8268).</summary>
internal sealed class DhAgreement(ModpGroup group, HashAlgorithmName hash) : KeyAgreement
{
    /// <summary>
    /// Twice the 256 bits of the strongest cipher: the groups are of safe primes, so an exponent need not be as long as the prime (RFC 4419 section 6.2), and the cost to the server that a peer
    /// can cause grows with it.
    /// </summary>
    private const int ExponentSize = 64;

    private static readonly byte[] Generator = [2];

    private readonly byte[] _exponent = RandomNumberGenerator.GetBytes(ExponentSize);

    public override HashAlgorithmName Hash => hash;

    public override bool ValuesAreMpints => true;

    public override int MaxValueLength => group.Prime.Length;

    public override byte[] Begin()
    {
        _exponent[0] |= 0x80;
        var value = new byte[group.Prime.Length];
        ModularArithmetic.ModPow(Generator, _exponent, group.Prime, value);
        return value;
    }

    public override bool TryComplete(ReadOnlySpan<byte> serverValue, [NotNullWhen(true)] out byte[]? secret)
    {
        secret = null;
        if (!group.IsAcceptable(serverValue))
        {
            return false;
        }

        var shared = new byte[group.Prime.Length];
        ModularArithmetic.ModPow(serverValue, _exponent, group.Prime, shared);
        secret = EncodeMpint(shared);
        CryptographicOperations.ZeroMemory(shared);
        return true;
    }

    public override bool TryRespond(
        ReadOnlySpan<byte> clientValue, [NotNullWhen(true)] out byte[]? serverValue, [NotNullWhen(true)] out byte[]? secret)
    {
        serverValue = null;
        secret = null;
        if (!group.IsAcceptable(clientValue))
        {
            return false;
        }

        serverValue = Begin();
        return TryComplete(clientValue, out secret);
    }

    public override void Dispose() => CryptographicOperations.ZeroMemory(_exponent);
}
