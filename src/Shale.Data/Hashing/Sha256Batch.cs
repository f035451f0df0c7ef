using System.Security.Cryptography;

namespace Shale.Data.Hashing;

/// <summary>Which of the ways to compute many SHA-256 digests is used.</summary>
internal enum Sha256Path
{
    /// <summary>One message after another with the BCL, that is with OpenSSL and the processor's SHA extensions.</summary>
    Library,

    /// <summary>Eight messages at once with AVX2.</summary>
    Avx2,

    /// <summary>Sixteen messages at once with AVX-512.</summary>
    Avx512,
}

/// <summary>
/// Many SHA-256 digests at a time. For long messages AVX-512 beats one SHA-extension stream and AVX2 does not; for the
/// 64-byte nodes of a piece's tree both beat it, since a call into the library costs as much as the hash (decision 0071).
/// </summary>
internal static unsafe class Sha256Batch
{
    /// <summary>How many digests of equal length are computed at once where that helps; callers gather this many.</summary>
    public const int Width = 16;

    public static Sha256Path BestForPairs { get; } =
        Sha256Lanes512.IsSupported ? Sha256Path.Avx512 : Sha256Lanes256.IsSupported ? Sha256Path.Avx2 : Sha256Path.Library;

    public static Sha256Path BestForMessages { get; } = Sha256Lanes512.IsSupported ? Sha256Path.Avx512 : Sha256Path.Library;

    /// <summary>
    /// Hashes <paramref name="pairs"/> times 64 bytes at <paramref name="source"/> to as many times 32 bytes at
    /// <paramref name="destination"/> with the last two bits cleared; both may be the same place.
    /// </summary>
    public static void HashPairs(Sha256Path path, byte* source, byte* destination, int pairs)
    {
        var i = 0;
        if (path == Sha256Path.Avx512)
        {
            for (; i + 16 <= pairs; i += 16)
            {
                Sha256Lanes512.HashPairs(source + (64 * i), destination + (32 * i));
            }

            HashRest(path, 16, source + (64 * i), destination + (32 * i), pairs - i);
            return;
        }

        if (path == Sha256Path.Avx2)
        {
            for (; i + 8 <= pairs; i += 8)
            {
                Sha256Lanes256.HashPairs(source + (64 * i), destination + (32 * i));
            }

            HashRest(path, 8, source + (64 * i), destination + (32 * i), pairs - i);
            return;
        }

        Span<byte> digest = stackalloc byte[32];
        for (; i < pairs; i++)
        {
            SHA256.HashData(new ReadOnlySpan<byte>(source + (64 * i), 64), digest);
            digest[31] &= 0x3f;
            digest.CopyTo(new Span<byte>(destination + (32 * i), 32));
        }
    }

    /// <summary>Hashes blocks of any lengths; digest i has 32 bytes at 32 i of <paramref name="digests"/>.</summary>
    public static void HashMessages(Sha256Path path, ReadOnlySpan<ReadOnlyMemory<byte>> messages, Span<byte> digests)
    {
        var i = 0;
        while (i < messages.Length)
        {
            if (path == Sha256Path.Avx512 && CanBatch(messages[i..]))
            {
                HashSixteen(messages.Slice(i, Width), digests.Slice(32 * i, 32 * Width));
                i += Width;
                continue;
            }

            SHA256.HashData(messages[i].Span, digests.Slice(32 * i, 32));
            i++;
        }
    }

    private static bool CanBatch(ReadOnlySpan<ReadOnlyMemory<byte>> messages)
    {
        if (messages.Length < Width)
        {
            return false;
        }

        for (var i = 1; i < Width; i++)
        {
            if (messages[i].Length != messages[0].Length)
            {
                return false;
            }
        }

        return true;
    }

    private static void HashSixteen(ReadOnlySpan<ReadOnlyMemory<byte>> messages, Span<byte> digests)
    {
        var handles = new System.Buffers.MemoryHandle[Width];
        var rows = stackalloc byte*[Width];
        try
        {
            for (var i = 0; i < Width; i++)
            {
                handles[i] = messages[i].Pin();
                rows[i] = (byte*)handles[i].Pointer;
            }

            fixed (byte* d = digests)
            {
                Sha256Lanes512.HashMessages(rows, messages[0].Length, d);
            }
        }
        finally
        {
            foreach (var handle in handles)
            {
                handle.Dispose();
            }
        }
    }

    // The last few pairs of a row: the other lanes hash zeros that nobody reads.
    private static void HashRest(Sha256Path path, int lanes, byte* source, byte* destination, int pairs)
    {
        if (pairs == 0)
        {
            return;
        }

        var input = stackalloc byte[64 * 16];
        var output = stackalloc byte[32 * 16];
        new Span<byte>(input, 64 * lanes).Clear();
        Buffer.MemoryCopy(source, input, 64 * lanes, 64L * pairs);
        if (path == Sha256Path.Avx512)
        {
            Sha256Lanes512.HashPairs(input, output);
        }
        else
        {
            Sha256Lanes256.HashPairs(input, output);
        }

        Buffer.MemoryCopy(output, destination, 32L * pairs, 32L * pairs);
    }
}
