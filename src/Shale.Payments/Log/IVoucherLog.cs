namespace Shale.Payments.Log;

/// <summary>Where vouchers go before they are acknowledged.</summary>
public interface IVoucherLog
{
    /// <summary>The newest checkpoint, over entries that are on the disk and no others.</summary>
    Checkpoint Current { get; }

    /// <summary>Appends an entry; it is on the disk when this completes.</summary>
    /// <param name="entry">The entry's bytes, 1 to 65,535, not changed until the call completes.</param>
    /// <param name="cancellation">Ends the wait; the entry may then be in the log or not.</param>
    /// <returns>The entry's index.</returns>
    /// <exception cref="VoucherLogException">The log can't be written, now or any more: serve nobody who has to pay.</exception>
    ValueTask<long> AppendAsync(ReadOnlyMemory<byte> entry, CancellationToken cancellation);

    /// <summary>The signed form of <see cref="Current"/>.</summary>
    string SignedCheckpoint();

    /// <summary>Proves that the tree of the first <paramref name="oldSize"/> entries is a prefix of that of the first <paramref name="size"/>, which are on the disk.</summary>
    IReadOnlyList<MerkleHash> ProveConsistency(long oldSize, long size);
}
