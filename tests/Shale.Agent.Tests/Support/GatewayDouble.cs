using System.Security.Cryptography;
using Shale.Payments.Channel;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;
using Shale.Ssh.Keys;

namespace Shale.Agent.Tests.Support;

/// <summary>
/// A provider with a host key that ssh-keygen made, a real voucher log and a real meter. It also makes messages that no honest
/// gateway sends.
/// </summary>
internal sealed class GatewayDouble : IVoucherRecorder, IAsyncDisposable
{
    public const ulong LeaseId = 42;
    public const ulong ChainId = 314159;
    public const string Provider = "f01946720";

    public static readonly byte[] Contract = [.. Enumerable.Range(1, 20).Select(i => (byte)i)];
    public static readonly AttoFil Price = AttoFil.Create(166_666_666_666_667);

    private readonly VoucherLogWriter _log;

    private GatewayDouble(string folder, string hostKeyFile)
    {
        HostKeyFile = hostKeyFile;
        HostKey = HostKeyStore.Load(hostKeyFile);
        Signer = new NoteSigner("sp.example/" + Guid.NewGuid().ToString("N"), RandomNumberGenerator.GetBytes(32));
        _log = VoucherLogWriter.Open(Path.Combine(folder, "log-" + Guid.NewGuid().ToString("N")), Signer, TimeProvider.System);
        Meter = new Meter(new MeterTerms { LeaseId = LeaseId, PricePerSecond = Price, Deposit = AttoFil.OneFil, Interval = TimeSpan.FromMilliseconds(200) }, MeterState.New(LeaseId), TimeProvider.System);
    }

    public string HostKeyFile { get; }

    public HostKey HostKey { get; }

    public NoteSigner Signer { get; }

    public Meter Meter { get; }

    public VoucherDomain Domain { get; } = VoucherDomain.Create(ChainId, Contract);

    public static async Task<GatewayDouble> CreateAsync(string folder, string type = "ed25519") =>
        new(folder, await Tool.KeyAsync(folder, "host-" + Guid.NewGuid().ToString("N"), type));

    public HelloMessage Hello(ulong lease = LeaseId, Standing? standing = null) => new(
        1, 1, ChainId, Contract, lease, Provider, Price, 15_000, Signer.Verifier.ToString(), standing, default, default);

    /// <summary>A charge with a statement of the gateway's choice.</summary>
    public ChargeMessage Charge(ulong activeMilliseconds, ulong sequence, AttoFil? asked = null, ulong lease = LeaseId, uint window = 15_000, long knownLog = 0)
    {
        (Checkpoint checkpoint, string signed) = NewestCheckpoint();
        var statement = new MeterStatement
        {
            LeaseId = lease,
            Sequence = sequence,
            ActiveMilliseconds = activeMilliseconds,
            PausedMilliseconds = 0,
            WindowMilliseconds = window,
            LogSize = (ulong)checkpoint.Size,
            LogRoot = checkpoint.Root,
        };
        return new ChargeMessage(
            statement, asked ?? AttoFil.Cost(Price, activeMilliseconds + window), signed, (ulong)knownLog, knownLog == 0 ? [] : ProveConsistency(knownLog, checkpoint.Size));
    }

    public byte[] Bind(byte[] sessionId, bool forwarding = true) => AgentSocket.Bind(
        HostKey.PublicKey.Blob.Span, sessionId, HostKey.Sign(HostKey.SignatureAlgorithms[0], sessionId), forwarding);

    public async ValueTask RecordAsync(SignedVoucher voucher, MeterStatement statement, CancellationToken cancellation) =>
        await _log.AppendAsync(new VoucherAccepted(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(), voucher, statement.ToBytes()).ToBytes(), cancellation);

    public (Checkpoint Checkpoint, string Signed) NewestCheckpoint()
    {
        string signed = _log.SignedCheckpoint();
        return Checkpoint.TryOpen(signed, Signer.Verifier, out Checkpoint checkpoint) ? (checkpoint, signed) : throw new InvalidOperationException("Our own checkpoint.");
    }

    public IReadOnlyList<MerkleHash> ProveConsistency(long oldSize, long newSize) => _log.ProveConsistency(oldSize, newSize);

    public async ValueTask DisposeAsync()
    {
        await _log.DisposeAsync();
        Signer.Dispose();
        HostKey.Dispose();
    }
}
