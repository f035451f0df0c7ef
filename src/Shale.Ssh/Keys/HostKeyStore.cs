using System.Runtime.InteropServices;
using System.Text;

namespace Shale.Ssh.Keys;

/// <summary>
/// Host keys in a directory, under OpenSSH's names and in its format, so that keys of an existing sshd can be brought along and ssh-keygen reads ours:
/// ssh_host_ed25519_key, ssh_host_ecdsa_key, ssh_host_rsa_key, each with a .pub beside it.
/// </summary>
public static partial class HostKeyStore
{
    /// <summary>Bits of an RSA key made here; what ssh-keygen makes too.</summary>
    public const int RsaBits = 3072;

    private const UnixFileMode PrivateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OthersMode =
        UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    private static readonly (string File, Func<HostKey> Make)[] Kinds =
    [
        ("ssh_host_ed25519_key", Ed25519HostKey.Generate),
        ("ssh_host_ecdsa_key", () => EcdsaHostKey.Generate("nistp256")),
        ("ssh_host_rsa_key", () => RsaHostKey.Generate(RsaBits)),
    ];

    /// <summary>Loads the host keys and makes those that are missing. Private files have mode 0600 from their first byte on and appear whole or not at all.</summary>
    /// <param name="directory">Where they lie; made with mode 0700 when missing.</param>
    /// <returns>The keys, best first: ed25519, ecdsa, rsa. The caller disposes them.</returns>
    /// <exception cref="InvalidDataException">A file is there and cannot be used; the message says why and what to do. Nothing is overwritten then.</exception>
    /// <exception cref="IOException">The directory or a file cannot be read or written.</exception>
    /// <exception cref="UnauthorizedAccessException">The same, for want of rights.</exception>
    public static IReadOnlyList<HostKey> LoadOrCreate(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        Directory.CreateDirectory(directory, PrivateMode | UnixFileMode.UserExecute);
        var keys = new List<HostKey>();
        try
        {
            foreach (var (file, make) in Kinds)
            {
                var path = Path.Combine(directory, file);
                keys.Add(File.Exists(path) ? Load(path) : Create(path, make));
            }
        }
        catch
        {
            keys.ForEach(k => k.Dispose());
            throw;
        }

        return keys;
    }

    /// <summary>Loads one private key file.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The key; the caller disposes it.</returns>
    /// <exception cref="InvalidDataException">It cannot be used; the message says why and what to do.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static HostKey Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        var mode = File.GetUnixFileMode(stream.SafeFileHandle);
        if ((mode & OthersMode) != 0)
        {
            throw new InvalidDataException($"The host key {path} can be read or written by others; run 'chmod 600 {path}', and replace the key if somebody may have read it.");
        }

        if (stream.Length > OpenSshKeyFile.MaxSize)
        {
            throw new InvalidDataException($"The host key {path} is not an OpenSSH private key: it has {stream.Length} bytes.");
        }

        using var reader = new StreamReader(stream, Encoding.ASCII);
        var error = OpenSshKeyFile.TryRead(reader.ReadToEnd(), out var key);
        return error is null ? key! : throw new InvalidDataException($"The host key {path} {error}.");
    }

    /// <summary>Writes a private key file and its .pub, without touching ones that are there.</summary>
    /// <param name="path">The file.</param>
    /// <param name="key">The key.</param>
    /// <param name="comment">The comment that both files carry.</param>
    /// <exception cref="IOException">A file of that name is there, or it cannot be written.</exception>
    public static void Save(string path, HostKey key, string comment)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(comment);
        WriteWhole(path, OpenSshKeyFile.Write(key, comment), PrivateMode, overwrite: false);
        WriteWhole(path + ".pub", $"{key.PublicKey} {comment}".TrimEnd() + "\n", PrivateMode | UnixFileMode.GroupRead | UnixFileMode.OtherRead, overwrite: true);
    }

    private static HostKey Create(string path, Func<HostKey> make)
    {
        var key = make();
        try
        {
            Save(path, key, $"shale@{Environment.MachineName}");
            return key;
        }
        catch (IOException) when (File.Exists(path))
        {
            // Another process made one in the meantime; both must serve the same key.
            key.Dispose();
            return Load(path);
        }
        catch
        {
            key.Dispose();
            throw;
        }
    }

    private static void WriteWhole(string path, string text, UnixFileMode mode, bool overwrite)
    {
        var temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (var stream = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode }))
            {
                stream.Write(Encoding.ASCII.GetBytes(text));
                stream.Flush(flushToDisk: true);
            }

            if (overwrite)
            {
                File.Move(temporary, path, overwrite: true);
            }
            else if (Link(temporary, path) != 0)
            {
                // link(2) fails where the name exists; File.Move looks first and renames afterwards, and two processes pass in between.
                throw new IOException($"{path} can't be made: {Marshal.GetLastPInvokeErrorMessage()}.");
            }
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string name);
}
