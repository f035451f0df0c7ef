using System.Buffers.Binary;
using System.Security.Cryptography;
using Shale.Crypto;
using Shale.Ssh.Keys;
using Shale.Wire;
using Xunit;

namespace Shale.Ssh.Tests.Keys;

/// <summary>A FIDO authenticator in software, after OpenSSH's PROTOCOL.u2f; ssh-keygen -Y verify says whether it is one.</summary>
public sealed class SecurityKeyTests : IDisposable
{
    private readonly SshKeygen keygen = new();

    public void Dispose() => keygen.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Verify_SoftwareAuthenticator_AgreesWithSshKeygenOnValidity(bool ed25519)
    {
        var authenticator = new Authenticator(ed25519, "ssh:");
        var message = "pay"u8.ToArray();
        var signature = authenticator.Sign(SshKeygen.Signed(message), flags: 1, counter: 42);
        Assert.True(authenticator.Key.IsSecurityKey);
        Assert.True(keygen.Verify(authenticator.Key, message, signature));
        Assert.Equal(SignatureCheck.Ok, authenticator.Verify(SshKeygen.Signed(message), signature));
        Assert.Equal(SignatureCheck.Ok, authenticator.Key.Verify(SshKeygen.Signed(message), signature, authenticator.Algorithm, SecurityKeyPolicy.RequirePresence, out var assertion));
        Assert.Equal(new SecurityKeyAssertion(1, 42), assertion);

        for (var at = 0; at < signature.Length; at++)
        {
            var bad = (byte[])signature.Clone();
            bad[at] ^= 1;
            Assert.NotEqual(SignatureCheck.Ok, authenticator.Verify(SshKeygen.Signed(message), bad));
        }

        // A flag set afterwards, an application of another name: ssh-keygen refuses them too.
        var flagged = (byte[])signature.Clone();
        flagged[^5] |= 4;
        Assert.False(keygen.Verify(authenticator.Key, message, flagged));
        Assert.Equal(SignatureCheck.Bad, authenticator.Verify(SshKeygen.Signed(message), flagged));
        var other = authenticator.Renamed("ssh:other");
        Assert.False(keygen.Verify(other.Key, message, signature));
        Assert.Equal(SignatureCheck.Bad, other.Verify(SshKeygen.Signed(message), signature));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Verify_WithoutPresenceOrVerification_IsRefusedUnlessNotRequired(bool ed25519)
    {
        var authenticator = new Authenticator(ed25519, "ssh:");
        byte[] data = [1, 2, 3];
        var untouched = authenticator.Sign(data, flags: 0, counter: 1);
        var touched = authenticator.Sign(data, flags: 1, counter: 2);
        var verified = authenticator.Sign(data, flags: 5, counter: 3);
        Assert.Equal(SignatureCheck.NoUserPresence, authenticator.Verify(data, untouched));
        Assert.Equal(SignatureCheck.Ok, authenticator.Verify(data, touched));
        SignatureCheck With(byte[] signature, SecurityKeyPolicy policy) => authenticator.Key.Verify(data, signature, authenticator.Algorithm, policy, out _);
        Assert.Equal(SignatureCheck.Ok, With(untouched, SecurityKeyPolicy.None));
        Assert.Equal(SignatureCheck.NoUserVerification, With(touched, SecurityKeyPolicy.RequirePresence | SecurityKeyPolicy.RequireVerification));
        Assert.Equal(SignatureCheck.Ok, With(verified, SecurityKeyPolicy.RequirePresence | SecurityKeyPolicy.RequireVerification));

        // Not the signature of the plain algorithm, and not without flags and counter.
        Assert.Equal(SignatureCheck.AlgorithmMismatch, authenticator.Key.Verify(data, touched, ed25519 ? "ssh-ed25519" : "ecdsa-sha2-nistp256"));
        Assert.Equal(SignatureCheck.Bad, authenticator.Verify(data, touched[..^5]));
    }

    [Fact]
    public void TryParse_KeyOfSshKeygenFormat_RoundTrips()
    {
        foreach (var ed25519 in new[] { true, false })
        {
            var key = new Authenticator(ed25519, "ssh:shale").Key;
            File.WriteAllText(keygen.PathOf("sk.pub"), key + " comment\n");
            Assert.Equal(key.Fingerprint, keygen.Run("-l", "-f", "sk.pub").Split(' ')[1]);
            Assert.Equal(key, keygen.PublicKey("sk"));
            for (var length = 0; length < key.Blob.Length; length++)
            {
                Assert.False(SshPublicKey.TryParse(key.Blob.Span[..length], out _));
            }
        }
    }

    internal sealed class Authenticator
    {
        private readonly byte[] seed = RandomNumberGenerator.GetBytes(32);
        private readonly ECDsa ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        private readonly bool ed25519;
        private readonly string application;

        internal Authenticator(bool ed25519, string application)
        {
            this.ed25519 = ed25519;
            this.application = application;
            Key = MakeKey(application);
        }

        internal SshPublicKey Key { get; private set; }

        internal string Algorithm => ed25519 ? "sk-ssh-ed25519@openssh.com" : "sk-ecdsa-sha2-nistp256@openssh.com";

        internal Authenticator Renamed(string name)
        {
            var copy = (Authenticator)MemberwiseClone();
            copy.Key = MakeKey(name);
            return copy;
        }

        internal SignatureCheck Verify(byte[] data, byte[] signature) => Key.Verify(data, signature, Algorithm);

        internal byte[] Sign(byte[] data, byte flags, uint counter)
        {
            var trailer = new byte[5];
            trailer[0] = flags;
            BinaryPrimitives.WriteUInt32BigEndian(trailer.AsSpan(1), counter);
            byte[] signed = [.. SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(application)), .. trailer, .. SHA256.HashData(data)];
            byte[] inner;
            if (ed25519)
            {
                inner = new byte[64];
                Ed25519.Sign(seed, signed, inner);
            }
            else
            {
                var rs = ecdsa.SignData(signed, HashAlgorithmName.SHA256);
                inner = SshKeygen.Encode(buffer =>
                {
                    var writer = new WireWriter(buffer);
                    writer.WriteMpint(rs.AsSpan(0, 32));
                    writer.WriteMpint(rs.AsSpan(32));
                });
            }

            return [.. SshKeygen.Strings(Algorithm, inner), .. trailer];
        }

        private SshPublicKey MakeKey(string name)
        {
            byte[] blob;
            if (ed25519)
            {
                var point = new byte[32];
                Ed25519.DerivePublicKey(seed, point);
                blob = SshKeygen.Strings(Algorithm, point, name);
            }
            else
            {
                var q = ecdsa.ExportParameters(false).Q;
                blob = SshKeygen.Strings(Algorithm, "nistp256", (byte[])[4, .. q.X!, .. q.Y!], name);
            }

            Assert.True(SshPublicKey.TryParse(blob, out var key));
            return key;
        }
    }
}
