using System.Buffers;
using System.Security.Cryptography;
using Shale.Payments.Channel;
using Shale.Payments.Log;
using Shale.Payments.Tests.Support;
using Shale.Payments.Vouchers;
using Xunit;

namespace Shale.Payments.Tests.Channel;

public sealed class PaymentMessagesTests : IDisposable
{
    private readonly LeaseFixture _lease = new();

    public void Dispose() => _lease.Dispose();

    [Fact]
    public void Messages_EachKind_RoundTripsAndRefusesEveryOtherLength()
    {
        ChargeMessage charge = _lease.Charge(0, 1);
        SignedVoucher voucher = new Voucher(42, charge.Asked, charge.Statement.Digest()).Sign(_lease.Key, _lease.Facts!.Domain);
        var standing = new Standing(voucher, charge.Statement);
        MerkleHash hash = new(RandomNumberGenerator.GetBytes(32));
        Check(_lease.Hello(standing) with { HostKey = new byte[51], HostSignature = new byte[83] }, m => m.Write, HelloMessage.TryRead);
        Check(_lease.Hello(), m => m.Write, HelloMessage.TryRead);
        Check(new WelcomeMessage(1, 15_000, 7, standing), m => m.Write, WelcomeMessage.TryRead);
        Check(new WelcomeMessage(1, 0, 0, null), m => m.Write, WelcomeMessage.TryRead);
        Check(charge with { Proof = [hash, hash] }, m => m.Write, ChargeMessage.TryRead);
        Check(new PaymentMessage(voucher, "disk"), m => m.Write, PaymentMessage.TryRead);
        Check(new RefusalMessage(RefusalReason.OverBudget, "Today's budget is used up."), m => m.Write, RefusalMessage.TryRead);
        Check(NoticeMessage.Plain(NoticeKind.Paused, "Unpaid for 10 s.", DateTimeOffset.UnixEpoch.AddDays(1)), m => m.Write, NoticeMessage.TryRead);
        Check(new NoticeMessage(NoticeKind.Settled, "", 5, new byte[32], new byte[160], [hash]), m => m.Write, NoticeMessage.TryRead);
        Check(new ProbeMessage("disk", "{}"), m => m.Write, ProbeMessage.TryRead);
        Check(new VerdictMessage(false, "Half of what was promised."), m => m.Write, VerdictMessage.TryRead);
        Check(new OpenMessage(new byte[32]), m => m.Write, OpenMessage.TryRead);
    }

    [Fact]
    public void Hello_FirstBytes_StandWhereTheProtocolSays()
    {
        byte[] body = LeaseFixture.Encode(_lease.Hello().Write);

        // docs/PROTOCOL.payment.md, section 4.1, written out by hand up to the price.
        string expected = "01" + "00000001" + "00000001" + "000000000000013a" + "0102030405060708090a0b0c0d0e0f1011121314" + "000000000000002a" +
            "00000009" + Convert.ToHexStringLower("f01946720"u8) + "00000000" + "000097951b766aab" + "00003a98";
        Assert.StartsWith(expected, Convert.ToHexStringLower(body), StringComparison.Ordinal);
    }

    [Fact]
    public void Standing_VoucherOfAnotherStatement_IsRefused()
    {
        ChargeMessage charge = _lease.Charge(0, 1);
        SignedVoucher voucher = new Voucher(42, charge.Asked, StatementDigest.Of([1])).Sign(_lease.Key, _lease.Facts!.Domain);
        byte[] body = LeaseFixture.Encode(new WelcomeMessage(1, 0, 0, new Standing(voucher, charge.Statement)).Write);
        Assert.False(WelcomeMessage.TryRead(body, out _));
    }

    [Fact]
    public void Texts_WithControlCharacters_ComeOutFitForATerminal()
    {
        byte[] body = LeaseFixture.Encode(new RefusalMessage(RefusalReason.Other, "x").Write);
        byte[] hostile = [.. body[..5], 0, 0, 0, 9, 0x1B, (byte)'[', (byte)'2', (byte)'J', 10, 13, 0, 7, (byte)'y', .. new byte[8]];
        Assert.True(RefusalMessage.TryRead(hostile, out RefusalMessage message));
        Assert.DoesNotContain(message.Text, char.IsControl);
        Assert.Equal("[2J    y", message.Text);
        Assert.DoesNotContain('\u202E', PaymentProtocol.Printable("a\u202Eb"));
        Assert.True(PaymentProtocol.Printable(new string('é', 5000)).Length < 200);
    }

    [Fact]
    public void Mutations_OfEveryMessage_NeverThrow()
    {
        ChargeMessage charge = _lease.Charge(0, 1);
        SignedVoucher voucher = new Voucher(42, charge.Asked, charge.Statement.Digest()).Sign(_lease.Key, _lease.Facts!.Domain);
        byte[][] bodies =
        [
            LeaseFixture.Encode(_lease.Hello(new Standing(voucher, charge.Statement)).Write),
            LeaseFixture.Encode(charge.Write),
            LeaseFixture.Encode(new WelcomeMessage(1, 15_000, 7, new Standing(voucher, charge.Statement)).Write),
            LeaseFixture.Encode(new NoticeMessage(NoticeKind.Settled, "", 5, new byte[32], new byte[160], [MerkleHash.Empty]).Write),
        ];
        var random = new Random(12);
        var server = new PayerServer(42, _lease.Policy, new TestHostKey.Verifier());
        for (int i = 0; i < 20_000; i++)
        {
            byte[] body = [.. bodies[random.Next(bodies.Length)]];
            for (int flips = random.Next(1, 4); flips > 0; flips--)
            {
                body[random.Next(body.Length)] = (byte)random.Next(256);
            }

            _ = HelloMessage.TryRead(body, out _) | ChargeMessage.TryRead(body, out _) | WelcomeMessage.TryRead(body, out _) |
                NoticeMessage.TryRead(body, out _) | PaymentMessage.TryRead(body, out _) | RefusalMessage.TryRead(body, out _) |
                VerdictMessage.TryRead(body, out _) | ProbeMessage.TryRead(body, out _) | OpenMessage.TryRead(body, out _);
            byte[] answer = server.AnswerAgentMessage(AgentProtocol.WrapRequest(body));
            Assert.NotEmpty(answer);
        }
    }

    private static void Check<T>(T message, Func<T, Action<IBufferWriter<byte>>> write, Reader<T> read)
    {
        byte[] body = LeaseFixture.Encode(write(message));
        Assert.True(read(body, out T back));
        Assert.Equal(body, LeaseFixture.Encode(write(back)));
        for (int length = 0; length < body.Length; length++)
        {
            Assert.False(read(body.AsSpan(0, length), out _), $"{typeof(T).Name} of {length} bytes");
        }

        Assert.False(read([.. body, 0], out _));
    }

    private delegate bool Reader<T>(ReadOnlySpan<byte> body, out T message);
}
