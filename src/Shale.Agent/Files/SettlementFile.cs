using Shale.Payments.Channel;

namespace Shale.Agent.Files;

/// <summary>
/// The newest settlement that a lease's gateway told of: what its client needs to leave with what is its own, should the provider
/// be gone. Hexadecimal, as it came; the contract, not the agent, decides whether it is true.
/// </summary>
internal sealed record SettlementFile
{
    public required ulong LeaseId { get; init; }

    public required ulong UnixSeconds { get; init; }

    public required string Transaction { get; init; }

    public required string Leaf { get; init; }

    public required IReadOnlyList<string> Siblings { get; init; }

    public static SettlementFile From(ulong leaseId, in NoticeMessage notice) => new()
    {
        LeaseId = leaseId,
        UnixSeconds = notice.At,
        Transaction = "0x" + Convert.ToHexStringLower(notice.Transaction.Span),
        Leaf = "0x" + Convert.ToHexStringLower(notice.Leaf.Span),
        Siblings = [.. notice.Siblings.Select(s => "0x" + Convert.ToHexStringLower(s.ToArray()))],
    };
}
