using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Shale.Payments.Vouchers;
using Shale.Wire;

namespace Shale.Payments.Metering;

/// <summary>Where a lease's service stands.</summary>
public enum MeterPhase : byte
{
    /// <summary>Nothing was ever paid: nothing runs.</summary>
    AwaitingPayment = 1,

    /// <summary>Served and metered.</summary>
    Active = 2,

    /// <summary>Frozen for want of payment.</summary>
    Paused = 3,

    /// <summary>Over: no more service, only a final statement.</summary>
    Closed = 4,
}

/// <summary>What the voucher log says of a lease beside its vouchers.</summary>
public enum LoggedPhase : byte
{
    /// <summary>Nothing: its opening is not in the log yet.</summary>
    None = 0,

    /// <summary>Opened, and not paused since or resumed.</summary>
    Open = 1,

    /// <summary>Paused.</summary>
    Paused = 2,

    /// <summary>Closed: no more entries of the gateway's.</summary>
    Closed = 3,
}

/// <summary>
/// What a meter has to remember, as one immutable value. The three counters of the protocol: authorised (the newest voucher),
/// consumed (metered), settled (on chain).
/// </summary>
public sealed record MeterState
{
    /// <summary>The most bytes of an encoded state: a statement, a voucher and some numbers.</summary>
    public const int MaxSize = MeterStatement.MaxSize + 512;

    private const byte Version = 1;

    /// <summary>The lease.</summary>
    public required ulong LeaseId { get; init; }

    /// <summary>Where service stands.</summary>
    public MeterPhase Phase { get; init; } = MeterPhase.AwaitingPayment;

    /// <summary>The last statement's number; 0 before the first.</summary>
    public ulong Sequence { get; init; }

    /// <summary>Time served, in milliseconds.</summary>
    public ulong ActiveMilliseconds { get; init; }

    /// <summary>Time unpaid and not served, in milliseconds, the wait for the first charge included.</summary>
    public ulong PausedMilliseconds { get; init; }

    /// <summary>The part of it that belongs to the pause under way.</summary>
    public ulong CurrentPauseMilliseconds { get; init; }

    /// <summary>The newest voucher; null before the first.</summary>
    public SignedVoucher? Newest { get; init; }

    /// <summary>The statement that the newest voucher answers.</summary>
    public MeterStatement? NewestStatement { get; init; }

    /// <summary>Settled on chain.</summary>
    public AttoFil Settled { get; init; }

    /// <summary>The longest window that a voucher of this lease was asked with, in milliseconds.</summary>
    public uint WindowMilliseconds { get; init; }

    /// <summary>The voucher log's entries that this state knows of; what the log holds of the lease behind them is taken up after a crash.</summary>
    public ulong LogSize { get; init; }

    /// <summary>What those entries say of the lease.</summary>
    public LoggedPhase LoggedPhase { get; init; }

    /// <summary>The deposit that they name.</summary>
    public AttoFil LoggedDeposit { get; init; }

    /// <summary>Authorised: the newest voucher's amount.</summary>
    public AttoFil Authorised => Newest?.Voucher.Cumulative ?? AttoFil.Zero;

    /// <summary>The first state of a lease.</summary>
    public static MeterState New(ulong leaseId) => new() { LeaseId = leaseId };

    /// <summary>Consumed: what the time served costs.</summary>
    public AttoFil Consumed(MeterTerms terms) => AttoFil.Cost(terms.PricePerSecond, ActiveMilliseconds);

    /// <summary>
    /// True when settled ≤ authorised ≤ consumed + price × window and consumed ≤ authorised + price × grace: what must hold
    /// after every failure.
    /// </summary>
    public bool HoldsInequalities(MeterTerms terms)
    {
        UInt128 consumed = Consumed(terms).Value, authorised = Authorised.Value;
        return Settled.Value <= authorised &&
            authorised <= consumed + AttoFil.Cost(terms.PricePerSecond, WindowMilliseconds).Value &&
            consumed <= authorised + AttoFil.Cost(terms.PricePerSecond, (ulong)terms.Grace.TotalMilliseconds).Value;
    }

    /// <summary>The bytes to store, with a checksum.</summary>
    public byte[] ToBytes()
    {
        using var buffer = new PooledBufferWriter(MaxSize);
        var writer = new WireWriter(buffer);
        writer.WriteByte(Version);
        writer.WriteByte((byte)Phase);
        writer.WriteUInt64(LeaseId);
        writer.WriteUInt64(Sequence);
        writer.WriteUInt64(ActiveMilliseconds);
        writer.WriteUInt64(PausedMilliseconds);
        writer.WriteUInt64(CurrentPauseMilliseconds);
        writer.WriteUInt32(WindowMilliseconds);
        Span<byte> amount = stackalloc byte[AttoFil.Size];
        Settled.Write(amount);
        writer.WriteBytes(amount);
        writer.WriteUInt64(LogSize);
        writer.WriteByte((byte)LoggedPhase);
        LoggedDeposit.Write(amount);
        writer.WriteBytes(amount);
        writer.WriteString(Newest is null ? default : Newest.Bytes.Span);
        writer.WriteString(NewestStatement is null ? [] : NewestStatement.ToBytes());
        writer.WriteBytes(SHA256.HashData(buffer.WrittenSpan));
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads stored bytes; false when anything about them is wrong.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out MeterState? state)
    {
        state = null;
        if (bytes.Length is < 32 or > MaxSize || !SHA256.HashData(bytes[..^32]).AsSpan().SequenceEqual(bytes[^32..]))
        {
            return false;
        }

        var reader = new WireReader(bytes[..^32]);
        SignedVoucher? newest = null;
        MeterStatement? statement = null;
        if (!reader.TryReadByte(out byte version) || version != Version ||
            !reader.TryReadByte(out byte phase) || phase is < (byte)MeterPhase.AwaitingPayment or > (byte)MeterPhase.Closed ||
            !reader.TryReadUInt64(out ulong leaseId) ||
            !reader.TryReadUInt64(out ulong sequence) ||
            !reader.TryReadUInt64(out ulong active) ||
            !reader.TryReadUInt64(out ulong paused) ||
            !reader.TryReadUInt64(out ulong currentPause) ||
            !reader.TryReadUInt32(out uint window) ||
            !reader.TryReadBytes(AttoFil.Size, out ReadOnlySpan<byte> settled) ||
            !reader.TryReadUInt64(out ulong logSize) || logSize > long.MaxValue ||
            !reader.TryReadByte(out byte logged) || logged > (byte)LoggedPhase.Closed ||
            !reader.TryReadBytes(AttoFil.Size, out ReadOnlySpan<byte> deposit) ||
            !reader.TryReadString(SignedVoucher.Size, out ReadOnlySpan<byte> voucher) ||
            !(voucher.IsEmpty || SignedVoucher.TryRead(voucher, out newest)) ||
            !reader.TryReadString(MeterStatement.MaxSize, out ReadOnlySpan<byte> statementBytes) ||
            !(statementBytes.IsEmpty || MeterStatement.TryRead(statementBytes, out statement)) ||
            !reader.IsAtEnd)
        {
            return false;
        }

        state = new MeterState
        {
            LeaseId = leaseId,
            Phase = (MeterPhase)phase,
            Sequence = sequence,
            ActiveMilliseconds = active,
            PausedMilliseconds = paused,
            CurrentPauseMilliseconds = currentPause,
            WindowMilliseconds = window,
            Settled = AttoFil.Read(settled),
            LogSize = logSize,
            LoggedPhase = (LoggedPhase)logged,
            LoggedDeposit = AttoFil.Read(deposit),
            Newest = newest,
            NewestStatement = statement,
        };
        return true;
    }
}
