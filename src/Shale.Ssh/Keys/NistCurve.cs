using System.Numerics;
using System.Security.Cryptography;

namespace Shale.Ssh.Keys;

/// <summary>A NIST curve under its name of RFC 5656 section 6.1, with the hash of section 6.2.1.</summary>
internal sealed class NistCurve
{
    private static readonly Dictionary<string, NistCurve> All = new(StringComparer.Ordinal)
    {
        ["nistp256"] = new("nistp256", ECCurve.NamedCurves.nistP256, HashAlgorithmName.SHA256),
        ["nistp384"] = new("nistp384", ECCurve.NamedCurves.nistP384, HashAlgorithmName.SHA384),
        ["nistp521"] = new("nistp521", ECCurve.NamedCurves.nistP521, HashAlgorithmName.SHA512),
    };

    private readonly ECCurve _curve;
    private readonly BigInteger _prime;
    private readonly BigInteger _b;

    private NistCurve(string name, ECCurve curve, HashAlgorithmName hash)
    {
        Name = name;
        Hash = hash;
        _curve = curve;
        using var key = ECDsa.Create(curve);
        var domain = key.ExportExplicitParameters(includePrivateParameters: false).Curve;
        FieldSize = domain.Prime!.Length;
        _prime = Number(domain.Prime);
        _b = Number(domain.B!);
    }

    internal string Name { get; }

    internal HashAlgorithmName Hash { get; }

    /// <summary>Length in bytes of a coordinate.</summary>
    internal int FieldSize { get; }

    /// <summary>Length in bytes of an uncompressed point.</summary>
    internal int PointSize => 1 + (2 * FieldSize);

    internal static NistCurve Get(string name) => All[name];

    /// <summary>
    /// Whether bytes are an uncompressed point (SEC 1 section 2.3.3) on the curve. The cofactor is one, so every such point has the full order; the point at infinity has another form.
    /// It is public, so that arithmetic in variable time is good enough.
    /// </summary>
    internal bool IsOnCurve(ReadOnlySpan<byte> point)
    {
        if (point.Length != PointSize || point[0] != 4)
        {
            return false;
        }

        BigInteger x = Number(point.Slice(1, FieldSize)), y = Number(point[(1 + FieldSize)..]);

        // y^2 = x^3 - 3x + b
        return x < _prime && y < _prime && (((x * x * x) - (3 * x) + _b - (y * y)) % _prime).IsZero;
    }

    internal ECParameters Parameters(byte[] point, byte[]? d = null) => new()
    {
        Curve = _curve,
        Q = new ECPoint { X = point[1..(1 + FieldSize)], Y = point[(1 + FieldSize)..] },
        D = d,
    };

    internal ECDsa Generate() => ECDsa.Create(_curve);

    private static BigInteger Number(ReadOnlySpan<byte> bytes) => new(bytes, isUnsigned: true, isBigEndian: true);
}
