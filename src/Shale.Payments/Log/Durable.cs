using System.Runtime.InteropServices;

namespace Shale.Payments.Log;

/// <summary>Writes that are on the disk when the call returns.</summary>
internal static partial class Durable
{
    private const int ReadOnlyDirectory = 0x10000; // O_RDONLY | O_DIRECTORY

    /// <summary>Replaces a file by rename, after its bytes are on the disk; with <paramref name="flushFolder"/> the rename is too.</summary>
    public static void Replace(string path, ReadOnlySpan<byte> content, bool flushFolder = true)
    {
        var temporary = path + ".tmp";
        var folder = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(folder);
        using (var file = File.OpenHandle(temporary, FileMode.Create, FileAccess.Write))
        {
            RandomAccess.Write(file, content, 0);
            RandomAccess.FlushToDisk(file);
        }

        File.Move(temporary, path, overwrite: true);
        if (flushFolder)
        {
            FlushFolder(folder);
        }
    }

    /// <summary>Makes a folder's entries durable (fsync on the folder).</summary>
    /// <exception cref="IOException">The folder can't be opened or flushed.</exception>
    public static void FlushFolder(string folder) => Flush(folder, Fsync);

    /// <summary>Makes all that was written to the file system of <paramref name="folder"/> durable with one call (syncfs): cheaper than a flush for each of hundreds of files.</summary>
    /// <exception cref="IOException">The folder can't be opened, or the file system can't be flushed.</exception>
    public static void FlushFileSystem(string folder) => Flush(folder, Syncfs);

    private static void Flush(string folder, Func<int, int> flush)
    {
        var descriptor = Open(folder, ReadOnlyDirectory);
        if (descriptor < 0)
        {
            throw new IOException($"The folder {folder} can't be opened to be flushed: error {Marshal.GetLastPInvokeError()}.");
        }

        try
        {
            if (flush(descriptor) != 0)
            {
                throw new IOException($"The folder {folder} can't be flushed: error {Marshal.GetLastPInvokeError()}.");
            }
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int Syncfs(int descriptor);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
