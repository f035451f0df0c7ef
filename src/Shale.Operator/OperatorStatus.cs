namespace Shale.Operator;

/// <summary>What the operator says of itself: the file <c>operator/status.json</c>, for the admin page and for scripts. Amounts are attoFIL in decimal text.</summary>
public sealed record OperatorStatus
{
    /// <summary>When it was written.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>The provider's index.</summary>
    public required uint Provider { get; init; }

    /// <summary>The newest epoch that was seen.</summary>
    public required ulong Epoch { get; init; }

    /// <summary>The newest final one.</summary>
    public required ulong FinalEpoch { get; init; }

    /// <summary>Whether new orders are declined.</summary>
    public required bool IsDraining { get; init; }

    /// <summary>Leases that are open, by stage.</summary>
    public required IReadOnlyDictionary<string, int> Open { get; init; }

    /// <summary>Signed and not yet settled, over all leases.</summary>
    public required string Unsettled { get; init; }

    /// <summary>Settled and final, over all leases.</summary>
    public required string Settled { get; init; }

    /// <summary>Pages whose settlement is under way.</summary>
    public required IReadOnlyList<uint> Settling { get; init; }

    /// <summary>What needs a person; empty when all is well.</summary>
    public required IReadOnlyList<string> Alarms { get; init; }
}
