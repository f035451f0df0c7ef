using System.Text;
using Shale.Ssh.Keys;
using Xunit;

namespace Shale.Ssh.Tests.Keys;

public sealed class HostKeyTests : IDisposable
{
    private readonly SshKeygen keygen = new();

    public void Dispose() => keygen.Dispose();

    [Fact]
    public void LoadOrCreate_EmptyDirectory_MakesKeysThatSshKeygenReadsAndVerifies()
    {
        var folder = keygen.PathOf("host");
        var keys = HostKeyStore.LoadOrCreate(folder);
        Assert.Equal(["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"], keys.Select(k => k.PublicKey.KeyType));
        Assert.Equal(["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"], keys.SelectMany(k => k.SignatureAlgorithms));
        Assert.Equal(["ssh_host_ecdsa_key", "ssh_host_ecdsa_key.pub", "ssh_host_ed25519_key", "ssh_host_ed25519_key.pub", "ssh_host_rsa_key", "ssh_host_rsa_key.pub"], Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        foreach (var (key, name) in keys.Zip(["ed25519", "ecdsa", "rsa"]))
        {
            var path = Path.Combine(folder, $"ssh_host_{name}_key");
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));

            // -y derives the public key from the private one; -l prints the fingerprint.
            Assert.Equal(key.PublicKey.ToString(), string.Join(' ', keygen.Run("-y", "-P", "", "-f", path).Split(' ')[..2]).TrimEnd('\n'));
            Assert.Equal(key.PublicKey.Fingerprint, keygen.Run("-l", "-f", path + ".pub").Split(' ')[1]);
            foreach (var algorithm in key.SignatureAlgorithms)
            {
                var message = Encoding.ASCII.GetBytes(algorithm);
                var signature = key.Sign(algorithm, SshKeygen.Signed(message));
                Assert.True(keygen.Verify(key.PublicKey, message, signature));
                Assert.False(keygen.Verify(key.PublicKey, [.. message, 0], signature));
                Assert.Equal(SignatureCheck.Ok, key.PublicKey.Verify(SshKeygen.Signed(message), signature, algorithm));
            }

            // ssh-keygen signs with our file.
            var (signed, theirs) = keygen.Sign(path, [7]);
            Assert.Equal(SignatureCheck.Ok, key.PublicKey.Verify(signed, theirs, key.SignatureAlgorithms[0]));
        }

        Assert.Contains("3072", keygen.Run("-l", "-f", Path.Combine(folder, "ssh_host_rsa_key.pub")), StringComparison.Ordinal);
        var again = HostKeyStore.LoadOrCreate(folder);
        Assert.Equal(keys.Select(k => k.PublicKey), again.Select(k => k.PublicKey));
        foreach (var key in keys.Concat(again))
        {
            key.Dispose();
        }
    }

    [Theory]
    [InlineData("ed25519", null)]
    [InlineData("ecdsa", 256)]
    [InlineData("ecdsa", 384)]
    [InlineData("ecdsa", 521)]
    [InlineData("rsa", 2048)]
    [InlineData("rsa", 3072)]
    public void Load_FileOfSshKeygen_SignsSoThatSshKeygenVerifies(string type, int? bits)
    {
        var expected = keygen.Generate("key", type, bits);
        using var key = HostKeyStore.Load(keygen.PathOf("key"));
        Assert.Equal(expected, key.PublicKey);
        foreach (var algorithm in key.SignatureAlgorithms)
        {
            Assert.True(keygen.Verify(expected, [1, 2], key.Sign(algorithm, SshKeygen.Signed([1, 2]))));
        }

        // Written again by us, ssh-keygen still reads it.
        HostKeyStore.Save(keygen.PathOf("copy"), key, "a comment");
        Assert.StartsWith(expected.ToString(), keygen.Run("-y", "-f", "copy"), StringComparison.Ordinal);
        Assert.Contains("a comment", keygen.Run("-l", "-f", "copy"), StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => key.Sign("ssh-rsa", []));
    }

    [Fact]
    public void LoadOrCreate_FilesOfSshKeygen_AreTaken()
    {
        var folder = Directory.CreateDirectory(keygen.PathOf("etc")).FullName;
        var rsa = keygen.Generate("etc/ssh_host_rsa_key", "rsa", 2048);
        var ecdsa = keygen.Generate("etc/ssh_host_ecdsa_key", "ecdsa", 521);
        var keys = HostKeyStore.LoadOrCreate(folder);
        Assert.Equal(ecdsa, keys[1].PublicKey);
        Assert.Equal(rsa, keys[2].PublicKey);
        Assert.Equal(keygen.PublicKey("etc/ssh_host_ed25519_key"), keys[0].PublicKey);
        foreach (var key in keys)
        {
            key.Dispose();
        }
    }

    [Fact]
    public void Load_UnusableFiles_SayWhyAndWhatToDo()
    {
        keygen.Run("-q", "-t", "ed25519", "-N", "secret", "-f", "locked");
        Refused("locked", "encrypted", "ssh-keygen -p");
        keygen.Generate("old", "rsa", 2048);
        keygen.Run("-q", "-p", "-m", "PEM", "-N", "", "-f", "old");
        Refused("old", "another format", "ssh-keygen -p");
        keygen.Run("-q", "-t", "dsa", "-N", "", "-f", "dsa");
        Refused("dsa", "ssh-dss", "ed25519");
        keygen.Run("-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", "weak");
        Refused("weak", "2048");
        keygen.Generate("open", "ed25519");
        File.SetUnixFileMode(keygen.PathOf("open"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        Refused("open", "chmod 600");
        Write("text", "hello\n");
        Refused("text", "not an OpenSSH private key");
        Write("base64", "-----BEGIN OPENSSH PRIVATE KEY-----\n!!!!\n-----END OPENSSH PRIVATE KEY-----\n");
        Refused("base64", "base64");
        Write("long", new string('x', 70000));
        Refused("long", "70000");
    }

    [Theory]
    [InlineData("ed25519", null)]
    [InlineData("ecdsa", 256)]
    [InlineData("rsa", 2048)]
    public void Load_AnyByteTurned_IsRefusedOrStillTheSameKey(string type, int? bits)
    {
        keygen.Generate("key", type, bits);
        var lines = File.ReadAllLines(keygen.PathOf("key"));
        var bytes = Convert.FromBase64String(string.Concat(lines[1..^1]));
        var expected = keygen.PublicKey("key");
        var accepted = 0;
        for (var at = 0; at < bytes.Length; at += type == "rsa" ? 13 : 1)
        {
            var bad = (byte[])bytes.Clone();
            bad[at] ^= 1;
            var text = $"{lines[0]}\n{Convert.ToBase64String(bad)}\n{lines[^1]}\n";
            if (OpenSshKeyFile.TryRead(text, out var key) is null)
            {
                // Only the comment is free, and RSA numbers that the BCL does not use (a signature still verifies).
                Assert.Equal(expected, key!.PublicKey);
                var algorithm = key.SignatureAlgorithms[0];
                Assert.Equal(SignatureCheck.Ok, expected.Verify([1], key.Sign(algorithm, [1]), algorithm));
                key.Dispose();
                accepted++;
            }

            Assert.NotNull(OpenSshKeyFile.TryRead($"{lines[0]}\n{Convert.ToBase64String(bytes.AsSpan(0, at))}\n{lines[^1]}\n", out _));
        }

        Assert.InRange(accepted, 1, type == "rsa" ? 40 : "made by ssh-keygen".Length);
    }

    [Fact]
    public async Task LoadOrCreate_ManyAtOnce_AgreeOnTheKeys()
    {
        var folder = keygen.PathOf("race");
        var all = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => HostKeyStore.LoadOrCreate(folder))));
        foreach (var keys in all)
        {
            Assert.Equal(all[0].Select(k => k.PublicKey), keys.Select(k => k.PublicKey));
        }

        Assert.DoesNotContain(Directory.GetFiles(folder), f => f.EndsWith(".tmp", StringComparison.Ordinal));
        foreach (var key in all.SelectMany(k => k))
        {
            key.Dispose();
        }
    }

    [Fact]
    public async Task Sign_FromManyThreads_GivesValidSignatures()
    {
        keygen.Generate("e", "ecdsa", 256);
        keygen.Generate("r", "rsa", 2048);
        foreach (var name in new[] { "e", "r" })
        {
            using var key = HostKeyStore.Load(keygen.PathOf(name));
            var algorithm = key.SignatureAlgorithms[0];
            await Task.WhenAll(Enumerable.Range(0, 8).Select(n => Task.Run(() =>
            {
                for (var i = 0; i < 10; i++)
                {
                    byte[] data = [(byte)n, (byte)i];
                    Assert.Equal(SignatureCheck.Ok, key.PublicKey.Verify(data, key.Sign(algorithm, data), algorithm));
                }
            })));
        }
    }

    [Fact]
    public void Sign_Disposed_Throws()
    {
        foreach (var type in new[] { "ed25519", "ecdsa", "rsa" })
        {
            keygen.Generate(type, type, type == "rsa" ? 2048 : null);
            var key = HostKeyStore.Load(keygen.PathOf(type));
            key.Dispose();
            Assert.Throws<ObjectDisposedException>(() => key.Sign(key.SignatureAlgorithms[0], [1]));
        }
    }

    private void Refused(string name, params string[] words)
    {
        var error = Assert.Throws<InvalidDataException>(() => HostKeyStore.Load(keygen.PathOf(name)));
        Assert.All(words.Append(keygen.PathOf(name)), word => Assert.Contains(word, error.Message, StringComparison.Ordinal));
    }

    private void Write(string name, string text)
    {
        File.WriteAllText(keygen.PathOf(name), text);
        File.SetUnixFileMode(keygen.PathOf(name), UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}
