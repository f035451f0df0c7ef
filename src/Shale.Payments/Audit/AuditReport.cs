using Shale.Payments.Log;
using Shale.Payments.Vouchers;

namespace Shale.Payments.Audit;

/// <summary>Something that is not as it must be.</summary>
/// <param name="Code">What kind, stable for scripts: <c>signature</c>, <c>amount</c>, <c>statement</c>, <c>root</c>, …</param>
/// <param name="Entry">The entry's index; null where it is about the whole log.</param>
/// <param name="Lease">The lease; null where it is about the whole log.</param>
/// <param name="Message">A sentence for a person.</param>
public sealed record AuditFinding(string Code, long? Entry, ulong? Lease, string Message);

/// <summary>What an audit saw.</summary>
/// <param name="Checkpoint">The checkpoint that was audited; null where none could be opened.</param>
/// <param name="Leases">Leases in the log.</param>
/// <param name="Vouchers">Vouchers whose signatures were checked.</param>
/// <param name="Authorised">The sum of each lease's newest voucher.</param>
/// <param name="Settled">The sum that was settled.</param>
/// <param name="Findings">What is not as it must be; at most <see cref="MaxFindings"/>.</param>
/// <param name="FindingCount">How many findings there are in all.</param>
/// <param name="UncheckedRoots">Statements whose checkpoint is too far back to be compared in one pass.</param>
public sealed record AuditReport(
    Checkpoint? Checkpoint,
    int Leases,
    long Vouchers,
    UInt128 Authorised,
    UInt128 Settled,
    IReadOnlyList<AuditFinding> Findings,
    long FindingCount,
    long UncheckedRoots)
{
    /// <summary>Findings that are kept one by one: what follows is counted.</summary>
    public const int MaxFindings = 1000;

    /// <summary>Results that final statements name, as they come; at most <see cref="MaxResults"/>.</summary>
    public IReadOnlyList<AuditedResult> Results { get; init; } = [];

    /// <summary>How many results there are in all.</summary>
    public long ResultCount { get; init; }

    /// <summary>Results that are kept one by one: what follows is counted.</summary>
    public const int MaxResults = 1000;

    /// <summary>Settlements that were compared with the chain, their proofs checked again; 0 where no chain was asked.</summary>
    public long ChainSettlements { get; init; }

    /// <summary>Whether all is as it must be.</summary>
    public bool IsClean => FindingCount == 0;
}

/// <summary>A result that a lease's final statement names.</summary>
/// <param name="Lease">The lease.</param>
/// <param name="Cid">The result's CID, binary.</param>
public sealed record AuditedResult(ulong Lease, ReadOnlyMemory<byte> Cid);

/// <summary>What the chain says of a settlement.</summary>
/// <param name="Claimed">Everything claimed on the lease after it.</param>
/// <param name="NewRoot">The page's root after it, 32 bytes big-endian.</param>
public sealed record ChainSettlement(AttoFil Claimed, ReadOnlyMemory<byte> NewRoot)
{
    /// <summary>What is wrong with its proof, checked again; null where it holds.</summary>
    public string? ProofProblem { get; init; }
}

/// <summary>The chain, as the audit needs it.</summary>
public interface IAuditChain
{
    /// <summary>What a transaction settled for a lease; null where it did not, or is not final.</summary>
    ValueTask<ChainSettlement?> FindSettlementAsync(ReadOnlyMemory<byte> transaction, ulong leaseId, CancellationToken cancellation);

    /// <summary>Everything claimed on a lease so far, as the chain's final state has it; null where it knows no such lease.</summary>
    ValueTask<AttoFil?> FindClaimedAsync(ulong leaseId, CancellationToken cancellation);
}

/// <summary>How to audit.</summary>
public sealed record AuditOptions
{
    /// <summary>An earlier checkpoint of this log, as a signed note: its tree must be a prefix of the audited one.</summary>
    public string? EarlierCheckpoint { get; init; }

    /// <summary>The chain to compare settlements with; null: they are only checked among themselves.</summary>
    public IAuditChain? Chain { get; init; }

    /// <summary>How far the gateway's clock may jump between two entries before it is a finding. Default 5 s.</summary>
    public TimeSpan ClockTolerance { get; init; } = TimeSpan.FromSeconds(5);
}
