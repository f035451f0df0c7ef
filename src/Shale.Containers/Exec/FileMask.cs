using System.Runtime.InteropServices;

namespace Shale.Containers.Exec;

/// <summary>What files and folders that are made for a container's user lack.</summary>
internal static partial class FileMask
{
    /// <summary>As with OpenSSH's server.</summary>
    private const uint Umask = 0x12; // 022

    /// <summary>Gives it to the calling thread, for good: a thread that is made on it shares it.</summary>
    public static void TakeForThisThread()
    {
        const int CloneFs = 0x200;
        Native.Check(Unshare(CloneFs), "unshare(CLONE_FS)");
        _ = SetUmask(Umask);
    }

    [LibraryImport("libc", EntryPoint = "unshare", SetLastError = true)]
    private static partial int Unshare(int flags);

    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint SetUmask(uint mask);
}
