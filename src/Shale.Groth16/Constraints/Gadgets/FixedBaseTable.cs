using System.Numerics;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;

namespace Shale.Groth16.Constraints.Gadgets;

/// <summary>Multiples of Base8/2 for the windows of <see cref="ScalarMultiplication.FixedBase8"/>: 4^i times 1 and 3, in Montgomery form.</summary>
internal sealed class FixedBaseTable
{
    private const int Windows = 125;

    private readonly (Fr U, Fr V)[] _one = new (Fr, Fr)[Windows];
    private readonly (Fr U, Fr V)[] _three = new (Fr, Fr)[Windows];

    public FixedBaseTable()
    {
        BigInteger order = BabyJubjubScalar.Order;
        BabyJubjubPoint half = BabyJubjubPoint.Base8.Multiply((order + 1) / 2), power = half;
        for (int i = 0; i < Windows; i++)
        {
            _one[i] = ToMontgomery(power);
            _three[i] = ToMontgomery(power + power.Double());
            power = power.Double().Double();
        }

        // Window 125 has the digit 2·(−1) ± 1, for bit 251 is zero; with it goes the constant (2^252 − 1)·Base8/2.
        BabyJubjubPoint constant = half.Multiply(((BigInteger.One << 252) - 1) % order);
        Last = (constant + -(power + power.Double()), constant + -power);
    }

    /// <summary>What is added at the end where bit 250 is 0, and where it is 1.</summary>
    public (BabyJubjubPoint Zero, BabyJubjubPoint One) Last { get; }

    /// <summary>(2s_1 + s_0)·4^i·Base8/2; one constraint.</summary>
    public MontgomeryPoint Select(ConstraintSystem system, int window, in Variable low, in Variable high)
    {
        using GadgetScope scope = system.Enter("digit");
        (Fr U, Fr V) one = _one[window], three = _three[window];
        Variable triple = Fr.One - high - low + (Fr.FromUInt64(2) * system.Multiply(high, low, "both bits"));
        return new MontgomeryPoint(
            one.U + ((three.U - one.U) * triple),
            (three.V * (high + low - Fr.One)) + (one.V * (high - low)));
    }

    private static (Fr U, Fr V) ToMontgomery(BabyJubjubPoint point)
    {
        Fr u = (Fr.One + point.Y) * (Fr.One - point.Y).Inverse();
        return (u, u * point.X.Inverse());
    }
}
