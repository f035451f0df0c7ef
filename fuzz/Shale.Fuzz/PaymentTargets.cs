using System.Buffers;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Channel;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Policy;
using Shale.Payments.Vouchers;
using Shale.Wire;

namespace Shale.Fuzz;

/// <summary>Bodies of the payment protocol; a message that is taken must have the encoding that it came in, texts apart: those are cleaned.</summary>
public sealed class PaymentMessageTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "payment-message";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => PaymentSeeds.Bodies;

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (HelloMessage.TryRead(input, out HelloMessage hello))
        {
            PaymentSeeds.RequireSame(input, hello.Write);
            _ = hello.SignedData(new byte[PaymentProtocol.NonceSize]);
        }

        if (WelcomeMessage.TryRead(input, out WelcomeMessage welcome))
        {
            PaymentSeeds.RequireSame(input, welcome.Write);
        }

        if (ChargeMessage.TryRead(input, out ChargeMessage charge))
        {
            PaymentSeeds.RequireSame(input, charge.Write);
        }

        if (PaymentMessage.TryRead(input, out PaymentMessage payment))
        {
            PaymentSeeds.RequireSame(input, payment.Write);
        }

        if (ProbeMessage.TryRead(input, out ProbeMessage probe))
        {
            PaymentSeeds.RequireSame(input, probe.Write);
        }

        if (OpenMessage.TryRead(input, out OpenMessage open))
        {
            PaymentSeeds.RequireSame(input, open.Write);
        }

        if (RefusalMessage.TryRead(input, out RefusalMessage refusal))
        {
            RequireClean(refusal.Text);
        }

        if (NoticeMessage.TryRead(input, out NoticeMessage notice))
        {
            RequireClean(notice.Text);
        }

        if (VerdictMessage.TryRead(input, out VerdictMessage verdict))
        {
            RequireClean(verdict.Text);
        }
    }

    private static void RequireClean(string text)
    {
        if (text.Any(char.IsControl))
        {
            throw new InvalidOperationException("A control character came through.");
        }
    }
}

/// <summary>Agent messages to the pay socket: every one has an answer, and none makes it pay without a hello.</summary>
public sealed class PaySocketTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "pay-socket";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => PaymentSeeds.Bodies.Select(body => AgentProtocol.WrapRequest(body));

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        byte[] answer = new PayerServer(42, Refuser.Instance, Refuser.Instance).AnswerAgentMessage(input);
        if (answer.Length == 0 || (answer.Length > 1 && answer[1] == (byte)PaymentMessageType.Payment))
        {
            throw new InvalidOperationException("No answer, or a payment.");
        }
    }

    private sealed class Refuser : IPayerPolicy, IHostKeyVerifier
    {
        public static readonly Refuser Instance = new();

        public HelloDecision Hello(ulong leaseId, in HelloMessage hello, GatewayIdentity gateway) => new(new RefusalMessage(RefusalReason.Other, ""));

        public bool Verify(ReadOnlySpan<byte> hostKey, ReadOnlySpan<byte> signature, ReadOnlySpan<byte> data) => true;
    }
}

/// <summary>Meter statements.</summary>
public sealed class MeterStatementTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "meter-statement";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => [PaymentSeeds.Statement.ToBytes()];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (MeterStatement.TryRead(input, out MeterStatement? statement) && !statement.ToBytes().AsSpan().SequenceEqual(input))
        {
            throw new InvalidOperationException("The statement has another encoding than it came in.");
        }
    }
}

/// <summary>Entries of the agent's own log.</summary>
public sealed class LeaseRecordTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "agent-lease-record";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds =>
        [new LeaseRecord(PaymentSeeds.Standing, 5, new ClockReading(Guid.Empty, 1, 2), 20_000, AttoFil.OneFil, "log+00000000+AA", 1, MerkleHash.Empty).ToBytes()];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (LeaseRecord.TryRead(input, out LeaseRecord? record) && !record.ToBytes().AsSpan().SequenceEqual(input))
        {
            throw new InvalidOperationException("The record has another encoding than it came in.");
        }
    }
}

/// <summary>Signatures over BabyJubjub: one encoding each, and none verifies but the one that was made.</summary>
public sealed class EdDsaSignatureTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "eddsa-signature";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => [PaymentSeeds.Standing.Voucher.Signature.ToArray()];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (!EdDsaSignature.TryRead(input, out EdDsaSignature signature))
        {
            return;
        }

        Span<byte> back = stackalloc byte[EdDsaSignature.Size];
        signature.Write(back);
        if (!back.SequenceEqual(input))
        {
            throw new InvalidOperationException("The signature has another encoding than it came in.");
        }

        if (!input.SequenceEqual(PaymentSeeds.Standing.Voucher.Signature) &&
            EdDsa.Verify(PaymentSeeds.Key.PublicKey, PaymentSeeds.Standing.Voucher.Voucher.Message(PaymentSeeds.Domain), signature))
        {
            throw new InvalidOperationException("Another signature verifies.");
        }
    }
}

internal static class PaymentSeeds
{
    internal static EdDsaPrivateKey Key { get; } = EdDsaPrivateKey.Generate();

    internal static VoucherDomain Domain { get; } = VoucherDomain.Create(314, new byte[20]);

    internal static MeterStatement Statement { get; } = new()
    {
        LeaseId = 42,
        Sequence = 3,
        ActiveMilliseconds = 10_000,
        PausedMilliseconds = 5,
        WindowMilliseconds = 15_000,
        QualityReport = [.. new byte[32]],
        Results = [[1, 0x55, 0x12, 0x20]],
        LogSize = 1,
    };

    internal static Standing Standing { get; } =
        new(new Voucher(42, AttoFil.OneFil, Statement.Digest()).Sign(Key, Domain), Statement);

    internal static byte[][] Bodies { get; } =
    [
        Encode(new HelloMessage(1, 1, 314, new byte[20], 42, "f01946720", AttoFil.OneFil, 15_000, "log+00000000+AA", Standing, new byte[51], new byte[83]).Write),
        Encode(new WelcomeMessage(1, 15_000, 7, Standing).Write),
        Encode(new ChargeMessage(Statement, AttoFil.OneFil, "log\n1\nAA==\n", 1, [MerkleHash.Empty]).Write),
        Encode(new PaymentMessage(Standing.Voucher, "disk").Write),
        Encode(new RefusalMessage(RefusalReason.OverBudget, "Today's budget is used up.").Write),
        Encode(new NoticeMessage(NoticeKind.Settled, "Paid.", 5, new byte[32], new byte[160], [MerkleHash.Empty]).Write),
        Encode(new ProbeMessage("disk", "{\"MBps\":400}").Write),
        Encode(new VerdictMessage(true, "Fine.").Write),
        Encode(new OpenMessage(new byte[32]).Write),
    ];

    internal static void RequireSame(ReadOnlySpan<byte> input, Action<IBufferWriter<byte>> write)
    {
        if (!input.SequenceEqual(Encode(write)))
        {
            throw new InvalidOperationException("The message has another encoding than it came in.");
        }
    }

    private static byte[] Encode(Action<IBufferWriter<byte>> write)
    {
        using var buffer = new PooledBufferWriter(PaymentProtocol.MaxBodySize);
        write(buffer);
        return buffer.WrittenSpan.ToArray();
    }
}
