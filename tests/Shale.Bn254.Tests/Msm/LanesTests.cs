using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Shale.Bn254.Fields;
using Shale.Bn254.Vector;
using Xunit;

namespace Shale.Bn254.Tests.Msm;

/// <summary>
/// The lane arithmetic against integers of any size, at random and at the edges of what each method takes: all limbs at their highest
/// value, zero, one, p and its multiples. This machine must have AVX2 (the tests would show nothing otherwise).
/// </summary>
public sealed unsafe class LanesTests
{
    private static readonly BigInteger P = Fp.Modulus;
    private static readonly BigInteger Radix = BigInteger.One << Lanes.RadixBits;
    private readonly Random _random = new(29);

    [Fact]
    public void Multiply_RandomAndExtremeLimbs_IsTheMontgomeryProduct()
    {
        Assert.True(Lanes.IsSupported, "these tests need AVX2");
        var m = stackalloc Vector256<ulong>[5 * Lanes.LimbCount];
        for (var round = 0; round < 300; round++)
        {
            // a loose (limbs below 1.5·2^30), b tidy; both as large as limbs allow in some rounds.
            var a = Fill(m, round % 3 == 0 ? (3UL << 29) - 1 : Lanes.LimbMask, extreme: round < 6, topBits: 24);
            var b = Fill(m + 9, Lanes.LimbMask, extreme: round < 6, topBits: 22);
            Lanes.Multiply(m + 18, m, m + 9, LaneConstants<FpModulus>.Block);
            AssertTidy(m + 18);
            for (var lane = 0; lane < 4; lane++)
            {
                var result = Value(m + 18, lane);
                Assert.Equal(a[lane] * b[lane] % P, result * Radix % P);
                Assert.True(result <= (a[lane] * b[lane] / Radix) + P);
            }

            Lanes.MultiplyTwo(m + 18, m, m + 9, m, m + 9, LaneConstants<FpModulus>.Block);
            AssertTidy(m + 18);
            for (var lane = 0; lane < 4; lane++)
            {
                Assert.Equal(2 * a[lane] * b[lane] % P, Value(m + 18, lane) * Radix % P);
            }
        }
    }

    [Fact]
    public void SubtractionsAndReductions_UpToTheirBounds_AreExactAndBelowTheirResultsBounds()
    {
        var k = LaneConstants<FpModulus>.Block;
        var m = stackalloc Vector256<ulong>[4 * Lanes.LimbCount];
        var extremes = new BigInteger[] { 0, 1, P - 1, P, P + 1, (2 * P) - 1, (2 * P) + 1, (4 * P) - 1 };
        for (var round = 0; round < 400; round++)
        {
            BigInteger[] a = new BigInteger[4], b = new BigInteger[4], c = new BigInteger[4];
            for (var lane = 0; lane < 4; lane++)
            {
                a[lane] = round < 200 ? Random(100 * P) : (_random.Next(100) * P) + extremes[_random.Next(3)];
                b[lane] = round < 200 ? Random(4 * P) : extremes[_random.Next(extremes.Length)];
                c[lane] = round < 200 ? Random(4 * P) : extremes[_random.Next(extremes.Length)];
            }

            Put(m, a);
            Put(m + 9, b);
            Put(m + 18, c);
            Lanes.SubtractTwoReduced(m + 27, m, m + 9, m + 18, k);
            Check(m + 27, lane => a[lane] - b[lane] - c[lane]);
            Lanes.SubtractReduced(m + 27, m, m + 9, k);
            Check(m + 27, lane => a[lane] - b[lane]);
            Lanes.AddReduced(m + 27, m, m + 9, k);
            Check(m + 27, lane => a[lane] + b[lane]);
            Lanes.Subtract(m + 27, m, m + 9, k);
            for (var lane = 0; lane < 4; lane++)
            {
                Assert.Equal(a[lane] - b[lane] + (8 * P), Value(m + 27, lane));
                b[lane] /= 2;
            }

            Put(m + 9, b);
            Lanes.Negate(m + 27, m + 9, k);
            AssertTidy(m + 27);
            for (var lane = 0; lane < 4; lane++)
            {
                Assert.Equal((4 * P) - b[lane], Value(m + 27, lane));
            }
        }
    }

    [Fact]
    public void PackedAndPlainForms_RoundTrip_KeepTheValue()
    {
        var m = stackalloc Vector256<ulong>[Lanes.LimbCount];
        var memory = (byte*)NativeMemory.Alloc(8 * 40);
        var fields = new Fp[4];
        for (var round = 0; round < 50; round++)
        {
            for (var lane = 0; lane < 4; lane++)
            {
                fields[lane] = round == 0 ? Fp.Zero : round == 1 ? -Fp.One : Fp.FromBigInteger(Random(P));
            }

            PackedFp.Insert(m, fields);
            LaneMemory.StorePacked(m, memory, memory + 40, memory + 80, memory + 120);
            LaneMemory.LoadPacked(m, memory, memory + 40, memory + 80, memory + 120);
            for (var lane = 0; lane < 4; lane++)
            {
                Assert.Equal(fields[lane], PackedFp.Extract(m, lane));
                Assert.Equal(fields[lane], PackedFp.Read(memory + (40 * lane)));
                PackedFp.Write(memory + 160 + (40 * lane), fields[lane]);
            }

            Assert.True(new ReadOnlySpan<byte>(memory, 160).SequenceEqual(new ReadOnlySpan<byte>(memory + 160, 160)));
            fixed (Fp* plain = fields)
            {
                var bytes = (byte*)plain;
                LaneMemory.LoadPlain(m, bytes, bytes + 32, bytes + 64, bytes + 96);
                LaneMemory.StorePlain(m, memory, memory + 32, memory + 64, memory + 96);
                Assert.True(new ReadOnlySpan<byte>(memory, 128).SequenceEqual(new ReadOnlySpan<byte>(bytes, 128)));
            }
        }

        NativeMemory.Free(memory);
    }

    [Fact]
    public void PackedFp2_ProductsAndSquares_MatchFp2()
    {
        var m = stackalloc Vector256<ulong>[6 * Lanes.LimbCount];
        for (var round = 0; round < 50; round++)
        {
            var (a, b) = (new Fp2[4], new Fp2[4]);
            for (var lane = 0; lane < 4; lane++)
            {
                a[lane] = new Fp2(Fp.FromBigInteger(Random(P)), round == 0 ? Fp.Zero : Fp.FromBigInteger(Random(P)));
                b[lane] = new Fp2(round == 1 ? Fp.Zero : Fp.FromBigInteger(Random(P)), -Fp.FromBigInteger(Random(P)));
            }

            PackedFp2.Insert(m, a);
            PackedFp2.Insert(m + 18, b);
            PackedFp2.Square(m + 36, m);
            Assert.Equal(a.Select(x => x.Square()), Lanes4(m + 36));
            PackedFp2.Multiply(m + 36, m, m + 18);
            Assert.Equal(a.Zip(b, (x, y) => x * y), Lanes4(m + 36));
            PackedFp2.Multiply(m, m, m + 18);
            Assert.Equal(a.Zip(b, (x, y) => x * y), Lanes4(m));
        }

        static Fp2[] Lanes4(Vector256<ulong>* v) => [PackedFp2.Extract(v, 0), PackedFp2.Extract(v, 1), PackedFp2.Extract(v, 2), PackedFp2.Extract(v, 3)];
    }

    private static void Check(Vector256<ulong>* result, Func<int, BigInteger> expected)
    {
        AssertTidy(result);
        for (var lane = 0; lane < 4; lane++)
        {
            var value = Value(result, lane);
            Assert.Equal(((expected(lane) % P) + P) % P, value % P);
            Assert.True(value < P + (P / 100));
        }
    }

    private static void AssertTidy(Vector256<ulong>* v)
    {
        for (var i = 0; i < Lanes.LimbCount; i++)
        {
            for (var lane = 0; lane < 4; lane++)
            {
                Assert.True(v[i].GetElement(lane) <= Lanes.LimbMask);
            }
        }
    }

    private static BigInteger Value(Vector256<ulong>* v, int lane)
    {
        var value = BigInteger.Zero;
        for (var i = Lanes.LimbCount - 1; i >= 0; i--)
        {
            value = (value << Lanes.LimbBits) + v[i].GetElement(lane);
        }

        return value;
    }

    private static void Put(Vector256<ulong>* v, BigInteger[] values)
    {
        for (var i = 0; i < Lanes.LimbCount; i++)
        {
            for (var lane = 0; lane < 4; lane++)
            {
                v[i] = v[i].WithElement(lane, (ulong)((values[lane] >> (Lanes.LimbBits * i)) & Lanes.LimbMask));
            }
        }
    }

    private BigInteger[] Fill(Vector256<ulong>* v, ulong highest, bool extreme, int topBits)
    {
        for (var i = 0; i < Lanes.LimbCount; i++)
        {
            var limit = i == Lanes.LimbCount - 1 ? Math.Min(highest, (1UL << topBits) - 1) : highest;
            v[i] = extreme
                ? Vector256.Create(limit)
                : Vector256.Create((ulong)_random.NextInt64((long)limit + 1), (ulong)_random.NextInt64((long)limit + 1), 0, limit);
        }

        return [Value(v, 0), Value(v, 1), Value(v, 2), Value(v, 3)];
    }

    private BigInteger Random(BigInteger below)
    {
        var bytes = new byte[40];
        _random.NextBytes(bytes);
        return new BigInteger(bytes, isUnsigned: true) % below;
    }
}
