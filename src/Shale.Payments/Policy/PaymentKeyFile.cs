using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Log;

namespace Shale.Payments.Policy;

/// <summary>Why a key file was not opened.</summary>
public enum KeyFileStatus
{
    /// <summary>Opened.</summary>
    Opened,

    /// <summary>There is no such file.</summary>
    Missing,

    /// <summary>The passphrase is wrong, or the file was changed: authenticated encryption can't tell the two apart.</summary>
    WrongPassphrase,

    /// <summary>It is no key file of a version that this code reads.</summary>
    Malformed,
}

/// <summary>
/// A payment key at rest: JSON, the 32 bytes encrypted with AES-256-GCM under PBKDF2-HMAC-SHA-256 of a passphrase, the public
/// key beside them in the clear and authenticated. Mode 0600. (docs/decisions/0031)
/// </summary>
public static class PaymentKeyFile
{
    /// <summary>OWASP's figure of 2023 for PBKDF2-HMAC-SHA-256.</summary>
    public const int Iterations = 600_000;

    /// <summary>What a file may ask for: more would let a planted file keep the agent busy for minutes.</summary>
    private const int MaxIterations = 10_000_000;

    private const int MinIterations = 100_000;
    private const int SaltSize = 16;
    private const int NonceSize = 12;
    private const int TagSize = 16;
    private const int MaxFileSize = 4096;
    private const string Format = "shale/payment-key/v1";
    private const string Kdf = "pbkdf2-hmac-sha256";
    private const string Cipher = "aes-256-gcm";

    /// <summary>Writes a key; the file must not be there yet.</summary>
    /// <exception cref="IOException">The file is there already, or can't be written.</exception>
    public static void Create(string path, ReadOnlySpan<byte> privateKey, ReadOnlySpan<char> passphrase, int iterations = Iterations)
    {
        if (File.Exists(path))
        {
            throw new IOException($"{path} is there already; a payment key is never overwritten.");
        }

        byte[] salt = RandomNumberGenerator.GetBytes(SaltSize), nonce = RandomNumberGenerator.GetBytes(NonceSize);
        byte[] ciphertext = new byte[EdDsaPrivateKey.Size], tag = new byte[TagSize];
        string publicKey = EdDsa.PublicKey(privateKey).ToString();
        byte[] key = DeriveKey(passphrase, salt, iterations);
        using (var gcm = new AesGcm(key, TagSize))
        {
            gcm.Encrypt(nonce, privateKey, ciphertext, tag, Encoding.UTF8.GetBytes(Format + publicKey));
        }

        CryptographicOperations.ZeroMemory(key);
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(
            new Content(Format, publicKey, Kdf, iterations, salt, Cipher, nonce, ciphertext, tag), KeyFileJson.Default.Content);
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        Directory.CreateDirectory(folder);
        using (var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            file.Write(json);
            file.Flush(flushToDisk: true);
        }

        Durable.FlushFolder(folder);
    }

    /// <summary>Opens a key.</summary>
    public static KeyFileStatus TryOpen(string path, ReadOnlySpan<char> passphrase, out EdDsaPrivateKey? key)
    {
        key = null;
        if (!TryLoad(path, out Content? content, out KeyFileStatus status))
        {
            return status;
        }

        byte[] derived = DeriveKey(passphrase, content.Salt, content.Iterations);
        byte[] seed = new byte[EdDsaPrivateKey.Size];
        try
        {
            using var gcm = new AesGcm(derived, TagSize);
            gcm.Decrypt(content.Nonce, content.Ciphertext, content.Tag, seed, Encoding.UTF8.GetBytes(Format + content.PublicKey));
            key = new EdDsaPrivateKey(seed);
            return KeyFileStatus.Opened;
        }
        catch (AuthenticationTagMismatchException)
        {
            return KeyFileStatus.WrongPassphrase;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(derived);
            CryptographicOperations.ZeroMemory(seed);
        }
    }

    /// <summary>The public key of a file, in hexadecimal, without its passphrase. It is authenticated only when the file is opened.</summary>
    public static string? ReadPublicKey(string path) => TryLoad(path, out Content? content, out _) ? content.PublicKey : null;

    private static bool TryLoad(string path, [NotNullWhen(true)] out Content? content, out KeyFileStatus status)
    {
        content = null;
        status = KeyFileStatus.Malformed;
        try
        {
            var file = new FileInfo(path);
            if (!file.Exists)
            {
                status = KeyFileStatus.Missing;
                return false;
            }

            if (file.Length > MaxFileSize)
            {
                return false;
            }

            content = JsonSerializer.Deserialize(File.ReadAllBytes(path), KeyFileJson.Default.Content);
        }
        catch (JsonException)
        {
            return false;
        }

        return content is { Format: Format, Kdf: Kdf, Cipher: Cipher, Iterations: >= MinIterations and <= MaxIterations } &&
            content.PublicKey?.Length == 2 * EdDsaPublicKey.Size && content.Salt?.Length == SaltSize && content.Nonce?.Length == NonceSize &&
            content.Ciphertext?.Length == EdDsaPrivateKey.Size && content.Tag?.Length == TagSize;
    }

    private static byte[] DeriveKey(ReadOnlySpan<char> passphrase, byte[] salt, int iterations) =>
        Rfc2898DeriveBytes.Pbkdf2(passphrase, salt, iterations, HashAlgorithmName.SHA256, 32);

    internal sealed record Content(
        string Format, string PublicKey, string Kdf, int Iterations, byte[] Salt, string Cipher, byte[] Nonce, byte[] Ciphertext, byte[] Tag);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(PaymentKeyFile.Content))]
internal sealed partial class KeyFileJson : JsonSerializerContext;
