using Xunit;
using System.Buffers;
using System.Security.Cryptography;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Channel;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Policy;
using Shale.Payments.Vouchers;
using Shale.Wire;

namespace Shale.Payments.Tests.Support;

/// <summary>One lease with both sides of its payment, in memory, on a clock that the test moves. Every part but the disk is the real one.</summary>
internal sealed class LeaseFixture : ILeaseFacts, IVoucherRecorder, IPaymentEvents, IDisposable
{
    public const ulong LeaseId = 42;

    public static readonly AttoFil Price = AttoFil.Create(166_666_666_666_667); // 0.01 FIL a minute

    private readonly NoteSigner _noteSigner = new("sp.example/f01", RandomNumberGenerator.GetBytes(32));
    private readonly List<byte[]> _entries = [];

    public LeaseFixture(ulong leaseId = LeaseId)
    {
        Id = leaseId;
        Facts = new LeaseFacts
        {
            LeaseId = leaseId,
            ChainId = 314,
            Contract = Enumerable.Range(1, 20).Select(i => (byte)i).ToArray(),
            Provider = "f01946720",
            PricePerSecond = Price,
            Deposit = AttoFil.OneFil,
            HostKeys = [SHA256.HashData(HostKey.HostKey.Span)],
        };
        Terms = new MeterTerms { LeaseId = leaseId, PricePerSecond = Price, Deposit = AttoFil.OneFil };
        Meter = new Meter(Terms, MeterState.New(leaseId), GatewayTime);
        Policy = NewPolicy();
    }

    public ulong Id { get; }

    public ManualTime GatewayTime { get; } = new();

    public ManualTime AgentTime { get; } = new();

    public TestHostKey HostKey { get; } = new();

    public EdDsaPrivateKey Key { get; } = EdDsaPrivateKey.Generate();

    public LeaseFacts? Facts { get; set; }

    public MeterTerms Terms { get; set; }

    public SpendingPolicy Spending { get; set; } = new();

    public Meter Meter { get; set; }

    public PaymentPolicy Policy { get; set; }

    public MemoryJournal Journal { get; set; } = new();

    public List<SignedVoucher> Logged { get; } = [];

    public List<RefusalMessage> Refusals { get; } = [];

    public List<string> LogReplacements { get; } = [];

    public Exception? DiskFault { get; set; }

    public string LogVerifier => _noteSigner.Verifier.ToString();

    public void Advance(double seconds)
    {
        GatewayTime.Advance(seconds);
        AgentTime.Advance(seconds);
    }

    public PaymentPolicy NewPolicy() => new(Key, this, Spending, AgentTime, _ => Journal, this);

    public HelloMessage Hello(Standing? standing = null) => new(
        1, 1, Facts!.ChainId, Facts.Contract, Id, Facts.Provider, Price, 15_000, LogVerifier, standing, default, default);

    public ChargeRound Round(IPayer payer) => new(Meter, payer, this, Key.PublicKey, Facts!.Domain);

    /// <summary>The agent's side without a wire: its policy behind the same interface.</summary>
    public DirectPayer Direct(PaymentPolicy? policy = null) => new(policy ?? Policy, new GatewayIdentity.HostKey(HostKey.HostKey));

    /// <summary>A charge as a gateway of any morals may make it.</summary>
    public ChargeMessage Charge(ulong active, ulong sequence, AttoFil? asked = null, uint window = 15_000, ulong lease = LeaseId)
    {
        (Checkpoint checkpoint, string signed) = NewestCheckpoint();
        var statement = new MeterStatement
        {
            LeaseId = lease,
            Sequence = sequence,
            ActiveMilliseconds = active,
            PausedMilliseconds = 0,
            WindowMilliseconds = window,
            LogSize = (ulong)checkpoint.Size,
            LogRoot = checkpoint.Root,
        };
        ulong known = Policy.RecordOf(LeaseId)?.LogSize ?? 0;
        return new ChargeMessage(statement, asked ?? AttoFil.Cost(Price, active + window), signed, known, known == 0 ? [] : ProveConsistency((long)known, checkpoint.Size));
    }

    public static byte[] Encode(Action<IBufferWriter<byte>> write)
    {
        using var buffer = new PooledBufferWriter(PaymentProtocol.MaxBodySize);
        write(buffer);
        return buffer.WrittenSpan.ToArray();
    }

    public LeaseFacts? Find(ulong leaseId) => leaseId == Id ? Facts : null;

    public ValueTask RecordAsync(SignedVoucher voucher, MeterStatement statement, CancellationToken cancellation)
    {
        if (DiskFault is not null)
        {
            throw DiskFault;
        }

        Record(voucher);
        return ValueTask.CompletedTask;
    }

    public void Record(SignedVoucher voucher)
    {
        lock (_entries)
        {
            Logged.Add(voucher);
            _entries.Add(voucher.Bytes.ToArray());
        }
    }

    public (Checkpoint Checkpoint, string Signed) NewestCheckpoint()
    {
        lock (_entries)
        {
            var checkpoint = new Checkpoint(_noteSigner.Verifier.Name, _entries.Count, Root(_entries.Count));
            return (checkpoint, checkpoint.Sign(_noteSigner));
        }
    }

    public IReadOnlyList<MerkleHash> ProveConsistency(long oldSize, long newSize)
    {
        lock (_entries)
        {
            return MerkleProof.Consistency(oldSize, newSize, Subtree);
        }
    }

    public void RewriteLog() => _entries[0] = [1, 2, 3];

    public void Paid(ulong leaseId, SignedVoucher voucher, MeterStatement statement)
    {
    }

    public void Refused(ulong leaseId, RefusalMessage refusal) => Refusals.Add(refusal);

    public void Noticed(ulong leaseId, NoticeMessage notice)
    {
    }

    public void LogReplaced(ulong leaseId, string before, string now) => LogReplacements.Add(now);

    public void Dispose()
    {
        Key.Dispose();
        _noteSigner.Dispose();
    }

    private MerkleHash Root(int size)
    {
        var frontier = new MerkleFrontier();
        foreach (byte[] entry in _entries.Take(size))
        {
            frontier.Append(MerkleHash.Leaf(entry));
        }

        return frontier.Root();
    }

    private MerkleHash Subtree(int height, long index)
    {
        var frontier = new MerkleFrontier();
        foreach (byte[] entry in _entries.Skip((int)(index << height)).Take(1 << height))
        {
            frontier.Append(MerkleHash.Leaf(entry));
        }

        return frontier.Root();
    }
}

/// <summary>A record that outlives its agent, and whose disk may fail.</summary>
internal sealed class MemoryJournal : IVoucherJournal
{
    public LeaseRecord? Newest { get; set; }

    public Exception? Fault { get; set; }

    public void Append(LeaseRecord record)
    {
        if (Fault is not null)
        {
            throw Fault;
        }

        // Through its bytes, as from a disk.
        Assert.True(LeaseRecord.TryRead(record.ToBytes(), out LeaseRecord? read));
        Newest = read;
    }
}

/// <summary>A payer that is the agent's policy itself. Its link can be cut; what the agent signs is then lost on the way.</summary>
internal sealed class DirectPayer(PaymentPolicy policy, GatewayIdentity identity) : IPayer
{
    private IPayableLease? _lease;

    public bool IsUp { get; set; } = true;

    public bool LoseAnswers { get; set; }

    public bool IsBroken => !IsUp;

    public Func<PaymentMessage, PaymentMessage>? Tamper { get; set; }

    public ValueTask<PayerAnswer<WelcomeMessage>> HelloAsync(HelloMessage hello, CancellationToken cancellation)
    {
        if (!IsUp)
        {
            return new(new PayerAnswer<WelcomeMessage>(PayerStatus.Gone, default, default));
        }

        HelloDecision decision = policy.Hello(hello.LeaseId, hello, identity);
        _lease = decision.Lease;
        return new(new PayerAnswer<WelcomeMessage>(_lease is null ? PayerStatus.Refused : PayerStatus.Answered, decision.Welcome, decision.Refusal));
    }

    public ValueTask<PayerAnswer<PaymentMessage>> ChargeAsync(ChargeMessage charge, CancellationToken cancellation)
    {
        if (!IsUp)
        {
            return new(new PayerAnswer<PaymentMessage>(PayerStatus.Silent, default, default));
        }

        ChargeDecision decision = _lease!.Charge(charge);
        if (LoseAnswers)
        {
            return new(new PayerAnswer<PaymentMessage>(PayerStatus.Silent, default, default));
        }

        return new(decision.Payment is { } payment
            ? new PayerAnswer<PaymentMessage>(PayerStatus.Answered, Tamper?.Invoke(payment) ?? payment, default)
            : new PayerAnswer<PaymentMessage>(PayerStatus.Refused, default, decision.Refusal));
    }

    public ValueTask<PayerAnswer<NoticeMessage>> NotifyAsync(NoticeMessage notice, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask<PayerAnswer<VerdictMessage>> ProbeAsync(ProbeMessage probe, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
