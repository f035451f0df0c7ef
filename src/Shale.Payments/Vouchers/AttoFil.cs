using System.Buffers.Binary;
using System.Globalization;

namespace Shale.Payments.Vouchers;

/// <summary>
/// An amount in attoFIL (10^−18 FIL), 0 to 2^96 − 1: the range of the contract and of the settlement circuit. 2^96 attoFIL are
/// 79 billion FIL, more than there ever will be, so a sum that leaves the range is a bug and throws.
/// </summary>
public readonly record struct AttoFil : IComparable<AttoFil>
{
    /// <summary>Bytes of an encoded amount.</summary>
    public const int Size = 12;

    private readonly UInt128 _value;

    private AttoFil(UInt128 value) => _value = value;

    /// <summary>0.</summary>
    public static AttoFil Zero => default;

    /// <summary>2^96 − 1.</summary>
    public static AttoFil MaxValue => new((UInt128.One << 96) - 1);

    /// <summary>One FIL.</summary>
    public static AttoFil OneFil => new(1_000_000_000_000_000_000);

    /// <summary>The number.</summary>
    public UInt128 Value => _value;

    /// <summary>a + b.</summary>
    /// <exception cref="OverflowException">The sum is 2^96 or more.</exception>
    public static AttoFil operator +(AttoFil a, AttoFil b) => Create(a._value + b._value);

    /// <summary>a − b.</summary>
    /// <exception cref="OverflowException">The difference is negative.</exception>
    public static AttoFil operator -(AttoFil a, AttoFil b) => new(checked(a._value - b._value));

    /// <summary>Less than.</summary>
    public static bool operator <(AttoFil a, AttoFil b) => a._value < b._value;

    /// <summary>Greater than.</summary>
    public static bool operator >(AttoFil a, AttoFil b) => a._value > b._value;

    /// <summary>Less than or equal.</summary>
    public static bool operator <=(AttoFil a, AttoFil b) => a._value <= b._value;

    /// <summary>Greater than or equal.</summary>
    public static bool operator >=(AttoFil a, AttoFil b) => a._value >= b._value;

    /// <summary>The amount of a number.</summary>
    /// <exception cref="OverflowException">2^96 or more.</exception>
    public static AttoFil Create(UInt128 value) =>
        TryCreate(value, out AttoFil amount) ? amount : throw new OverflowException("An amount is below 2^96 attoFIL.");

    /// <summary>False for 2^96 and more.</summary>
    public static bool TryCreate(UInt128 value, out AttoFil amount)
    {
        bool fits = value >> 96 == 0;
        amount = fits ? new AttoFil(value) : default;
        return fits;
    }

    /// <summary>A decimal numeral of attoFIL: digits only.</summary>
    public static bool TryParse(string? text, out AttoFil amount)
    {
        amount = default;
        return UInt128.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out UInt128 value) && TryCreate(value, out amount);
    }

    /// <summary>The smaller of two.</summary>
    public static AttoFil Min(AttoFil a, AttoFil b) => a._value < b._value ? a : b;

    /// <summary>The larger of two.</summary>
    public static AttoFil Max(AttoFil a, AttoFil b) => a._value > b._value ? a : b;

    /// <summary>a − b, or 0 where b is larger.</summary>
    public static AttoFil SubtractToZero(AttoFil a, AttoFil b) => a._value > b._value ? new AttoFil(a._value - b._value) : default;

    /// <summary>What a time costs, rounded up to whole attoFIL; <see cref="MaxValue"/> where it would be more than that.</summary>
    /// <param name="pricePerSecond">The price of 1,000 milliseconds.</param>
    /// <param name="milliseconds">The time.</param>
    public static AttoFil Cost(AttoFil pricePerSecond, ulong milliseconds)
    {
        // price × milliseconds may leave 128 bits: the thousands and the rest of the price are taken apart.
        (UInt128 thousands, UInt128 rest) = UInt128.DivRem(pricePerSecond._value, 1000);
        UInt128 fraction = ((rest * milliseconds) + 999) / 1000;
        if (thousands != 0 && milliseconds > (ulong)UInt128.Min(MaxValue._value / thousands, ulong.MaxValue))
        {
            return MaxValue;
        }

        return TryCreate((thousands * milliseconds) + fraction, out AttoFil cost) ? cost : MaxValue;
    }

    /// <summary>The most milliseconds whose <see cref="Cost"/> is at most this amount; the maximum for a price of 0.</summary>
    public ulong PaysFor(AttoFil pricePerSecond)
    {
        // amount·1000/price, rounded down: 96 + 10 bits fit.
        return pricePerSecond._value == 0
            ? ulong.MaxValue
            : (ulong)UInt128.Min(_value * 1000 / pricePerSecond._value, ulong.MaxValue);
    }

    /// <summary>Reads 12 bytes, most significant first.</summary>
    public static AttoFil Read(ReadOnlySpan<byte> bytes) =>
        new(((UInt128)BinaryPrimitives.ReadUInt32BigEndian(bytes) << 64) | BinaryPrimitives.ReadUInt64BigEndian(bytes[4..]));

    /// <summary>Writes 12 bytes, most significant first.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination[4..], (ulong)_value);
        BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)(_value >> 64));
    }

    /// <inheritdoc/>
    public int CompareTo(AttoFil other) => _value.CompareTo(other._value);

    /// <summary>The number of attoFIL in decimal.</summary>
    public override string ToString() => _value.ToString(CultureInfo.InvariantCulture);

    /// <summary>The amount in FIL as people read it, without trailing zeros: <c>0.0025</c>.</summary>
    public string ToFilString()
    {
        (UInt128 whole, UInt128 fraction) = UInt128.DivRem(_value, OneFil._value);
        return fraction == 0
            ? whole.ToString(CultureInfo.InvariantCulture)
            : $"{whole.ToString(CultureInfo.InvariantCulture)}.{fraction.ToString("D18", CultureInfo.InvariantCulture).TrimEnd('0')}";
    }
}
