using Shale.Chain.Networks;
using Xunit;

namespace Shale.Chain.Tests.Networks;

public sealed class NetworkFileTests : IDisposable
{
    private readonly DirectoryInfo _home = Directory.CreateTempSubdirectory("shale-network-");

    private string File1 => Path.Combine(_home.FullName, "mine.json");

    public void Dispose() => _home.Delete(recursive: true);

    [Fact]
    public void Network_Written_IsReadAsItWas()
    {
        var network = new Network
        {
            Name = "mine",
            ChainId = 31337,
            Endpoints = [new Uri("http://127.0.0.1:8545"), new Uri("https://user:token@node.example/rpc/v1?key=1")],
            Registry = Address.Parse("0xd388aB098ed3E84c0D808776440B48F685198498"),
            Market = Address.Parse("0x8dbD6c7Ede90646a61Bbc649831b7c298BFd37A0"),
            DeployedAt = 12,
            EpochSeconds = 1,
            FinalityDepth = 3,
            WalletFolder = Path.Combine(_home.FullName, "wallet"),
            PassphraseFile = "/etc/passphrase",
            ProvingKeys = new Dictionary<int, string> { [8] = Path.Combine(_home.FullName, "keys", "8.zkey") },
        };
        NetworkFile.Write(File1, network);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(File1));
        Assert.Contains("\"wallet\": \"wallet\"", File.ReadAllText(File1), StringComparison.Ordinal);
        var read = Network.Find(File1, "/nowhere");
        Assert.Equal(network.Endpoints, read.Endpoints);
        Assert.Equal(network.ProvingKeys, read.ProvingKeys);
        Assert.Equal(network with { Endpoints = read.Endpoints, ProvingKeys = read.ProvingKeys }, read);
    }

    [Theory]
    [InlineData("{}", "name is missing")]
    [InlineData("[]", "an object")]
    [InlineData("{", "not JSON")]
    [InlineData("""{"name":"x","chainId":0,"endpoints":["http://a"]}""", "chainId is not a number")]
    [InlineData("""{"name":"x","chainId":1,"endpoints":[]}""", "endpoints is missing")]
    [InlineData("""{"name":"x","chainId":1,"endpoints":["ftp://user:hunter2@a"]}""", "endpoint 1 is not")]
    [InlineData("""{"name":"x","chainId":1,"endpoints":["http://a"],"market":"0xd388ab098ed3e84c0d808776440b48f685198498"}""", "belong together")]
    [InlineData("""{"name":"x","chainId":1,"endpoints":["http://a"],"market":"0xD388ab098ed3e84c0d808776440b48f685198498"}""", "market is not an address")]
    [InlineData("""{"name":"x","chainId":1,"endpoints":["http://a"],"marked":"0x"}""", "no member marked")]
    [InlineData("""{"name":"x","chainId":1,"endpoints":["http://a"],"epochSeconds":0}""", "epochSeconds is not")]
    [InlineData("""{"name":"x","chainId":1,"endpoints":["http://a"],"provingKeys":{"9":"a"}}""", "no page size 9")]
    public void Network_WithAFault_NamesItAndShowsNoSecret(string json, string expected)
    {
        File.WriteAllText(File1, json);
        var error = Assert.Throws<NetworkException>(() => Network.Find(File1, "/nowhere"));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("calibration", 314159)]
    [InlineData("mainnet", 314)]
    public void Network_WithoutContracts_SaysSoAndWhatToDo(string name, ulong chainId)
    {
        var network = Network.Find(name, _home.FullName);
        Assert.Equal(chainId, network.ChainId);
        var error = Assert.Throws<NetworkException>(() => network.RequireMarket());
        Assert.Contains($"not deployed on {name} yet", error.Message, StringComparison.Ordinal);
        Assert.Contains("shale devnet", error.Hint, StringComparison.Ordinal);
        Assert.Contains("--network=FILE", error.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void Devnet_ThatWasNeverStarted_SaysHowToStartIt() =>
        Assert.Contains("shale devnet", Assert.Throws<NetworkException>(() => Network.Find("devnet", _home.FullName)).Hint, StringComparison.Ordinal);

    [Fact]
    public void Network_OfAnotherName_ListsWhatThereIs() =>
        Assert.Contains("calibration, mainnet, devnet", Assert.Throws<NetworkException>(() => Network.Find("calibnet", _home.FullName)).Hint, StringComparison.Ordinal);
}
