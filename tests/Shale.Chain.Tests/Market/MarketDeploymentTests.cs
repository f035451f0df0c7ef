using Shale.Chain.Market;
using Shale.Chain.Networks;
using Xunit;

namespace Shale.Chain.Tests.Market;

public sealed class MarketDeploymentTests : IDisposable
{
    private static readonly string KeyFile = Path.Combine(Repository.Root, "tests", "vectors", "settlement-8", "verification_key.json");

    private readonly DirectoryInfo _home = Directory.CreateTempSubdirectory("shale-deploy-");

    public void Dispose() => _home.Delete(recursive: true);

    [Fact]
    public async Task DevelopmentKey_OnMainnet_IsRefusedBeforeAnythingIsSent()
    {
        var wallet = new NoTransactor();
        var plan = new DeploymentPlan { Keys = [VerifyingKeyFile.Read(8, KeyFile)] };
        var error = await Assert.ThrowsAsync<NetworkException>(() => MarketDeployment.DeployAsync(Network.FilecoinChainId, plan, wallet));
        Assert.Contains("development", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, wallet.Sent);
    }

    [Fact]
    public async Task DevelopmentKey_OnCalibration_IsDeployedWithTheMinersCheck()
    {
        var wallet = new NoTransactor();
        var plan = new DeploymentPlan { Keys = [VerifyingKeyFile.Read(8, KeyFile)] };
        var steps = new List<string>();
        await Assert.ThrowsAsync<ChainException>(() => MarketDeployment.DeployAsync(Network.CalibrationChainId, plan, wallet, new Steps(steps)));
        Assert.Equal(["deploying PoseidonT3"], steps);
        Assert.Equal(1, wallet.Sent);
    }

    [Fact]
    public async Task Plan_OutOfBounds_IsRefusedBeforeAnythingIsSent()
    {
        var wallet = new NoTransactor();
        var key = VerifyingKeyFile.Read(8, KeyFile);
        foreach (var plan in new DeploymentPlan[]
        {
            new() { Keys = [] }, new() { Keys = [key, key] }, new() { Keys = [key with { Slots = 9 }] }, new() { Keys = [key], AcceptEpochs = 0 }, new() { Keys = [key], ConfirmEpochs = 1799 },
            new() { Keys = [key], CloseEpochs = 2879 }, new() { Keys = [key], Bond = UInt128.MaxValue },
        })
        {
            await Assert.ThrowsAsync<NetworkException>(() => MarketDeployment.DeployAsync(31337, plan, wallet));
        }

        Assert.Equal(0, wallet.Sent);
    }

    [Theory]
    [InlineData("\"groth16\"", "\"plonk\"")]
    [InlineData("\"bn128\"", "\"bls12381\"")]
    [InlineData("\"vk_gamma_2\"", "\"gamma\"")]
    [InlineData("\"17025349990149349789873156407900926610162713512989735571724284450375810060668\"", "17025349990149349789873156407900926610162713512989735571724284450375810060668")]
    [InlineData("\"17025349990149349789873156407900926610162713512989735571724284450375810060668\"", "\"-1\"")]
    [InlineData("{", "[")]
    public void VerifyingKey_ThatIsNone_IsRefused(string good, string bad)
    {
        var path = Path.Combine(_home.FullName, "key.json");
        var text = File.ReadAllText(KeyFile);
        Assert.Contains(good, text, StringComparison.Ordinal);
        var at = text.IndexOf(good, StringComparison.Ordinal);
        File.WriteAllText(path, text[..at] + bad + text[(at + good.Length)..]);
        Assert.Contains(path, Assert.Throws<NetworkException>(() => VerifyingKeyFile.Read(8, path)).Message, StringComparison.Ordinal);
    }

    private sealed class Steps(List<string> steps) : IProgress<string>
    {
        public void Report(string value) => steps.Add(value);
    }

    private sealed class NoTransactor : ITransactor
    {
        public int Sent { get; private set; }

        public Address Address => default;

        public Task<TransactionReceipt> SendAsync(Address? to, UInt128 value, IContractCall call, string description, bool final, CancellationToken cancellation)
        {
            Sent++;
            throw new ChainException(ChainErrorKind.Refused, "nothing is sent here");
        }
    }
}
