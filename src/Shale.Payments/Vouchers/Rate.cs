using System.Globalization;
using System.Numerics;

namespace Shale.Payments.Vouchers;

/// <summary>
/// A price per time. The protocol knows only whole attoFIL per second; what people write (<c>0.01fil/min</c>) seldom is one, and is
/// rounded up: the provider never earns less than the price as written, the client pays at most one attoFIL a second more
/// (docs/decisions/0090). The same text gives the same rate on both sides.
/// </summary>
/// <param name="PerSecond">Price of one second.</param>
public readonly record struct Rate(AttoFil PerSecond)
{
    // What a printed rate is rounded to: 10^-12 FIL a minute hides the rounding to attoFIL a second (at most 6·10^-17) and nothing that anyone pays for.
    private const int PrintedDecimals = 12;

    private static readonly (string Name, int Seconds)[] Times =
    [
        ("s", 1), ("sec", 1), ("second", 1), ("min", 60), ("minute", 60), ("h", 3600), ("hour", 3600), ("d", 86400), ("day", 86400),
    ];

    /// <summary>Reads an amount and a time: <c>0.01fil/min</c>, <c>0.6 FIL/hour</c>, <c>5attoFIL/s</c>.</summary>
    /// <returns>False for anything else, for 0 (a lease without a price is free) and for 2^96 attoFIL a second and more.</returns>
    public static bool TryParse(string? text, out Rate rate)
    {
        rate = default;
        int slash = text?.LastIndexOf('/') ?? -1;
        if (slash < 0)
        {
            return false;
        }

        string time = text![(slash + 1)..].Trim();
        int seconds = Times.FirstOrDefault(t => t.Name.Equals(time, StringComparison.OrdinalIgnoreCase)).Seconds;
        if (seconds == 0 || !FilAmount.TryParseFraction(text[..slash], out BigInteger numerator, out BigInteger denominator) || numerator.IsZero)
        {
            return false;
        }

        denominator *= seconds;
        if (!FilAmount.TryCreate((numerator + denominator - 1) / denominator, out AttoFil perSecond))
        {
            return false;
        }

        rate = new Rate(perSecond);
        return true;
    }

    /// <summary>As people read it: <c>0.01 FIL/min</c>, rounded to 12 decimals; a rate too small for that in <c>attoFIL/s</c>.</summary>
    public override string ToString()
    {
        BigInteger step = BigInteger.Pow(10, 18 - PrintedDecimals);
        BigInteger steps = (((BigInteger)PerSecond.Value * 60) + (step / 2)) / step;
        if (steps.IsZero)
        {
            return $"{PerSecond} attoFIL/s";
        }

        BigInteger whole = BigInteger.DivRem(steps, BigInteger.Pow(10, PrintedDecimals), out BigInteger fraction);
        string decimals = fraction.ToString("D" + PrintedDecimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture).TrimEnd('0');
        return whole.ToString(CultureInfo.InvariantCulture) + (decimals.Length == 0 ? "" : "." + decimals) + " FIL/min";
    }
}
