using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Shale.Containers.Exec;

namespace Shale.Containers.Files;

/// <summary>Linux's calls on files by descriptor and name, as they are: 0 or more, or -1 with errno.</summary>
internal static unsafe partial class FileCalls
{
    public const int AT_REMOVEDIR = 0x200, AT_EMPTY_PATH = 0x1000, RENAME_NOREPLACE = 1, RWF_NOWAIT = 8;

    public static nint GetEntriesNumber { get; } = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 217 : 61;

    public static FileError Error(long result) => result < 0 ? (FileError)Native.LastError : FileError.None;

    public static FileSystemStatus? FileSystem(SafeHandle fd)
    {
        // struct statvfs of 64-bit glibc and musl: ten unsigned long and an unused tail; f_fsid, f_flag and f_namemax are the last three.
        var words = stackalloc ulong[32];
        return FStatVfs(fd, words) < 0 ? null : new FileSystemStatus(words[0], words[1], words[2], words[3], words[4], words[5], words[6], words[7], words[8], words[9], words[10]);
    }

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true)]
    public static partial int MkDirAt(SafeHandle folder, byte* name, uint mode);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true)]
    public static partial int UnlinkAt(SafeHandle folder, byte* name, int flags);

    [LibraryImport("libc", EntryPoint = "renameat", SetLastError = true)]
    public static partial int RenameAt(SafeHandle from, byte* fromName, SafeHandle to, byte* toName);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    public static partial nint RenameAt2(nint number, SafeHandle from, byte* fromName, SafeHandle to, byte* toName, uint flags);

    [LibraryImport("libc", EntryPoint = "readlinkat", SetLastError = true)]
    public static partial nint ReadLinkAt(SafeHandle folder, byte* name, byte* buffer, nuint size);

    [LibraryImport("libc", EntryPoint = "readlink", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint ReadLink(string path, byte* buffer, nuint size);

    [LibraryImport("libc", EntryPoint = "symlinkat", SetLastError = true)]
    public static partial int SymLinkAt(byte* contents, SafeHandle folder, byte* name);

    [LibraryImport("libc", EntryPoint = "linkat", SetLastError = true)]
    public static partial int LinkAt(SafeHandle from, byte* fromName, SafeHandle to, byte* toName, int flags);

    [LibraryImport("libc", EntryPoint = "chmod", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int ChangeMode(string path, uint mode);

    [LibraryImport("libc", EntryPoint = "fchownat", SetLastError = true)]
    public static partial int ChangeOwnerAt(SafeHandle folder, byte* name, uint uid, uint gid, int flags);

    [LibraryImport("libc", EntryPoint = "utimensat", SetLastError = true)]
    public static partial int SetTimesAt(SafeHandle folder, byte* name, long* times, int flags);

    [LibraryImport("libc", EntryPoint = "truncate", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Truncate(string path, long length);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Sync(SafeHandle fd);

    [LibraryImport("libc", EntryPoint = "pwritev", SetLastError = true)]
    public static partial nint WriteAt(SafeHandle fd, nint* vector, int count, long offset);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    public static partial nint ReadAt(SafeHandle fd, byte* buffer, nuint count, long offset);

    [LibraryImport("libc", EntryPoint = "preadv2", SetLastError = true)]
    public static partial nint ReadAt2(SafeHandle fd, nint* vector, int count, long offset, int flags);

    [LibraryImport("libc", EntryPoint = "copy_file_range", SetLastError = true)]
    public static partial nint CopyRange(SafeHandle from, long* fromOffset, SafeHandle to, long* toOffset, nuint length, uint flags);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    public static partial nint GetEntries(nint number, SafeHandle folder, byte* buffer, nuint size);

    [LibraryImport("libc", EntryPoint = "fstatvfs", SetLastError = true)]
    private static partial int FStatVfs(SafeHandle fd, ulong* buffer);
}
