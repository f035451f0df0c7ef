using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shale.Containers.Engine;
using Shale.Containers.Leases;
using Shale.Crypto;
using Shale.Gateway.Admin;
using Shale.Gateway.Forwarding;
using Shale.Gateway.Leases;
using Shale.Gateway.Payments;
using Shale.Gateway.Results;
using Shale.Gateway.Sessions;
using Shale.Gateway.Sftp;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Ssh.Keys;
using Shale.Ssh.Listening;

namespace Shale.Gateway.Listening;

/// <summary>The provider's server: SSH on one address, metrics and status on another, leases from a directory. Holds no wallet key.</summary>
public sealed class GatewayHost : IAsyncDisposable
{
    private const string LockFile = "gateway.lock";

    private readonly List<IAsyncDisposable> _owned = [];
    private readonly LeaseManager _leases;
    private WebApplication? _web;

    private GatewayHost(string stateDirectory, LeaseManager leases, PaymentGate payments) => (StateDirectory, _leases, Payments) = (stateDirectory, leases, payments);

    /// <summary>The meters at work.</summary>
    internal PaymentGate Payments { get; }

    /// <summary>Where SSH is served; with the port that the system chose where 0 was asked for.</summary>
    public IPEndPoint Endpoint { get; private set; } = new(IPAddress.None, 0);

    /// <summary>The folder of this gateway.</summary>
    public string StateDirectory { get; }

    /// <summary>Starts to listen. Leases are served from <see cref="RunAsync"/> on.</summary>
    /// <exception cref="GatewayStartException">It can't: what is wrong and what to do.</exception>
    public static async Task<GatewayHost> StartAsync(GatewayOptions options, CancellationToken cancellation)
    {
        Directory.CreateDirectory(options.StateDirectory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var owned = new List<IAsyncDisposable>();
        try
        {
            owned.Add(LockState(options.StateDirectory));
            var logging = LoggerFactory.Create(l => l.SetMinimumLevel(options.LogLevel).AddFilter("Microsoft", LogLevel.Warning).AddSimpleConsole(c =>
            {
                c.SingleLine = true;
                c.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
                c.UseUtcTimestamp = true;
            }));
            owned.Add(new Owned(logging));
            var logger = logging.CreateLogger("Shale.Gateway");
            var engine = new LeaseHost(new LeaseHostOptions
            {
                StateDirectory = options.ContainerDirectory ?? Path.Combine(options.StateDirectory, "run"),
                Engine = options.Engine is { } named ? EngineEndpoint.Parse(named) : EngineEndpoint.FromEnvironment(),
            });
            owned.Add(engine);
            await CheckEngineAsync(engine, cancellation).ConfigureAwait(false);

            var metrics = new GatewayMetrics();
            owned.Add(new Owned(metrics));
            var directory = new FileLeaseDirectory(options.StateDirectory, (file, problem) => GatewayLog.LeaseFileRefused(logger, file, problem));
            var results = new LeaseResults(options.StateDirectory, options.Time);
            results.Sweep();
            var (gate, settlements) = await OpenPaymentsAsync(options, directory, results, logger, owned, cancellation).ConfigureAwait(false);
            var subsystem = new SubsystemCarrier(gate, options.Time);
            var datasets = new DatasetMounts(options.DataDirectory ?? Path.Combine(options.StateDirectory, "data"));
            var containers = options.Containers(new DockerLeaseContainers(engine, datasets, DockerLeaseContainers.Instance(options.StateDirectory)));
            var leases = new LeaseManager(directory, containers, gate, settlements.RecordAsync, metrics, options.Time, logger);
            var keys = HostKeyStore.LoadOrCreate(Path.Combine(options.StateDirectory, "hostkeys"));
            owned.AddRange(keys.Select(k => new Owned(k)));
            var carrier = new AgentCarrier(gate, options.Time);
            var ssh = new SshServerOptions
            {
                HostKeys = keys,
                Authenticator = new LeaseAuthenticator(leases, options.Time, logger),
                Sessions = new SessionHandler(
                    [subsystem, new SftpSubsystem(metrics, options.Time), new ResultsSubsystem(results, metrics, options.Time, logger), new ReadySubsystem()],
                    new AgentForwarding(carrier, logger),
                    metrics,
                    new AsciicastRecorder(options.RecordingDirectory, options.Time),
                    options.Time,
                    logger),
                Forwarding = new ForwardingHandler(metrics),
                Observer = new ConnectionObserver(carrier, metrics, logger),
                Banner = options.Banner,
                LoggerFactory = logging,
            };
            ssh.ChannelTypes.Add(subsystem);
            var host = new GatewayHost(options.StateDirectory, leases, gate) { _web = await ListenAsync(options, ssh, leases, new AdminPage(leases, gate, options.StateDirectory, TimeProvider.System), owned, cancellation).ConfigureAwait(false) };
            host._owned.AddRange(owned);
            host.Endpoint = Bound(host._web, options.Listen);
            if (options.LogListen is { } logListen)
            {
                var log = await LogServer.StartAsync(logListen, Path.Combine(options.StateDirectory, "log"), cancellation).ConfigureAwait(false);
                host._owned.Add(log);
                GatewayLog.LogServed(logger, log.Address);
            }

            GatewayLog.Listening(logger, host.Endpoint.ToString(), string.Join(", ", keys.Select(k => k.PublicKey.Fingerprint)));
            return host;
        }
        catch
        {
            await DisposeAllAsync(owned).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Serves leases until cancelled. Their containers stay: the next gateway finds them and serves them again.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        try
        {
            await _leases.RunAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // Asked to stop.
        }
    }

    /// <summary>Ends a lease at once and waits until its container is gone, whether or not its record is still there.</summary>
    public Task EndLeaseAsync(ulong id) => _leases.EndAsync(id);

    /// <summary>Stops listening, closes connections, and lets go of the state folder.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_web is not null)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            await _web.StopAsync(limit.Token).ConfigureAwait(false);
            await _web.DisposeAsync().ConfigureAwait(false);
        }

        await DisposeAllAsync(_owned).ConfigureAwait(false);
    }

    /// <summary>Whether a gateway serves this state folder now.</summary>
    public static bool IsServing(string stateDirectory)
    {
        try
        {
            using var free = new FileStream(Path.Combine(stateDirectory, LockFile), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    private static FileStream LockState(string folder)
    {
        try
        {
            return new FileStream(Path.Combine(folder, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException cause)
        {
            throw new GatewayStartException($"A gateway already serves {folder}.", "Add the lease to it with --detach, or give this one a folder of its own with --state_dir.", cause);
        }
    }

    /// <summary>Opens the voucher log (its key is made on first start) and the meters.</summary>
    private static async Task<(PaymentGate Gate, SettlementRecorder Settlements)> OpenPaymentsAsync(GatewayOptions options, FileLeaseDirectory leases, LeaseResults results, ILogger logger, List<IAsyncDisposable> owned, CancellationToken cancellation)
    {
        var (folder, time) = (options.StateDirectory, options.Time);
        var keyFile = Path.Combine(folder, "log.key");
        if (!File.Exists(keyFile))
        {
            AtomicFile.Write(keyFile, RandomNumberGenerator.GetBytes(Ed25519.SeedSize));
        }

        var seed = await File.ReadAllBytesAsync(keyFile, cancellation).ConfigureAwait(false);
        if (seed.Length != Ed25519.SeedSize)
        {
            throw new GatewayStartException($"{keyFile} is not a key of {Ed25519.SeedSize} bytes.", "Restore it from a backup; without it the voucher log can't go on.");
        }

        try
        {
            var signer = new NoteSigner("shale-" + DockerLeaseContainers.Instance(folder) + "/vouchers", seed);
            owned.Add(new Owned(signer));
            AtomicFile.WriteShared(Path.Combine(folder, "log.pub"), Encoding.UTF8.GetBytes(signer.Verifier + "\n"));
            var log = VoucherLogWriter.Open(Path.Combine(folder, "log"), signer, time);
            owned.Add(log);
            if (log.Recovery.CutOffBytes > 0)
            {
                GatewayLog.LogCutOff(logger, Path.Combine(folder, "log"), log.Recovery.CutOffBytes);
            }

            var open = leases.All.Where(l => l.State != LeaseState.Closed).ToArray();
            var meters = new FileMeterStore(Path.Combine(folder, "meters"));
            var standings = await LogStanding.ReadAsync(log.Folder, PaymentGate.OldestUnread(open, meters, log.Current.Size), log.Current.Size, cancellation).ConfigureAwait(false);
            var gate = new PaymentGate(new PaymentServices(log, signer.Verifier.ToString(), meters, standings, NoSessionProbe.Instance, time, logger) { Results = results.Cids });
            owned.Add(gate);
            await gate.CloseForgottenAsync(open).ConfigureAwait(false);
            return (gate, new SettlementRecorder(folder, gate, log, time, logger));
        }
        catch (VoucherLogException cause)
        {
            throw new GatewayStartException(cause.Message, "shale audit says what a log holds.", cause);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(seed);
        }
    }

    private static async Task CheckEngineAsync(LeaseHost engine, CancellationToken cancellation)
    {
        try
        {
            await engine.CheckAsync(cancellation).ConfigureAwait(false);
        }
        catch (IOException cause)
        {
            throw new GatewayStartException(cause.Message, "shale doctor says what is missing; start dockerd, or name another engine with DOCKER_HOST.", cause);
        }
    }

    private static async Task<WebApplication> ListenAsync(GatewayOptions options, SshServerOptions ssh, LeaseManager leases, AdminPage page, List<IAsyncDisposable> owned, CancellationToken cancellation)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { Args = [], ContentRootPath = options.StateDirectory });
        builder.Logging.ClearProviders();
        var handler = new SshConnectionHandler(ssh);
        builder.Services.AddSingleton<IConnectionListenerFactory, SshListenerFactory>();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            // Our own caps (MaxStartups, channels, windows) bound connections; Kestrel's are for HTTP.
            kestrel.Limits.MaxConcurrentConnections = null;
            kestrel.Listen(new SshEndPoint(options.Listen), listen => listen.Run(handler.OnConnectedAsync));
            if (options.Admin is { } admin)
            {
                kestrel.Listen(admin, listen => listen.Protocols = HttpProtocols.Http1);
            }
        });
        var web = builder.Build();
        if (options.Admin is not null)
        {
            var prometheus = new PrometheusText();
            owned.Add(new Owned(prometheus));
            AdminEndpoints.Map(web, prometheus, page, leases);
        }

        try
        {
            await web.StartAsync(cancellation).ConfigureAwait(false);
            return web;
        }
        catch (IOException cause) when (cause.InnerException is AddressInUseException or SocketException)
        {
            await web.DisposeAsync().ConfigureAwait(false);
            throw new GatewayStartException($"{options.Listen} is taken by another program, often sshd on port 22.", "Choose another with --listen, or move sshd to another port.", cause);
        }
        catch (SocketException cause)
        {
            await web.DisposeAsync().ConfigureAwait(false);
            throw new GatewayStartException($"{options.Listen} can't be listened on: {cause.Message}.", "Ports below 1024 need root; choose another with --listen.", cause);
        }
    }

    private static IPEndPoint Bound(WebApplication web, IPEndPoint asked)
    {
        var addresses = web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        // The order is that of the Listen calls: SSH is the first.
        var bound = new Uri(addresses.First());
        return new IPEndPoint(asked.Address, bound.Port);
    }

    private static async Task DisposeAllAsync(List<IAsyncDisposable> owned)
    {
        for (var i = owned.Count - 1; i >= 0; i--)
        {
            await owned[i].DisposeAsync().ConfigureAwait(false);
        }

        owned.Clear();
    }

    private sealed class Owned(IDisposable inner) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            inner.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
