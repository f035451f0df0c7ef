using System.Globalization;
using System.Text;

namespace Shale.Payments.Log;

/// <summary>Where tiles lie below the log's folder or URL (C2SP tlog-tiles).</summary>
public static class TilePath
{
    /// <summary>Hashes of a full tile, and entries of a full bundle.</summary>
    public const int Width = 256;

    /// <summary>Tile levels that a log below 2^63 entries can have.</summary>
    public const int MaxLevels = 8;

    /// <summary><c>tile/LEVEL/x001/x234/067</c>, with <c>.p/W</c> for a partial tile of <paramref name="width"/> hashes.</summary>
    public static string Hashes(int level, long index, int width = Width) =>
        "tile/" + level.ToString(CultureInfo.InvariantCulture) + "/" + Index(index) + Partial(width);

    /// <summary><c>tile/entries/x001/x234/067</c>, with <c>.p/W</c> for a partial bundle of <paramref name="width"/> entries.</summary>
    public static string Entries(long index, int width = Width) => "tile/entries/" + Index(index) + Partial(width);

    private static string Partial(int width) => width == Width ? "" : ".p/" + width.ToString(CultureInfo.InvariantCulture);

    private static string Index(long index)
    {
        var text = new StringBuilder((index % 1000).ToString("000", CultureInfo.InvariantCulture));
        for (index /= 1000; index > 0; index /= 1000)
        {
            text.Insert(0, "x" + (index % 1000).ToString("000", CultureInfo.InvariantCulture) + "/");
        }

        return text.ToString();
    }
}
