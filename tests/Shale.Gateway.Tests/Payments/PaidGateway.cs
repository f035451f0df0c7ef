using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Shale.Bn254.BabyJubjub;
using Shale.Crypto;
using Shale.Gateway.Listening;
using Shale.Leases;
using Shale.Payments.Audit;
using Shale.Payments.Channel;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Policy;
using Shale.Payments.Vouchers;
using Shale.Ssh.Client;
using Xunit;
using LeaseRecord = Shale.Leases.LeaseRecord;
using PaidRecord = Shale.Payments.Policy.LeaseRecord;

namespace Shale.Gateway.Tests.Payments;

/// <summary>The gateway as it is, in this process, on a clock of the test's; its clients are light SSH connections, each with an agent's policy of its own behind it.</summary>
internal sealed class PaidGateway : IAsyncDisposable
{
    public const ulong ChainId = 314;
    public const string Provider = "f01946720";
    public static readonly byte[] Contract = [.. Enumerable.Range(1, 20).Select(i => (byte)i)];
    public static readonly AttoFil Price = AttoFil.Create(166_666_666_666_667);

    // Of PaidLease, in milliseconds.
    private const long LongestTick = 250;

    private readonly CancellationTokenSource _stop = new();
    private readonly Ed25519PrivateKey _login = new(RandomNumberGenerator.GetBytes(Ed25519.SeedSize));
    private readonly TimeProvider _time;
    private readonly Func<ulong, bool> _isReal;
    private readonly List<PaidClient> _clients = [];
    private GatewayHost? _host;
    private Task _running = Task.CompletedTask;

    private PaidGateway(TimeProvider time, Func<ulong, bool> isReal) => (_time, _isReal) = (time, isReal);

    public string State { get; } = Directory.CreateTempSubdirectory("shale-paid-").FullName;

    public ContainerDoubles Containers { get; private set; } = null!;

    public FileMeterStore Meters => new(Path.Combine(State, "meters"));

    public static async Task<PaidGateway> StartAsync(TimeProvider time, Func<ulong, bool>? isReal = null)
    {
        var gateway = new PaidGateway(time, isReal ?? (_ => false));
        gateway._host = await GatewayHost.StartAsync(
            new GatewayOptions
            {
                StateDirectory = gateway.State,
                Listen = new IPEndPoint(IPAddress.Loopback, 0),
                Time = time,
                Containers = engine => gateway.Containers = new ContainerDoubles(engine, time, gateway._isReal),
            },
            CancellationToken.None);
        gateway._running = gateway._host.RunAsync(gateway._stop.Token);
        if (time is ManualTime manual)
        {
            manual.IsSettled = gateway.HasTicked;
        }

        return gateway;
    }

    /// <summary>A client with a payment key and a record; its lease is written for the gateway to serve.</summary>
    public PaidClient Lease(ulong id, int interval = 5, int window = 15, int grace = 10)
    {
        var client = new PaidClient(id, _time as IAgentClock ?? new SystemAgentClock(_time), TimeSpan.FromSeconds(window));
        _clients.Add(client);
        var key = ClientIdentity.FromEd25519(_login).PublicKey;
        FileLeaseDirectory.Write(State, new LeaseRecord
        {
            Id = id,
            Provider = Provider,
            AuthorizedKeys = ["ssh-ed25519 " + Convert.ToBase64String(key.Blob.Span)],
            Container = new ContainerTerms { Image = "shale/busybox:1", MemoryBytes = 64 << 20 },
            Payment = new PaymentTerms
            {
                ChainId = ChainId,
                Contract = "0x" + Convert.ToHexStringLower(Contract),
                PayerKey = client.Key.PublicKey.ToString(),
                PricePerSecond = Price.ToString(),
                Deposit = AttoFil.OneFil.ToString(),
                IntervalSeconds = interval,
                WindowSeconds = window,
                GraceSeconds = grace,
            },
        });
        return client;
    }

    /// <summary>Whether the gateway has credited a payment that lasts to now.</summary>
    public bool IsPaid(PaidClient client) => _host!.Payments.Find(client.LeaseId)?.Meter.Snapshot().Phase == MeterPhase.Active;

    /// <summary>Whether every meter was ticked within a tick of that time, and its container is frozen or not accordingly.</summary>
    private bool HasTicked(long now) =>
        _host is not { } host || _clients.All(c => host.Payments.Find(c.LeaseId)?.TickedAt is not { } ticked || now - ticked <= LongestTick);

    public async Task<SshClient> ConnectAsync(ulong lease)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(_host!.Endpoint);
        var result = await SshClient.ConnectAsync(
            socket,
            new SshClientOptions
            {
                UserName = lease.ToString(),
                Identity = ClientIdentity.FromEd25519(_login),
                VerifyHostKey = (_, _) => ValueTask.FromResult(true),
                KeyExchangeAlgorithms = ["curve25519-sha256"],
            },
            CancellationToken.None);
        return result.Client ?? throw new InvalidOperationException(result.Closed.Description);
    }

    public async Task<string> StatusAsync(ulong lease)
    {
        for (var i = 0; ; i++)
        {
            if (FileLeaseDirectory.ReadStatus(State, lease) is { } status)
            {
                return status.Service.ToString();
            }

            Assert.True(i < 3000, $"Lease {lease} has no status.");
            await Task.Delay(100);
        }
    }

    /// <summary>The provider ends a lease; when this returns its container is gone.</summary>
    public Task EndAsync(ulong lease)
    {
        FileLeaseDirectory.Remove(State, lease);
        return _host!.EndLeaseAsync(lease);
    }

    /// <summary>Stops the gateway; what it kept lies in <see cref="State"/>.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running;
        if (_host is not null)
        {
            await _host.DisposeAsync();
            _host = null;
        }
    }

    /// <summary>The meter of a lease as it was stored, which holds the inequalities.</summary>
    public MeterState Meter(PaidClient client)
    {
        var state = Meters.Load(client.LeaseId) ?? throw new InvalidOperationException("No meter.");
        Assert.True(state.HoldsInequalities(new MeterTerms { LeaseId = client.LeaseId, PricePerSecond = Price, Deposit = AttoFil.OneFil }), state.ToString());
        return state;
    }

    public async Task<AuditReport> AuditAsync()
    {
        var key = (await File.ReadAllTextAsync(Path.Combine(State, "log.pub"))).Trim();
        return NoteVerifier.TryParse(key, out var verifier)
            ? await LogAuditor.RunAsync(new FolderLogSource(Path.Combine(State, "log")), verifier, new AuditOptions(), null, CancellationToken.None)
            : throw new InvalidOperationException(key);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
        {
            await client.DisposeAsync();
        }

        // Their records gone, the engine's own containers go too.
        foreach (var record in Directory.GetFiles(Path.Combine(State, "leases"), "*.json"))
        {
            if (_host is not null)
            {
                await EndAsync(ulong.Parse(Path.GetFileNameWithoutExtension(record)));
            }
        }

        await StopAsync();
        _login.Dispose();
        _stop.Dispose();
        Directory.Delete(State, recursive: true);
    }
}

/// <summary>A client: a payment key, the real policy with a record in memory, and connections over carrier B whose answers may be tampered with on their way.</summary>
internal sealed class PaidClient : ILeaseFacts, IPaymentEvents, IHostKeyVerifier, IVoucherJournal, IAsyncDisposable
{
    private readonly PaymentPolicy _policy;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<IAsyncDisposable> _connections = [];
    private Task _paying = Task.CompletedTask;

    public PaidClient(ulong lease, IAgentClock clock, TimeSpan prepay)
    {
        LeaseId = lease;
        Facts = new LeaseFacts
        {
            LeaseId = lease,
            ChainId = PaidGateway.ChainId,
            Contract = PaidGateway.Contract,
            Provider = PaidGateway.Provider,
            PricePerSecond = PaidGateway.Price,
            Deposit = AttoFil.OneFil,
            HostKeys = [],
        };
        _policy = new PaymentPolicy(Key, this, new SpendingPolicy { Prepay = prepay, AllowUnbound = new HashSet<ulong> { lease } }, clock, _ => this, this);
    }

    public ulong LeaseId { get; }

    public EdDsaPrivateKey Key { get; } = EdDsaPrivateKey.Generate();

    public LeaseFacts Facts { get; }

    public PaidRecord? Newest { get; private set; }

    /// <summary>Vouchers signed so far.</summary>
    public int Signed { get; private set; }

    public NoticeMessage? LastNotice { get; private set; }

    public RefusalMessage? LastRefusal { get; private set; }

    /// <summary>Whether the newest connection still pays: the gateway lets go of one that does not answer in time.</summary>
    public bool IsPaying => !_paying.IsCompleted;

    /// <summary>What becomes of an answer on its way; null: nothing is sent.</summary>
    public Func<byte[], Task<byte[]?>> Tamper { get; set; } = answer => Task.FromResult<byte[]?>(answer);

    public SpendingPolicy Spending
    {
        get => _policy.Spending;
        set => _policy.Spending = value;
    }

    public VoucherDomain Domain => Facts.Domain;

    /// <summary>Pays over a connection until that ends.</summary>
    public async Task PayAsync(PaidGateway gateway)
    {
        var ssh = await gateway.ConnectAsync(LeaseId);
        _connections.Add(ssh);
        var session = await ssh.OpenSessionAsync(_stop.Token) ?? throw new InvalidOperationException("No session.");
        Assert.True(await session.SubsystemAsync(PaymentProtocol.Name, _stop.Token));
        var wire = new FrameConnection(session.Output, session.WriteAsync, () => session.SendEofAsync(CancellationToken.None));
        var (inner, agent) = Ends();
        _ = Task.Run(() => new PayerServer(LeaseId, new Bound(_policy), this).ServeSubsystemAsync(agent, _stop.Token));
        _paying = Task.Run(() => RelayAsync(wire, inner));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        foreach (var connection in _connections)
        {
            await connection.DisposeAsync();
        }
    }

    LeaseFacts? ILeaseFacts.Find(ulong leaseId) => leaseId == LeaseId ? Facts : null;

    bool IHostKeyVerifier.Verify(ReadOnlySpan<byte> hostKey, ReadOnlySpan<byte> signature, ReadOnlySpan<byte> data) => true;

    void IVoucherJournal.Append(PaidRecord record)
    {
        Newest = record;
        Signed++;
    }

    void IPaymentEvents.Paid(ulong leaseId, SignedVoucher voucher, MeterStatement statement)
    {
    }

    void IPaymentEvents.Refused(ulong leaseId, RefusalMessage refusal) => LastRefusal = refusal;

    void IPaymentEvents.Noticed(ulong leaseId, NoticeMessage notice) => LastNotice = notice;

    void IPaymentEvents.LogReplaced(ulong leaseId, string before, string now)
    {
    }

    private async Task RelayAsync(FrameConnection wire, FrameConnection inner)
    {
        try
        {
            while (true)
            {
                var (status, answer) = await inner.ReadAsync(1 << 20, _stop.Token);
                if (status != FrameStatus.Frame || (await Tamper(answer) is { } sent && !await wire.WriteAsync(sent, _stop.Token)))
                {
                    return;
                }

                (status, var request) = await wire.ReadAsync(1 << 20, _stop.Token);
                if (status != FrameStatus.Frame || !await inner.WriteAsync(request, _stop.Token))
                {
                    return;
                }
            }
        }
        catch (Exception end) when (end is OperationCanceledException or IOException or ObjectDisposedException or InvalidOperationException)
        {
            // The test or the connection is over.
        }
    }

    private static (FrameConnection One, FrameConnection Other) Ends()
    {
        var (there, back) = (new Pipe(), new Pipe());
        return (End(back.Reader, there.Writer), End(there.Reader, back.Writer));

        static FrameConnection End(PipeReader reader, PipeWriter writer) =>
            new(reader, async (bytes, cancellation) => await writer.WriteAsync(bytes, cancellation), async () => await writer.CompleteAsync());
    }

    /// <summary>The test knows its gateway: host keys are other tests' matter.</summary>
    private sealed class Bound(PaymentPolicy policy) : IPayerPolicy
    {
        public HelloDecision Hello(ulong leaseId, in HelloMessage hello, GatewayIdentity gateway) => policy.Hello(leaseId, hello, new GatewayIdentity.Unbound());
    }
}
