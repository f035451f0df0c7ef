using Shale.Bn254.BabyJubjub;

namespace Shale.Settlement.Batching;

/// <summary>What the contract knows of a slot, as far as a settlement needs it.</summary>
/// <param name="LeaseId">The lease that holds the slot.</param>
/// <param name="Key">Its payment key.</param>
/// <param name="Deposit">Its recorded deposit in attoFIL, top-ups included, below 2^96.</param>
/// <param name="Live">The slot's bit in <c>live</c>.</param>
/// <param name="Fresh">The slot's bit in <c>fresh</c>: confirmed and never yet folded into the root.</param>
public readonly record struct SlotRecord(ulong LeaseId, BabyJubjubPoint Key, UInt128 Deposit, bool Live, bool Fresh);

/// <summary>What is to be done with a slot.</summary>
/// <param name="Slot">The slot's index in its page.</param>
/// <param name="Voucher">The newest voucher, where there is one.</param>
/// <param name="Close">End the lease: the contract refunds what is left of the deposit and frees the slot.</param>
public readonly record struct SlotRequest(int Slot, SettlementVoucher? Voucher, bool Close = false);
