using Shale.Ssh.Keys;

namespace Shale.Ssh.Tests.Support;

/// <summary>Host keys of each type, made once: an RSA key takes a while.</summary>
internal static class TestKeys
{
    private static readonly Lazy<IReadOnlyList<HostKey>> Keys = new(() => [Ed25519HostKey.Generate(), EcdsaHostKey.Generate("nistp256"), RsaHostKey.Generate(3072)]);

    public static IReadOnlyList<HostKey> HostKeys => Keys.Value;
}
