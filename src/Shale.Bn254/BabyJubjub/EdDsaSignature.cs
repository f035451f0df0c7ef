using Shale.Bn254.Fields;

namespace Shale.Bn254.BabyJubjub;

/// <summary>A signature: the commitment R8 and the response S.</summary>
/// <param name="R8">A point on the curve.</param>
/// <param name="S">Below l by its type.</param>
public readonly record struct EdDsaSignature(BabyJubjubPoint R8, BabyJubjubScalar S)
{
    /// <summary>Bytes of an encoded signature: R8 compressed, then S, least significant byte first (circomlibjs <c>packSignature</c>).</summary>
    public const int Size = 64;

    // Signatures that are read at once: 6 KiB on the stack.
    private const int BlockSize = 64;

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

    /// <summary>Many at once, faster than one by one.</summary>
    /// <param name="bytes">64 bytes for each signature.</param>
    /// <param name="signatures">The signatures.</param>
    /// <param name="valid">What <see cref="TryRead"/> would return for each; a signature that is not valid is the default.</param>
    /// <exception cref="ArgumentException">The lengths don't fit.</exception>
    public static void ReadMany(ReadOnlySpan<byte> bytes, Span<EdDsaSignature> signatures, Span<bool> valid)
    {
        if ((long)bytes.Length != (long)Size * signatures.Length || valid.Length != signatures.Length)
        {
            throw new ArgumentException("Each signature has 64 bytes and one answer.", nameof(bytes));
        }

        Span<byte> encoded = stackalloc byte[BabyJubjubPoint.CompressedSize * Math.Min(BlockSize, signatures.Length)];
        Span<BabyJubjubPoint> points = stackalloc BabyJubjubPoint[Math.Min(BlockSize, signatures.Length)];
        for (int start = 0; start < signatures.Length; start += BlockSize)
        {
            int count = Math.Min(BlockSize, signatures.Length - start);
            for (int i = 0; i < count; i++)
            {
                bytes.Slice(Size * (start + i), 32).CopyTo(encoded[(32 * i)..]);
            }

            BabyJubjubPoint.DecompressMany(encoded[..(32 * count)], points[..count], valid.Slice(start, count));
            for (int i = 0; i < count; i++)
            {
                ref bool good = ref valid[start + i];
                good &= BabyJubjubScalar.TryFromBytes(bytes.Slice((Size * (start + i)) + 32, 32), out BabyJubjubScalar s);
                signatures[start + i] = good ? new EdDsaSignature(points[i], s) : default;
            }
        }
    }

    /// <summary>Writes 64 bytes.</summary>
    public void Write(Span<byte> destination)
    {
        R8.Compress(destination[..32]);
        S.ToBytes(destination.Slice(32, 32));
    }
}
