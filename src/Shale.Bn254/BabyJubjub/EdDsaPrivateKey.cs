using System.Security.Cryptography;
using Shale.Bn254.Fields;

namespace Shale.Bn254.BabyJubjub;

/// <summary>
/// A private key of 32 bytes, derived as circomlibjs and @zk-kit/eddsa-poseidon (its BLAKE-1 default) do: BLAKE-512 of the
/// bytes gives the pruned scalar s and the nonces' prefix; A = (s/8)·Base8. Signing is deterministic. What touches the secret
/// runs in fixed time as far as managed code can promise: no branch and no table index depends on it, but the JIT and the
/// garbage collector give no guarantee, and copies of locals on the stack are not all erased.
/// </summary>
public sealed class EdDsaPrivateKey : IDisposable
{
    /// <summary>Bytes of a private key.</summary>
    public const int Size = 32;

    // Pinned, so that the collector leaves no copies behind: s reduced modulo l, then the prefix.
    private readonly byte[] _secret = GC.AllocateArray<byte>(64, pinned: true);
    private bool _disposed;

    /// <summary>Derives scalar, prefix and public key.</summary>
    /// <exception cref="ArgumentException">Not 32 bytes.</exception>
    public EdDsaPrivateKey(ReadOnlySpan<byte> seed)
    {
        if (seed.Length != Size)
        {
            throw new ArgumentException("A private key has 32 bytes.", nameof(seed));
        }

        Blake512.Hash(seed, _secret);
        Span<byte> scalar = _secret.AsSpan(0, 32);
        scalar[0] &= 0xF8;
        scalar[31] &= 0x7F;
        scalar[31] |= 0x40;

        // s is a multiple of 8 as an integer, so s·Base8/8 is (s >> 3)·Base8 also after the reduction modulo l.
        Limbs4 eighth = Limbs4.ReadLittleEndian(scalar).ShiftRight(3);
        Span<byte> eighthBytes = stackalloc byte[32];
        eighth.WriteLittleEndian(eighthBytes);
        BabyJubjubPoint point = FixedBase.MultiplyFixedTime(BabyJubjubScalar.ReduceLittleEndian(eighthBytes)).ToAffineFixedTime();
        BabyJubjubScalar.ReduceLittleEndian(scalar).ToBytes(scalar);
        CryptographicOperations.ZeroMemory(eighthBytes);
        PublicKey = EdDsaPublicKey.TryCreate(point, out EdDsaPublicKey? key)
            ? key
            : throw new CryptographicException("The key has order 1.");
    }

    /// <summary>A.</summary>
    public EdDsaPublicKey PublicKey { get; }

    /// <summary>A new random key.</summary>
    public static EdDsaPrivateKey Generate()
    {
        Span<byte> seed = stackalloc byte[Size];
        RandomNumberGenerator.Fill(seed);
        var key = new EdDsaPrivateKey(seed);
        CryptographicOperations.ZeroMemory(seed);
        return key;
    }

    /// <summary>Signs a field element (circomlibjs <c>signPoseidon</c>).</summary>
    public EdDsaSignature Sign(in Fr message)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Span<byte> nonceInput = stackalloc byte[64], nonce = stackalloc byte[Blake512.HashSize];
        _secret.AsSpan(32, 32).CopyTo(nonceInput);
        message.ToBytesLittleEndian(nonceInput[32..]);
        Blake512.Hash(nonceInput, nonce);
        BabyJubjubScalar r = BabyJubjubScalar.ReduceLittleEndian(nonce);
        BabyJubjubPoint r8 = FixedBase.MultiplyFixedTime(r).ToAffineFixedTime();
        BabyJubjubScalar challenge = EdDsa.Challenge(r8, PublicKey.Point, message);
        BabyJubjubScalar s = r + (challenge * BabyJubjubScalar.ReduceLittleEndian(_secret.AsSpan(0, 32)));
        CryptographicOperations.ZeroMemory(nonceInput);
        CryptographicOperations.ZeroMemory(nonce);
        return new EdDsaSignature(r8, s);
    }

    /// <summary>Erases the secret.</summary>
    public void Dispose()
    {
        _disposed = true;
        CryptographicOperations.ZeroMemory(_secret);
    }

    /// <summary>Never the secret.</summary>
    public override string ToString() => $"private key of {PublicKey}";
}
