using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Shale.Crypto.Native;

/// <summary>The functions of libsecp256k1 that Shale uses. Its callbacks abort the process on misuse, so arguments are checked before they come here.</summary>
internal static unsafe partial class LibSecp256k1
{
    internal const int PublicKeySize = 64; // secp256k1_pubkey, opaque
    internal const int RecoverableSignatureSize = 65; // secp256k1_ecdsa_recoverable_signature, opaque
    internal const int SignatureSize = 64; // secp256k1_ecdsa_signature, opaque
    internal const uint Uncompressed = 1 << 1;
    internal const uint Compressed = (1 << 1) | (1 << 8);

    private const string Library = NativeLibraries.Secp256k1SoName;
    private const uint SignAndVerify = 1 | (1 << 8) | (1 << 9);

    /// <summary>One context for the process, blinded once; after that it is only read, which libsecp256k1 allows from any thread.</summary>
    internal static readonly nint Context = Create();

    private static nint Create()
    {
        NativeLibraries.Register();
        var context = ContextCreate(SignAndVerify);
        var seed = stackalloc byte[32];
        RandomNumberGenerator.Fill(new Span<byte>(seed, 32));
        var blinded = ContextRandomize(context, seed);
        CryptographicOperations.ZeroMemory(new Span<byte>(seed, 32));
        return blinded == 1 ? context : throw new CryptographicException("secp256k1_context_randomize failed.");
    }

    [LibraryImport(Library, EntryPoint = "secp256k1_context_create")]
    private static partial nint ContextCreate(uint flags);

    [LibraryImport(Library, EntryPoint = "secp256k1_context_randomize")]
    private static partial int ContextRandomize(nint context, byte* seed);

    [LibraryImport(Library, EntryPoint = "secp256k1_ec_seckey_verify")]
    internal static partial int VerifySecretKey(nint context, byte* key);

    [LibraryImport(Library, EntryPoint = "secp256k1_ec_pubkey_create")]
    internal static partial int CreatePublicKey(nint context, byte* publicKey, byte* key);

    [LibraryImport(Library, EntryPoint = "secp256k1_ec_pubkey_parse")]
    internal static partial int ParsePublicKey(nint context, byte* publicKey, byte* input, nuint length);

    [LibraryImport(Library, EntryPoint = "secp256k1_ec_pubkey_serialize")]
    internal static partial int SerializePublicKey(nint context, byte* output, nuint* length, byte* publicKey, uint flags);

    [LibraryImport(Library, EntryPoint = "secp256k1_ecdsa_sign_recoverable")]
    internal static partial int SignRecoverable(nint context, byte* signature, byte* hash, byte* key, nint nonceFunction, nint nonceData);

    [LibraryImport(Library, EntryPoint = "secp256k1_ecdsa_recoverable_signature_serialize_compact")]
    internal static partial int SerializeRecoverable(nint context, byte* output, int* recoveryId, byte* signature);

    [LibraryImport(Library, EntryPoint = "secp256k1_ecdsa_recoverable_signature_parse_compact")]
    internal static partial int ParseRecoverable(nint context, byte* signature, byte* input, int recoveryId);

    [LibraryImport(Library, EntryPoint = "secp256k1_ecdsa_recover")]
    internal static partial int Recover(nint context, byte* publicKey, byte* signature, byte* hash);

    [LibraryImport(Library, EntryPoint = "secp256k1_ecdsa_signature_parse_compact")]
    internal static partial int ParseSignature(nint context, byte* signature, byte* input);

    [LibraryImport(Library, EntryPoint = "secp256k1_ecdsa_verify")]
    internal static partial int Verify(nint context, byte* signature, byte* hash, byte* publicKey);
}
