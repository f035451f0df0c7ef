using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Groth16.Constraints.Gadgets;

namespace Shale.Settlement.Circuit;

/// <summary>
/// What the prover says about one slot of a page: field elements as they are, so that tests can say what is false. A slot that is not
/// listed gives its leaf's hash and nothing else (<see cref="Unlisted"/>).
/// </summary>
public sealed record SettlementSlot
{
    /// <summary>The slot takes part in this settlement (a bit, as are the next three).</summary>
    public Fr Listed { get; init; }

    /// <summary>The leaf takes over the contract's record.</summary>
    public Fr Sync { get; init; }

    /// <summary>The lease is folded into the root for the first time.</summary>
    public Fr Fresh { get; init; }

    /// <summary>A voucher is collected.</summary>
    public Fr Pay { get; init; }

    /// <summary>The hash of the old leaf; 0 for an empty slot.</summary>
    public Fr OldHash { get; init; }

    /// <summary>The old leaf; anything where it isn't opened (not listed, or fresh).</summary>
    public LeafFields Old { get; init; }

    /// <summary>The new leaf's lease, key and deposit, and its claimed amount: the voucher's, if one is collected.</summary>
    public LeafFields New { get; init; }

    /// <summary>The voucher's statement.</summary>
    public Fr Statement { get; init; }

    /// <summary>The signature's commitment; <see cref="EdDsaGadget.Idle"/> where nothing is paid.</summary>
    public BabyJubjubPoint R8 { get; init; } = EdDsaGadget.Idle.R8;

    /// <summary>The signature's response.</summary>
    public Fr S { get; init; } = EdDsaGadget.Idle.S;

    /// <summary>A slot that stays as it is.</summary>
    public static SettlementSlot Unlisted(in Fr hash) => new() { OldHash = hash };
}

/// <summary>The five elements whose Poseidon hash is a leaf.</summary>
/// <param name="LeaseId">Global lease number.</param>
/// <param name="Ax">The payment key's x.</param>
/// <param name="Ay">The payment key's y.</param>
/// <param name="Deposit">attoFIL that vouchers may claim at most.</param>
/// <param name="Claimed">attoFIL claimed so far.</param>
public readonly record struct LeafFields(Fr LeaseId, Fr Ax, Fr Ay, Fr Deposit, Fr Claimed);
