namespace Shale.Data.UnixFs;

/// <summary>What an entry of a file tree is.</summary>
public enum EntryKind
{
    /// <summary>A regular file.</summary>
    File,

    /// <summary>A directory.</summary>
    Directory,

    /// <summary>A symbolic link.</summary>
    Symlink,

    /// <summary>A device, socket or pipe: no data set holds one.</summary>
    Other,
}

/// <summary>One entry of a file tree.</summary>
/// <param name="Name">Its name in its directory.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Length">A file's length in bytes.</param>
/// <param name="Mode">Its permissions, low twelve bits.</param>
/// <param name="ModifiedAt">When it was modified.</param>
public readonly record struct TreeEntry(string Name, EntryKind Kind, long Length, uint Mode, UnixFsTime ModifiedAt);

/// <summary>
/// Where an import reads files from: a directory of this host, or the file system of a lease's container as its server
/// shows it. Paths are relative, with '/', and empty for the root. I/O errors are exceptions.
/// </summary>
public interface IFileTree
{
    /// <summary>Describes an entry, without following it where it is a link.</summary>
    /// <param name="path">The path.</param>
    /// <returns>The entry; null where there is none.</returns>
    TreeEntry? Stat(string path);

    /// <summary>Lists a directory, in any order, without <c>.</c> and <c>..</c>.</summary>
    /// <param name="path">The path.</param>
    /// <returns>The entries.</returns>
    IEnumerable<TreeEntry> List(string path);

    /// <summary>Opens a file for reading from its start; must not follow a link.</summary>
    /// <param name="path">The path.</param>
    /// <returns>The bytes; the caller disposes of them.</returns>
    Stream Open(string path);

    /// <summary>Reads a symbolic link.</summary>
    /// <param name="path">The path.</param>
    /// <returns>Its target, as it is.</returns>
    string ReadLink(string path);
}

/// <summary>A file or directory of this host.</summary>
/// <param name="root">Its path.</param>
public sealed class HostFileTree(string root) : IFileTree
{
    // Everything below a root, hidden entries included; links are entries, never followed.
    private static readonly EnumerationOptions All = new() { AttributesToSkip = 0, IgnoreInaccessible = false, RecurseSubdirectories = false };

    /// <inheritdoc/>
    public TreeEntry? Stat(string path) => Store.HostFiles.Describe(Full(path));

    /// <inheritdoc/>
    public IEnumerable<TreeEntry> List(string path) =>
        Directory.EnumerateFileSystemEntries(Full(path), "*", All)
            .Select(full => Store.HostFiles.Describe(full) ?? throw new IOException($"{full} went away while its directory was listed"));

    /// <inheritdoc/>
    public Stream Open(string path) => Store.HostFiles.OpenRead(Full(path));

    /// <inheritdoc/>
    public string ReadLink(string path) =>
        new FileInfo(Full(path)).LinkTarget ?? throw new IOException($"{path} is no symbolic link any more");

    private string Full(string path) => path.Length == 0 ? root : Path.Combine(root, path);
}
