using Shale.Payments.Log;
using Shale.Payments.Vouchers;
using Xunit;

namespace Shale.Payments.Tests.Log;

public sealed class LogEntryTests
{
    private static readonly byte[] Statement = [1, 2, 3];

    public static TheoryData<LogEntry> Entries => new()
    {
        new LeaseOpened(42, 1_790_000_000_000, 314159, new byte[20], Enumerable.Repeat((byte)7, 32).ToArray(), AttoFil.OneFil, AttoFil.MaxValue, 15_000, 10_000),
        new VoucherAccepted(1_790_000_000_001, Signed(42), Statement),
        new LeasePauseChanged(42, 5, true, 1000, 0),
        new LeasePauseChanged(42, 6, false, 1000, 60_000),
        new LeaseClosed(42, 7, "client asked – näher nicht", Statement),
        new LeaseSettled(42, 8, new byte[32], 3, 63, AttoFil.Create(5), new byte[32]),
        new DepositChanged(42, 9, AttoFil.OneFil),
    };

    [Theory]
    [MemberData(nameof(Entries))]
    public void Entry_WrittenAndRead_IsTheSameKindAndBytes(LogEntry entry)
    {
        var bytes = entry.ToBytes();
        Assert.True(LogEntry.TryRead(bytes, out var read));
        Assert.Equal(entry.GetType(), read.GetType());
        Assert.Equal((entry.LeaseId, entry.UnixMilliseconds), (read.LeaseId, read.UnixMilliseconds));
        Assert.Equal(bytes, read.ToBytes());
    }

    [Theory]
    [MemberData(nameof(Entries))]
    public void Entry_CutShortOrLengthened_IsRefused(LogEntry entry)
    {
        var bytes = entry.ToBytes();
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.False(LogEntry.TryRead(bytes.AsSpan(0, length), out _));
        }

        Assert.False(LogEntry.TryRead([.. bytes, 0], out _));
        Assert.False(LogEntry.TryRead([2, .. bytes.AsSpan(1)], out _));
        Assert.False(LogEntry.TryRead([1, 200, .. bytes.AsSpan(2)], out _));
    }

    [Fact]
    public void VoucherAccepted_UnderAnotherLeaseThanItsVoucher_IsRefused()
    {
        var bytes = new VoucherAccepted(1, Signed(42), Statement).ToBytes();
        bytes[9] ^= 1;
        Assert.False(LogEntry.TryRead(bytes, out _));
    }

    private static SignedVoucher Signed(ulong lease)
    {
        var bytes = new byte[SignedVoucher.Size];
        new Voucher(lease, AttoFil.OneFil, StatementDigest.Of(Statement)).Write(bytes);
        Assert.True(SignedVoucher.TryRead(bytes, out var voucher));
        return voucher;
    }
}
