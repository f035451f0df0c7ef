using System.Numerics;
using Shale.Bn254.Fields;
using Xunit;

namespace Shale.Bn254.Tests.Fields;

/// <summary>Everything a field does, against System.Numerics.BigInteger, on edges and on random values.</summary>
public abstract class PrimeFieldTests<TField>
    where TField : struct, IPrimeField<TField>
{
    private static readonly BigInteger P = TField.Modulus;
    private readonly Random _random = new(20261121);

    [Fact]
    public void Arithmetic_EdgeAndRandomValues_AgreesWithIntegers()
    {
        BigInteger[] edges = Edges();
        foreach (BigInteger a in edges)
        {
            foreach (BigInteger b in edges)
            {
                CheckPair(a, b);
            }
        }

        for (int i = 0; i < 20_000; i++)
        {
            CheckPair(Random(), Random());
        }
    }

    [Fact]
    public void Inverse_EdgeAndRandomValues_AgreesWithIntegers()
    {
        Assert.True(TField.Zero.Inverse().IsZero);
        foreach (BigInteger a in Edges().Concat(Enumerable.Range(0, 5000).Select(_ => Random())).Where(a => !a.IsZero))
        {
            BigInteger inverse = TField.FromBigInteger(a).Inverse().ToBigInteger();
            Assert.Equal(BigInteger.One, a * inverse % P);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(1000)]
    public void BatchInverse_WithZerosAmong_InvertsEachAndLeavesZeros(int count)
    {
        TField[] values = [.. Enumerable.Range(0, count).Select(i => i % 7 == 3 ? TField.Zero : TField.FromBigInteger(Random()))];
        TField[] inverted = [.. values];
        TField.BatchInverse(inverted);
        for (int i = 0; i < count; i++)
        {
            Assert.Equal(values[i].Inverse(), inverted[i]);
        }
    }

    [Fact]
    public void Pow_VariousExponents_AgreesWithIntegers()
    {
        BigInteger[] exponents = [0, 1, 2, 3, 15, 16, 17, ulong.MaxValue, (BigInteger)ulong.MaxValue + 1, P - 2, P - 1, P, P * P];
        foreach (BigInteger exponent in exponents)
        {
            BigInteger a = Random();
            Assert.Equal(BigInteger.ModPow(a, exponent, P), TField.FromBigInteger(a).Pow(exponent).ToBigInteger());
        }

        Assert.Equal(TField.One, TField.Zero.Pow(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => TField.One.Pow(-1));
    }

    [Fact]
    public void TrySqrt_SquaresAndNonResidues_FindsTheSmallerRootOrNone()
    {
        int refused = 0;
        foreach (BigInteger a in Edges().Concat(Enumerable.Range(0, 400).Select(_ => Random())))
        {
            bool isSquare = a.IsZero || BigInteger.ModPow(a, (P - 1) / 2, P).IsOne;
            Assert.Equal(isSquare, TField.FromBigInteger(a).TrySqrt(out TField root));
            refused += isSquare ? 0 : 1;
            BigInteger r = root.ToBigInteger();
            Assert.True(r <= (P - 1) / 2);
            Assert.Equal(isSquare ? a : 0, r * r % P);
        }

        Assert.InRange(refused, 100, 400);
    }

    [Fact]
    public void TryFromBytes_AtAndAboveTheModulus_IsRefused()
    {
        foreach (BigInteger refused in new[] { P, P + 1, 2 * P, (BigInteger.One << 255) + 5, (BigInteger.One << 256) - 1 })
        {
            byte[] big = refused.ToByteArray(isUnsigned: true, isBigEndian: true);
            Assert.False(TField.TryFromBytesBigEndian(big, out TField value));
            Assert.True(value.IsZero);
            Assert.False(TField.TryFromBytesLittleEndian([.. big.Reverse()], out value));
            Assert.True(value.IsZero);
        }

        foreach (int length in new[] { 0, 31, 33, 64 })
        {
            Assert.False(TField.TryFromBytesBigEndian(new byte[length], out _));
            Assert.False(TField.TryFromBytesLittleEndian(new byte[length], out _));
        }
    }

    [Fact]
    public void Bytes_BothOrders_RoundTripAndAgreeWithIntegers()
    {
        foreach (BigInteger a in Edges().Concat(Enumerable.Range(0, 500).Select(_ => Random())))
        {
            byte[] bytes = new byte[32];
            TField.FromBigInteger(a).ToBytesBigEndian(bytes);
            Assert.Equal(a, new BigInteger(bytes, isUnsigned: true, isBigEndian: true));
            Assert.True(TField.TryFromBytesBigEndian(bytes, out TField back));
            Assert.Equal(a, back.ToBigInteger());
            TField.FromBigInteger(a).ToBytesLittleEndian(bytes);
            Assert.Equal(a, new BigInteger(bytes, isUnsigned: true));
            Assert.True(TField.TryFromBytesLittleEndian(bytes, out back));
            Assert.Equal(a, back.ToBigInteger());
        }
    }

    [Fact]
    public void FromBigInteger_NegativeAndLarge_IsReduced()
    {
        Assert.Equal(P - 1, TField.FromBigInteger(-1).ToBigInteger());
        Assert.Equal(5, TField.FromBigInteger((P * P) + 5).ToBigInteger());
        Assert.Equal(ulong.MaxValue, TField.FromUInt64(ulong.MaxValue).ToBigInteger());
        Assert.Equal(default, TField.Zero);
        Assert.Equal(BigInteger.One, TField.One.ToBigInteger());
    }

    private static void CheckPair(BigInteger a, BigInteger b)
    {
        TField x = TField.FromBigInteger(a), y = TField.FromBigInteger(b);
        Assert.Equal((a + b) % P, (x + y).ToBigInteger());
        Assert.Equal((a - b + P) % P, (x - y).ToBigInteger());
        Assert.Equal(a * b % P, (x * y).ToBigInteger());
        Assert.Equal(a * a % P, x.Square().ToBigInteger());
        Assert.Equal((P - a) % P, (-x).ToBigInteger());
        Assert.Equal(a == b, x.Equals(y));
    }

    private static BigInteger[] Edges()
    {
        var edges = new List<BigInteger> { 0, 1, 2, 3, P - 1, P - 2, P / 2, (P / 2) + 1, ulong.MaxValue, UInt128.MaxValue };
        for (int bit = 31; bit < 254; bit += 31)
        {
            edges.Add((BigInteger.One << bit) % P);
            edges.Add(P - (BigInteger.One << (bit % 253)));
        }

        // The Montgomery forms of these have limbs of all ones and all zeros.
        BigInteger inverseR = BigInteger.ModPow(BigInteger.One << 256, P - 2, P);
        edges.Add(inverseR);
        edges.Add((P - 1) * inverseR % P);
        edges.Add(ulong.MaxValue * inverseR % P);
        edges.Add((((BigInteger)ulong.MaxValue) << 64) * inverseR % P);
        edges.Add((((BigInteger)ulong.MaxValue) << 128) * inverseR % P);
        return [.. edges];
    }

    private BigInteger Random()
    {
        byte[] bytes = new byte[40];
        _random.NextBytes(bytes);
        return new BigInteger(bytes, isUnsigned: true) % P;
    }
}

public sealed class FrTests : PrimeFieldTests<Fr>;

public sealed class FpTests : PrimeFieldTests<Fp>;
