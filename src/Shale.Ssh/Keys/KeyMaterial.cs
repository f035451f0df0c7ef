using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Security.Cryptography;
using Shale.Crypto;
using Shale.Wire;

namespace Shale.Ssh.Keys;

/// <summary>The mathematical part of a public key: its fields after the type name, checked, and the verification of a signature's inner string.</summary>
internal abstract class KeyMaterial
{
    /// <summary>Reads the fields that follow the type name in a key, or the nonce in a certificate, and nothing behind them.</summary>
    internal static bool TryRead(string type, ref WireReader reader, [NotNullWhen(true)] out KeyMaterial? material)
    {
        material = type switch
        {
            SshKeyAlgorithms.Ed25519 => Ed25519Material.Read(ref reader),
            SshKeyAlgorithms.EcdsaP256 or SshKeyAlgorithms.EcdsaP384 or SshKeyAlgorithms.EcdsaP521 => EcdsaMaterial.Read(type["ecdsa-sha2-".Length..], ref reader),
            SshKeyAlgorithms.Rsa => RsaMaterial.Read(ref reader),
            SshKeyAlgorithms.SkEd25519 => SecurityKeyMaterial.Read(Ed25519Material.Read(ref reader), ref reader),
            SshKeyAlgorithms.SkEcdsaP256 => SecurityKeyMaterial.Read(EcdsaMaterial.Read("nistp256", ref reader), ref reader),
            _ => null,
        };
        return material is not null;
    }

    /// <summary>Whether signatures of that algorithm come from this key.</summary>
    internal abstract bool Makes(string type, string signatureAlgorithm);

    /// <summary>Verifies the inner string of a signature.</summary>
    internal abstract bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature, string signatureAlgorithm);

    /// <summary>Writes the fields that follow the type name.</summary>
    internal abstract void Write(WireWriter writer);
}

/// <summary>RFC 8709 section 4.</summary>
internal sealed class Ed25519Material(byte[] point) : KeyMaterial
{
    internal static Ed25519Material? Read(ref WireReader reader) =>
        reader.TryReadString(Ed25519.PublicKeySize, out var point) && Ed25519.IsAcceptablePublicKey(point) ? new(point.ToArray()) : null;

    internal override bool Makes(string type, string signatureAlgorithm) => signatureAlgorithm == type;

    internal override bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature, string signatureAlgorithm) => Ed25519.Verify(point, data, signature);

    internal override void Write(WireWriter writer) => writer.WriteString(point);
}

/// <summary>RFC 5656 section 3.1: a curve and an uncompressed point on it.</summary>
internal sealed class EcdsaMaterial : KeyMaterial
{
    private readonly NistCurve _curve;
    private readonly byte[] _point;

    private EcdsaMaterial(NistCurve curve, byte[] point)
    {
        _curve = curve;
        _point = point;
    }

    internal static EcdsaMaterial? Read(string curveName, ref WireReader reader)
    {
        var curve = NistCurve.Get(curveName);
        return reader.TryReadAscii(WireReader.MaxNameLength, out var name) && name == curveName
            && reader.TryReadString(curve.PointSize, out var point) && curve.IsOnCurve(point)
            ? new(curve, point.ToArray())
            : null;
    }

    internal override bool Makes(string type, string signatureAlgorithm) => signatureAlgorithm == type;

    internal override bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature, string signatureAlgorithm)
    {
        // RFC 5656 section 3.1.2: mpint r, mpint s.
        var reader = new WireReader(signature);
        if (!reader.TryReadMpint(_curve.FieldSize, out var r) || !reader.TryReadMpint(_curve.FieldSize, out var s) || !reader.IsAtEnd)
        {
            return false;
        }

        Span<byte> fixedSize = stackalloc byte[2 * _curve.FieldSize];
        fixedSize.Clear();
        r.CopyTo(fixedSize[(_curve.FieldSize - r.Length)..]);
        s.CopyTo(fixedSize[(fixedSize.Length - s.Length)..]);
        try
        {
            using var ecdsa = ECDsa.Create(_curve.Parameters(_point));
            return ecdsa.VerifyData(data, fixedSize, _curve.Hash);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    internal override void Write(WireWriter writer)
    {
        writer.WriteString(_curve.Name);
        writer.WriteString(_point);
    }
}

/// <summary>RFC 4253 section 6.6 with RFC 8332's signatures.</summary>
internal sealed class RsaMaterial : KeyMaterial
{
    /// <summary>Below 2048 bits a modulus is too weak (NIST SP 800-131A); above 16384 OpenSSH refuses too, and a verification there takes some milliseconds at the most.</summary>
    internal const int MinBits = 2048;
    internal const int MaxBits = 16384;

    /// <summary>32 bits: real keys have 65537 (seldom 3, 17, 35 or 37), and the cost of a verification grows with the exponent's length, which whoever made the key chooses.</summary>
    internal const int MaxExponentSize = 4;

    private readonly byte[] _modulus;
    private readonly byte[] _exponent;

    private RsaMaterial(byte[] modulus, byte[] exponent)
    {
        _modulus = modulus;
        _exponent = exponent;
    }

    internal static RsaMaterial? Read(ref WireReader reader)
    {
        if (!reader.TryReadMpint(MaxExponentSize, out var exponent) || !reader.TryReadMpint(MaxBits / 8, out var modulus)
            || exponent.IsEmpty || modulus.IsEmpty)
        {
            return null;
        }

        var bits = (8 * modulus.Length) - (BitOperations.LeadingZeroCount(modulus[0]) - 24);
        var exponentIsOne = exponent.Length == 1 && exponent[0] == 1;
        return bits >= MinBits && (modulus[^1] & 1) == 1 && (exponent[^1] & 1) == 1 && !exponentIsOne ? new(modulus.ToArray(), exponent.ToArray()) : null;
    }

    internal override bool Makes(string type, string signatureAlgorithm) => signatureAlgorithm is SshKeyAlgorithms.RsaSha256 or SshKeyAlgorithms.RsaSha512;

    internal override bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature, string signatureAlgorithm)
    {
        if (signature.Length > _modulus.Length || signature.IsEmpty)
        {
            return false;
        }

        // Some clients drop leading zeros of the number (RFC 8332 section 3 allows to accept them); the BCL wants the modulus's length.
        var padded = new byte[_modulus.Length];
        signature.CopyTo(padded.AsSpan(_modulus.Length - signature.Length));
        var hash = signatureAlgorithm == SshKeyAlgorithms.RsaSha512 ? HashAlgorithmName.SHA512 : HashAlgorithmName.SHA256;
        try
        {
            using var rsa = RSA.Create(new RSAParameters { Modulus = _modulus, Exponent = _exponent });
            return rsa.VerifyData(data, padded, hash, RSASignaturePadding.Pkcs1);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    internal override void Write(WireWriter writer)
    {
        writer.WriteMpint(_exponent);
        writer.WriteMpint(_modulus);
    }
}

/// <summary>OpenSSH's PROTOCOL.u2f: a key inside a FIDO authenticator, bound to an application name.</summary>
internal sealed class SecurityKeyMaterial : KeyMaterial
{
    /// <summary>Application names are "ssh:" and what a user added; 1 KiB is far above any, and bounds what is hashed for each signature.</summary>
    private const int MaxApplicationSize = 1024;

    private readonly KeyMaterial _inner;
    private readonly byte[] _application;

    private SecurityKeyMaterial(KeyMaterial inner, byte[] application)
    {
        _inner = inner;
        _application = application;
    }

    internal static SecurityKeyMaterial? Read(KeyMaterial? inner, ref WireReader reader) =>
        inner is not null && reader.TryReadString(MaxApplicationSize, out var application) ? new(inner, application.ToArray()) : null;

    internal override bool Makes(string type, string signatureAlgorithm) => signatureAlgorithm == type;

    internal override bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature, string signatureAlgorithm) => false;

    /// <summary>The authenticator signed SHA256(application), flags, counter, SHA256(data).</summary>
    internal bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature, SecurityKeyAssertion assertion)
    {
        Span<byte> signed = stackalloc byte[32 + 1 + 4 + 32];
        SHA256.HashData(_application, signed);
        signed[32] = assertion.Flags;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(signed[33..], assertion.Counter);
        SHA256.HashData(data, signed[37..]);
        return _inner.Verify(signed, signature, "");
    }

    internal override void Write(WireWriter writer)
    {
        _inner.Write(writer);
        writer.WriteString(_application);
    }
}
