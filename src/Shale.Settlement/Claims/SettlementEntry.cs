namespace Shale.Settlement.Claims;

/// <summary>The flags of an entry as the contract reads them (docs/SETTLEMENT.md, "The call").</summary>
[Flags]
public enum EntryFlags
{
    /// <summary>No flag; never sent.</summary>
    None = 0,

    /// <summary>Always set.</summary>
    Listed = 1,

    /// <summary>The leaf takes over the contract's record.</summary>
    Sync = 2,

    /// <summary>For the first time.</summary>
    Fresh = 4,

    /// <summary>A voucher is collected.</summary>
    Pay = 8,

    /// <summary>The contract closes the lease; not part of the circuit's word.</summary>
    Close = 16,
}

/// <summary>One listed slot of a settlement.</summary>
/// <param name="Slot">Index in the page; entries increase strictly.</param>
/// <param name="Flags">What is done.</param>
/// <param name="Claimed">attoFIL claimed when all is done.</param>
/// <param name="LeaseId">The lease; sent where it syncs or closes.</param>
/// <param name="Deposit">The deposit that the leaf takes over; sent where it syncs.</param>
public readonly record struct SettlementEntry(int Slot, EntryFlags Flags, UInt128 Claimed, ulong LeaseId, UInt128 Deposit)
{
    /// <summary>True when a flag is set.</summary>
    public bool Has(EntryFlags flag) => (Flags & flag) != 0;
}
