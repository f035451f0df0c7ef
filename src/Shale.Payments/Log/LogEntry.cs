using System.Diagnostics.CodeAnalysis;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;
using Shale.Wire;

namespace Shale.Payments.Log;

/// <summary>
/// One entry of a voucher log. Encoded: version, kind, lease ID, Unix time in milliseconds, then the kind's own fields
/// (docs/VOUCHERLOG.md, section 3). Every accepted string is what <see cref="ToBytes"/> writes.
/// </summary>
public abstract record LogEntry
{
    /// <summary>The format's version, the first byte.</summary>
    public const byte Version = 1;

    /// <summary>The most bytes of a reason: a sentence.</summary>
    public const int MaxReason = 256;

    private protected LogEntry(ulong leaseId, long unixMilliseconds) => (LeaseId, UnixMilliseconds) = (leaseId, unixMilliseconds);

    /// <summary>The lease.</summary>
    public ulong LeaseId { get; }

    /// <summary>When the gateway wrote it, by its own clock.</summary>
    public long UnixMilliseconds { get; }

    private protected abstract LogEntryKind Kind { get; }

    /// <summary>The entry's bytes.</summary>
    /// <exception cref="InvalidOperationException">A field is above its bound.</exception>
    public byte[] ToBytes()
    {
        using var buffer = new PooledBufferWriter(VoucherLogWriter.MaxEntryBytes);
        var writer = new WireWriter(buffer);
        writer.WriteByte(Version);
        writer.WriteByte((byte)Kind);
        writer.WriteUInt64(LeaseId);
        writer.WriteUInt64((ulong)UnixMilliseconds);
        WriteFields(ref writer);
        return buffer.WrittenSpan.Length <= VoucherLogWriter.MaxEntryBytes
            ? buffer.WrittenSpan.ToArray()
            : throw new InvalidOperationException("A log entry is longer than a bundle can hold.");
    }

    /// <summary>Reads an entry; false for an unknown version or kind, a value above its bound, a short string and trailing bytes.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out LogEntry? entry)
    {
        entry = null;
        var reader = new WireReader(bytes);
        if (!reader.TryReadByte(out var version) || version != Version || !reader.TryReadByte(out var kind) ||
            !reader.TryReadUInt64(out var leaseId) || !reader.TryReadUInt64(out var time) || time > long.MaxValue)
        {
            return false;
        }

        var read = (LogEntryKind)kind switch
        {
            LogEntryKind.Opened => LeaseOpened.TryReadFields(ref reader, leaseId, (long)time, out entry),
            LogEntryKind.Voucher => VoucherAccepted.TryReadFields(ref reader, leaseId, (long)time, out entry),
            LogEntryKind.Paused or LogEntryKind.Resumed => LeasePauseChanged.TryReadFields(ref reader, leaseId, (long)time, (LogEntryKind)kind == LogEntryKind.Paused, out entry),
            LogEntryKind.Closed => LeaseClosed.TryReadFields(ref reader, leaseId, (long)time, out entry),
            LogEntryKind.Settled => LeaseSettled.TryReadFields(ref reader, leaseId, (long)time, out entry),
            LogEntryKind.Deposit => DepositChanged.TryReadFields(ref reader, leaseId, (long)time, out entry),
            _ => false,
        };
        return read && reader.IsAtEnd;
    }

    private protected abstract void WriteFields(ref WireWriter writer);

    private protected static bool TryReadAmount(ref WireReader reader, out AttoFil amount)
    {
        var read = reader.TryReadBytes(AttoFil.Size, out var bytes);
        amount = read ? AttoFil.Read(bytes) : default;
        return read;
    }

    private protected static void WriteAmount(ref WireWriter writer, AttoFil amount)
    {
        Span<byte> bytes = stackalloc byte[AttoFil.Size];
        amount.Write(bytes);
        writer.WriteBytes(bytes);
    }

    private protected enum LogEntryKind : byte
    {
        Opened = 1,
        Voucher = 2,
        Paused = 3,
        Resumed = 4,
        Closed = 5,
        Settled = 6,
        Deposit = 7,
    }
}

/// <summary>A lease is served from here on, under these terms.</summary>
/// <param name="LeaseId">The lease.</param>
/// <param name="UnixMilliseconds">When.</param>
/// <param name="ChainId">EIP-155 chain ID.</param>
/// <param name="Contract">The settlement contract, 20 bytes.</param>
/// <param name="PayerKey">The payment key, compressed, 32 bytes.</param>
/// <param name="PricePerSecond">The price.</param>
/// <param name="Deposit">The deposit that is final.</param>
/// <param name="WindowMilliseconds">The provider's prepay window.</param>
/// <param name="GraceMilliseconds">Unpaid time until the container is paused.</param>
public sealed record LeaseOpened(
    ulong LeaseId,
    long UnixMilliseconds,
    ulong ChainId,
    ReadOnlyMemory<byte> Contract,
    ReadOnlyMemory<byte> PayerKey,
    AttoFil PricePerSecond,
    AttoFil Deposit,
    uint WindowMilliseconds,
    uint GraceMilliseconds) : LogEntry(LeaseId, UnixMilliseconds)
{
    private const int KeySize = 32;

    private protected override LogEntryKind Kind => LogEntryKind.Opened;

    internal static bool TryReadFields(ref WireReader reader, ulong leaseId, long time, [NotNullWhen(true)] out LogEntry? entry)
    {
        entry = null;
        if (!reader.TryReadUInt64(out var chainId) || !reader.TryReadBytes(VoucherDomain.ContractSize, out var contract) || !reader.TryReadBytes(KeySize, out var key) ||
            !TryReadAmount(ref reader, out var price) || !TryReadAmount(ref reader, out var deposit) ||
            !reader.TryReadUInt32(out var window) || !reader.TryReadUInt32(out var grace))
        {
            return false;
        }

        entry = new LeaseOpened(leaseId, time, chainId, contract.ToArray(), key.ToArray(), price, deposit, window, grace);
        return true;
    }

    private protected override void WriteFields(ref WireWriter writer)
    {
        if (Contract.Length != VoucherDomain.ContractSize || PayerKey.Length != KeySize)
        {
            throw new InvalidOperationException("A contract has 20 bytes, a payment key 32.");
        }

        writer.WriteUInt64(ChainId);
        writer.WriteBytes(Contract.Span);
        writer.WriteBytes(PayerKey.Span);
        WriteAmount(ref writer, PricePerSecond);
        WriteAmount(ref writer, Deposit);
        writer.WriteUInt32(WindowMilliseconds);
        writer.WriteUInt32(GraceMilliseconds);
    }
}

/// <summary>A voucher was verified; once this entry is on the disk it is acknowledged.</summary>
/// <param name="UnixMilliseconds">When.</param>
/// <param name="Voucher">The voucher.</param>
/// <param name="Statement">The canonical bytes of the meter statement that it signs.</param>
public sealed record VoucherAccepted(long UnixMilliseconds, SignedVoucher Voucher, ReadOnlyMemory<byte> Statement)
    : LogEntry(Voucher.Voucher.LeaseId, UnixMilliseconds)
{
    private protected override LogEntryKind Kind => LogEntryKind.Voucher;

    internal static bool TryReadFields(ref WireReader reader, ulong leaseId, long time, [NotNullWhen(true)] out LogEntry? entry)
    {
        entry = null;
        if (!reader.TryReadBytes(SignedVoucher.Size, out var bytes) || !SignedVoucher.TryRead(bytes, out var voucher) || voucher.Voucher.LeaseId != leaseId ||
            !reader.TryReadString(MeterStatement.MaxSize, out var statement))
        {
            return false;
        }

        entry = new VoucherAccepted(time, voucher, statement.ToArray());
        return true;
    }

    private protected override void WriteFields(ref WireWriter writer)
    {
        writer.WriteBytes(Voucher.Bytes.Span);
        writer.WriteString(Statement.Span);
    }
}

/// <summary>The container was frozen, or goes on.</summary>
/// <param name="LeaseId">The lease.</param>
/// <param name="UnixMilliseconds">When.</param>
/// <param name="IsPaused">Frozen, or going on.</param>
/// <param name="ActiveMilliseconds">Time served so far.</param>
/// <param name="PausedMilliseconds">Time frozen so far.</param>
public sealed record LeasePauseChanged(ulong LeaseId, long UnixMilliseconds, bool IsPaused, ulong ActiveMilliseconds, ulong PausedMilliseconds) : LogEntry(LeaseId, UnixMilliseconds)
{
    private protected override LogEntryKind Kind => IsPaused ? LogEntryKind.Paused : LogEntryKind.Resumed;

    internal static bool TryReadFields(ref WireReader reader, ulong leaseId, long time, bool isPaused, [NotNullWhen(true)] out LogEntry? entry)
    {
        entry = null;
        if (!reader.TryReadUInt64(out var active) || !reader.TryReadUInt64(out var paused))
        {
            return false;
        }

        entry = new LeasePauseChanged(leaseId, time, isPaused, active, paused);
        return true;
    }

    private protected override void WriteFields(ref WireWriter writer)
    {
        writer.WriteUInt64(ActiveMilliseconds);
        writer.WriteUInt64(PausedMilliseconds);
    }
}

/// <summary>The lease is over.</summary>
/// <param name="LeaseId">The lease.</param>
/// <param name="UnixMilliseconds">When.</param>
/// <param name="Reason">Why, in words; at most <see cref="LogEntry.MaxReason"/> bytes.</param>
/// <param name="FinalStatement">The canonical bytes of the final meter statement.</param>
public sealed record LeaseClosed(ulong LeaseId, long UnixMilliseconds, string Reason, ReadOnlyMemory<byte> FinalStatement) : LogEntry(LeaseId, UnixMilliseconds)
{
    private protected override LogEntryKind Kind => LogEntryKind.Closed;

    internal static bool TryReadFields(ref WireReader reader, ulong leaseId, long time, [NotNullWhen(true)] out LogEntry? entry)
    {
        entry = null;
        if (!reader.TryReadUtf8(MaxReason, out var reason) || !reader.TryReadString(MeterStatement.MaxSize, out var statement))
        {
            return false;
        }

        entry = new LeaseClosed(leaseId, time, reason, statement.ToArray());
        return true;
    }

    private protected override void WriteFields(ref WireWriter writer)
    {
        writer.WriteString(Reason);
        writer.WriteString(FinalStatement.Span);
    }
}

/// <summary>A settlement with this lease's share is final on chain.</summary>
/// <param name="LeaseId">The lease.</param>
/// <param name="UnixMilliseconds">When it was seen to be final.</param>
/// <param name="Transaction">The transaction's hash, 32 bytes.</param>
/// <param name="Page">The provider's page.</param>
/// <param name="Slot">The lease's slot in it.</param>
/// <param name="Claimed">Everything claimed on the lease so far.</param>
/// <param name="NewRoot">The page's root after it, 32 bytes big-endian.</param>
public sealed record LeaseSettled(ulong LeaseId, long UnixMilliseconds, ReadOnlyMemory<byte> Transaction, uint Page, uint Slot, AttoFil Claimed, ReadOnlyMemory<byte> NewRoot)
    : LogEntry(LeaseId, UnixMilliseconds)
{
    private const int HashSize = 32;

    private protected override LogEntryKind Kind => LogEntryKind.Settled;

    internal static bool TryReadFields(ref WireReader reader, ulong leaseId, long time, [NotNullWhen(true)] out LogEntry? entry)
    {
        entry = null;
        if (!reader.TryReadBytes(HashSize, out var transaction) || !reader.TryReadUInt32(out var page) || !reader.TryReadUInt32(out var slot) ||
            !TryReadAmount(ref reader, out var claimed) || !reader.TryReadBytes(HashSize, out var root))
        {
            return false;
        }

        entry = new LeaseSettled(leaseId, time, transaction.ToArray(), page, slot, claimed, root.ToArray());
        return true;
    }

    private protected override void WriteFields(ref WireWriter writer)
    {
        if (Transaction.Length != HashSize || NewRoot.Length != HashSize)
        {
            throw new InvalidOperationException("A transaction hash and a root have 32 bytes.");
        }

        writer.WriteBytes(Transaction.Span);
        writer.WriteUInt32(Page);
        writer.WriteUInt32(Slot);
        WriteAmount(ref writer, Claimed);
        writer.WriteBytes(NewRoot.Span);
    }
}

/// <summary>The lease's deposit grew (a top-up that is final).</summary>
/// <param name="LeaseId">The lease.</param>
/// <param name="UnixMilliseconds">When it was seen to be final.</param>
/// <param name="Deposit">The whole deposit from now on.</param>
public sealed record DepositChanged(ulong LeaseId, long UnixMilliseconds, AttoFil Deposit) : LogEntry(LeaseId, UnixMilliseconds)
{
    private protected override LogEntryKind Kind => LogEntryKind.Deposit;

    internal static bool TryReadFields(ref WireReader reader, ulong leaseId, long time, [NotNullWhen(true)] out LogEntry? entry)
    {
        var read = TryReadAmount(ref reader, out var deposit);
        entry = read ? new DepositChanged(leaseId, time, deposit) : null;
        return read;
    }

    private protected override void WriteFields(ref WireWriter writer) => WriteAmount(ref writer, Deposit);
}
