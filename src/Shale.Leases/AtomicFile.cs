namespace Shale.Leases;

/// <summary>Replaces a file by rename after its bytes are on disk.</summary>
public static class AtomicFile
{
    /// <summary>Writes a file (mode 0600): whole, or not at all.</summary>
    /// <exception cref="IOException">The disk is full or the folder can't be written.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content) => Write(path, content, UnixFileMode.None);

    /// <summary>The same, readable by the folder's group (mode 0640): for what gateway and operator tell each other, who may run as two users. Their folder decides who that is.</summary>
    /// <exception cref="IOException">The disk is full or the folder can't be written.</exception>
    public static void WriteShared(string path, ReadOnlySpan<byte> content) => Write(path, content, UnixFileMode.GroupRead);

    private static void Write(string path, ReadOnlySpan<byte> content, UnixFileMode others)
    {
        var temporary = $"{path}.{Environment.ProcessId}.{Environment.CurrentManagedThreadId}.tmp";
        try
        {
            var options = new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | others,
            };
            using (var file = new FileStream(temporary, options))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }
}
