using System.Runtime.InteropServices;

namespace Shale.Containers.Files;

/// <summary>What statx(2) says about an open file. struct statx is the same on every architecture, which struct stat is not.</summary>
public readonly unsafe partial record struct FileStatus
{
    private const int AT_EMPTY_PATH = 0x1000, AT_SYMLINK_NOFOLLOW = 0x100, STATX_BASIC_STATS = 0x7ff;

    /// <summary>Type and permission bits (inode(7)).</summary>
    public uint Mode { get; private init; }

    /// <summary>Hard links.</summary>
    public uint Links { get; private init; }

    /// <summary>Owner.</summary>
    public uint Uid { get; private init; }

    /// <summary>Group.</summary>
    public uint Gid { get; private init; }

    /// <summary>Inode number.</summary>
    public ulong Inode { get; private init; }

    /// <summary>Bytes.</summary>
    public long Size { get; private init; }

    /// <summary>Last access, seconds since 1970.</summary>
    public long AccessSeconds { get; private init; }

    /// <summary>And its nanoseconds.</summary>
    public uint AccessNanoseconds { get; private init; }

    /// <summary>Last change of contents, seconds since 1970.</summary>
    public long ModifySeconds { get; private init; }

    /// <summary>And its nanoseconds.</summary>
    public uint ModifyNanoseconds { get; private init; }

    /// <summary>For a device: its major number.</summary>
    public uint DeviceMajor { get; private init; }

    /// <summary>For a device: its minor number.</summary>
    public uint DeviceMinor { get; private init; }

    /// <summary>Which file system it is on.</summary>
    public ulong FileSystem { get; private init; }

    /// <summary>A regular file.</summary>
    public bool IsRegular => (Mode & 0xf000) == 0x8000;

    /// <summary>A folder.</summary>
    public bool IsFolder => (Mode & 0xf000) == 0x4000;

    /// <summary>A symbolic link.</summary>
    public bool IsLink => (Mode & 0xf000) == 0xa000;

    /// <summary>A Unix socket.</summary>
    public bool IsSocket => (Mode & 0xf000) == 0xc000;

    /// <summary>A character device.</summary>
    public bool IsCharacterDevice => (Mode & 0xf000) == 0x2000;

    internal static bool TryRead(SafeHandle fd, out FileStatus status)
    {
        byte empty = 0;
        return TryRead(fd, &empty, AT_EMPTY_PATH, out status);
    }

    /// <summary>The status of a name in an open folder; the name itself when it is a symbolic link.</summary>
    internal static bool TryRead(SafeHandle folder, ReadOnlySpan<byte> nameWithNul, out FileStatus status)
    {
        fixed (byte* name = nameWithNul)
        {
            return TryRead(folder, name, AT_SYMLINK_NOFOLLOW, out status);
        }
    }

    private static bool TryRead(SafeHandle fd, byte* name, int flags, out FileStatus status)
    {
        var b = stackalloc byte[256];
        if (Statx(fd, name, flags, STATX_BASIC_STATS, b) < 0)
        {
            status = default;
            return false;
        }

        status = new FileStatus
        {
            Links = *(uint*)(b + 16),
            Uid = *(uint*)(b + 20),
            Gid = *(uint*)(b + 24),
            Mode = *(ushort*)(b + 28),
            Inode = *(ulong*)(b + 32),
            Size = *(long*)(b + 40),
            AccessSeconds = *(long*)(b + 64),
            AccessNanoseconds = *(uint*)(b + 72),
            ModifySeconds = *(long*)(b + 112),
            ModifyNanoseconds = *(uint*)(b + 120),
            DeviceMajor = *(uint*)(b + 128),
            DeviceMinor = *(uint*)(b + 132),
            FileSystem = ((ulong)*(uint*)(b + 136) << 32) | *(uint*)(b + 140),
        };
        return true;
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int Statx(SafeHandle fd, byte* path, int flags, uint mask, byte* buffer);
}
