using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Shale.Crypto.Native;

/// <summary>The part of OpenSSL 3's libcrypto that Shale uses and the BCL does not offer.</summary>
internal static unsafe partial class LibCrypto
{
    internal const int EvpPkeyX25519 = 1034;
    internal const int EvpPkeyEd25519 = 1087;

    private const string Library = NativeLibraries.CryptoSoName;

#pragma warning disable CA1810 // The resolver must stand before the first import binds.
    static LibCrypto() => NativeLibraries.Register();
#pragma warning restore CA1810

    /// <summary>Turns a failed call into an exception and leaves the thread's OpenSSL error queue empty (the BCL shares it).</summary>
    internal static CryptographicException Failure(string function)
    {
        var code = PeekLastError();
        ClearErrors();
        var text = stackalloc byte[256];
        ErrorString(code, text, 256);
        return new CryptographicException($"{function} failed: {Marshal.PtrToStringUTF8((nint)text)}.");
    }

    internal static void Check(int result, string function)
    {
        if (result <= 0)
        {
            throw Failure(function);
        }
    }

    internal static T Check<T>(T handle, string function)
        where T : SafeHandle
    {
        if (handle.IsInvalid)
        {
            handle.Dispose();
            throw Failure(function);
        }

        return handle;
    }

    [LibraryImport(Library, EntryPoint = "ERR_clear_error")]
    internal static partial void ClearErrors();

    [LibraryImport(Library, EntryPoint = "ERR_peek_last_error")]
    internal static partial nuint PeekLastError();

    [LibraryImport(Library, EntryPoint = "ERR_error_string_n")]
    internal static partial void ErrorString(nuint code, byte* buffer, nuint length);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_new_raw_private_key")]
    internal static partial EvpKeyHandle NewRawPrivateKey(int type, nint engine, byte* key, nuint length);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_new_raw_public_key")]
    internal static partial EvpKeyHandle NewRawPublicKey(int type, nint engine, byte* key, nuint length);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_get_raw_public_key")]
    internal static partial int GetRawPublicKey(EvpKeyHandle key, byte* output, nuint* length);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_free")]
    internal static partial void FreeKey(nint key);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_CTX_new")]
    internal static partial KeyContextHandle NewKeyContext(EvpKeyHandle key, nint engine);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_CTX_free")]
    internal static partial void FreeKeyContext(nint context);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_derive_init")]
    internal static partial int DeriveInit(KeyContextHandle context);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_derive_set_peer")]
    internal static partial int DeriveSetPeer(KeyContextHandle context, EvpKeyHandle peer);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_derive")]
    internal static partial int Derive(KeyContextHandle context, byte* output, nuint* length);

    [LibraryImport(Library, EntryPoint = "EVP_MD_CTX_new")]
    internal static partial DigestContextHandle NewDigestContext();

    [LibraryImport(Library, EntryPoint = "EVP_MD_CTX_free")]
    internal static partial void FreeDigestContext(nint context);

    [LibraryImport(Library, EntryPoint = "EVP_DigestSignInit")]
    internal static partial int DigestSignInit(DigestContextHandle context, nint keyContext, nint digest, nint engine, EvpKeyHandle key);

    [LibraryImport(Library, EntryPoint = "EVP_DigestSign")]
    internal static partial int DigestSign(DigestContextHandle context, byte* signature, nuint* signatureLength, byte* data, nuint length);

    [LibraryImport(Library, EntryPoint = "EVP_DigestVerifyInit")]
    internal static partial int DigestVerifyInit(DigestContextHandle context, nint keyContext, nint digest, nint engine, EvpKeyHandle key);

    [LibraryImport(Library, EntryPoint = "EVP_DigestVerify")]
    internal static partial int DigestVerify(DigestContextHandle context, byte* signature, nuint signatureLength, byte* data, nuint length);

    [LibraryImport(Library, EntryPoint = "EVP_chacha20")]
    internal static partial nint ChaCha20Cipher();

    [LibraryImport(Library, EntryPoint = "EVP_aes_128_ctr")]
    internal static partial nint Aes128Ctr();

    [LibraryImport(Library, EntryPoint = "EVP_aes_192_ctr")]
    internal static partial nint Aes192Ctr();

    [LibraryImport(Library, EntryPoint = "EVP_aes_256_ctr")]
    internal static partial nint Aes256Ctr();

    [LibraryImport(Library, EntryPoint = "EVP_CIPHER_CTX_new")]
    internal static partial CipherContextHandle NewCipherContext();

    [LibraryImport(Library, EntryPoint = "EVP_CIPHER_CTX_free")]
    internal static partial void FreeCipherContext(nint context);

    [LibraryImport(Library, EntryPoint = "EVP_EncryptInit_ex")]
    internal static partial int EncryptInit(CipherContextHandle context, nint cipher, nint engine, byte* key, byte* iv);

    [LibraryImport(Library, EntryPoint = "EVP_EncryptUpdate")]
    internal static partial int EncryptUpdate(CipherContextHandle context, byte* output, int* written, byte* input, int length);

    [LibraryImport(Library, EntryPoint = "EVP_PBE_scrypt")]
    internal static partial int Scrypt(byte* passphrase, nuint passphraseLength, byte* salt, nuint saltLength, ulong n, ulong r, ulong p, ulong maxMemory, byte* key, nuint keyLength);

    [LibraryImport(Library, EntryPoint = "EVP_MAC_fetch")]
    internal static partial nint FetchMac(nint library, byte* algorithm, byte* properties);

    [LibraryImport(Library, EntryPoint = "EVP_MAC_CTX_new")]
    internal static partial MacContextHandle NewMacContext(nint mac);

    [LibraryImport(Library, EntryPoint = "EVP_MAC_CTX_free")]
    internal static partial void FreeMacContext(nint context);

    [LibraryImport(Library, EntryPoint = "EVP_MAC_init")]
    internal static partial int MacInit(MacContextHandle context, byte* key, nuint length, nint parameters);

    [LibraryImport(Library, EntryPoint = "EVP_MAC_update")]
    internal static partial int MacUpdate(MacContextHandle context, byte* data, nuint length);

    [LibraryImport(Library, EntryPoint = "EVP_MAC_final")]
    internal static partial int MacFinal(MacContextHandle context, byte* output, nuint* written, nuint size);

    [LibraryImport(Library, EntryPoint = "BN_new")]
    internal static partial BigNumberHandle NewBigNumber();

    [LibraryImport(Library, EntryPoint = "BN_secure_new")]
    internal static partial BigNumberHandle NewSecureBigNumber();

    [LibraryImport(Library, EntryPoint = "BN_bin2bn")]
    internal static partial nint BigNumberFromBytes(byte* bytes, int length, BigNumberHandle result);

    [LibraryImport(Library, EntryPoint = "BN_bn2binpad")]
    internal static partial int BigNumberToBytes(BigNumberHandle number, byte* bytes, int length);

    [LibraryImport(Library, EntryPoint = "BN_set_flags")]
    internal static partial void SetBigNumberFlags(BigNumberHandle number, int flags);

    [LibraryImport(Library, EntryPoint = "BN_clear_free")]
    internal static partial void FreeBigNumber(nint number);

    [LibraryImport(Library, EntryPoint = "BN_CTX_new")]
    internal static partial BigNumberContextHandle NewBigNumberContext();

    [LibraryImport(Library, EntryPoint = "BN_CTX_free")]
    internal static partial void FreeBigNumberContext(nint context);

    [LibraryImport(Library, EntryPoint = "BN_mod_exp_mont_consttime")]
    internal static partial int ModExpConstantTime(BigNumberHandle result, BigNumberHandle value, BigNumberHandle exponent, BigNumberHandle modulus, BigNumberContextHandle context, nint montgomery);
}
