using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Shale.Ssh.Keys;
using Shale.Wire;
using Xunit;

namespace Shale.Ssh.Tests.Keys;

/// <summary>The real ssh-keygen in a directory of its own, and its signature files (OpenSSH's PROTOCOL.sshsig).</summary>
internal sealed class SshKeygen : IDisposable
{
    internal const string Namespace = "shale-test";

    internal string Folder { get; } = Directory.CreateTempSubdirectory("shale-keys-").FullName;

    internal string PathOf(string name) => Path.Combine(Folder, name);

    internal string Run(params string[] arguments) => Run(null, arguments);

    internal string Run(byte[]? input, params string[] arguments)
    {
        var (exit, output) = TryRun(input, arguments);
        Assert.True(exit == 0, $"ssh-keygen {string.Join(' ', arguments)}: {output}");
        return output;
    }

    internal (int Exit, string Output) TryRun(byte[]? input, params string[] arguments)
    {
        var start = new ProcessStartInfo("ssh-keygen", arguments)
        {
            WorkingDirectory = Folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["TZ"] = "UTC";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        process.StandardInput.BaseStream.Write(input ?? []);
        process.StandardInput.Close();
        Assert.True(process.WaitForExit(60_000), "ssh-keygen did not end");
        return (process.ExitCode, output.Result + errors.Result);
    }

    /// <summary>Makes a key without a passphrase and reads its public half.</summary>
    internal SshPublicKey Generate(string name, string type, int? bits = null)
    {
        string[] size = bits is null ? [] : ["-b", $"{bits}"];
        Run(["-q", "-t", type, .. size, "-N", "", "-C", "made by ssh-keygen", "-f", name]);
        return PublicKey(name);
    }

    internal SshPublicKey PublicKey(string name)
    {
        Assert.True(SshPublicKey.TryParseAuthorizedKey(File.ReadAllText(PathOf(name + ".pub")).TrimEnd('\n'), out var line));
        return line.Key;
    }

    internal byte[] Blob(string name) => Convert.FromBase64String(File.ReadAllText(PathOf(name)).Split(' ')[1]);

    /// <summary>Signs with ssh-keygen -Y; gives what was signed and the signature blob.</summary>
    internal (byte[] Signed, byte[] Signature) Sign(string name, byte[] message)
    {
        File.WriteAllBytes(PathOf("message"), message);
        File.Delete(PathOf("message.sig"));
        Run("-Y", "sign", "-f", name, "-n", Namespace, "message");
        var lines = File.ReadAllLines(PathOf("message.sig"));
        var reader = new WireReader(Convert.FromBase64String(string.Concat(lines[1..^1])).AsSpan("SSHSIG".Length));
        Assert.True(reader.TryReadUInt32(out var version) && version == 1);
        Assert.True(reader.TryReadString(out _)); // public key
        Assert.True(reader.TryReadString(out _)); // namespace
        Assert.True(reader.TryReadString(out _)); // reserved
        Assert.True(reader.TryReadAscii(64, out var hash));
        Assert.True(reader.TryReadString(out var signature));
        Assert.True(reader.IsAtEnd);
        return (Signed(message, hash), signature.ToArray());
    }

    /// <summary>Has ssh-keygen -Y verify a signature by a key.</summary>
    internal bool Verify(SshPublicKey key, byte[] message, byte[] signature, string hash = "sha512")
    {
        using var buffer = new PooledBufferWriter(65536);
        var writer = new WireWriter(buffer);
        writer.WriteBytes("SSHSIG"u8);
        writer.WriteUInt32(1);
        writer.WriteString(key.Blob.Span);
        writer.WriteString(Namespace);
        writer.WriteString("");
        writer.WriteString(hash);
        writer.WriteString(signature);
        File.WriteAllText(PathOf("check.sig"), "-----BEGIN SSH SIGNATURE-----\n" + string.Join('\n', Convert.ToBase64String(buffer.WrittenSpan).Chunk(70).Select(c => new string(c))) + "\n-----END SSH SIGNATURE-----\n");
        File.WriteAllText(PathOf("allowed"), $"someone {key}\n");
        return TryRun(message, "-Y", "verify", "-f", "allowed", "-I", "someone", "-n", Namespace, "-s", "check.sig").Exit == 0;
    }

    /// <summary>The bytes that a signature file's signature covers.</summary>
    internal static byte[] Signed(byte[] message, string hash = "sha512")
    {
        using var buffer = new PooledBufferWriter(65536);
        var writer = new WireWriter(buffer);
        writer.WriteBytes("SSHSIG"u8);
        writer.WriteString(Namespace);
        writer.WriteString("");
        writer.WriteString(hash);
        writer.WriteString(hash == "sha256" ? SHA256.HashData(message) : SHA512.HashData(message));
        return buffer.WrittenSpan.ToArray();
    }

    internal static byte[] Encode(Action<PooledBufferWriter> write)
    {
        using var buffer = new PooledBufferWriter(1 << 20);
        write(buffer);
        return buffer.WrittenSpan.ToArray();
    }

    internal static byte[] Strings(params object[] fields) => Encode(buffer =>
    {
        var writer = new WireWriter(buffer);
        foreach (var field in fields)
        {
            writer.WriteString(field as byte[] ?? Encoding.UTF8.GetBytes((string)field));
        }
    });

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
