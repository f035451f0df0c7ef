using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;

namespace Shale.Groth16.Constraints.Gadgets;

/// <summary>
/// EdDSA over BabyJubjub with Poseidon as circomlib's <c>EdDSAPoseidonVerifier</c> checks it, S·Base8 = R8 + h·8·A with
/// h = Poseidon(R8.x, R8.y, A.x, A.y, M), and beyond it: A and R8 lie on the curve, and R8 is not of small order.
/// </summary>
public static class EdDsaGadget
{
    /// <summary>
    /// Asserts, where <paramref name="enabled"/> (a bit) is 1, that (r8, s) signs the message under the key. Where it is 0 a fixed key stands
    /// in for <paramref name="key"/>, and r8 and s are any point on the curve with x ≠ 0 and any number below l; <see cref="Idle"/> will do.
    /// </summary>
    /// <remarks>
    /// 8·A lies in the prime subgroup whatever A on the curve is; if A has small order it is the neutral element, which
    /// has no Montgomery form, so no witness exists. Both terms beside R8 lie in the prime subgroup, so R8 does too, and there only the
    /// neutral element has x = 0.
    /// </remarks>
    public static void Verify(ConstraintSystem system, in Variable enabled, in EdwardsPoint key, in Variable message, in EdwardsPoint r8, in Variable s)
    {
        ArgumentNullException.ThrowIfNull(system);
        using GadgetScope scope = system.Enter("eddsa");
        EdwardsPoint a = EdwardsGadget.Select(system, enabled, key, EdwardsPoint.Constant(BabyJubjubPoint.Base8));
        EdwardsGadget.AssertOnCurve(system, a);
        EdwardsGadget.AssertOnCurve(system, r8);
        Logic.AssertNonZero(system, r8.X, "R8 is not of small order");

        Variable h = PoseidonGadget.Hash(system, r8.X, r8.Y, a.X, a.Y, message);
        Variable[] challenge = Bits.DecomposeBelow(system, h, Fr.Modulus);
        Variable[] response = Bits.DecomposeBelow(system, s, BabyJubjubScalar.Order);

        EdwardsPoint timesEight = EdwardsGadget.Double(system, EdwardsGadget.Double(system, EdwardsGadget.Double(system, a)));
        EdwardsPoint right = EdwardsGadget.Add(system, r8, ScalarMultiplication.VariableBase(system, challenge, timesEight));
        EdwardsPoint left = ScalarMultiplication.FixedBase8(system, response);
        Logic.AssertEqualWhere(system, enabled, left.X, right.X, "signature: x");
        Logic.AssertEqualWhere(system, enabled, left.Y, right.Y, "signature: y");
    }

    /// <summary>What to give for r8 and s where nothing is verified.</summary>
    public static (BabyJubjubPoint R8, Fr S) Idle => (BabyJubjubPoint.Base8, Fr.Zero);
}
