using System.Text;

namespace Shale.Containers.Files;

/// <summary>A path in a container as bytes that end with NUL, taken apart for calls that want a folder and a name.</summary>
internal readonly struct ContainerPath
{
    /// <summary>Linux's PATH_MAX with its NUL.</summary>
    private const int MaxLength = 4096;

    private ContainerPath(byte[] full, byte[] folder, byte[] name)
    {
        Full = full;
        Folder = folder;
        Name = name;
    }

    /// <summary>The whole path, absolute.</summary>
    public byte[] Full { get; }

    /// <summary>The folder part.</summary>
    public byte[] Folder { get; }

    /// <summary>The last part; just NUL where there is none ("/", or a path that ends in "." or "..").</summary>
    public byte[] Name { get; }

    public bool HasName => Name.Length > 1;

    /// <summary>Paths that are not absolute start at <paramref name="home"/>; the empty one is it.</summary>
    public static FileError TryParse(ReadOnlySpan<byte> path, string home, out ContainerPath parsed)
    {
        parsed = default;
        if (path.Contains((byte)0))
        {
            return FileError.Invalid;
        }

        byte[] full = path.StartsWith("/"u8) ? [.. path, 0] : [.. Encoding.UTF8.GetBytes(home), (byte)'/', .. path, 0];
        if (full.Length > MaxLength)
        {
            return FileError.NameTooLong;
        }

        var trimmed = full.AsSpan(0, full.Length - 1).TrimEnd((byte)'/');
        var slash = trimmed.LastIndexOf((byte)'/');
        var name = trimmed[(slash + 1)..];
        parsed = name.IsEmpty || name.SequenceEqual("."u8) || name.SequenceEqual(".."u8)
            ? new ContainerPath(full, full, [0])
            : new ContainerPath(full, [.. trimmed[..(slash + 1)], 0], [.. name, 0]);
        return FileError.None;
    }
}
