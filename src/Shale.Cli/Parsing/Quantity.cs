using System.Globalization;

namespace Shale.Cli.Parsing;

/// <summary>Sizes and rates as people write them.</summary>
internal static class Quantity
{
    private static readonly (string Suffix, decimal Factor)[] MemoryUnits =
    [
        ("kib", 1L << 10), ("mib", 1L << 20), ("gib", 1L << 30), ("tib", 1L << 40),
        ("ki", 1L << 10), ("mi", 1L << 20), ("gi", 1L << 30), ("ti", 1L << 40),
        ("kb", 1L << 10), ("mb", 1L << 20), ("gb", 1L << 30), ("tb", 1L << 40),
        ("k", 1L << 10), ("m", 1L << 20), ("g", 1L << 30), ("t", 1L << 40),
        ("b", 1), ("", 1),
    ];

    private static readonly (string Suffix, decimal Factor)[] BandwidthUnits =
    [
        ("kbps", 1000m / 8), ("mbps", 1000_000m / 8), ("gbps", 1000_000_000m / 8), ("bps", 1m / 8),
        ("kib/s", 1L << 10), ("mib/s", 1L << 20), ("gib/s", 1L << 30),
        ("ki", 1L << 10), ("mi", 1L << 20), ("gi", 1L << 30),
        ("k", 1L << 10), ("m", 1L << 20), ("g", 1L << 30),
    ];

    /// <summary>Memory in bytes, units of 1024 as Docker has them: <c>12Gi</c>, <c>16g</c>, <c>512m</c>.</summary>
    /// <exception cref="CliError">Not a size; the message says what is.</exception>
    public static long Memory(string text, string option) =>
        Parse(text, option, MemoryUnits, 6L << 20, 1L << 50, "a size such as 12Gi, 16g or 512m (at least 6m)");

    /// <summary>Bandwidth in bytes a second: <c>1Mi</c> is a MiB a second, <c>1Mbps</c> a million bits a second.</summary>
    /// <exception cref="CliError">Not a bandwidth; the message says what is.</exception>
    public static long Bandwidth(string text, string option) =>
        Parse(text, option, BandwidthUnits, 1024, 1L << 40, "a bandwidth such as 1Mi (MiB a second) or 8Mbps (bits a second), at least 1Ki");

    /// <summary>A duration: <c>90s</c>, <c>2h</c>, <c>1.5d</c>, <c>30m</c>.</summary>
    /// <exception cref="CliError">Not a duration; the message says what is.</exception>
    public static TimeSpan Duration(string text, string option)
    {
        (string, decimal)[] units = [("s", 1), ("sec", 1), ("m", 60), ("min", 60), ("h", 3600), ("d", 86400)];
        return TimeSpan.FromSeconds(Parse(text, option, [.. units.OrderByDescending(u => u.Item1.Length)], 1, 366L * 86400, "a duration such as 90s, 30m, 2h or 1d"));
    }

    private static long Parse(string text, string option, (string Suffix, decimal Factor)[] units, long min, long max, string expected)
    {
        var trimmed = text.Trim();
        foreach (var (suffix, factor) in units)
        {
            if (!trimmed.EndsWith(suffix, StringComparison.OrdinalIgnoreCase) ||
                !decimal.TryParse(trimmed.AsSpan(0, trimmed.Length - suffix.Length), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            {
                continue;
            }

            // The largest factor is 2^40: within these bounds the product fits a decimal.
            if (number <= 1_000_000_000_000_000 && number * factor >= min && number * factor <= max)
            {
                return (long)(number * factor);
            }

            break;
        }

        throw new CliError($"{option}={text} is not {expected}.", null, ExitCodes.Usage);
    }
}
