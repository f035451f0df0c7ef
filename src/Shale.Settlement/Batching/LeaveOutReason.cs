namespace Shale.Settlement.Batching;

/// <summary>Why a slot is not part of a settlement. One lease that cannot be settled never holds up the others.</summary>
public enum LeaveOutReason
{
    /// <summary>The page has no such slot, or it was asked for twice; only the first request counts.</summary>
    NoSuchSlot,

    /// <summary>No lease holds the slot.</summary>
    Empty,

    /// <summary>The contract's <c>live</c> bit is clear: closed, frozen, or not confirmed.</summary>
    NotLive,

    /// <summary>The page's leaf is not that of the lease on record: our copy of the page is wrong, or the contract is.</summary>
    LeafMismatch,

    /// <summary>There is no voucher above what was claimed already, and the lease is not to be closed.</summary>
    NothingNew,

    /// <summary>The voucher names another lease.</summary>
    OtherLease,

    /// <summary>The voucher is for less than was claimed already.</summary>
    BelowClaimed,

    /// <summary>The voucher is for more than the deposit on record; a top-up would make it good.</summary>
    AboveDeposit,

    /// <summary>The payment key is off the curve or of small order; no voucher of this lease can ever be collected.</summary>
    UnusableKey,

    /// <summary>The signature is not the payment key's over this voucher, for this chain and contract.</summary>
    WrongSignature,

    /// <summary>The deposit on record is less than what was claimed already, so a close would have nothing to refund from.</summary>
    DepositBelowClaimed,
}

/// <summary>A slot that was left out.</summary>
/// <param name="Slot">Its index, as asked for.</param>
/// <param name="Reason">Why.</param>
public readonly record struct LeftOut(int Slot, LeaveOutReason Reason);
