namespace Shale.Leases;

/// <summary>Where the gateway learns its leases from: a directory of files, written by <c>shale lease-container</c> or by the operator.</summary>
public interface ILeaseDirectory
{
    /// <summary>The lease with this number as it stands now, or null.</summary>
    LeaseRecord? Find(ulong id);

    /// <summary>All leases as they stand now.</summary>
    IReadOnlyCollection<LeaseRecord> All { get; }

    /// <summary>Follows the directory until cancelled: every present lease first, then each that was added, changed or (as its last state, <see cref="LeaseState.Closed"/>) removed.</summary>
    IAsyncEnumerable<LeaseRecord> FollowAsync(CancellationToken cancellation);
}
