namespace Shale.Crypto.PostQuantum;

/// <summary>ByteEncode, ByteDecode, Compress and Decompress of FIPS 203 section 4.2.1. Coefficients come in as [0, q). Division by q is a multiplication, for constant time.</summary>
internal static class MlKemEncoding
{
    private const int N = MlKemPolynomial.N;
    private const int Q = MlKemPolynomial.Q;

    internal static int Compress10(int x) => (int)(((((ulong)(uint)x << 10) + 1665) * 1290167) >> 32) & 0x3ff;

    internal static int Compress4(int x) => (int)(((((uint)x << 4) + 1665) * 80635) >> 28) & 0xf;

    internal static int Compress1(int x) => (int)(((((uint)x << 1) + 1665) * 80635) >> 28) & 1;

    internal static int Decompress10(int y) => ((y * Q) + 512) >> 10;

    internal static int Decompress4(int y) => ((y * Q) + 8) >> 4;

    internal static void Encode12(ReadOnlySpan<int> f, Span<byte> bytes)
    {
        for (int i = 0, at = 0; i < N; i += 2, at += 3)
        {
            int a = f[i], b = f[i + 1];
            bytes[at] = (byte)a;
            bytes[at + 1] = (byte)((a >> 8) | (b << 4));
            bytes[at + 2] = (byte)(b >> 4);
        }
    }

    /// <returns>False when a coefficient is not below q (FIPS 203 section 7.2, the modulus check).</returns>
    internal static bool TryDecode12(ReadOnlySpan<byte> bytes, Span<int> f)
    {
        var excess = 0;
        for (int i = 0, at = 0; i < N; i += 2, at += 3)
        {
            var a = bytes[at] | ((bytes[at + 1] & 0xf) << 8);
            var b = (bytes[at + 1] >> 4) | (bytes[at + 2] << 4);
            excess |= (Q - 1 - a) | (Q - 1 - b);
            f[i] = a;
            f[i + 1] = b;
        }

        return excess >= 0;
    }

    internal static void EncodeCompressed10(ReadOnlySpan<int> f, Span<byte> bytes)
    {
        for (int i = 0, at = 0; i < N; i += 4, at += 5)
        {
            int a = Compress10(f[i]), b = Compress10(f[i + 1]), c = Compress10(f[i + 2]), d = Compress10(f[i + 3]);
            bytes[at] = (byte)a;
            bytes[at + 1] = (byte)((a >> 8) | (b << 2));
            bytes[at + 2] = (byte)((b >> 6) | (c << 4));
            bytes[at + 3] = (byte)((c >> 4) | (d << 6));
            bytes[at + 4] = (byte)(d >> 2);
        }
    }

    internal static void DecodeCompressed10(ReadOnlySpan<byte> bytes, Span<int> f)
    {
        for (int i = 0, at = 0; i < N; i += 4, at += 5)
        {
            f[i] = Decompress10(bytes[at] | ((bytes[at + 1] & 0x03) << 8));
            f[i + 1] = Decompress10((bytes[at + 1] >> 2) | ((bytes[at + 2] & 0x0f) << 6));
            f[i + 2] = Decompress10((bytes[at + 2] >> 4) | ((bytes[at + 3] & 0x3f) << 4));
            f[i + 3] = Decompress10((bytes[at + 3] >> 6) | (bytes[at + 4] << 2));
        }
    }

    internal static void EncodeCompressed4(ReadOnlySpan<int> f, Span<byte> bytes)
    {
        for (var i = 0; i < N / 2; i++)
        {
            bytes[i] = (byte)(Compress4(f[2 * i]) | (Compress4(f[(2 * i) + 1]) << 4));
        }
    }

    internal static void DecodeCompressed4(ReadOnlySpan<byte> bytes, Span<int> f)
    {
        for (var i = 0; i < N / 2; i++)
        {
            f[2 * i] = Decompress4(bytes[i] & 0xf);
            f[(2 * i) + 1] = Decompress4(bytes[i] >> 4);
        }
    }

    /// <summary>A message of 32 bytes as a polynomial of zeros and (q + 1) / 2 (Decompress with d = 1).</summary>
    internal static void DecodeMessage(ReadOnlySpan<byte> message, Span<int> f)
    {
        for (var i = 0; i < N; i++)
        {
            f[i] = -((message[i >> 3] >> (i & 7)) & 1) & ((Q + 1) / 2);
        }
    }

    internal static void EncodeMessage(ReadOnlySpan<int> f, Span<byte> message)
    {
        message[..32].Clear();
        for (var i = 0; i < N; i++)
        {
            message[i >> 3] |= (byte)(Compress1(f[i]) << (i & 7));
        }
    }
}
