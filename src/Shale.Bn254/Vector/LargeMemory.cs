using System.Runtime.InteropServices;

namespace Shale.Bn254.Vector;

/// <summary>
/// Blocks outside the collected heap for tables that are read all over: aligned to 2 MiB and recommended for huge pages, because with small
/// ones nearly every random access also misses the translation cache.
/// </summary>
internal static unsafe partial class LargeMemory
{
    private const nuint HugePage = 2 << 20;
    private const int AdviseHugePages = 14;

    /// <summary>Allocates; free with <see cref="Free"/>.</summary>
    /// <exception cref="OutOfMemoryException">There is not so much.</exception>
    public static byte* Allocate(long bytes)
    {
        var size = (nuint)Math.Max(64, bytes);
        if (size < HugePage || !OperatingSystem.IsLinux())
        {
            return (byte*)NativeMemory.AlignedAlloc(size, 64);
        }

        // A whole number of huge pages. Advice only: a kernel without them answers with an error, and nothing is lost.
        size = (size + HugePage - 1) & ~(HugePage - 1);
        var memory = (byte*)NativeMemory.AlignedAlloc(size, HugePage);
        _ = Advise(memory, size, AdviseHugePages);
        return memory;
    }

    public static void Free(byte* memory) => NativeMemory.AlignedFree(memory);

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Advise(void* address, nuint length, int advice);
}
