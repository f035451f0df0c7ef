using System.Formats.Tar;
using System.Reflection;

namespace Shale.Containers.Exec;

/// <summary>The static helper, carried in this assembly.</summary>
internal static class HelperBinary
{
    private const UnixFileMode Executable =
        UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private static readonly Lazy<byte[]> LazyBytes = new(() =>
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("shale-helper") ?? throw new InvalidOperationException("This build has no container helper.");
        using var buffer = new MemoryStream();
        stream.CopyTo(buffer);
        return buffer.ToArray();
    });

    public static byte[] Bytes => LazyBytes.Value;

    /// <summary>Writes it if it is not there; by rename, because a running program's file can't be written.</summary>
    public static void WriteTo(string path)
    {
        if (File.Exists(path) && File.ReadAllBytes(path).AsSpan().SequenceEqual(Bytes))
        {
            return;
        }

        File.WriteAllBytes(path + ".new", Bytes);
        File.SetUnixFileMode(path + ".new", Executable);
        File.Move(path + ".new", path, overwrite: true);
    }

    /// <summary>A tar archive with .shale/helper, for an engine on another machine.</summary>
    public static byte[] Archive()
    {
        using var buffer = new MemoryStream();
        using (var writer = new TarWriter(buffer, TarEntryFormat.Ustar, leaveOpen: true))
        {
            writer.WriteEntry(new UstarTarEntry(TarEntryType.Directory, ".shale/") { Mode = Executable });
            writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, ".shale/helper") { Mode = Executable, DataStream = new MemoryStream(Bytes) });
        }

        return buffer.ToArray();
    }
}
