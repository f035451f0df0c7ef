using System.Buffers;
using Shale.Containers.Exec;

namespace Shale.Containers.Files;

/// <summary>Why an operation on a file failed: Linux's errno, of which these are the ones that an SFTP server tells apart.</summary>
public enum FileError
{
    /// <summary>It did not fail.</summary>
    None = 0,

    /// <summary>EPERM.</summary>
    NotPermitted = 1,

    /// <summary>ENOENT.</summary>
    NotFound = 2,

    /// <summary>EIO.</summary>
    InputOutput = 5,

    /// <summary>EBADF: not open for this.</summary>
    BadDescriptor = 9,

    /// <summary>EACCES.</summary>
    AccessDenied = 13,

    /// <summary>EEXIST.</summary>
    Exists = 17,

    /// <summary>EXDEV: across file systems.</summary>
    CrossDevice = 18,

    /// <summary>ENOTDIR.</summary>
    NotAFolder = 20,

    /// <summary>EISDIR.</summary>
    IsAFolder = 21,

    /// <summary>EINVAL.</summary>
    Invalid = 22,

    /// <summary>ENOSPC.</summary>
    NoSpace = 28,

    /// <summary>EROFS.</summary>
    ReadOnly = 30,

    /// <summary>ENAMETOOLONG.</summary>
    NameTooLong = 36,

    /// <summary>ENOTEMPTY.</summary>
    NotEmpty = 39,

    /// <summary>ELOOP.</summary>
    TooManyLinks = 40,

    /// <summary>EOPNOTSUPP: also for devices and FIFOs, which are not opened from outside the container.</summary>
    NotSupported = 95,

    /// <summary>EDQUOT.</summary>
    QuotaExceeded = 122,
}

/// <summary>What an operation gave, or why it failed.</summary>
/// <param name="Error">None where it succeeded.</param>
/// <param name="Value">The result; default where it failed.</param>
/// <typeparam name="T">The result's type.</typeparam>
public readonly record struct FileResult<T>(FileError Error, T? Value)
{
    /// <summary>Whether it succeeded.</summary>
    public bool Ok => Error == FileError.None;
}

/// <summary>How a file is opened.</summary>
[Flags]
public enum FileOpenFlags
{
    /// <summary>For reading.</summary>
    Read = 1,

    /// <summary>For writing.</summary>
    Write = 2,

    /// <summary>Every write goes to the end.</summary>
    Append = 4,

    /// <summary>Made if it is not there.</summary>
    Create = 8,

    /// <summary>Emptied.</summary>
    Truncate = 16,

    /// <summary>With <see cref="Create"/>: it must not be there, not even as a symbolic link.</summary>
    Exclusive = 32,
}

/// <summary>What of a file is to change; null: nothing.</summary>
public sealed record FileChange
{
    /// <summary>New length in bytes.</summary>
    public long? Size { get; init; }

    /// <summary>New owner; with <see cref="Gid"/>.</summary>
    public uint? Uid { get; init; }

    /// <summary>New group; with <see cref="Uid"/>.</summary>
    public uint? Gid { get; init; }

    /// <summary>New permission bits (07777).</summary>
    public uint? Mode { get; init; }

    /// <summary>New time of last access.</summary>
    public (long Seconds, uint Nanoseconds)? Accessed { get; init; }

    /// <summary>New time of last change.</summary>
    public (long Seconds, uint Nanoseconds)? Modified { get; init; }
}

/// <summary>A name in a folder, with the status of what it names (of a symbolic link itself).</summary>
/// <param name="Name">The bytes of the name.</param>
/// <param name="Status">Its status; default where it vanished while the folder was read.</param>
public readonly record struct FolderEntry(ReadOnlyMemory<byte> Name, FileStatus Status);

/// <summary>A file system's sizes (statvfs(3)).</summary>
/// <param name="BlockSize">Preferred block size.</param>
/// <param name="FragmentSize">Unit of the block counts.</param>
/// <param name="Blocks">Blocks in all.</param>
/// <param name="FreeBlocks">Free blocks.</param>
/// <param name="AvailableBlocks">Free blocks for users without privilege.</param>
/// <param name="Files">Inodes in all.</param>
/// <param name="FreeFiles">Free inodes.</param>
/// <param name="AvailableFiles">Free inodes for users without privilege.</param>
/// <param name="Id">File system id.</param>
/// <param name="Flags">Mount flags: 1 read-only, 2 no set-user-id.</param>
/// <param name="MaxNameLength">Longest name in bytes.</param>
public readonly record struct FileSystemStatus(ulong BlockSize, ulong FragmentSize, ulong Blocks, ulong FreeBlocks, ulong AvailableBlocks, ulong Files, ulong FreeFiles, ulong AvailableFiles, ulong Id, ulong Flags, ulong MaxNameLength);

/// <summary>
/// A container's file tree with the rights of one of its users, as an SFTP server needs it. Paths are bytes, absolute in the container or
/// relative to the user's home. The kernel resolves them inside the container and checks every access with the user's rights; no
/// operation throws for what the container or the client did. Calls may overlap, also on one file; they run in the order in which they were made.
/// </summary>
public interface IContainerFileTree : IAsyncDisposable
{
    /// <summary>Whose rights it has.</summary>
    ContainerUser User { get; }

    /// <summary>
    /// Says, for each call, whether it may keep the thread that asks for it for as long as the disk takes, where that is one of those that wait for all sockets (another then
    /// does that in its place). Unset, and on every other thread, a call is made on a thread of the tree's own.
    /// </summary>
    Func<bool> CallerMayWait { set; }

    /// <summary>Opens a regular file (or /dev/null, /dev/zero).</summary>
    /// <param name="path">Which.</param>
    /// <param name="flags">How.</param>
    /// <param name="mode">Permission bits of a new file, less those of the umask 022.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<FileResult<IContainerFile>> OpenAsync(ReadOnlyMemory<byte> path, FileOpenFlags flags, uint mode, CancellationToken cancellationToken);

    /// <summary>Opens a folder for reading its names.</summary>
    ValueTask<FileResult<IContainerFolder>> OpenFolderAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken);

    /// <summary>A file's status; of a symbolic link itself where <paramref name="followLink"/> is false.</summary>
    ValueTask<FileResult<FileStatus>> GetStatusAsync(ReadOnlyMemory<byte> path, bool followLink, CancellationToken cancellationToken);

    /// <summary>Changes a file's attributes.</summary>
    ValueTask<FileError> ChangeAsync(ReadOnlyMemory<byte> path, FileChange change, bool followLink, CancellationToken cancellationToken);

    /// <summary>Makes a folder, with these permission bits less those of the umask 022.</summary>
    ValueTask<FileError> CreateFolderAsync(ReadOnlyMemory<byte> path, uint mode, CancellationToken cancellationToken);

    /// <summary>Removes an empty folder.</summary>
    ValueTask<FileError> RemoveFolderAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken);

    /// <summary>Removes a file or a symbolic link.</summary>
    ValueTask<FileError> RemoveAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken);

    /// <summary>Renames; what has the new name is replaced or, where <paramref name="replace"/> is false, an error (EEXIST).</summary>
    ValueTask<FileError> RenameAsync(ReadOnlyMemory<byte> from, ReadOnlyMemory<byte> to, bool replace, CancellationToken cancellationToken);

    /// <summary>Where a symbolic link points, as it is written.</summary>
    ValueTask<FileResult<byte[]>> ReadLinkAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken);

    /// <summary>Makes a symbolic link with any contents.</summary>
    ValueTask<FileError> CreateLinkAsync(ReadOnlyMemory<byte> contents, ReadOnlyMemory<byte> path, CancellationToken cancellationToken);

    /// <summary>Makes another name for a file.</summary>
    ValueTask<FileError> CreateHardLinkAsync(ReadOnlyMemory<byte> existing, ReadOnlyMemory<byte> path, CancellationToken cancellationToken);

    /// <summary>The absolute path without links and dots; its last part need not exist.</summary>
    ValueTask<FileResult<byte[]>> GetRealPathAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken);

    /// <summary>
    /// The real path of one that may begin with "~" or "~name", as expand-path@openssh.com wants it; an unknown name is not found.
    /// </summary>
    ValueTask<FileResult<byte[]>> ExpandPathAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken);

    /// <summary>A user's home folder by his name, as home-directory wants it; null if there is no such user.</summary>
    ValueTask<string?> GetHomeAsync(string user, CancellationToken cancellationToken);

    /// <summary>The sizes of the file system that a path is on.</summary>
    ValueTask<FileResult<FileSystemStatus>> GetFileSystemAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken);

    /// <summary>The container's names of users and groups by their numbers; null for a number without a name.</summary>
    ValueTask<(string?[] Users, string?[] Groups)> GetNamesAsync(IReadOnlyList<uint> users, IReadOnlyList<uint> groups, CancellationToken cancellationToken);
}

/// <summary>An open file of a container.</summary>
public interface IContainerFile : IAsyncDisposable
{
    /// <summary>Reads at an offset; 0 bytes at the end.</summary>
    ValueTask<FileResult<int>> ReadAsync(Memory<byte> buffer, long offset, CancellationToken cancellationToken);

    /// <summary>Writes all of the data at an offset (at the end where it was opened to append).</summary>
    ValueTask<FileError> WriteAsync(ReadOnlySequence<byte> data, long offset, CancellationToken cancellationToken);

    /// <summary>Its status.</summary>
    ValueTask<FileResult<FileStatus>> GetStatusAsync(CancellationToken cancellationToken);

    /// <summary>Changes its attributes.</summary>
    ValueTask<FileError> ChangeAsync(FileChange change, CancellationToken cancellationToken);

    /// <summary>Waits until it is on disk.</summary>
    ValueTask<FileError> SyncAsync(CancellationToken cancellationToken);

    /// <summary>The sizes of its file system.</summary>
    ValueTask<FileResult<FileSystemStatus>> GetFileSystemAsync(CancellationToken cancellationToken);

    /// <summary>Copies within the kernel; <paramref name="length"/> 0: to the end. The files must be of the same tree.</summary>
    ValueTask<FileError> CopyToAsync(long offset, long length, IContainerFile target, long targetOffset, CancellationToken cancellationToken);
}

/// <summary>An open folder of a container.</summary>
public interface IContainerFolder : IAsyncDisposable
{
    /// <summary>The next names, at most <paramref name="limit"/>, "." and ".." among them; none at the end.</summary>
    ValueTask<FileResult<IReadOnlyList<FolderEntry>>> ReadAsync(int limit, CancellationToken cancellationToken);
}
