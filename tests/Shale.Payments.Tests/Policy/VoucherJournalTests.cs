using Shale.Payments.Channel;
using Shale.Payments.Log;
using Shale.Payments.Policy;
using Shale.Payments.Tests.Support;
using Shale.Payments.Vouchers;
using Xunit;

namespace Shale.Payments.Tests.Policy;

public sealed class VoucherJournalTests : IDisposable
{
    private readonly LeaseFixture _lease = new();
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose()
    {
        _lease.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Append_ThenOpenAgain_FindsTheNewestAndAll()
    {
        using (VoucherJournal journal = VoucherJournal.Open(_folder, 42))
        {
            Assert.Null(journal.Newest);
            for (ulong i = 1; i <= 10; i++)
            {
                journal.Append(Record(i));
            }
        }

        using VoucherJournal again = VoucherJournal.Open(_folder, 42);
        Assert.Equal(Record(10).ToBytes().Length, again.Newest!.ToBytes().Length);
        Assert.Equal(10ul, again.Newest.Newest.Statement.Sequence);
        Assert.Equal(Enumerable.Range(1, 10).Select(i => (ulong)i), VoucherJournal.ReadAll(_folder, 42).Select(r => r.Newest.Statement.Sequence));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder, "lease-42.000000.vouchers")));
    }

    [Fact]
    public void Open_TornAtEveryByte_KeepsEveryWholeEntry()
    {
        string path = Path.Combine(_folder, "lease-42.000000.vouchers");
        long first, second;
        using (VoucherJournal journal = VoucherJournal.Open(_folder, 42))
        {
            journal.Append(Record(1));
            first = new FileInfo(path).Length;
            journal.Append(Record(2));
            second = new FileInfo(path).Length;
        }

        byte[] whole = File.ReadAllBytes(path);
        for (long length = 0; length <= second; length++)
        {
            File.WriteAllBytes(path, whole[..(int)length]);
            using VoucherJournal journal = VoucherJournal.Open(_folder, 42);
            ulong? expected = length == second ? 2ul : length >= first ? 1ul : null;
            Assert.Equal(expected, journal.Newest?.Newest.Statement.Sequence);

            // What follows stands behind the last whole entry.
            if (length % 50 == 0)
            {
                journal.Append(Record(9));
                Assert.Equal(9ul, VoucherJournal.ReadAll(_folder, 42).Last().Newest.Statement.Sequence);
            }
        }
    }

    [Fact]
    public void Append_ManySegments_GoesOnInTheNewest()
    {
        for (ulong i = 1; i <= 40; i++)
        {
            using VoucherJournal journal = VoucherJournal.Open(_folder, 42, segmentSize: 1000);
            Assert.Equal(i - 1, journal.Newest?.Newest.Statement.Sequence ?? 0);
            journal.Append(Record(i));
        }

        Assert.True(Directory.GetFiles(_folder).Length > 5);
        Assert.Equal(40, VoucherJournal.ReadAll(_folder, 42).Count());
    }

    [Fact]
    public void Open_EmptyNewestSegment_FindsTheStateInTheOneBefore()
    {
        using (VoucherJournal journal = VoucherJournal.Open(_folder, 42))
        {
            journal.Append(Record(3));
        }

        File.WriteAllBytes(Path.Combine(_folder, "lease-42.000001.vouchers"), []);
        using VoucherJournal again = VoucherJournal.Open(_folder, 42);
        Assert.Equal(3ul, again.Newest!.Newest.Statement.Sequence);
        again.Append(Record(4));
        Assert.Equal([3ul, 4ul], VoucherJournal.ReadAll(_folder, 42).Select(r => r.Newest.Statement.Sequence));
    }

    [Fact]
    public void Append_DiskFull_ThrowsAndKeepsTheNewest()
    {
        // The next segment lies on a device that is always full.
        using VoucherJournal journal = VoucherJournal.Open(_folder, 42, segmentSize: 1);
        journal.Append(Record(1));
        File.CreateSymbolicLink(Path.Combine(_folder, "lease-42.000001.vouchers"), "/dev/full");
        Assert.ThrowsAny<IOException>(() => journal.Append(Record(2)));
        Assert.Equal(1ul, journal.Newest!.Newest.Statement.Sequence);
        Assert.ThrowsAny<IOException>(() => journal.Append(Record(3)));
        Assert.Equal(1ul, journal.Newest.Newest.Statement.Sequence);
    }

    [Fact]
    public void Open_Twice_IsRefused()
    {
        using VoucherJournal journal = VoucherJournal.Open(_folder, 42);
        Assert.ThrowsAny<IOException>(() => VoucherJournal.Open(_folder, 42));
    }

    [Fact]
    public void Policy_OverTheRealJournal_SurvivesARestart()
    {
        AttoFil paid;
        using (VoucherJournal journal = VoucherJournal.Open(_folder, 42))
        {
            PaymentPolicy policy = NewPolicy(journal);
            IPayableLease lease = policy.Hello(42, _lease.Hello(), Host()).Lease!;
            paid = lease.Charge(_lease.Charge(0, 1)).Payment!.Value.Voucher.Voucher.Cumulative;
        }

        using VoucherJournal again = VoucherJournal.Open(_folder, 42);
        HelloDecision decision = NewPolicy(again).Hello(42, _lease.Hello(), Host());
        Assert.Equal(paid, decision.Welcome.Standing!.Voucher.Voucher.Cumulative);
    }

    private PaymentPolicy NewPolicy(VoucherJournal journal) =>
        new(_lease.Key, _lease, new SpendingPolicy(), _lease.AgentTime, _ => journal, _lease);

    private GatewayIdentity.HostKey Host() => new(_lease.HostKey.HostKey);

    private LeaseRecord Record(ulong sequence)
    {
        ChargeMessage charge = _lease.Charge(0, sequence);
        SignedVoucher voucher = new Voucher(42, charge.Asked, charge.Statement.Digest()).Sign(_lease.Key, _lease.Facts!.Domain);
        return new LeaseRecord(new Standing(voucher, charge.Statement), 1, _lease.AgentTime.Read(), 20_000, charge.Asked, _lease.LogVerifier, 0, MerkleHash.Empty);
    }
}
