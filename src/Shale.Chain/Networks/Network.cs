using Shale.Chain.Rpc;

namespace Shale.Chain.Networks;

/// <summary>A chain, how to reach it, and where the market lies on it. docs/CHAIN.md describes the file.</summary>
public sealed record Network
{
    /// <summary>The network that commands use where none is named.</summary>
    public const string DefaultName = "calibration";

    /// <summary>Filecoin's main network.</summary>
    public const ulong FilecoinChainId = 314;

    /// <summary>Filecoin's calibration network.</summary>
    public const ulong CalibrationChainId = 314159;

    /// <summary>What people call it.</summary>
    public required string Name { get; init; }

    /// <summary>EIP-155 chain ID. An endpoint that names another one is not believed.</summary>
    public required ulong ChainId { get; init; }

    /// <summary>JSON-RPC endpoints, the preferred one first. They may carry a token: what prints them leaves out user info, path and query.</summary>
    public required IReadOnlyList<Uri> Endpoints { get; init; }

    /// <summary>The contract of providers and offers; null where none is deployed.</summary>
    public Address? Registry { get; init; }

    /// <summary>The contract of leases; null where none is deployed.</summary>
    public Address? Market { get; init; }

    /// <summary>The epoch that the contracts were deployed in: no event is older.</summary>
    public ulong DeployedAt { get; init; }

    /// <summary>Seconds between two epochs.</summary>
    public int EpochSeconds { get; init; } = 30;

    /// <summary>Epochs after which a block is taken for final where nodes don't answer to <c>finalized</c>.</summary>
    public ulong FinalityDepth { get; init; } = 900;

    /// <summary>The folder of the wallets that belong to this network; null: the user's own.</summary>
    public string? WalletFolder { get; init; }

    /// <summary>The file of those wallets' passphrase; null: asked for.</summary>
    public string? PassphraseFile { get; init; }

    /// <summary>Proving keys (.zkey) by page size, where the network's owner gave them: what the operator proves with.</summary>
    public IReadOnlyDictionary<int, string> ProvingKeys { get; init; } = new Dictionary<int, string>();

    /// <summary>Whether the chain is Filecoin's main one, where money is real.</summary>
    public bool IsMainnet => ChainId == FilecoinChainId;

    /// <summary>Whether f addresses are written with a t here.</summary>
    public bool IsTestnet => !IsMainnet;

    /// <summary>Filecoin's calibration network. The contracts are not deployed there yet.</summary>
    public static Network Calibration { get; } = new() { Name = "calibration", ChainId = CalibrationChainId, Endpoints = [new Uri("https://api.calibration.node.glif.io/rpc/v1")] };

    /// <summary>Filecoin's main network. The contracts are not deployed there yet.</summary>
    public static Network Mainnet { get; } = new() { Name = "mainnet", ChainId = FilecoinChainId, Endpoints = [new Uri("https://api.node.glif.io/rpc/v1")] };

    /// <summary>The registry's address.</summary>
    /// <exception cref="NetworkException">The contracts are not deployed there.</exception>
    public Address RequireRegistry() => Registry ?? throw Undeployed();

    /// <summary>The market's address.</summary>
    /// <exception cref="NetworkException">The contracts are not deployed there.</exception>
    public Address RequireMarket() => Market ?? throw Undeployed();

    /// <summary>A client of this network's nodes; nothing is asked yet.</summary>
    /// <param name="time">Clock and timers; the system's if null.</param>
    /// <returns>The client, for the caller to dispose.</returns>
    public ChainClient Connect(TimeProvider? time = null) => new(
        new ChainOptions { Endpoints = [.. Endpoints.Select(e => new RpcEndpoint(e.OriginalString))], ChainId = ChainId, FinalityDepth = (int)FinalityDepth }, time);

    /// <summary>
    /// Finds a network: <c>calibration</c>, <c>mainnet</c>, <c>devnet</c> (what <c>shale devnet</c> wrote), or the path of a file.
    /// </summary>
    /// <param name="nameOrFile">The name or path; null: the environment's SHALE_NETWORK, else <see cref="DefaultName"/>.</param>
    /// <param name="home">The user's folder of Shale, ~/.shale.</param>
    /// <exception cref="NetworkException">There is no such network, or its file is not what it must be.</exception>
    public static Network Find(string? nameOrFile, string home)
    {
        nameOrFile = string.IsNullOrEmpty(nameOrFile) ? Environment.GetEnvironmentVariable("SHALE_NETWORK") : nameOrFile;
        nameOrFile = string.IsNullOrEmpty(nameOrFile) ? DefaultName : nameOrFile;
        switch (nameOrFile)
        {
            case "calibration":
                return Calibration;
            case "mainnet":
                return Mainnet;
            case "devnet":
                var file = DevnetFile(home);
                return File.Exists(file) ? NetworkFile.Read(file) : throw new NetworkException("There is no devnet on this machine yet.", "Start one: shale devnet");
            default:
                return File.Exists(nameOrFile) ? NetworkFile.Read(nameOrFile) : throw new NetworkException(
                    $"There is no network {nameOrFile}.", "There are: calibration, mainnet, devnet, or the path of a network file (docs/CHAIN.md).");
        }
    }

    /// <summary>Where <c>shale devnet</c> keeps its folder unless told otherwise.</summary>
    /// <param name="home">The user's folder of Shale, ~/.shale.</param>
    public static string DevnetFolder(string home) => Path.Combine(home, "devnet");

    private static string DevnetFile(string home) => Path.Combine(DevnetFolder(home), NetworkFile.FileName);

    private NetworkException Undeployed() => new(
        $"The market is not deployed on {Name} yet.", "Try it on a local chain (shale devnet, then --network=devnet), or deploy it (shale deploy) and name your own network file: --network=FILE.");
}
