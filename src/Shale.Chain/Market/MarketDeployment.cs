using Shale.Chain.Contracts;
using Shale.Chain.Networks;

namespace Shale.Chain.Market;

/// <summary>What a market is to be deployed with; contracts/README.md has the steps.</summary>
public sealed record DeploymentPlan
{
    /// <summary>The verifying keys, one for each page size that the market is to have; at least one.</summary>
    public required IReadOnlyList<VerifyingKeyFile> Keys { get; init; }

    /// <summary>attoFIL that an order puts down. Default 0.01 FIL.</summary>
    public UInt128 Bond { get; init; } = 10_000_000_000_000_000;

    /// <summary>Epochs in which an order may be accepted, at least 1. Default 240.</summary>
    public ulong AcceptEpochs { get; init; } = 240;

    /// <summary>Epochs in which an accepted order may be confirmed, at least 1,800. Default 1,800.</summary>
    public ulong ConfirmEpochs { get; init; } = 1800;

    /// <summary>Epochs until the client may leave alone, at least 2,880. Default 5,760.</summary>
    public ulong CloseEpochs { get; init; } = 5760;
}

/// <summary>Where a deployment's contracts lie.</summary>
/// <param name="Registry">Providers and offers.</param>
/// <param name="Market">Leases.</param>
/// <param name="DeployedAt">The epoch of the first of them: no event is older.</param>
public sealed record DeployedMarket(Address Registry, Address Market, ulong DeployedAt);

/// <summary>Deploys the contracts, in the order of contracts/README.md, from the code in contracts/abi/*.bin.</summary>
public static class MarketDeployment
{
    private static readonly int[] PageSizes = [8, 64, 256];

    /// <summary>Deploys a market.</summary>
    /// <param name="chainId">The chain that <paramref name="transactor"/> sends to.</param>
    /// <param name="plan">With what.</param>
    /// <param name="transactor">Who pays for it; nobody owns the result.</param>
    /// <param name="progress">Told what comes next.</param>
    /// <param name="cancellation">Stops between two contracts. What was deployed until then lies there for nothing.</param>
    /// <exception cref="NetworkException">The plan is not fit for this chain. Nothing was sent.</exception>
    /// <exception cref="ChainException">A transaction failed.</exception>
    public static async Task<DeployedMarket> DeployAsync(ulong chainId, DeploymentPlan plan, ITransactor transactor, IProgress<string>? progress = null, CancellationToken cancellation = default)
    {
        Check(chainId, plan);
        ulong? first = null;
        async Task<Address> DeployAsync(string name, IContractCall deployment)
        {
            progress?.Report($"deploying {name}");
            var receipt = await transactor.SendAsync(null, 0, deployment, $"deploying {name}", false, cancellation).ConfigureAwait(false);
            first ??= receipt.BlockNumber;
            return receipt.ContractAddress ?? throw new ChainException(ChainErrorKind.Malformed, $"The receipt of {receipt.TransactionHash}, which deployed {name}, names no contract.") { TransactionHash = receipt.TransactionHash };
        }

        var pairHash = await DeployAsync("PoseidonT3", new PoseidonT3.Deployment()).ConfigureAwait(false);
        var leafHash = await DeployAsync("PoseidonT6", new PoseidonT6.Deployment()).ConfigureAwait(false);
        var filecoin = chainId is Network.FilecoinChainId or Network.CalibrationChainId;
        var miners = filecoin
            ? await DeployAsync("FilecoinMiners", new FilecoinMiners.Deployment()).ConfigureAwait(false)
            : await DeployAsync("DeclaredMiners", new DeclaredMiners.Deployment()).ConfigureAwait(false);
        var registry = await DeployAsync("ShaleRegistry", new ShaleRegistry.Deployment(miners)).ConfigureAwait(false);
        var verifiers = new Dictionary<int, Address>();
        foreach (var key in plan.Keys.OrderBy(k => k.Slots))
        {
            verifiers[key.Slots] = await DeployAsync($"Groth16Verifier for {key.Slots} slots", new Groth16Verifier.Deployment(key.Key, key.Slots, key.IsDevelopment)).ConfigureAwait(false);
        }

        var parts = new ShaleMarket.Parts(
            registry, verifiers.GetValueOrDefault(8), verifiers.GetValueOrDefault(64), verifiers.GetValueOrDefault(256), pairHash, leafHash, plan.Bond, plan.AcceptEpochs, plan.ConfirmEpochs, plan.CloseEpochs);
        var market = await DeployAsync("ShaleMarket", new ShaleMarket.Deployment(parts)).ConfigureAwait(false);
        return new DeployedMarket(registry, market, first!.Value);
    }

    /// <summary>What the constructors would refuse, before anything is paid for.</summary>
    /// <param name="chainId">The chain that it is meant for.</param>
    /// <param name="plan">With what.</param>
    /// <exception cref="NetworkException">The plan is not fit for this chain.</exception>
    public static void Check(ulong chainId, DeploymentPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        if (plan.Keys.Count == 0 || plan.Keys.Any(k => !PageSizes.Contains(k.Slots)) || plan.Keys.DistinctBy(k => k.Slots).Count() != plan.Keys.Count)
        {
            throw new NetworkException("A market needs a verifying key for at least one page size, and one for each: 8, 64, 256.");
        }

        if (chainId == Network.FilecoinChainId && plan.Keys.FirstOrDefault(k => k.IsDevelopment) is { } key)
        {
            throw new NetworkException(
                $"The verifying key for {key.Slots} slots comes from a development set-up: whoever knows its seed can take all deposits. It is not deployed on chain {chainId}, where money is real.",
                "docs/CEREMONY.md makes keys for real money.");
        }

        if (plan.AcceptEpochs < 1 || plan.ConfirmEpochs < 1800 || plan.CloseEpochs < 2880 || plan.Bond >= (UInt128)1 << 96)
        {
            throw new NetworkException("The market's terms are out of bounds.", "acceptEpochs is at least 1, confirmEpochs 1,800, closeEpochs 2,880; the bond is below 2^96 attoFIL.");
        }
    }
}
