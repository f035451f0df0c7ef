using Shale.Bn254.Fields;

namespace Shale.Bn254.BabyJubjub;

/// <summary>A signature: the commitment R8 and the response S.</summary>
/// <param name="R8">A point on the curve.</param>
/// <param name="S">Below l by its type.</param>
public readonly record struct EdDsaSignature(BabyJubjubPoint R8, BabyJubjubScalar S)
{
    /// <summary>Bytes of an encoded signature: R8 compressed, then S, least significant byte first (circomlibjs <c>packSignature</c>).</summary>
    public const int Size = 64;

    /// <summary>False for another length, an R8 that is no canonical encoding of a point on the curve, and S ≥ l.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out EdDsaSignature signature)
    {
        signature = default;
        if (bytes.Length != Size ||
            !BabyJubjubScalar.TryFromBytes(bytes[32..], out BabyJubjubScalar s) ||
            !BabyJubjubPoint.TryDecompress(bytes[..32], out BabyJubjubPoint r8))
        {
            return false;
        }

        signature = new EdDsaSignature(r8, s);
        return true;
    }

    /// <summary>Writes 64 bytes.</summary>
    public void Write(Span<byte> destination)
    {
        R8.Compress(destination[..32]);
        S.ToBytes(destination.Slice(32, 32));
    }
}
