using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Shale.Crypto;

namespace Shale.Chain.Accounts;

/// <summary>Why a key file gave no key.</summary>
public enum KeystoreFault
{
    /// <summary>It gave one.</summary>
    None,

    /// <summary>Not JSON, or without what a keystore has, or with values of the wrong form.</summary>
    Malformed,

    /// <summary>Another version than 3.</summary>
    Version,

    /// <summary>A key derivation function other than scrypt and PBKDF2 with HMAC-SHA-256, or a derived key shorter than 32 bytes.</summary>
    Derivation,

    /// <summary>A cipher other than AES-128-CTR.</summary>
    Cipher,

    /// <summary>Parameters outside the function's bounds, or so dear that a planted file could keep a machine busy.</summary>
    Cost,

    /// <summary>The passphrase is another one: the MAC doesn't match.</summary>
    Passphrase,

    /// <summary>The passphrase is right, and what is encrypted is no secp256k1 key, or the key of another address than the file's.</summary>
    Key,
}

/// <summary>What a passphrase costs to try: scrypt's parameters (RFC 7914).</summary>
/// <param name="N">A power of two.</param>
/// <param name="R">Block size.</param>
/// <param name="P">Parallelisation.</param>
public readonly record struct KeystoreCost(int N, int R, int P)
{
    /// <summary>256 MiB, about a second: what geth writes.</summary>
    public static KeystoreCost Standard { get; } = new(1 << 18, 8, 1);

    /// <summary>4 MiB: for keys that are worth nothing, whose passphrase lies beside them.</summary>
    public static KeystoreCost Light { get; } = new(1 << 12, 8, 1);
}

/// <summary>Web3 Secret Storage, version 3 (https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage): a private key under a passphrase.</summary>
public static class Keystore
{
    /// <summary>No key file is larger.</summary>
    public const int MaxSize = 64 * 1024;

    // What a reader spends at most on a file from anywhere: four times the memory that geth's and the specification's files take, ten million rounds.
    private const long MaxMemory = 1L << 30;
    private const long MaxScryptWork = 1L << 26;
    private const int MaxIterations = 10_000_000;
    private const int KeySize = 16;
    private const int DerivedSize = 32;
    private const int MaxDerivedSize = 1024;
    private const int IvSize = 16;

    private static readonly JsonWriterOptions Layout = new() { Indented = true };
    private static readonly UTF8Encoding Utf8 = new(false, false);

    /// <summary>Encrypts a private key with scrypt and AES-128-CTR.</summary>
    /// <param name="privateKey">32 bytes, valid.</param>
    /// <param name="passphrase">The passphrase; UTF-8 of it is what is hashed.</param>
    /// <param name="cost">What the passphrase costs to try.</param>
    /// <returns>The file's bytes.</returns>
    public static byte[] Encrypt(ReadOnlySpan<byte> privateKey, ReadOnlySpan<char> passphrase, KeystoreCost cost)
    {
        var address = EvmAddresses.FromPrivateKey(privateKey);
        byte[] salt = RandomNumberGenerator.GetBytes(32), iv = RandomNumberGenerator.GetBytes(IvSize);
        var ciphertext = new byte[privateKey.Length];
        var derived = new byte[DerivedSize];
        var secret = Bytes(passphrase);
        try
        {
            if (!Scrypt.TryDeriveKey(secret, salt, (ulong)cost.N, (ulong)cost.R, (ulong)cost.P, MaxMemory, derived))
            {
                throw new ArgumentException("scrypt's parameters are out of bounds.", nameof(cost));
            }

            using (var cipher = new AesCtr(derived.AsSpan(0, KeySize), iv))
            {
                cipher.Process(privateKey, ciphertext);
            }

            using var buffer = new MemoryStream();
            using (var json = new Utf8JsonWriter(buffer, Layout))
            {
                json.WriteStartObject();
                json.WriteString("address", Convert.ToHexStringLower(address.ToArray()));
                json.WriteStartObject("crypto");
                json.WriteString("cipher", "aes-128-ctr");
                json.WriteString("ciphertext", Convert.ToHexStringLower(ciphertext));
                json.WriteStartObject("cipherparams");
                json.WriteString("iv", Convert.ToHexStringLower(iv));
                json.WriteEndObject();
                json.WriteString("kdf", "scrypt");
                json.WriteStartObject("kdfparams");
                json.WriteNumber("dklen", DerivedSize);
                json.WriteNumber("n", cost.N);
                json.WriteNumber("p", cost.P);
                json.WriteNumber("r", cost.R);
                json.WriteString("salt", Convert.ToHexStringLower(salt));
                json.WriteEndObject();
                json.WriteString("mac", Convert.ToHexStringLower(Mac(derived, ciphertext)));
                json.WriteEndObject();
                json.WriteString("id", Guid.NewGuid().ToString("D", CultureInfo.InvariantCulture));
                json.WriteNumber("version", 3);
                json.WriteEndObject();
            }

            return buffer.ToArray();
        }
        finally
        {
            CryptographicOperations.ZeroMemory(derived);
            CryptographicOperations.ZeroMemory(secret);
        }
    }

    /// <summary>Decrypts a key file: scrypt or PBKDF2, AES-128-CTR.</summary>
    /// <param name="file">The file's bytes, from anywhere.</param>
    /// <param name="passphrase">The passphrase.</param>
    /// <param name="privateKey">32 bytes, for the caller to zero.</param>
    /// <returns>What is wrong with the file, or <see cref="KeystoreFault.None"/>.</returns>
    public static KeystoreFault TryDecrypt(ReadOnlySpan<byte> file, ReadOnlySpan<char> passphrase, out byte[] privateKey)
    {
        privateKey = [];
        var fault = TryReadFields(file, out var fields);
        if (fault != KeystoreFault.None)
        {
            return fault;
        }

        var derived = new byte[fields.DerivedSize];
        var secret = Bytes(passphrase);
        try
        {
            if (fields.Iterations > 0)
            {
                Rfc2898DeriveBytes.Pbkdf2(secret, fields.Salt, derived, fields.Iterations, HashAlgorithmName.SHA256);
            }
            else if (!Scrypt.TryDeriveKey(secret, fields.Salt, (ulong)fields.Cost.N, (ulong)fields.Cost.R, (ulong)fields.Cost.P, MaxMemory, derived))
            {
                return KeystoreFault.Cost;
            }

            if (!CryptographicOperations.FixedTimeEquals(Mac(derived, fields.Ciphertext), fields.Mac))
            {
                return KeystoreFault.Passphrase;
            }

            privateKey = new byte[Secp256k1.PrivateKeySize];
            using (var cipher = new AesCtr(derived.AsSpan(0, KeySize), fields.Iv))
            {
                cipher.Process(fields.Ciphertext, privateKey);
            }

            if (Secp256k1.IsValidPrivateKey(privateKey) && (fields.Address is null || fields.Address == EvmAddresses.FromPrivateKey(privateKey)))
            {
                return KeystoreFault.None;
            }

            CryptographicOperations.ZeroMemory(privateKey);
            privateKey = [];
            return KeystoreFault.Key;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(derived);
            CryptographicOperations.ZeroMemory(secret);
        }
    }

    /// <summary>The address that a key file says it is for, without its passphrase. Nothing vouches for it.</summary>
    /// <param name="file">The file's bytes, from anywhere.</param>
    /// <param name="address">The address; null where the file names none, which the specification allows.</param>
    /// <returns>False when the file is no version 3 keystore.</returns>
    public static bool TryReadAddress(ReadOnlySpan<byte> file, out Address? address)
    {
        var fault = TryReadFields(file, out var fields);
        address = fields.Address;
        return fault == KeystoreFault.None;
    }

    /// <summary>What a fault means, to its user.</summary>
    /// <param name="fault">The fault.</param>
    public static string Describe(KeystoreFault fault) => fault switch
    {
        KeystoreFault.Malformed => "it is no Web3 keystore",
        KeystoreFault.Version => "it is a keystore of another version than 3",
        KeystoreFault.Derivation => "its key derivation function is neither scrypt nor PBKDF2 with HMAC-SHA-256",
        KeystoreFault.Cipher => "its cipher is not AES-128-CTR",
        KeystoreFault.Cost => "its key derivation is out of bounds, or would cost more than any honest file's",
        KeystoreFault.Passphrase => "the passphrase is wrong",
        KeystoreFault.Key => "what it holds is not the key of its address",
        _ => "nothing is wrong with it",
    };

    private static KeystoreFault TryReadFields(ReadOnlySpan<byte> file, out Fields fields)
    {
        fields = default;
        if (file.Length is 0 or > MaxSize || !System.Text.Unicode.Utf8.IsValid(file))
        {
            return KeystoreFault.Malformed;
        }

        try
        {
            var reader = new Utf8JsonReader(file, new JsonReaderOptions { MaxDepth = 8 });
            using var document = JsonDocument.ParseValue(ref reader);
            return reader.BytesConsumed == file.Length || file[(int)reader.BytesConsumed..].Trim(" \r\n\t"u8).IsEmpty ? Read(document.RootElement, out fields) : KeystoreFault.Malformed;
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escaped half of a surrogate pair, found when a text is read.
            return KeystoreFault.Malformed;
        }
    }

    private static KeystoreFault Read(JsonElement root, out Fields fields)
    {
        fields = default;
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("version", out var version))
        {
            return KeystoreFault.Malformed;
        }

        if (version.ValueKind != JsonValueKind.Number || !version.TryGetInt32(out var number) || number != 3)
        {
            return KeystoreFault.Version;
        }

        // Parity wrote "Crypto".
        if (!TryObject(root, "crypto", out var crypto) && !TryObject(root, "Crypto", out crypto))
        {
            return KeystoreFault.Malformed;
        }

        if (!TryText(crypto, "cipher", out var cipher) || !TryText(crypto, "kdf", out var kdf) || !TryObject(crypto, "kdfparams", out var parameters)
            || !TryObject(crypto, "cipherparams", out var cipherParameters) || !TryHex(cipherParameters, "iv", out var iv)
            || !TryHex(crypto, "ciphertext", out var ciphertext) || !TryHex(crypto, "mac", out var mac) || !TryHex(parameters, "salt", out var salt))
        {
            return KeystoreFault.Malformed;
        }

        if (cipher != "aes-128-ctr")
        {
            return KeystoreFault.Cipher;
        }

        if (iv.Length != IvSize || ciphertext.Length != Secp256k1.PrivateKeySize || mac.Length != Keccak256.HashSize)
        {
            return KeystoreFault.Malformed;
        }

        Address? address = null;
        if (root.TryGetProperty("address", out var named))
        {
            var text = named.ValueKind == JsonValueKind.String ? named.GetString()! : "";
            if (!TryHexText(text, out var bytes) || bytes.Length != 20)
            {
                return KeystoreFault.Malformed;
            }

            address = new Address(bytes);
        }

        fields = new Fields { Address = address, Iv = iv, Ciphertext = ciphertext, Mac = mac, Salt = salt };
        return ReadDerivation(kdf, parameters, ref fields);
    }

    private static KeystoreFault ReadDerivation(string kdf, JsonElement parameters, ref Fields fields)
    {
        if (!TryNumber(parameters, "dklen", out var derivedSize))
        {
            return KeystoreFault.Malformed;
        }

        if (derivedSize is < DerivedSize or > MaxDerivedSize)
        {
            return KeystoreFault.Derivation;
        }

        fields.DerivedSize = derivedSize;
        switch (kdf)
        {
            case "scrypt":
                if (!TryNumber(parameters, "n", out var n) || !TryNumber(parameters, "r", out var r) || !TryNumber(parameters, "p", out var p))
                {
                    return KeystoreFault.Malformed;
                }

                fields.Cost = new KeystoreCost(n, r, p);
                return n < 2 || r < 1 || p < 1 || (long)n * r > MaxMemory / 128 || (long)n * r * p > MaxScryptWork ? KeystoreFault.Cost : KeystoreFault.None;
            case "pbkdf2":
                if (!TryText(parameters, "prf", out var prf) || !TryNumber(parameters, "c", out var iterations))
                {
                    return KeystoreFault.Malformed;
                }

                fields.Iterations = iterations;
                return prf != "hmac-sha256" ? KeystoreFault.Derivation : iterations is < 1 or > MaxIterations ? KeystoreFault.Cost : KeystoreFault.None;
            default:
                return KeystoreFault.Derivation;
        }
    }

    private static byte[] Mac(ReadOnlySpan<byte> derived, ReadOnlySpan<byte> ciphertext) => Keccak256.Hash([.. derived[KeySize..DerivedSize], .. ciphertext]);

    private static byte[] Bytes(ReadOnlySpan<char> passphrase)
    {
        var bytes = new byte[Utf8.GetByteCount(passphrase)];
        Utf8.GetBytes(passphrase, bytes);
        return bytes;
    }

    private static bool TryObject(JsonElement parent, string name, out JsonElement value) => parent.TryGetProperty(name, out value) && value.ValueKind == JsonValueKind.Object;

    private static bool TryNumber(JsonElement parent, string name, out int value)
    {
        value = 0;
        return parent.TryGetProperty(name, out var found) && found.ValueKind == JsonValueKind.Number && found.TryGetInt32(out value);
    }

    private static bool TryText(JsonElement parent, string name, [NotNullWhen(true)] out string? value)
    {
        value = parent.TryGetProperty(name, out var found) && found.ValueKind == JsonValueKind.String ? found.GetString() : null;
        return value is not null;
    }

    private static bool TryHex(JsonElement parent, string name, out byte[] value)
    {
        value = [];
        return TryText(parent, name, out var text) && TryHexText(text, out value);
    }

    private static bool TryHexText(string text, out byte[] value)
    {
        var digits = text.StartsWith("0x", StringComparison.Ordinal) ? text[2..] : text;
        var valid = digits.Length % 2 == 0 && digits.All(char.IsAsciiHexDigit);
        value = valid ? Convert.FromHexString(digits) : [];
        return valid;
    }

    private struct Fields
    {
        public Address? Address;
        public byte[] Iv;
        public byte[] Ciphertext;
        public byte[] Mac;
        public byte[] Salt;
        public int DerivedSize;
        public int Iterations;
        public KeystoreCost Cost;
    }
}
