using System.Diagnostics.CodeAnalysis;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace Shale.Groth16.Files;

/// <summary>
/// A file mapped into memory, read only. Nothing is copied: pages come in as they are touched and the system drops them when it
/// needs the memory. The file must not shrink while it is mapped.
/// </summary>
internal sealed unsafe partial class MappedFile : IDisposable
{
    private const int AdviseNotNeeded = 4;

    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private byte* _pointer;

    private MappedFile(MemoryMappedFile file, MemoryMappedViewAccessor view, long length)
    {
        _file = file;
        _view = view;
        Length = length;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref _pointer);
    }

    public long Length { get; }

    /// <summary>The first byte. Valid until <see cref="Dispose"/>.</summary>
    public byte* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(_pointer == null, this);
            return _pointer;
        }
    }

    public static bool TryOpen(string path, [NotNullWhen(true)] out MappedFile? mapped, out FileFault fault)
    {
        mapped = null;
        fault = default;
        FileStream stream;
        try
        {
            stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            fault = new FileFault("file", e.Message);
            return false;
        }

        var length = stream.Length;
        if (length == 0)
        {
            stream.Dispose();
            fault = new FileFault("file header", "the file is empty");
            return false;
        }

        var file = MemoryMappedFile.CreateFromFile(stream, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        mapped = new MappedFile(file, file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read), length);
        return true;
    }

    /// <summary>
    /// Tells the system that these bytes are not needed for now: their pages leave this process' memory, and come back from the file when
    /// they are touched again. Only whole pages within the range.
    /// </summary>
    public void Release(long start, long length)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        var page = (nuint)Environment.SystemPageSize;
        var from = ((nuint)(Pointer + start) + page - 1) & ~(page - 1);
        var to = (nuint)(Pointer + start + length) & ~(page - 1);
        if (from < to)
        {
            // A read-only mapping of a file loses nothing by it; a refusal costs memory only.
            _ = Advise((void*)from, to - from, AdviseNotNeeded);
        }
    }

    public void Dispose()
    {
        if (_pointer != null)
        {
            _pointer = null;
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _file.Dispose();
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Advise(void* address, nuint length, int advice);
}
