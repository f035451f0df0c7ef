namespace Shale.Data.UnixFs;

/// <summary>Which names and links a tree may have: none that leads out of it.</summary>
internal static class TreeNames
{
    /// <summary>Linux takes no longer name in a directory.</summary>
    private const int MaxNameBytes = 255;

    /// <summary>Linux takes no longer target.</summary>
    private const int MaxTargetBytes = 4095;

    public static DataError CheckName(string name)
    {
        if (name.Length == 0 || name is "." or ".." || name.AsSpan().ContainsAny('/', '\0'))
        {
            return new DataError(DataFault.UnsafeName, $"\"{Printable(name)}\" is no name that a file may have");
        }

        if (name.Contains('\ufffd', StringComparison.Ordinal))
        {
            return new DataError(DataFault.UnsafeName, $"\"{Printable(name)}\" is not UTF-8, which names in UnixFS are");
        }

        return System.Text.Encoding.UTF8.GetByteCount(name) > MaxNameBytes
            ? new DataError(DataFault.UnsafeName, $"a name of {System.Text.Encoding.UTF8.GetByteCount(name)} bytes is longer than file systems take")
            : DataError.None;
    }

    /// <summary>Checks a link's target as seen from its place: relative, and inside the tree whatever other links there are.</summary>
    /// <param name="path">Where the link stands, relative to the tree's root.</param>
    /// <param name="target">What it says.</param>
    public static DataError CheckLink(string path, string target)
    {
        if (target.Length == 0 || target.Contains('\0', StringComparison.Ordinal) || System.Text.Encoding.UTF8.GetByteCount(target) > MaxTargetBytes)
        {
            return new DataError(DataFault.UnsafeLink, $"the link {Printable(path)} has no target that a link may have");
        }

        if (target[0] == '/')
        {
            return new DataError(DataFault.UnsafeLink, $"the link {Printable(path)} is absolute: {Printable(target)}");
        }

        // ".." may stand in front only: after a name it goes up from wherever that name's own link leads, which can be
        // anywhere. In front it goes up from the link's own directory, so that counting is enough.
        var depth = path.Count(c => c == '/');
        var down = false;
        foreach (var part in target.Split('/'))
        {
            if (part == ".." && (down || --depth < 0))
            {
                return new DataError(DataFault.UnsafeLink, $"the link {Printable(path)} may lead out of the tree: {Printable(target)}");
            }

            down |= part is not ("" or "." or "..");
        }

        return DataError.None;
    }

    /// <summary>A name for a message, without characters that a terminal obeys.</summary>
    public static string Printable(string name) => string.Concat(name.Take(200).Select(c => char.IsControl(c) ? '?' : c));
}
