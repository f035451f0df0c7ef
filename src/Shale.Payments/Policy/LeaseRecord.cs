using System.Diagnostics.CodeAnalysis;
using Shale.Payments.Channel;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;
using Shale.Wire;

namespace Shale.Payments.Policy;

/// <summary>What the agent remembers of a lease after each voucher. One entry of its own log; the newest is the state.</summary>
/// <param name="Newest">The newest voucher and its statement.</param>
/// <param name="ServedMilliseconds">The time that this key has paid for as served; only signing moves it.</param>
/// <param name="LastVoucher">When the newest voucher was signed.</param>
/// <param name="Day">Days since 1970 (UTC) of <paramref name="SpentToday"/>.</param>
/// <param name="SpentToday">What was signed away on that day on this lease.</param>
/// <param name="LogVerifier">The provider's log, as the agent last saw it named.</param>
/// <param name="LogSize">The checkpoint that was last accepted.</param>
/// <param name="LogRoot">Its root.</param>
public sealed record LeaseRecord(
    Standing Newest,
    ulong ServedMilliseconds,
    ClockReading LastVoucher,
    int Day,
    AttoFil SpentToday,
    string LogVerifier,
    ulong LogSize,
    MerkleHash LogRoot)
{
    /// <summary>The most bytes of an entry.</summary>
    public const int MaxSize = MeterStatement.MaxSize + 1024;

    private const byte Version = 1;

    /// <summary>The entry's bytes.</summary>
    public byte[] ToBytes()
    {
        using var buffer = new PooledBufferWriter(MaxSize);
        var writer = new WireWriter(buffer);
        writer.WriteByte(Version);
        PaymentProtocol.WriteStanding(ref writer, Newest);
        writer.WriteUInt64(ServedMilliseconds);
        writer.WriteBytes(LastVoucher.BootId.ToByteArray(bigEndian: true));
        writer.WriteUInt64((ulong)LastVoucher.BootMilliseconds);
        writer.WriteUInt64((ulong)LastVoucher.WallMilliseconds);
        writer.WriteUInt32((uint)Day);
        PaymentProtocol.WriteAmount(ref writer, SpentToday);
        writer.WriteString(LogVerifier);
        writer.WriteUInt64(LogSize);
        writer.WriteBytes(LogRoot.ToArray());
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads an entry.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out LeaseRecord? record)
    {
        record = null;
        var reader = new WireReader(bytes);
        if (!reader.TryReadByte(out byte version) || version != Version ||
            !PaymentProtocol.TryReadStanding(ref reader, out Standing? newest) || newest is null ||
            !reader.TryReadUInt64(out ulong served) ||
            !reader.TryReadBytes(16, out ReadOnlySpan<byte> bootId) ||
            !reader.TryReadUInt64(out ulong boot) ||
            !reader.TryReadUInt64(out ulong wall) ||
            !reader.TryReadUInt32(out uint day) ||
            !PaymentProtocol.TryReadAmount(ref reader, out AttoFil spent) ||
            !reader.TryReadUtf8(512, out string? verifier) ||
            !reader.TryReadUInt64(out ulong logSize) ||
            !reader.TryReadBytes(MerkleHash.Size, out ReadOnlySpan<byte> root) ||
            !reader.IsAtEnd)
        {
            return false;
        }

        record = new LeaseRecord(
            newest, served, new ClockReading(new Guid(bootId, bigEndian: true), (long)boot, (long)wall), (int)day, spent, verifier, logSize, new MerkleHash(root));
        return true;
    }
}
