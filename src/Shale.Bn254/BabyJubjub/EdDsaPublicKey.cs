using System.Diagnostics.CodeAnalysis;
using Shale.Bn254.Fields;

namespace Shale.Bn254.BabyJubjub;

/// <summary>
/// A public key that has been checked (on the curve, not of small order), with what verification wants at hand. Immutable;
/// equality is that of the point.
/// </summary>
public sealed class EdDsaPublicKey : IEquatable<EdDsaPublicKey>
{
    /// <summary>Bytes of a compressed key.</summary>
    public const int Size = BabyJubjubPoint.CompressedSize;

    /// <summary>Odd multiples of 8·A: circomlib's equation multiplies the key by the cofactor, which drops any torsion in it.</summary>
    private readonly Lazy<AffineCachedPoint[]> _oddMultiples;

    private EdDsaPublicKey(in BabyJubjubPoint point, ExtendedPoint timesEight)
    {
        Point = point;
        _oddMultiples = new Lazy<AffineCachedPoint[]>(() => MultiScalar.OddMultiples(timesEight));
    }

    /// <summary>A.</summary>
    public BabyJubjubPoint Point { get; }

    internal AffineCachedPoint[] OddMultiples => _oddMultiples.Value;

    /// <summary>
    /// True when A lies in the prime subgroup, as every honestly made key does. A payment key is accepted only if it does: the
    /// same key with torsion added would be a second name for one signer.
    /// </summary>
    public bool IsInSubgroup => Point.IsInSubgroup();

    /// <summary>False for a point off the curve or of small order.</summary>
    public static bool TryCreate(in BabyJubjubPoint point, [NotNullWhen(true)] out EdDsaPublicKey? key)
    {
        key = null;
        if (!point.IsOnCurve())
        {
            return false;
        }

        ExtendedPoint timesEight = ExtendedPoint.FromAffine(point).Double().Double().Double();
        if (timesEight.IsIdentity)
        {
            return false;
        }

        key = new EdDsaPublicKey(point, timesEight);
        return true;
    }

    /// <summary>Reads 32 bytes; false for what <see cref="BabyJubjubPoint.TryDecompress"/> refuses and for small order.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out EdDsaPublicKey? key)
    {
        key = null;
        return BabyJubjubPoint.TryDecompress(bytes, out BabyJubjubPoint point) && TryCreate(point, out key);
    }

    /// <summary>Writes 32 bytes.</summary>
    public void Write(Span<byte> destination) => Point.Compress(destination);

    /// <summary>The compressed key.</summary>
    public byte[] ToBytes()
    {
        byte[] bytes = new byte[Size];
        Write(bytes);
        return bytes;
    }

    /// <inheritdoc/>
    public bool Equals(EdDsaPublicKey? other) => other is not null && Point == other.Point;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as EdDsaPublicKey);

    /// <inheritdoc/>
    public override int GetHashCode() => Point.GetHashCode();

    /// <summary>The compressed key in hexadecimal.</summary>
    public override string ToString() => Convert.ToHexStringLower(ToBytes());
}
