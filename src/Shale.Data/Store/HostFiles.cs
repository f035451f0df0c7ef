using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Shale.Data.UnixFs;

namespace Shale.Data.Store;

/// <summary>What Linux knows about a file that tells whether it is the one that was verified.</summary>
/// <param name="Device">The device.</param>
/// <param name="Inode">The inode.</param>
/// <param name="Length">The length in bytes.</param>
/// <param name="ModifiedNs">When its bytes changed, in nanoseconds since 1970.</param>
/// <param name="ChangedNs">When anything of it changed; no program can set this.</param>
public readonly record struct FileIdentity(ulong Device, ulong Inode, long Length, long ModifiedNs, long ChangedNs);

/// <summary>System calls that the BCL does not offer: reflinks, hard links, identities, file system types, durable renames.</summary>
internal static unsafe partial class HostFiles
{
    private const int AtFdCwd = -100;
    private const int AtSymlinkNoFollow = 0x100;
    private const uint StatxBasic = 0x7ff;
    private const ulong FiClone = 0x40049409;
    private const int ReadOnly = 0;
    private const int NoFollow = 0x20000;
    private const int CloseOnExec = 0x80000;
    private const int NonBlocking = 0x800;
    private const int DirectoryOnly = 0x10000;
    private const int FormatMask = 0xf000;
    private const int FormatRegular = 0x8000;
    private const int FormatDirectory = 0x4000;
    private const int FormatLink = 0xa000;
    private const int NoEntry = 2;

    /// <summary>Opens a regular file without following a link at its end; a pipe or device there is refused instead of waited for.</summary>
    public static FileStream OpenRead(string path)
    {
        var fd = Open(path, ReadOnly | NoFollow | CloseOnExec | NonBlocking);
        if (fd < 0)
        {
            throw Failure("open", path);
        }

        var handle = new SafeFileHandle(fd, ownsHandle: true);
        if (Statx(fd, "", 0x1000, StatxBasic, out var stat) != 0 || (stat.Mode & FormatMask) != FormatRegular)
        {
            handle.Dispose();
            throw new IOException($"{path} is not a regular file");
        }

        return new FileStream(handle, FileAccess.Read, bufferSize: 0);
    }

    /// <summary>Describes what stands at a path, the link itself where it is one; null where nothing does.</summary>
    public static TreeEntry? Describe(string path)
    {
        if (Statx(AtFdCwd, path, AtSymlinkNoFollow, StatxBasic, out var stat) != 0)
        {
            return Marshal.GetLastPInvokeError() == NoEntry ? null : throw Failure("statx", path);
        }

        var kind = (stat.Mode & FormatMask) switch
        {
            FormatRegular => EntryKind.File,
            FormatDirectory => EntryKind.Directory,
            FormatLink => EntryKind.Symlink,
            _ => EntryKind.Other,
        };
        var time = new UnixFsTime(stat.Modified.Seconds, stat.Modified.Nanoseconds);
        return new TreeEntry(Path.GetFileName(path), kind, kind == EntryKind.File ? (long)stat.Size : 0, stat.Mode & 0xfffu, time);
    }

    /// <summary>The identity of a file, the link itself where it is one; null where there is none.</summary>
    public static FileIdentity? Identity(string path)
    {
        return Statx(AtFdCwd, path, AtSymlinkNoFollow, StatxBasic, out var s) == 0 ? ToIdentity(s) : null;
    }

    public static FileIdentity Identity(SafeFileHandle handle)
    {
        return Statx((int)handle.DangerousGetHandle(), "", 0x1000, StatxBasic, out var s) == 0 ? ToIdentity(s) : throw Failure("statx", "an open file");
    }

    /// <summary>
    /// Whether a file's identity says that its bytes are the same: true on file systems of this machine that keep change
    /// times; false for network and user-space file systems, where the server decides what the client sees.
    /// </summary>
    public static bool TrustsIdentity(string path)
    {
        var buffer = stackalloc long[32];
        if (StatFs(path, buffer) != 0)
        {
            return false;
        }

        return (uint)buffer[0] switch
        {
            0xef53 => true, // ext4
            0x58465342 => true, // xfs
            0x9123683e => true, // btrfs
            0x2fc12fc1 => true, // zfs
            0xf2f52010 => true, // f2fs
            0x01021994 => true, // tmpfs
            _ => false,
        };
    }

    /// <summary>Shares the blocks of one file with another (FICLONE); false where the file systems cannot.</summary>
    public static bool TryReflink(SafeFileHandle source, SafeFileHandle destination) =>
        Ioctl((int)destination.DangerousGetHandle(), FiClone, (int)source.DangerousGetHandle()) == 0;

    /// <summary>Gives a file a second name; false where the file systems cannot.</summary>
    public static bool TryHardLink(string source, string destination) => LinkAt(AtFdCwd, source, AtFdCwd, destination, 0) == 0;

    /// <summary>Makes a rename or a new name in a directory survive a power cut.</summary>
    public static void SyncDirectory(string path)
    {
        var fd = Open(path, ReadOnly | DirectoryOnly | CloseOnExec);
        if (fd < 0)
        {
            throw Failure("open", path);
        }

        using var handle = new SafeFileHandle(fd, ownsHandle: true);
        if (FSync(fd) != 0)
        {
            throw Failure("fsync", path);
        }
    }

    /// <summary>Writes everything of a file system to its disk: one call where a hundred thousand files would each need one.</summary>
    public static void SyncFileSystem(string path)
    {
        var fd = Open(path, ReadOnly | CloseOnExec);
        if (fd < 0)
        {
            throw Failure("open", path);
        }

        using var handle = new SafeFileHandle(fd, ownsHandle: true);
        if (SyncFs(fd) != 0)
        {
            throw Failure("syncfs", path);
        }
    }

    /// <summary>Takes a lock that the kernel gives back when the process dies; null where another process holds it.</summary>
    public static FileStream? TryLock(string path)
    {
        // Errno of a lock that somebody holds: FileStream takes a shared one of its own when it opens, whatever sharing is asked for.
        const int WouldBlock = 11;
        while (true)
        {
            FileStream stream;
            try
            {
                stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            }
            catch (IOException held) when (held.HResult == WouldBlock)
            {
                return null;
            }

            if (FLock((int)stream.SafeFileHandle.DangerousGetHandle(), 2 | 4) != 0)
            {
                stream.Dispose();
                return null;
            }

            // Whoever held it before may have removed the file in between: then this is a lock on nothing.
            if (Identity(path)?.Inode == Identity(stream.SafeFileHandle).Inode)
            {
                return stream;
            }

            stream.Dispose();
        }
    }

    private static FileIdentity ToIdentity(in StatxBuffer s) =>
        new(((ulong)s.DeviceMajor << 32) | s.DeviceMinor, s.Inode, (long)s.Size, (s.Modified.Seconds * 1_000_000_000) + s.Modified.Nanoseconds, (s.Changed.Seconds * 1_000_000_000) + s.Changed.Nanoseconds);

    private static IOException Failure(string call, string path) => new($"{call} {path}: {Marshal.GetLastPInvokeErrorMessage()}");

    [StructLayout(LayoutKind.Sequential)]
    private struct StatxTime
    {
        public long Seconds;
        public uint Nanoseconds;
        public int Reserved;
    }

    [StructLayout(LayoutKind.Sequential, Size = 256)]
    private struct StatxBuffer
    {
        public uint Mask;
        public uint BlockSize;
        public ulong Attributes;
        public uint Links;
        public uint Uid;
        public uint Gid;
        public ushort Mode;
        public ushort Spare;
        public ulong Inode;
        public ulong Size;
        public ulong Blocks;
        public ulong AttributesMask;
        public StatxTime Accessed;
        public StatxTime Born;
        public StatxTime Changed;
        public StatxTime Modified;
        public uint RawDeviceMajor;
        public uint RawDeviceMinor;
        public uint DeviceMajor;
        public uint DeviceMinor;
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int directory, string path, int flags, uint mask, out StatxBuffer buffer);

    [LibraryImport("libc", EntryPoint = "statfs", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatFs(string path, long* buffer);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Ioctl(int fd, ulong request, int argument);

    [LibraryImport("libc", EntryPoint = "linkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LinkAt(int oldDirectory, string oldPath, int newDirectory, string newPath, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(int fd);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int SyncFs(int fd);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int FLock(int fd, int operation);
}
