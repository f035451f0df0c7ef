using System.Security.Cryptography;
using Shale.Ssh.Keys;

namespace Shale.Ssh.Tests.Support;

internal static class TestKeys
{
    public static IReadOnlyList<HostKey> CreateHostKeys() => [new HostKey(RandomNumberGenerator.GetBytes(32))];
}
