using System.Globalization;
using System.Numerics;

namespace Shale.Cli.Parsing;

/// <summary>Amounts as people read them, exact to the attoFIL.</summary>
internal static class Fil
{
    private static readonly BigInteger One = BigInteger.Pow(10, 18);

    /// <summary><c>0.5 FIL</c>, with as many decimals as it has.</summary>
    public static string Print(BigInteger attoFil)
    {
        var whole = BigInteger.DivRem(BigInteger.Abs(attoFil), One, out var rest);
        var decimals = rest.ToString("D18", CultureInfo.InvariantCulture).TrimEnd('0');
        return (attoFil.Sign < 0 ? "-" : "") + whole.ToString(CultureInfo.InvariantCulture) + (decimals.Length == 0 ? "" : "." + decimals) + " FIL";
    }

    /// <inheritdoc cref="Print(BigInteger)"/>
    public static string Print(UInt128 attoFil) => Print((BigInteger)attoFil);
}
