using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Shale.Ssh.Auth;
using Shale.Ssh.Keys;
using Shale.Wire;
using Xunit;

namespace Shale.Ssh.Tests.Keys;

public sealed partial class SshPublicKeyTests : IDisposable
{
    private readonly SshKeygen keygen = new();

    public void Dispose() => keygen.Dispose();

    [Theory]
    [InlineData("ed25519", null, "ssh-ed25519", "ssh-ed25519")]
    [InlineData("ecdsa", 256, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256")]
    [InlineData("ecdsa", 384, "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384")]
    [InlineData("ecdsa", 521, "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521")]
    [InlineData("rsa", 2048, "ssh-rsa", "rsa-sha2-512")]
    [InlineData("rsa", 3072, "ssh-rsa", "rsa-sha2-512")]
    public void Verify_SignatureOfSshKeygen_IsAcceptedAndItsMutationsAreNot(string type, int? bits, string keyType, string algorithm)
    {
        var key = keygen.Generate("key", type, bits);
        Assert.Equal(keyType, key.KeyType);
        Assert.Equal(key.Fingerprint, keygen.Run("-l", "-f", "key.pub").Split(' ')[1]);
        Assert.StartsWith(key.ToString(), File.ReadAllText(keygen.PathOf("key.pub")), StringComparison.Ordinal);

        // Several signatures: an ECDSA number is shorter than its field once in 256, or has a sign byte.
        for (var i = 0; i < 6; i++)
        {
            var (signed, signature) = keygen.Sign("key", Encoding.ASCII.GetBytes($"message {i}"));
            Assert.Equal(SignatureCheck.Ok, key.Verify(signed, signature, algorithm));
            Assert.Equal(SignatureCheck.AlgorithmMismatch, key.Verify(signed, signature, "ssh-ed448"));
            for (var at = 0; at < signature.Length; at += 7)
            {
                var bad = (byte[])signature.Clone();
                bad[at] ^= 0x10;
                Assert.NotEqual(SignatureCheck.Ok, key.Verify(signed, bad, algorithm));
            }

            for (var length = 0; length < signature.Length; length += 5)
            {
                Assert.NotEqual(SignatureCheck.Ok, key.Verify(signed, signature.AsSpan(0, length), algorithm));
            }

            Assert.Equal(SignatureCheck.Bad, key.Verify(signed, [.. signature, 0], algorithm));
            signed[^1] ^= 1;
            Assert.Equal(SignatureCheck.Bad, key.Verify(signed, signature, algorithm));
        }
    }

    [Fact]
    public void Verify_RsaSha256AndSha1_TellsTheAlgorithmsApart()
    {
        using var rsa = RSA.Create(2048);
        var parameters = rsa.ExportParameters(false);
        Assert.True(SshPublicKey.TryParse(Rsa(parameters.Exponent!, parameters.Modulus!), out var key));
        var data = "data"u8.ToArray();
        var sha256 = SshKeygen.Strings("rsa-sha2-256", rsa.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
        Assert.Equal(SignatureCheck.Ok, key.Verify(data, sha256, "rsa-sha2-256"));
        Assert.Equal(SignatureCheck.AlgorithmMismatch, key.Verify(data, sha256, "rsa-sha2-512"));
        Assert.Equal(SignatureCheck.Bad, key.Verify(data, SshKeygen.Strings("rsa-sha2-512", rsa.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)), "rsa-sha2-512"));
        var sha1 = SshKeygen.Strings("ssh-rsa", rsa.SignData(data, HashAlgorithmName.SHA1, RSASignaturePadding.Pkcs1));
        Assert.Equal(SignatureCheck.AlgorithmMismatch, key.Verify(data, sha1, "ssh-rsa"));

        // The number's leading zeros may be missing; a longer string may not be.
        for (var i = 0; ; i++)
        {
            var signature = rsa.SignData([(byte)i, (byte)(i >> 8)], HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
            if (signature[0] == 0)
            {
                Assert.Equal(SignatureCheck.Ok, key.Verify([(byte)i, (byte)(i >> 8)], SshKeygen.Strings("rsa-sha2-256", signature[1..]), "rsa-sha2-256"));
                Assert.Equal(SignatureCheck.Bad, key.Verify([(byte)i, (byte)(i >> 8)], SshKeygen.Strings("rsa-sha2-256", new byte[] { 0 }.Concat(signature).ToArray()), "rsa-sha2-256"));
                break;
            }
        }
    }

    [Fact]
    public void TryParse_RsaOutsideTheBounds_IsRefused()
    {
        byte[] Modulus(int bits)
        {
            var modulus = new byte[(bits + 7) / 8];
            Random.Shared.NextBytes(modulus);
            modulus[0] = (byte)(1 << ((bits - 1) % 8));
            modulus[^1] |= 1;
            return modulus;
        }

        byte[] e = [1, 0, 1];
        Assert.False(SshPublicKey.TryParse(Rsa(e, Modulus(1024)), out _));
        Assert.False(SshPublicKey.TryParse(Rsa(e, Modulus(2047)), out _));
        Assert.True(SshPublicKey.TryParse(Rsa(e, Modulus(2048)), out _));
        Assert.True(SshPublicKey.TryParse(Rsa(e, Modulus(16384)), out _));
        Assert.False(SshPublicKey.TryParse(Rsa(e, Modulus(16385)), out _));
        Assert.False(SshPublicKey.TryParse(Rsa(e, Modulus(65536)), out _));
        Assert.True(SshPublicKey.TryParse(Rsa([3], Modulus(2048)), out _));
        Assert.True(SshPublicKey.TryParse(Rsa([0xff, 0xff, 0xff, 0xff], Modulus(2048)), out _));
        Assert.False(SshPublicKey.TryParse(Rsa([1, 0, 0, 0, 1], Modulus(2048)), out _));
        Assert.False(SshPublicKey.TryParse(Rsa([1], Modulus(2048)), out _));
        Assert.False(SshPublicKey.TryParse(Rsa([2], Modulus(2048)), out _));
        Assert.False(SshPublicKey.TryParse(Rsa([], Modulus(2048)), out _));
        var even = Modulus(2048);
        even[^1] &= 0xfe;
        Assert.False(SshPublicKey.TryParse(Rsa(e, even), out _));
    }

    // The dearest RSA key that is accepted; its verification stays far below what a key exchange costs an attacker anyway.
    [Fact]
    public void Verify_LargestRsaKey_CostsBoundedTime()
    {
        var modulus = new byte[2048];
        modulus.AsSpan().Fill(0xff);
        Assert.True(SshPublicKey.TryParse(Rsa([0xff, 0xff, 0xff, 0xff], modulus), out var key));
        var signature = new byte[2048];
        signature.AsSpan().Fill(0xaa);
        var blob = SshKeygen.Strings("rsa-sha2-512", signature);
        Assert.Equal(SignatureCheck.Bad, key.Verify([], blob, "rsa-sha2-512"));

        // The processor's time of this thread: what else runs on the machine is not in it.
        var best = Enumerable.Range(0, 20).Min(_ =>
        {
            var start = ThreadTime();
            Assert.Equal(SignatureCheck.Bad, key.Verify([], blob, "rsa-sha2-512"));
            return ThreadTime() - start;
        });
        Assert.True(best < TimeSpan.FromMilliseconds(250), $"{best.TotalMilliseconds} ms");
    }

    [Fact]
    public void TryParse_EcdsaPointOffTheCurve_IsRefused()
    {
        foreach (var (name, curve) in new[] { ("nistp256", ECCurve.NamedCurves.nistP256), ("nistp384", ECCurve.NamedCurves.nistP384), ("nistp521", ECCurve.NamedCurves.nistP521) })
        {
            using var ecdsa = ECDsa.Create(curve);
            var q = ecdsa.ExportParameters(false).Q;
            byte[] point = [4, .. q.X!, .. q.Y!];
            var type = "ecdsa-sha2-" + name;
            Assert.True(SshPublicKey.TryParse(SshKeygen.Strings(type, name, point), out var key));
            Assert.Equal(type, key.KeyType);

            var off = (byte[])point.Clone();
            off[^1] ^= 1;
            Assert.False(SshPublicKey.TryParse(SshKeygen.Strings(type, name, off), out _));
            Assert.False(SshPublicKey.TryParse(SshKeygen.Strings(type, name, new byte[] { 0 }), out _)); // infinity
            Assert.False(SshPublicKey.TryParse(SshKeygen.Strings(type, name, new byte[point.Length]), out _));
            Assert.False(SshPublicKey.TryParse(SshKeygen.Strings(type, name, (byte[])[4, .. new byte[point.Length - 1]]), out _)); // (0, 0)
            Assert.False(SshPublicKey.TryParse(SshKeygen.Strings(type, name, (byte[])[(byte)(2 + (q.Y![^1] & 1)), .. q.X!]), out _)); // compressed
            Assert.False(SshPublicKey.TryParse(SshKeygen.Strings(type, "nistp224", point), out _));
            Assert.False(SshPublicKey.TryParse(SshKeygen.Strings(type, name, point, ""), out _)); // trailing

            // x + p: the same point in another encoding, where it fits.
            var p = new BigInteger(ecdsa.ExportExplicitParameters(false).Curve.Prime, true, true);
            var x = (new BigInteger(q.X, true, true) + p).ToByteArray(true, true);
            if (x.Length == q.X!.Length)
            {
                Assert.False(SshPublicKey.TryParse(SshKeygen.Strings(type, name, (byte[])[4, .. x, .. q.Y!]), out _));
            }
        }
    }

    [Fact]
    public void Verify_EcdsaWithZeroOrHugeNumbers_IsRefused()
    {
        var key = keygen.Generate("key", "ecdsa", 256);
        var (signed, _) = keygen.Sign("key", [1]);
        var order = Convert.FromHexString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
        foreach (var r in new[] { [], [1], order, new byte[64] })
        {
            foreach (var s in new[] { [], [1], order })
            {
                var inner = SshKeygen.Encode(buffer =>
                {
                    var writer = new WireWriter(buffer);
                    writer.WriteMpint(r);
                    writer.WriteMpint(s);
                });
                Assert.Equal(SignatureCheck.Bad, key.Verify(signed, SshKeygen.Strings("ecdsa-sha2-nistp256", inner), "ecdsa-sha2-nistp256"));
            }
        }
    }

    [Fact]
    public void TryParse_EveryTruncationAndUnknownTypes_AreRefused()
    {
        foreach (var (type, bits) in new (string, int?)[] { ("ed25519", null), ("ecdsa", 521), ("rsa", 2048) })
        {
            var blob = keygen.Generate("key-" + type, type, bits).Blob.ToArray();
            for (var length = 0; length < blob.Length; length++)
            {
                Assert.False(SshPublicKey.TryParse(blob.AsSpan(0, length), out _));
            }

            Assert.False(SshPublicKey.TryParse([.. blob, 0], out _));
            Assert.True(SshPublicKey.TryParse(blob, out var key));
            Assert.Equal(keygen.PublicKey("key-" + type), key);
            Assert.Equal(blob, key.Blob.ToArray());
        }

        Assert.False(SshPublicKey.TryParse(SshKeygen.Strings("ssh-dss", "x"), out _));
        Assert.False(SshPublicKey.TryParse(SshKeygen.Strings("ssh-ed25519", new byte[32]), out _)); // small order
        Assert.False(SshPublicKey.TryParse(SshKeygen.Strings("ssh-ed25519", new byte[31]), out _));
    }

    [Fact]
    public void TryParse_RandomBytes_NeverThrows()
    {
        var random = new Random(4);
        var seeds = new[] { keygen.Generate("a", "ed25519"), keygen.Generate("b", "ecdsa", 384), keygen.Generate("c", "rsa", 2048) }.Select(k => k.Blob.ToArray()).ToList();
        for (var i = 0; i < 3000; i++)
        {
            var blob = (byte[])seeds[i % 3].Clone();
            for (var j = random.Next(1, 4); j > 0; j--)
            {
                blob[random.Next(blob.Length)] = (byte)random.Next(256);
            }

            if (SshPublicKey.TryParse(blob, out var key))
            {
                Assert.Equal(blob, key.Blob.ToArray());
                _ = key.Verify([], blob, key.KeyType);
            }

            _ = SshCertificate.TryParse(blob, out _);
        }
    }

    // Every algorithm that authentication offers belongs to a type that is parsed here, and SHA-1 and DSA to none.
    [Fact]
    public void AlgorithmsOfAuthentication_AllOfThem_MatchTheTypesOfKeys()
    {
        foreach (var name in PublicKeyAlgorithm.ServerSigAlgs.Split(','))
        {
            var plain = PublicKeyAlgorithm.Find(name)!;
            var certificate = PublicKeyAlgorithm.Find(name.Split('@')[0] + "-cert-v01@openssh.com")!;
            Assert.Equal((name, false), (plain.SignatureAlgorithm, plain.IsCertificate));
            Assert.Equal((name, true), (certificate.SignatureAlgorithm, certificate.IsCertificate));
            Assert.Equal(plain.KeyType, SshKeyAlgorithms.KeyTypeOfCertificate(certificate.KeyType));
        }

        foreach (var refused in new[] { "ssh-rsa", "ssh-dss", "ssh-rsa-cert-v01@openssh.com", "SSH-ED25519", "" })
        {
            Assert.Null(PublicKeyAlgorithm.Find(refused));
        }
    }

    /// <summary>clock_gettime(CLOCK_THREAD_CPUTIME_ID), clock_gettime(2).</summary>
    private static TimeSpan ThreadTime()
    {
        Assert.Equal(0, ClockGetTime(3, out var time));
        return TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromTicks(time.Nanoseconds / TimeSpan.NanosecondsPerTick);
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ClockGetTime(int clock, out TimeSpec time);

    private readonly record struct TimeSpec(long Seconds, long Nanoseconds);

    private static byte[] Rsa(byte[] exponent, byte[] modulus) => SshKeygen.Encode(buffer =>
    {
        var writer = new WireWriter(buffer);
        writer.WriteString("ssh-rsa");
        writer.WriteMpint(exponent);
        writer.WriteMpint(modulus);
    });
}
