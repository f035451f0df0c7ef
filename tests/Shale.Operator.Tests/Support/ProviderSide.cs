using System.Collections.Concurrent;
using System.Numerics;
using Shale.Bn254.BabyJubjub;
using Shale.Chain;
using Shale.Chain.Contracts;
using Shale.Leases;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;
using LogEntry = Shale.Payments.Log.LogEntry;
using LeaseStatus = Shale.Leases.LeaseStatus;

namespace Shale.Operator.Tests.Support;

/// <summary>A provider's machine without a gateway: the test plays it, writing log and status as a gateway does.</summary>
internal sealed class ProviderSide : IAsyncDisposable
{
    public const ulong Price = 1_000;

    private readonly NoteSigner _signer = new("shale-test/vouchers", new byte[32]);
    private readonly Dictionary<ulong, EdDsaPrivateKey> _keys = [];
    private readonly ProvingKeyFixture _key;

    public ProviderSide(ProvingKeyFixture key)
    {
        _key = key;
        Ledger = new LedgerDouble(key.VerificationKey);
        Ledger.Offers[1] = new Offer(new Resources(4, 8UL << 30, 0, "", 0), Price, 1, [], [new Image("shale/debian:12", Digest)], "DE");
        File.WriteAllText(Path.Combine(Folder, "log.pub"), _signer.Verifier + "\n");
    }

    public static Bytes32 Digest { get; } = Bytes32.Keccak("image"u8);

    public string Folder { get; } = Directory.CreateTempSubdirectory("shale-operator-").FullName;

    public LedgerDouble Ledger { get; }

    public Shale.Testing.ManualTimeProvider Time { get; } = new();

    public ConcurrentQueue<string> Said { get; } = new();

    public OperatorService Start(Func<OperatorOptions, OperatorOptions>? change = null)
    {
        var options = new OperatorOptions { StateDirectory = Folder, ProvingKeys = new Dictionary<int, string> { [8] = _key.KeyPath }, Capacity = new MachineCapacity(4, 8UL << 30, 0) };
        return new OperatorService(change?.Invoke(options) ?? options, Ledger, _key.Prover, Time, Said.Enqueue);
    }

    public Order Order(ulong seed, uint cpus = 1, ulong duration = 0)
    {
        var bytes = new byte[32];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(bytes, seed);
        var key = new EdDsaPrivateKey(bytes);
        _keys[seed] = key;
        return new Order(1, 1, Price, duration, key.PublicKey.Point.X.ToBigInteger(), key.PublicKey.Point.Y.ToBigInteger(), new Resources(cpus, 1UL << 30, 0, "", 0), Digest, ["ssh-ed25519 AAAA test"], []);
    }

    public string PayerKey(ulong seed) => _keys[seed].PublicKey.ToString();

    /// <summary>What the gateway writes when the client has paid so much.</summary>
    public async Task PayAsync(ulong lease, ulong keySeed, ulong cumulative)
    {
        var statement = new MeterStatement { LeaseId = lease, Sequence = 1, ActiveMilliseconds = cumulative, PausedMilliseconds = 0, WindowMilliseconds = 0 }.ToBytes();
        var voucher = new Voucher(lease, AttoFil.Create(cumulative), StatementDigest.Of(statement));
        var signed = voucher.Sign(_keys[keySeed], VoucherDomain.Create(Ledger.ChainId, Ledger.Contract.ToArray()));
        await AppendAsync(new VoucherAccepted(Time.GetUtcNow().ToUnixTimeMilliseconds(), signed, statement));
    }

    /// <summary>What the gateway does when a record is closed: the log's last entry and the status.</summary>
    public async Task EndAsync(ulong lease)
    {
        await AppendAsync(new LeaseClosed(lease, Time.GetUtcNow().ToUnixTimeMilliseconds(), "over", default));
        FileLeaseDirectory.WriteStatus(Folder, new LeaseStatus { Id = lease, Service = ServiceState.Ended, At = Time.GetUtcNow() });
    }

    public LeaseRecord? Record(ulong lease) => new FileLeaseDirectory(Folder, (file, problem) => throw new InvalidDataException(file + ": " + problem)).Find(lease);

    public async ValueTask DisposeAsync()
    {
        await Task.Yield();
        _signer.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private async Task AppendAsync(LogEntry entry)
    {
        // Opened for one entry: closing it publishes the checkpoint at once.
        await using var log = VoucherLogWriter.Open(Path.Combine(Folder, "log"), _signer, TimeProvider.System);
        await log.AppendAsync(entry.ToBytes(), default);
    }
}
