using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Shale.Crypto;

namespace Shale.Payments.Log;

/// <summary>The public key of a note's signer: a name and an Ed25519 key (C2SP signed-note; Go's golang.org/x/mod/sumdb/note).</summary>
public sealed record NoteVerifier
{
    private const byte Ed25519Algorithm = 1;

    private NoteVerifier(string name, byte[] publicKey)
    {
        Name = name;
        PublicKey = publicKey;
        KeyId = ComputeKeyId(name, publicKey);
    }

    /// <summary>The signer's name: what a log calls its origin.</summary>
    public string Name { get; }

    /// <summary>The Ed25519 key, 32 bytes.</summary>
    public ReadOnlyMemory<byte> PublicKey { get; }

    /// <summary>The first four bytes, big-endian, of SHA-256(name ‖ "\n" ‖ 0x01 ‖ key).</summary>
    public uint KeyId { get; }

    /// <summary>Makes the verifier of a key.</summary>
    /// <exception cref="ArgumentException">The name is empty or has a blank or a plus sign, or the key has not 32 bytes.</exception>
    public static NoteVerifier Create(string name, ReadOnlySpan<byte> publicKey) =>
        IsName(name) && publicKey.Length == Ed25519.PublicKeySize
            ? new NoteVerifier(name, publicKey.ToArray())
            : throw new ArgumentException("A signer has a name without blanks or '+', and a key of 32 bytes.", nameof(name));

    /// <summary>Parses the one-line form <c>name+0123abcd+base64</c>.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out NoteVerifier? verifier)
    {
        verifier = null;
        // Base64 has plus signs of its own: only the first two separate.
        var parts = text.Split('+', 3);
        Span<byte> key = stackalloc byte[1 + Ed25519.PublicKeySize];
        if (parts.Length != 3 || !IsName(parts[0]) || !Convert.TryFromBase64String(parts[2], key, out var length) || length != key.Length || key[0] != Ed25519Algorithm)
        {
            return false;
        }

        var parsed = new NoteVerifier(parts[0], key[1..].ToArray());
        verifier = parsed.KeyId.ToString("x8") == parts[1] ? parsed : null;
        return verifier is not null;
    }

    /// <summary>The one-line form <c>name+0123abcd+base64</c>.</summary>
    public override string ToString() => $"{Name}+{KeyId:x8}+{Convert.ToBase64String([Ed25519Algorithm, .. PublicKey.Span])}";

    private static bool IsName(string name) =>
        name.Length is > 0 and <= 255 && !name.Any(c => char.IsWhiteSpace(c) || char.IsControl(c) || c == '+');

    private static uint ComputeKeyId(string name, ReadOnlySpan<byte> publicKey)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData([.. Encoding.UTF8.GetBytes(name), (byte)'\n', Ed25519Algorithm, .. publicKey], hash);
        return BinaryPrimitives.ReadUInt32BigEndian(hash);
    }
}

/// <summary>Signs notes.</summary>
public sealed class NoteSigner : IDisposable
{
    private readonly Ed25519PrivateKey _key;

    /// <summary>Takes a name and the Ed25519 seed (32 bytes), which is copied.</summary>
    public NoteSigner(string name, ReadOnlySpan<byte> seed)
    {
        _key = new Ed25519PrivateKey(seed);
        Span<byte> publicKey = stackalloc byte[Ed25519.PublicKeySize];
        Ed25519.DerivePublicKey(seed, publicKey);
        Verifier = NoteVerifier.Create(name, publicKey);
    }

    /// <summary>The public half.</summary>
    public NoteVerifier Verifier { get; }

    /// <summary>Signs a text, which ends in a line feed: the text, an empty line, and a signature line.</summary>
    public string Sign(string text)
    {
        Span<byte> signature = stackalloc byte[4 + Ed25519.SignatureSize];
        BinaryPrimitives.WriteUInt32BigEndian(signature, Verifier.KeyId);
        _key.Sign(Encoding.UTF8.GetBytes(text), signature[4..]);
        return $"{text}\n\u2014 {Verifier.Name} {Convert.ToBase64String(signature)}\n";
    }

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();
}

/// <summary>A text with signatures (C2SP signed-note).</summary>
public static class SignedNote
{
    /// <summary>No note of ours is longer; Go's reader takes a million.</summary>
    public const int MaxLength = 16 * 1024;

    private const int MaxSignatures = 16;

    /// <summary>Opens a note: its text, if <paramref name="verifier"/> signed it. Lines of other signers are passed over.</summary>
    public static bool TryOpen(string note, NoteVerifier verifier, [NotNullWhen(true)] out string? text)
    {
        text = null;
        if (note.Length > MaxLength || !note.EndsWith('\n') || note.Any(c => c < ' ' && c != '\n'))
        {
            return false;
        }

        var split = note.LastIndexOf("\n\n", StringComparison.Ordinal);
        if (split < 0)
        {
            return false;
        }

        var body = note[..(split + 1)];
        var lines = note[(split + 2)..^1].Split('\n');
        if (lines.Length > MaxSignatures)
        {
            return false;
        }

        var signed = false;
        Span<byte> signature = stackalloc byte[4 + Ed25519.SignatureSize];
        foreach (var line in lines)
        {
            var parts = line.Split(' ');
            if (parts.Length != 3 || parts[0] != "\u2014")
            {
                return false;
            }

            if (parts[1] != verifier.Name || !Convert.TryFromBase64String(parts[2], signature, out var length) || length != signature.Length ||
                BinaryPrimitives.ReadUInt32BigEndian(signature) != verifier.KeyId)
            {
                continue;
            }

            if (!Ed25519.Verify(verifier.PublicKey.Span, Encoding.UTF8.GetBytes(body), signature[4..]))
            {
                return false;
            }

            signed = true;
        }

        text = signed ? body : null;
        return signed;
    }
}
