using Shale.Bn254.Fields;

namespace Shale.Bn254.BabyJubjub;

/// <summary>
/// EdDSA over BabyJubjub with Poseidon, as circomlib's <c>EdDSAPoseidonVerifier</c> checks it:
/// S·Base8 = R8 + h·8·A, h = Poseidon(R8.x, R8.y, A.x, A.y, M). Beyond circomlib, points off the curve and of small order are
/// refused; what is accepted here the circuit accepts too.
/// </summary>
public static class EdDsa
{
    /// <summary>The public key of a 32-byte private key.</summary>
    public static EdDsaPublicKey PublicKey(ReadOnlySpan<byte> privateKey)
    {
        using var key = new EdDsaPrivateKey(privateKey);
        return key.PublicKey;
    }

    /// <summary>Signs with a 32-byte private key; <see cref="EdDsaPrivateKey"/> saves the derivation when signing often.</summary>
    public static EdDsaSignature Sign(ReadOnlySpan<byte> privateKey, in Fr message)
    {
        using var key = new EdDsaPrivateKey(privateKey);
        return key.Sign(message);
    }

    /// <summary>True when the signature is good. Everything here is public: the time depends on it.</summary>
    public static bool Verify(EdDsaPublicKey publicKey, in Fr message, in EdDsaSignature signature)
    {
        BabyJubjubScalar challenge = Challenge(signature.R8, publicKey.Point, message);
        ExtendedPoint expected = FixedBase.Multiply(signature.S)
            .Add(MultiScalar.Multiply(publicKey.OddMultiples, -challenge));

        // Both terms lie in the prime subgroup, so an R8 off the curve or with torsion cannot equal their sum; of the points of
        // small order only the neutral one is there.
        return !expected.IsIdentity && expected.Equals(signature.R8);
    }

    /// <summary>The same from encoded bytes: a 32-byte key and a 64-byte signature.</summary>
    public static bool Verify(ReadOnlySpan<byte> publicKey, in Fr message, ReadOnlySpan<byte> signature) =>
        EdDsaPublicKey.TryRead(publicKey, out EdDsaPublicKey? key) &&
        EdDsaSignature.TryRead(signature, out EdDsaSignature parsed) &&
        Verify(key, message, parsed);

    /// <summary>
    /// Verifies many signatures by one random linear combination: true when all are good. <see cref="EdDsaBatch"/> says how sure that
    /// is, and saves the memory where many batches are verified.
    /// </summary>
    public static bool VerifyBatch(ReadOnlySpan<EdDsaBatchEntry> entries)
    {
        var batch = new EdDsaBatch(entries.Length);
        batch.Add(entries);
        return batch.Verify();
    }

    /// <summary>h, reduced modulo l.</summary>
    internal static BabyJubjubScalar Challenge(in BabyJubjubPoint r8, in BabyJubjubPoint a, in Fr message) =>
        BabyJubjubScalar.FromFr(Poseidon.Poseidon.Hash(r8.X, r8.Y, a.X, a.Y, message));
}

/// <summary>One signature of a batch.</summary>
/// <param name="PublicKey">The signer.</param>
/// <param name="Message">The signed field element.</param>
/// <param name="Signature">The signature.</param>
public readonly record struct EdDsaBatchEntry(EdDsaPublicKey PublicKey, Fr Message, EdDsaSignature Signature);
