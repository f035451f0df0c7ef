using System.Security.Cryptography;
using System.Text.Json;
using Shale.Chain.Accounts;
using Shale.Chain.Market;

namespace Shale.Chain.Networks;

/// <summary>A key for a page size of a devnet: what the contract verifies under, and what the operator proves with.</summary>
/// <param name="Verifying">The verifying key.</param>
/// <param name="ProvingKey">The .zkey file.</param>
public sealed record DevnetKey(VerifyingKeyFile Verifying, string ProvingKey);

/// <summary>What a devnet is started with.</summary>
public sealed record DevnetOptions
{
    /// <summary>The port that it answers on unless told otherwise: the usual one of Ethereum nodes.</summary>
    public const int DefaultPort = 8545;

    /// <summary>Its folder: state, keys, wallets, the network file.</summary>
    public required string Folder { get; init; }

    /// <summary>The node's program.</summary>
    public required string Program { get; init; }

    /// <summary>The port on 127.0.0.1.</summary>
    public int Port { get; init; } = DefaultPort;

    /// <summary>Seconds between two blocks. Default 1.</summary>
    public double BlockSeconds { get; init; } = 1;

    /// <summary>Makes or finds the keys, when the contracts have to be deployed; given the folder for them.</summary>
    public required Func<string, CancellationToken, Task<IReadOnlyList<DevnetKey>>> Keys { get; init; }

    /// <summary>Told what takes long. Null: nobody is told.</summary>
    public IProgress<string>? Progress { get; init; }
}

/// <summary>A running devnet, as its folder tells other processes of it.</summary>
/// <param name="ProcessId">The process that runs it.</param>
/// <param name="Endpoint">Where its node answers.</param>
public sealed record RunningDevnet(int ProcessId, Uri Endpoint);

/// <summary>
/// A chain of one's own: anvil, the contracts deployed, accounts with money, and a network file that names all of it. Its folder keeps everything, so that the next start goes on
/// where the last one ended.
/// </summary>
public sealed class Devnet : IAsyncDisposable
{
    private const string RunningFile = "running.json";
    private const string LockFile = "lock";
    private const string PassphraseFile = "passphrase";
    private const int PassphraseBytes = 18;

    /// <summary>10,000 FIL each: more than anything here costs.</summary>
    private static readonly UInt128 Fund = (UInt128)10_000 * 1_000_000_000_000_000_000;

    private readonly FileStream _lock;
    private readonly string _folder;

    private Devnet(AnvilNode node, Network network, FileStream held, string folder, bool isNew)
    {
        (Node, Network, _lock, _folder, IsNew) = (node, network, held, folder, isNew);
        Wallets = new WalletFolder(network.WalletFolder!).List();
    }

    /// <summary>The names of its wallets: who leases out, who runs the provider's machine, who leases.</summary>
    public static IReadOnlyList<string> WalletNames { get; } = ["client", "client2", "operator", "provider"];

    /// <summary>The node.</summary>
    public AnvilNode Node { get; }

    /// <summary>The network, as its file has it.</summary>
    public Network Network { get; }

    /// <summary>The wallets; <c>client</c> is the default one.</summary>
    public IReadOnlyList<WalletEntry> Wallets { get; }

    /// <summary>Whether the contracts were deployed by this start.</summary>
    public bool IsNew { get; }

    /// <summary>The devnet that runs in a folder; null if none does.</summary>
    /// <param name="folder">The folder.</param>
    public static RunningDevnet? FindRunning(string folder)
    {
        var file = Path.Combine(folder, RunningFile);
        if (!File.Exists(file))
        {
            return null;
        }

        RunningDevnet? running = null;
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(file));
            running = new RunningDevnet(document.RootElement.GetProperty("processId").GetInt32(), new Uri(document.RootElement.GetProperty("endpoint").GetString()!));

            // The lock goes with the process, however it ended; its number may be somebody else's by now.
            using var free = new FileStream(Path.Combine(folder, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            return null;
        }
        catch (IOException) when (running is not null)
        {
            return running;
        }
        catch (Exception broken) when (broken is JsonException or KeyNotFoundException or InvalidOperationException or FileNotFoundException or UriFormatException)
        {
            return null;
        }
    }

    /// <summary>Starts a devnet: the node, and where the folder is new the contracts and accounts.</summary>
    /// <param name="options">With what.</param>
    /// <param name="cancellation">Ends the start.</param>
    /// <exception cref="NetworkException">It can't be started; the message says why.</exception>
    public static async Task<Devnet> StartAsync(DevnetOptions options, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(options);
        var folder = Path.GetFullPath(options.Folder);
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var held = Hold(folder);
        AnvilNode? node = null;
        try
        {
            if (await AnvilNode.StopOrphanAsync(folder, cancellation).ConfigureAwait(false))
            {
                options.Progress?.Report("stopped a node that an earlier devnet left behind");
            }

            node = await AnvilNode.StartAsync(
                new AnvilOptions { Program = options.Program, Folder = folder, Port = options.Port, BlockSeconds = options.BlockSeconds }, cancellation).ConfigureAwait(false);
            var file = Path.Combine(folder, NetworkFile.FileName);
            var known = File.Exists(file) ? NetworkFile.Read(file) with { Endpoints = [node.Endpoint] } : null;
            var isNew = known is null || !await IsDeployedAsync(known, cancellation).ConfigureAwait(false);
            var network = isNew ? await MakeAsync(options, node, folder, cancellation).ConfigureAwait(false) : known!;
            NetworkFile.Write(file, network);
            await File.WriteAllTextAsync(
                Path.Combine(folder, RunningFile), JsonSerializer.Serialize(new { processId = Environment.ProcessId, endpoint = node.Endpoint }, JsonSerializerOptions.Web), cancellation).ConfigureAwait(false);
            return new Devnet(node, network, held, folder, isNew);
        }
        catch
        {
            if (node is not null)
            {
                await node.DisposeAsync().ConfigureAwait(false);
            }

            await held.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Stops the node, which writes its state, and lets go of the folder.</summary>
    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync().ConfigureAwait(false);
        File.Delete(Path.Combine(_folder, RunningFile));
        await _lock.DisposeAsync().ConfigureAwait(false);
    }

    private static FileStream Hold(string folder)
    {
        try
        {
            return new FileStream(Path.Combine(folder, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException) when (Directory.Exists(folder))
        {
            throw new NetworkException($"A devnet runs in {folder} already.", "Stop it with shale devnet stop, or name another folder with --folder.");
        }
    }

    private static async Task<bool> IsDeployedAsync(Network network, CancellationToken cancellation)
    {
        using var chain = network.Connect();
        return network.Market is { } market && !(await chain.GetCodeAsync(market, default, cancellation).ConfigureAwait(false)).IsEmpty;
    }

    private static async Task<Network> MakeAsync(DevnetOptions options, AnvilNode node, string folder, CancellationToken cancellation)
    {
        var bare = new Network
        {
            Name = "devnet",
            ChainId = new AnvilOptions { Program = "", Folder = "", Port = 0 }.ChainId,
            Endpoints = [node.Endpoint],
            EpochSeconds = Math.Max(1, (int)options.BlockSeconds),
            FinalityDepth = AnvilNode.FinalizedDepth,
            WalletFolder = Path.Combine(folder, "wallet"),
            PassphraseFile = Path.Combine(folder, PassphraseFile),
        };
        var keys = await options.Keys(Path.Combine(folder, "keys"), cancellation).ConfigureAwait(false);
        await FundWalletsAsync(bare, node, cancellation).ConfigureAwait(false);
        using var chain = bare.Connect();
        var transactor = await AnvilTransactor.CreateAsync(node, chain, cancellation).ConfigureAwait(false);
        var deployed = await MarketDeployment.DeployAsync(
            bare.ChainId, new DeploymentPlan { Keys = [.. keys.Select(k => k.Verifying)] }, transactor, options.Progress, cancellation).ConfigureAwait(false);
        return bare with
        {
            Registry = deployed.Registry,
            Market = deployed.Market,
            DeployedAt = deployed.DeployedAt,
            ProvingKeys = keys.ToDictionary(k => k.Verifying.Slots, k => Path.GetFullPath(k.ProvingKey)),
        };
    }

    /// <summary>Keys of its own for each devnet, so that nobody takes them for anything else; their passphrase lies beside them.</summary>
    private static async Task FundWalletsAsync(Network network, AnvilNode node, CancellationToken cancellation)
    {
        if (!File.Exists(network.PassphraseFile))
        {
            await using var file = new FileStream(
                network.PassphraseFile!, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
            file.Write(System.Text.Encoding.ASCII.GetBytes(Convert.ToBase64String(RandomNumberGenerator.GetBytes(PassphraseBytes)) + "\n"));
        }

        var passphrase = (await File.ReadAllTextAsync(network.PassphraseFile!, cancellation).ConfigureAwait(false)).TrimEnd();
        var wallets = new WalletFolder(network.WalletFolder!);
        foreach (var name in WalletNames)
        {
            if (wallets.List().All(w => w.Name != name))
            {
                using var account = KeyAccount.Generate();
                wallets.Add(name, account, passphrase, KeystoreCost.Light);
            }

            await node.SetBalanceAsync(wallets.Find(name).Address!.Value, Fund, cancellation).ConfigureAwait(false);
        }
    }
}
