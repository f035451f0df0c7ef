namespace Shale.Agent.Files;

/// <summary>Files of mode 0600 that are replaced whole.</summary>
internal static class PrivateFile
{
    /// <summary>No file here is larger; a larger one is not one of ours.</summary>
    public const int MaxSize = 1 << 20;

    /// <summary>Replaces a file by rename, after its bytes are on the disk.</summary>
    public static void Replace(string path, ReadOnlySpan<byte> content)
    {
        string temporary = $"{path}.{Environment.ProcessId}.{Guid.NewGuid():N}.tmp";
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = AgentFolder.FileMode };
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

    /// <summary>A file's bytes; null where there is none.</summary>
    /// <exception cref="IOException">It can't be read, or is too large.</exception>
    public static byte[]? Read(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            if (file.Length > MaxSize)
            {
                throw new IOException($"{path} is larger than {MaxSize} bytes.");
            }

            byte[] content = new byte[file.Length];
            file.ReadExactly(content);
            return content;
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }
}
