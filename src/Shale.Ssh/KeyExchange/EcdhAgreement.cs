using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Shale.Ssh.KeyExchange;

/// <summary>ecdh-sha2-nistp256, -nistp384 and -nistp521 (RFC 5656 section 4): uncompressed points, checked to lie on the curve.</summary>
internal sealed class EcdhAgreement(ECCurve curve, int fieldSize, HashAlgorithmName hash) : KeyAgreement
{
    private readonly ECDiffieHellman _key = ECDiffieHellman.Create(curve);

    public override HashAlgorithmName Hash => hash;

    public override int MaxValueLength => 1 + (2 * fieldSize);

    public override byte[] Begin()
    {
        var point = _key.ExportParameters(includePrivateParameters: false).Q;
        var value = new byte[MaxValueLength];
        value[0] = 4;
        point.X!.CopyTo(value, 1);
        point.Y!.CopyTo(value, 1 + fieldSize);
        return value;
    }

    public override bool TryComplete(ReadOnlySpan<byte> serverValue, [NotNullWhen(true)] out byte[]? secret)
    {
        secret = null;
        if (serverValue.Length != MaxValueLength || serverValue[0] != 4)
        {
            return false;
        }

        try
        {
            using var peer = ECDiffieHellman.Create(new ECParameters
            {
                Curve = curve,
                Q = new ECPoint { X = serverValue.Slice(1, fieldSize).ToArray(), Y = serverValue[(1 + fieldSize)..].ToArray() },
            });
            using var peerKey = peer.PublicKey;
            var shared = _key.DeriveRawSecretAgreement(peerKey);
            secret = EncodeMpint(shared);
            CryptographicOperations.ZeroMemory(shared);
            return true;
        }
        catch (CryptographicException)
        {
            // The BCL says "not on the curve" this way only.
            return false;
        }
    }

    public override bool TryRespond(
        ReadOnlySpan<byte> clientValue, [NotNullWhen(true)] out byte[]? serverValue, [NotNullWhen(true)] out byte[]? secret)
    {
        serverValue = Begin();
        return TryComplete(clientValue, out secret);
    }

    public override void Dispose() => _key.Dispose();
}
