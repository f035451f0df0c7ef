using System.Text;

namespace Shale.Chain;

/// <summary>Text from outside, made fit for a message.</summary>
internal static class Text
{
    /// <summary>Cuts to a length and replaces control and format characters, which could forge lines or colours on a terminal.</summary>
    internal static string Printable(string text, int limit)
    {
        var result = new StringBuilder(Math.Min(text.Length, limit));
        foreach (var rune in text.EnumerateRunes())
        {
            if (result.Length >= limit)
            {
                return result.Append('…').ToString();
            }

            var category = Rune.GetUnicodeCategory(rune);
            var hidden = category is System.Globalization.UnicodeCategory.Control or System.Globalization.UnicodeCategory.Format
                or System.Globalization.UnicodeCategory.LineSeparator or System.Globalization.UnicodeCategory.ParagraphSeparator
                or System.Globalization.UnicodeCategory.PrivateUse or System.Globalization.UnicodeCategory.OtherNotAssigned;
            result.Append(hidden ? "\ufffd" : rune.ToString());
        }

        return result.ToString();
    }
}
