using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Shale.Payments.Log;
using Shale.Payments.Vouchers;
using Shale.Wire;

namespace Shale.Payments.Metering;

/// <summary>
/// What the gateway says it metered on a lease so far: the reason for the amount that it asks. Both sides keep its canonical
/// bytes (docs/PROTOCOL.payment.md, section 3), and the voucher signs their digest. Counters never fall from one statement of
/// a lease to the next.
/// </summary>
public sealed record MeterStatement
{
    /// <summary>The format's version, the first byte.</summary>
    public const byte Version = 1;

    /// <summary>The most bytes of a statement: a statement travels in every charge and stands in every log entry.</summary>
    public const int MaxSize = 4096;

    /// <summary>The most result CIDs of one statement; 64 of 36 bytes leave room for all else.</summary>
    public const int MaxResults = 64;

    /// <summary>The most bytes of one binary CID: a CIDv1 with a 64-byte digest has some 70.</summary>
    public const int MaxCidSize = 100;

    /// <summary>Bytes of a quality report's digest.</summary>
    public const int QualityDigestSize = 32;

    private const byte FinalFlag = 1;
    private const ulong UnknownGpuTime = ulong.MaxValue;

    /// <summary>The lease.</summary>
    public required ulong LeaseId { get; init; }

    /// <summary>Counts the statements of a lease, from 1; strictly growing. The final one repeats nothing either.</summary>
    public required ulong Sequence { get; init; }

    /// <summary>True in the last statement of a lease.</summary>
    public bool IsFinal { get; init; }

    /// <summary>Time served so far, in milliseconds; paused time is not in it.</summary>
    public required ulong ActiveMilliseconds { get; init; }

    /// <summary>Time paused for want of payment so far, in milliseconds; it is not charged.</summary>
    public required ulong PausedMilliseconds { get; init; }

    /// <summary>Bytes from the client into the lease so far.</summary>
    public ulong BytesIn { get; init; }

    /// <summary>Bytes from the lease to the client so far.</summary>
    public ulong BytesOut { get; init; }

    /// <summary>GPU time so far, in milliseconds; null where the provider has no figure.</summary>
    public ulong? GpuMilliseconds { get; init; }

    /// <summary>The time ahead of <see cref="ActiveMilliseconds"/> that the amount covers, in milliseconds.</summary>
    public required uint WindowMilliseconds { get; init; }

    /// <summary>SHA-256 of the last quality report, 32 bytes; empty where there was none.</summary>
    public ImmutableArray<byte> QualityReport { get; init; } = [];

    /// <summary>CIDs of results so far, in binary.</summary>
    public ImmutableArray<ImmutableArray<byte>> Results { get; init; } = [];

    /// <summary>Entries of the provider's voucher log at the checkpoint that the gateway names.</summary>
    public ulong LogSize { get; init; }

    /// <summary>The log's Merkle root at <see cref="LogSize"/>.</summary>
    public MerkleHash LogRoot { get; init; } = MerkleHash.Empty;

    /// <summary>The digest of the canonical bytes.</summary>
    public StatementDigest Digest() => StatementDigest.Of(ToBytes());

    /// <summary>The canonical bytes.</summary>
    /// <exception cref="InvalidOperationException">A field or the whole is above its bound.</exception>
    public byte[] ToBytes()
    {
        if ((QualityReport.Length is not (0 or QualityDigestSize)) || Results.Length > MaxResults ||
            Results.Any(cid => cid.Length is 0 or > MaxCidSize) || GpuMilliseconds == UnknownGpuTime)
        {
            throw new InvalidOperationException("A meter statement's field is above its bound.");
        }

        using var buffer = new PooledBufferWriter(MaxSize);
        var writer = new WireWriter(buffer);
        writer.WriteByte(Version);
        writer.WriteByte(IsFinal ? FinalFlag : (byte)0);
        writer.WriteUInt64(LeaseId);
        writer.WriteUInt64(Sequence);
        writer.WriteUInt64(ActiveMilliseconds);
        writer.WriteUInt64(PausedMilliseconds);
        writer.WriteUInt64(BytesIn);
        writer.WriteUInt64(BytesOut);
        writer.WriteUInt64(GpuMilliseconds ?? UnknownGpuTime);
        writer.WriteUInt32(WindowMilliseconds);
        writer.WriteString(QualityReport.AsSpan());
        writer.WriteUInt32((uint)Results.Length);
        foreach (ImmutableArray<byte> cid in Results)
        {
            writer.WriteString(cid.AsSpan());
        }

        writer.WriteUInt64(LogSize);
        writer.WriteBytes(LogRoot.ToArray());
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads canonical bytes. Every accepted string is what <see cref="ToBytes"/> writes.</summary>
    /// <returns>False for an unknown version or flag, a value above its bound, a short string and trailing bytes.</returns>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out MeterStatement? statement)
    {
        statement = null;
        if (bytes.Length > MaxSize)
        {
            return false;
        }

        var reader = new WireReader(bytes);
        if (!reader.TryReadByte(out byte version) || version != Version ||
            !reader.TryReadByte(out byte flags) || flags > FinalFlag ||
            !reader.TryReadUInt64(out ulong leaseId) ||
            !reader.TryReadUInt64(out ulong sequence) || sequence == 0 ||
            !reader.TryReadUInt64(out ulong active) ||
            !reader.TryReadUInt64(out ulong paused) ||
            !reader.TryReadUInt64(out ulong bytesIn) ||
            !reader.TryReadUInt64(out ulong bytesOut) ||
            !reader.TryReadUInt64(out ulong gpu) ||
            !reader.TryReadUInt32(out uint window) ||
            !reader.TryReadString(QualityDigestSize, out ReadOnlySpan<byte> quality) || quality.Length is not (0 or QualityDigestSize) ||
            !TryReadResults(ref reader, out ImmutableArray<ImmutableArray<byte>> results) ||
            !reader.TryReadUInt64(out ulong logSize) ||
            !reader.TryReadBytes(MerkleHash.Size, out ReadOnlySpan<byte> logRoot) ||
            !reader.IsAtEnd)
        {
            return false;
        }

        statement = new MeterStatement
        {
            LeaseId = leaseId,
            Sequence = sequence,
            IsFinal = flags == FinalFlag,
            ActiveMilliseconds = active,
            PausedMilliseconds = paused,
            BytesIn = bytesIn,
            BytesOut = bytesOut,
            GpuMilliseconds = gpu == UnknownGpuTime ? null : gpu,
            WindowMilliseconds = window,
            QualityReport = [.. quality],
            Results = results,
            LogSize = logSize,
            LogRoot = new MerkleHash(logRoot),
        };
        return true;
    }

    /// <summary>
    /// True when this may follow <paramref name="earlier"/> on one lease: the sequence grows and no counter falls. (The log's
    /// size may: a log that was lost begins again under another origin. Its consistency is checked against the checkpoint.)
    /// </summary>
    public bool CanFollow(MeterStatement earlier) =>
        LeaseId == earlier.LeaseId &&
        Sequence > earlier.Sequence &&
        !earlier.IsFinal &&
        ActiveMilliseconds >= earlier.ActiveMilliseconds &&
        PausedMilliseconds >= earlier.PausedMilliseconds &&
        BytesIn >= earlier.BytesIn &&
        BytesOut >= earlier.BytesOut &&
        (earlier.GpuMilliseconds is null || GpuMilliseconds >= earlier.GpuMilliseconds);

    /// <inheritdoc/>
    public bool Equals(MeterStatement? other) => other is not null && ToBytes().AsSpan().SequenceEqual(other.ToBytes());

    /// <inheritdoc/>
    public override int GetHashCode() => Digest().GetHashCode();

    private static bool TryReadResults(ref WireReader reader, out ImmutableArray<ImmutableArray<byte>> results)
    {
        results = [];
        if (!reader.TryReadUInt32(out uint count) || count > MaxResults)
        {
            return false;
        }

        var list = ImmutableArray.CreateBuilder<ImmutableArray<byte>>((int)count);
        for (uint i = 0; i < count; i++)
        {
            if (!reader.TryReadString(MaxCidSize, out ReadOnlySpan<byte> cid) || cid.IsEmpty)
            {
                return false;
            }

            list.Add([.. cid]);
        }

        results = list.MoveToImmutable();
        return true;
    }
}
