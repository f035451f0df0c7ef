using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;
using Shale.Settlement.Circuit;

namespace Shale.Settlement.Batching;

/// <summary>A lease as a page's tree remembers it.</summary>
/// <param name="LeaseId">Global lease number.</param>
/// <param name="Key">The payment key.</param>
/// <param name="Deposit">attoFIL that vouchers may claim at most, below 2^96.</param>
/// <param name="Claimed">attoFIL claimed so far, below 2^96.</param>
public readonly record struct Leaf(ulong LeaseId, BabyJubjubPoint Key, UInt128 Deposit, UInt128 Claimed)
{
    /// <summary>The largest amount in attoFIL that fits a u96.</summary>
    public static UInt128 MaxAmount => (UInt128.One << 96) - 1;

    /// <summary>Poseidon(leaseId, Ax, Ay, deposit, claimed).</summary>
    public Fr Hash() => Poseidon.Hash(Fr.FromUInt64(LeaseId), Key.X, Key.Y, Fr.FromUInt128(Deposit), Fr.FromUInt128(Claimed));

    /// <summary>The elements that are hashed.</summary>
    public LeafFields ToFields() => new(Fr.FromUInt64(LeaseId), Key.X, Key.Y, Fr.FromUInt128(Deposit), Fr.FromUInt128(Claimed));
}
