using Shale.Crypto.Native;

namespace Shale.Crypto.Tests;

public sealed class NativeLibraryTests
{
    [Fact]
    public void All_OnASetUpMachine_AreAvailable() => Assert.All(NativeLibraries.All, d => Assert.True(d.IsAvailable, d.SoName));

    [Fact]
    public void Resolve_MissingLibrary_SaysWhatAndHowToInstall()
    {
        var known = new NativeDependency("libshale-absent.so.9", "a test", "apt-get install nothing");
        Assert.False(known.IsAvailable);
        var error = Assert.Throws<DllNotFoundException>(() => NativeLibraries.Resolve("libshale-absent.so.9", typeof(X25519).Assembly, null));
        Assert.Contains("libshale-absent.so.9", error.Message, StringComparison.Ordinal);
        Assert.Contains("apt-get install libsecp256k1-1", NativeLibraries.Missing(NativeLibraries.Secp256k1SoName), StringComparison.Ordinal);
    }
}
