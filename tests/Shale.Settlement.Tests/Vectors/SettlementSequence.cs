using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Settlement.Batching;
using Shale.Settlement.Claims;
using Shale.Settlement.Tests.Support;

namespace Shale.Settlement.Tests.Vectors;

/// <summary>One step of the published sequence: what the contract has on record before it, and the settlement.</summary>
internal sealed record SequenceStep(string Name, string Description, IReadOnlyList<SlotRecord?> Records, SettlementBatch Batch);

/// <summary>The statements of tests/vectors/settlement-8, one after another on one page, each starting at the root where the one before ended.</summary>
internal sealed class SettlementSequence
{
    public const int Slots = 8;
    public const ulong ChainId = 31415926;
    public const string Contract = "0x5ba1e00000000000000000000000000000000001";
    public const uint Provider = 1;
    public const uint Page = 0;

    /// <summary>One FIL in attoFIL.</summary>
    public static readonly UInt128 Fil = 1_000_000_000_000_000_000;

    private readonly SlotRecord?[] _records = new SlotRecord?[Slots];
    private readonly BatchPlanner _planner = new(Domain);
    private readonly List<SequenceStep> _steps = [];
    private PageState _page = PageState.Empty(Slots);

    private SettlementSequence()
    {
        Settle("00-empty", "Nothing is listed; the page stays empty.", []);

        Confirm(slot: 0, lease: 1, key: 1, 10 * Fil);
        Confirm(slot: 1, lease: 2, key: 2, 20 * Fil);
        Confirm(slot: 2, lease: 3, key: 3, 30 * Fil);
        Settle("01-first-sync-and-pay", "Three fresh leases are folded in; two of them pay, the third is closed without a voucher.",
            [Pay(0, 1, 1, 4 * Fil), Pay(1, 2, 2, 5 * Fil), new SlotRequest(2, null, Close: true)]);

        Confirm(slot: 3, lease: 4, key: 4, 40 * Fil);
        Settle("02-pay", "Two leases pay again; slot 1 pays an odd number of attoFIL. The fresh lease in slot 3 waits.",
            [Pay(0, 1, 1, 7 * Fil), Pay(1, 2, 2, (5 * Fil) + 1)]);

        _records[0] = _records[0]!.Value with { Deposit = 25 * Fil };
        Settle("03-top-up", "Lease 1 was topped up from 10 to 25 FIL and pays 12: its leaf takes over the new deposit. Slot 3 syncs for the first time and pays all of its deposit.",
            [Pay(0, 1, 1, 12 * Fil), Pay(3, 4, 4, 40 * Fil)]);

        Settle("04-close", "Lease 1 pays a last time and is closed, lease 2 is closed without a voucher, lease 4 stays unlisted.",
            [Pay(0, 1, 1, 13 * Fil, close: true), new SlotRequest(1, null, Close: true)]);

        Confirm(slot: 0, lease: 5, key: 5, 3 * Fil);
        Settle("05-slot-reused", "Lease 5 takes slot 0, where lease 1's leaf still is: its first sync overwrites it, and claims start at zero.",
            [Pay(0, 5, 5, 2 * Fil)]);
    }

    public static Fr Domain { get; } = VoucherDomain.Of(ChainId, Contract);

    public static IReadOnlyList<SequenceStep> Steps { get; } = new SettlementSequence()._steps;

    private static SlotRequest Pay(int slot, int key, ulong lease, UInt128 cumulative, bool close = false) =>
        new(slot, TestKeys.Voucher(Domain, key, lease, cumulative), close);

    private void Confirm(int slot, ulong lease, int key, UInt128 deposit)
    {
        BabyJubjubPoint point = TestKeys.Point(key);
        _records[slot] = new SlotRecord(lease, point, deposit, Live: true, Fresh: true);
    }

    private void Settle(string name, string description, IReadOnlyList<SlotRequest> requests)
    {
        SettlementBatch batch = _planner.Plan(Provider, Page, _page, _records, requests);
        if (batch.LeftOut.Count > 0)
        {
            throw new InvalidOperationException($"{name} leaves out {string.Join(", ", batch.LeftOut)}.");
        }

        _steps.Add(new SequenceStep(name, description, [.. _records], batch));
        _page = batch.NewPage;
        foreach (SettlementEntry entry in batch.Entries)
        {
            _records[entry.Slot] = entry.Has(EntryFlags.Close) ? null : _records[entry.Slot]!.Value with { Fresh = false };
        }
    }
}
