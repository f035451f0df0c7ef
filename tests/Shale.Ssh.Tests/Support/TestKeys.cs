using Shale.Ssh.Keys;

namespace Shale.Ssh.Tests.Support;

internal static class TestKeys
{
    public static IReadOnlyList<HostKey> CreateHostKeys() => [Ed25519HostKey.Generate(), EcdsaHostKey.Generate("nistp256")];
}
