using System.Numerics;

namespace Shale.Ssh.KeyExchange;

/// <summary>
/// The MODP groups of RFC 3526. Their primes are 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) * pi) + c), with generator 2; they are computed from that, once, so that no digit has to be trusted.
/// </summary>
internal sealed class ModpGroup
{
    private static readonly Lazy<ModpGroup> LazyGroup14 = new(() => new ModpGroup(2048, 124476));
    private static readonly Lazy<ModpGroup> LazyGroup16 = new(() => new ModpGroup(4096, 240904));
    private static readonly Lazy<ModpGroup> LazyGroup18 = new(() => new ModpGroup(8192, 4743158));

    private readonly BigInteger _prime;

    private ModpGroup(int bits, int constant)
    {
        _prime = (BigInteger.One << bits) - (BigInteger.One << (bits - 64)) - 1 + ((FloorOfPi(bits - 130) + constant) << 64);
        Prime = _prime.ToByteArray(isUnsigned: true, isBigEndian: true);
    }

    /// <summary>2048 bits.</summary>
    public static ModpGroup Group14 => LazyGroup14.Value;

    /// <summary>4096 bits.</summary>
    public static ModpGroup Group16 => LazyGroup16.Value;

    /// <summary>8192 bits.</summary>
    public static ModpGroup Group18 => LazyGroup18.Value;

    /// <summary>The prime, most significant byte first.</summary>
    public byte[] Prime { get; }

    /// <summary>Whether a public value lies strictly between 1 and p - 1 (RFC 8268 section 4).</summary>
    public bool IsAcceptable(ReadOnlySpan<byte> value)
    {
        var number = new BigInteger(value, isUnsigned: true, isBigEndian: true);
        return number > BigInteger.One && number < _prime - 1;
    }

    /// <summary>floor(2^bits * pi), by Machin's formula pi = 16 atan(1/5) - 4 atan(1/239) with 64 bits to spare.</summary>
    private static BigInteger FloorOfPi(int bits)
    {
        var unity = BigInteger.One << (bits + 64);
        return ((16 * ArcTangentOfInverse(5, unity)) - (4 * ArcTangentOfInverse(239, unity))) >> 64;
    }

    private static BigInteger ArcTangentOfInverse(int x, BigInteger unity)
    {
        var power = unity / x;
        var sum = power;
        for (var n = 3; !power.IsZero; n += 2)
        {
            power /= -x * x;
            sum += power / n;
        }

        return sum;
    }
}
