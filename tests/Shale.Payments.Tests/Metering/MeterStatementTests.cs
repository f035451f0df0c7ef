using System.Collections.Immutable;
using System.Security.Cryptography;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;
using Xunit;

namespace Shale.Payments.Tests.Metering;

public sealed class MeterStatementTests
{
    private static readonly MeterStatement Full = new()
    {
        LeaseId = 0x0102030405060708,
        Sequence = 9,
        IsFinal = true,
        ActiveMilliseconds = 10,
        PausedMilliseconds = 11,
        BytesIn = 12,
        BytesOut = 13,
        GpuMilliseconds = 14,
        WindowMilliseconds = 15_000,
        QualityReport = [.. Enumerable.Repeat((byte)0xAA, 32)],
        Results = [[0x01, 0x55], [0x01, 0x70, 0x12]],
        LogSize = 16,
        LogRoot = new MerkleHash(Enumerable.Repeat((byte)0xBB, 32).ToArray()),
    };

    [Fact]
    public void ToBytes_EveryField_StandsWhereTheProtocolSays()
    {
        // docs/PROTOCOL.payment.md, section 3, written out by hand.
        string expected = "01" + "01" + "0102030405060708" + "0000000000000009" + "000000000000000a" + "000000000000000b" +
            "000000000000000c" + "000000000000000d" + "000000000000000e" + "00003a98" +
            "00000020" + string.Concat(Enumerable.Repeat("aa", 32)) +
            "00000002" + "00000002" + "0155" + "00000003" + "017012" +
            "0000000000000010" + string.Concat(Enumerable.Repeat("bb", 32));
        Assert.Equal(expected, Convert.ToHexStringLower(Full.ToBytes()));
        Assert.Equal(
            Convert.ToHexStringLower(SHA256.HashData(Convert.FromHexString(expected))[..31]), Full.Digest().ToString());
    }

    [Fact]
    public void TryRead_CanonicalBytes_RoundTrips()
    {
        foreach (MeterStatement statement in new[] { Full, Full with { IsFinal = false, GpuMilliseconds = null, QualityReport = [], Results = [] } })
        {
            Assert.True(MeterStatement.TryRead(statement.ToBytes(), out MeterStatement? back));
            Assert.Equal(statement, back);
            Assert.Equal(statement.Digest(), back.Digest());
        }
    }

    [Fact]
    public void TryRead_ShortenedLengthenedOrMutated_IsRefusedOrCanonical()
    {
        byte[] bytes = Full.ToBytes();
        for (int length = 0; length < bytes.Length; length++)
        {
            Assert.False(MeterStatement.TryRead(bytes.AsSpan(0, length), out _));
        }

        Assert.False(MeterStatement.TryRead([.. bytes, 0], out _));
        var random = new Random(3);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] changed = [.. bytes];
            changed[random.Next(changed.Length)] = (byte)random.Next(256);
            if (MeterStatement.TryRead(changed, out MeterStatement? statement))
            {
                Assert.Equal(changed, statement.ToBytes());
            }
        }
    }

    [Fact]
    public void TryRead_UnknownVersionFlagOrZeroSequence_IsRefused()
    {
        byte[] bytes = Full.ToBytes();
        Assert.False(MeterStatement.TryRead([2, .. bytes.AsSpan(1)], out _));
        Assert.False(MeterStatement.TryRead([1, 2, .. bytes.AsSpan(2)], out _));
        Assert.False(MeterStatement.TryRead((Full with { Sequence = 0 }).ToBytes(), out _));
    }

    [Fact]
    public void ToBytes_FieldAboveItsBound_Throws()
    {
        Assert.Throws<InvalidOperationException>(() => (Full with { QualityReport = [1] }).ToBytes());
        Assert.Throws<InvalidOperationException>(() => (Full with { Results = [[]] }).ToBytes());
        Assert.Throws<InvalidOperationException>(() => (Full with { Results = [[.. new byte[101]]] }).ToBytes());
        ImmutableArray<byte> cid = [.. new byte[100]];
        Assert.Throws<InvalidOperationException>(() => (Full with { Results = [.. Enumerable.Repeat(cid, 64)] }).ToBytes());
        Assert.True((Full with { Results = [.. Enumerable.Repeat(cid[..36], 64)] }).ToBytes().Length <= MeterStatement.MaxSize);
    }

    [Fact]
    public void CanFollow_AnyCounterFalling_IsRefused()
    {
        MeterStatement first = Full with { IsFinal = false }, next = Full with { Sequence = 10 };
        Assert.True(next.CanFollow(first));
        Assert.False(next.CanFollow(Full));
        Assert.False(first.CanFollow(first));
        Assert.False((next with { LeaseId = 1 }).CanFollow(first));
        Assert.False((next with { ActiveMilliseconds = 9 }).CanFollow(first));
        Assert.False((next with { PausedMilliseconds = 10 }).CanFollow(first));
        Assert.False((next with { BytesIn = 11 }).CanFollow(first));
        Assert.False((next with { BytesOut = 12 }).CanFollow(first));
        Assert.False((next with { GpuMilliseconds = 13 }).CanFollow(first));
        Assert.False((next with { GpuMilliseconds = null }).CanFollow(first));
        Assert.True((next with { LogSize = 1 }).CanFollow(first));
    }
}
