using System.Globalization;
using System.Numerics;

namespace Shale.Payments.Vouchers;

/// <summary>
/// Amounts as people write them: a decimal number and its unit, <c>0.5fil</c>, <c>0.5 FIL</c>, <c>20nanoFIL</c>, <c>5attoFIL</c>.
/// The unit is required: without it an amount could be meant 10^18 times larger than it is read.
/// </summary>
public static class FilAmount
{
    /// <summary>No amount needs more characters; a longer text isn't looked at.</summary>
    private const int MaxLength = 64;

    // Longest first: "fil" ends all of them.
    private static readonly (string Name, int Exponent)[] Units = [("millifil", 15), ("microfil", 12), ("nanofil", 9), ("picofil", 6), ("femtofil", 3), ("attofil", 0), ("fil", 18)];

    /// <summary>Reads an amount.</summary>
    /// <returns>False for a text without a unit, with a sign or an exponent, for parts of an attoFIL and for 2^96 attoFIL and more.</returns>
    public static bool TryParse(string? text, out AttoFil amount)
    {
        amount = default;
        if (!TryParseFraction(text, out BigInteger numerator, out BigInteger denominator))
        {
            return false;
        }

        BigInteger value = BigInteger.DivRem(numerator, denominator, out BigInteger rest);
        return rest.IsZero && TryCreate(value, out amount);
    }

    /// <summary>The exact number of attoFIL as a fraction.</summary>
    internal static bool TryParseFraction(string? text, out BigInteger numerator, out BigInteger denominator)
    {
        (numerator, denominator) = (default, BigInteger.One);
        if (text is null || text.Length > MaxLength)
        {
            return false;
        }

        string trimmed = text.Trim();
        foreach ((string name, int exponent) in Units)
        {
            if (trimmed.EndsWith(name, StringComparison.OrdinalIgnoreCase))
            {
                return TryParseNumber(trimmed[..^name.Length].TrimEnd(), exponent, out numerator, out denominator);
            }
        }

        return false;
    }

    internal static bool TryCreate(BigInteger value, out AttoFil amount)
    {
        amount = default;
        return value >= 0 && value <= (BigInteger)AttoFil.MaxValue.Value && AttoFil.TryCreate((UInt128)value, out amount);
    }

    private static bool TryParseNumber(string text, int exponent, out BigInteger numerator, out BigInteger denominator)
    {
        (numerator, denominator) = (default, BigInteger.One);
        int point = text.IndexOf('.', StringComparison.Ordinal);
        string digits = point < 0 ? text : text.Remove(point, 1);
        int decimals = point < 0 ? 0 : text.Length - point - 1;
        if (digits.Length == 0 || point == 0 || (point > 0 && decimals == 0) || !digits.All(char.IsAsciiDigit))
        {
            return false;
        }

        numerator = BigInteger.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture) * BigInteger.Pow(10, exponent);
        denominator = BigInteger.Pow(10, decimals);
        return true;
    }
}
