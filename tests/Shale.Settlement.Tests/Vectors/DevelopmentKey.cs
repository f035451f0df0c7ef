using System.Security.Cryptography;
using System.Text;
using Shale.Groth16.Files;
using Shale.Groth16.Setup;
using Shale.Settlement.Tests.Support;

namespace Shale.Settlement.Tests.Vectors;

/// <summary>The key of the published vectors: made anew from its seed, 32 bytes of SHA-256("shale/vectors/settlement-N").</summary>
internal static class DevelopmentKey
{
    private static readonly Lazy<ZKey> Eight = new(() => Create(8));

    public static ZKey OfEight => Eight.Value;

    private static ZKey Create(int slots)
    {
        string path = Path.Combine(TestFolder.Path, $"settlement-{slots}{DevelopmentSetup.RequiredSuffix}");
        DevelopmentSetup.Create(Circuits.OfSize(slots).Constraints, SHA256.HashData(Encoding.ASCII.GetBytes($"shale/vectors/settlement-{slots}")), path);
        return ZKey.TryOpen(path, out ZKey? key, out FileFault fault) ? key : throw new InvalidOperationException(fault.ToString());
    }
}
