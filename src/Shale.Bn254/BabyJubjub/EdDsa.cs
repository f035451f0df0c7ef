using System.Runtime.InteropServices;
using System.Security.Cryptography;
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
    /// Verifies many signatures by one random linear combination with 128-bit coefficients: true when all are good; a bad one
    /// passes with probability at most 2^−128. Accepts exactly what <see cref="Verify(EdDsaPublicKey, in Fr, in EdDsaSignature)"/>
    /// accepts: R8 is tested for the subgroup one by one, since torsion can cancel in a combination.
    /// </summary>
    public static bool VerifyBatch(ReadOnlySpan<EdDsaBatchEntry> entries)
    {
        if (entries.IsEmpty)
        {
            return true;
        }

        // Signatures under one key share its term: Σ z·h per key.
        var keys = new Dictionary<EdDsaPublicKey, int>();
        var keyPoints = new List<AffineCachedPoint>();
        var keyScalars = new List<BabyJubjubScalar>();
        var commitments = new AffineCachedPoint[entries.Length];
        var coefficients = new Limbs4[entries.Length];
        var points = new BabyJubjubPoint[entries.Length];
        var hashInputs = new Fr[5 * entries.Length];
        var challenges = new Fr[entries.Length];
        BabyJubjubScalar response = default;
        for (int i = 0; i < entries.Length; i++)
        {
            BabyJubjubPoint r8 = points[i] = entries[i].Signature.R8, a = entries[i].PublicKey.Point;
            if (r8.IsIdentity || !r8.IsOnCurve())
            {
                return false;
            }

            (hashInputs[5 * i], hashInputs[(5 * i) + 1]) = (r8.X, r8.Y);
            (hashInputs[(5 * i) + 2], hashInputs[(5 * i) + 3]) = (a.X, a.Y);
            hashInputs[(5 * i) + 4] = entries[i].Message;
        }

        if (!SubgroupTest.AreInSubgroup(points))
        {
            return false;
        }

        Poseidon.Poseidon.HashMany(hashInputs, 5, challenges);
        Span<ulong> random = stackalloc ulong[2];
        for (int i = 0; i < entries.Length; i++)
        {
            ref readonly EdDsaBatchEntry entry = ref entries[i];
            RandomNumberGenerator.Fill(MemoryMarshal.AsBytes(random));
            BabyJubjubScalar coefficient = BabyJubjubScalar.FromUInt128(new UInt128(random[1], random[0]));
            coefficients[i] = new Limbs4(random[0], random[1], 0, 0);
            commitments[i] = ExtendedPoint.FromAffine(points[i]).ToAffineCached(Fr.One);
            response += coefficient * entry.Signature.S;
            BabyJubjubScalar weight = coefficient * BabyJubjubScalar.FromFr(challenges[i]);
            if (keys.TryGetValue(entry.PublicKey, out int known))
            {
                keyScalars[known] += weight;
            }
            else
            {
                keys.Add(entry.PublicKey, keyPoints.Count);
                keyPoints.Add(entry.PublicKey.OddMultiples[0]);
                keyScalars.Add(weight);
            }
        }

        var keyLimbs = new Limbs4[keyScalars.Count];
        for (int i = 0; i < keyLimbs.Length; i++)
        {
            keyLimbs[i] = keyScalars[i].ToCanonicalLimbs();
        }

        ExtendedPoint right = MultiScalar.Sum(commitments, coefficients, 128)
            .Add(MultiScalar.Sum([.. keyPoints], keyLimbs, 251));
        return FixedBase.Multiply(response).Add(right.Negate()).IsIdentity;
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
