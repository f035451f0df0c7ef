using System.Reflection;
using System.Runtime.InteropServices;

namespace Shale.Crypto.Native;

/// <summary>A native library that Shale.Crypto loads by its soname.</summary>
/// <param name="SoName">The name that the dynamic loader resolves.</param>
/// <param name="Purpose">What it is needed for.</param>
/// <param name="HowToInstall">What a user runs to get it.</param>
public sealed record NativeDependency(string SoName, string Purpose, string HowToInstall)
{
    /// <summary>Whether the dynamic loader finds the library on this machine.</summary>
    public bool IsAvailable => NativeLibrary.TryLoad(SoName, out _);
}

/// <summary>The native libraries behind this assembly, and the resolver that explains a missing one.</summary>
public static class NativeLibraries
{
    internal const string CryptoSoName = "libcrypto.so.3";
    internal const string Secp256k1SoName = "libsecp256k1.so.1";

    private static int s_registered;

    /// <summary>All native libraries that Shale.Crypto uses, for diagnosis of a machine.</summary>
    public static IReadOnlyList<NativeDependency> All { get; } =
    [
        new(CryptoSoName, "OpenSSL 3: X25519, Ed25519, ChaCha20, Poly1305, AES-CTR, Diffie-Hellman", "apt-get install libssl3 (Debian 12), libssl3t64 (Debian 13, Ubuntu 24.04)"),
        new(Secp256k1SoName, "libsecp256k1: signatures of Ethereum transactions and of their senders", "apt-get install libsecp256k1-1 (Debian 12, Ubuntu 24.04)"),
    ];

    // Idempotent: every class that imports calls it from its static constructor, and only one resolver per assembly may be set.
    internal static void Register()
    {
        if (Interlocked.Exchange(ref s_registered, 1) == 0)
        {
            NativeLibrary.SetDllImportResolver(typeof(NativeLibraries).Assembly, Resolve);
        }
    }

    internal static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath)
    {
        if (NativeLibrary.TryLoad(name, out var handle))
        {
            return handle;
        }

        throw new DllNotFoundException(Missing(name));
    }

    internal static string Missing(string name)
    {
        var known = All.FirstOrDefault(d => d.SoName == name);
        return known is null
            ? $"The native library {name} was not found."
            : $"The native library {name} was not found ({known.Purpose}). Install it: {known.HowToInstall}.";
    }
}
