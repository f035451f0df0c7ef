using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Xunit;

namespace Shale.Cli.Tests;

/// <summary>A devnet, and a provider on it, by the commands that docs/CHAIN.md shows.</summary>
public sealed class DevnetCliTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sd").FullName;
    private readonly ShaleProcess _shale;

    public DevnetCliTests() => _shale = new ShaleProcess(Path.Combine(_folder, "home"));

    public void Dispose()
    {
        _shale.Run("devnet", "stop");
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Provider_OnADevnet_RegistersOffersAndIsStillThereAfterARestart()
    {
        var start = new[] { "devnet", "--detach", "--port=" + Ports.Free(), "--block_time=0.2" };
        var devnet = _shale.Run(start);
        Assert.True(devnet.ExitCode == 0, devnet.Error);
        Assert.Contains("Use it with --network=devnet", devnet.Output);
        Assert.Contains("running on http://127.0.0.1:", _shale.Run("devnet", "status").Output);
        Assert.EndsWith("  10000 FIL on devnet\n", _shale.Run("wallet", "balance", "client2", "--network=devnet").Output);

        var state = "--state_dir=" + Path.Combine(_folder, "state");
        var registered = Provider("provider", "register", "--endpoint=127.0.0.1:2222", "--miner=f01946720", state);
        Assert.StartsWith("Registered as provider 1 in 0x", registered);
        Assert.Contains("serves provider 1 already", _shale.Run("provider", "register", "--network=devnet", "--wallet=provider", "--endpoint=a:1", state).Error);
        Provider("provider", "nominate", "operator");
        Assert.Equal(0, _shale.Run("provider", "accept-operator", "1", "--network=devnet", "--wallet=operator").ExitCode);
        Assert.Equal("page 0\n", _shale.Run("provider", "open-page", "8", "--network=devnet", "--wallet=operator").Output);
        var shown = _shale.Run("provider", "show", "f01946720", "--network=devnet").Output;
        Assert.Contains("f01946720 (the owner's word)", shown);
        Assert.Contains("host key   SHA256:", shown);
        Assert.Contains("page 0     8 slots, 0 taken, 0 live", shown);

        var store = "--store=" + Path.Combine(_folder, "data");
        File.WriteAllText(Path.Combine(_folder, "mnist.bin"), "digits");
        var cid = _shale.Run("dataset", "add", Path.Combine(_folder, "mnist.bin"), store).Output.Trim();
        Assert.Contains("\"minDeposit\": \"100000000000000200\"", Provider("offer", "put", "--price=0.01fil/min", "--dry_run", store));
        Assert.Contains("Provider 1 has no offer", _shale.Run("offer", "list", "1", "--network=devnet").Error);
        var put = Provider("offer", "put", "--price=0.01fil/min", "--dataset=all", "--num_cpus=1", "--num_rams=1Gi", "--num_gpus=2", "--gpu_model=NVIDIA H200", "--region=DE", "--min_deposit=0.2fil", store, state);
        Assert.StartsWith("Offer 1 of provider 1 stands", put);
        using (var offers = JsonDocument.Parse(_shale.Run("offer", "list", "1", "--network=devnet", "--json").Output))
        {
            var offer = Assert.Single(offers.RootElement.EnumerateArray());
            Assert.Equal("166666666666667", offer.GetProperty("pricePerSecond").GetString());
            Assert.Equal("200000000000000000", offer.GetProperty("minDeposit").GetString());
            Assert.Equal(("NVIDIA H200", 2, 1 << 30), (offer.GetProperty("resources").GetProperty("gpuModel").GetString(), offer.GetProperty("resources").GetProperty("gpus").GetInt32(), offer.GetProperty("resources").GetProperty("memoryBytes").GetInt32()));
            Assert.Equal((cid, "mnist.bin"), (offer.GetProperty("dataSets")[0].GetProperty("cid").GetString(), offer.GetProperty("dataSets")[0].GetProperty("files")[0].GetString()));
        }

        // Another market on the same chain, by the command that deploys on Filecoin.
        var key = "--key=8=" + Path.Combine(_folder, "home", "devnet", "keys", "verification_key-8.json");
        var mine = Path.Combine(_folder, "mine.json");
        Assert.Contains("market    0x", Provider("deploy", key, "--output=" + mine));
        Assert.Contains("No provider has this index", _shale.Run("offer", "list", "1", "--network=" + mine).Error);
        var mainnet = _shale.Run("deploy", key, "--network=mainnet", "--output=" + mine + "2");
        Assert.Equal(78, mainnet.ExitCode);
        Assert.Contains("development set-up", mainnet.Error);

        Assert.Contains("no open orders", _shale.Run("orders", "1", "--network=devnet").Error);
        Assert.Contains("The offer does not stand: provider 1, offer 7", _shale.Run("offer", "remove", "7", "--network=devnet", "--wallet=operator").Error);

        Assert.Equal(0, _shale.Run("devnet", "stop").ExitCode);
        Assert.Equal(69, _shale.Run("devnet", "status").ExitCode);
        Assert.Equal(69, _shale.Run("offer", "list", "1", "--network=devnet").ExitCode);
        Assert.Equal(0, _shale.Run(start).ExitCode);
        Assert.StartsWith("offer 1  0.01 FIL/min, at least 0.2 FIL  DE\n", _shale.Run("offer", "list", "1", "--network=devnet").Output);
        Assert.StartsWith("epoch ", _shale.Run("devnet", "mine", "2880").Output);
        Assert.StartsWith("Offer 1 of provider 1 is gone", Provider("offer", "remove", "1"));
    }

    private string Provider(params string[] arguments)
    {
        var run = _shale.Run([.. arguments, "--network=devnet", "--wallet=provider"]);
        Assert.True(run.ExitCode == 0, string.Join(' ', arguments) + ": " + run.Error);
        return run.Output;
    }
}
