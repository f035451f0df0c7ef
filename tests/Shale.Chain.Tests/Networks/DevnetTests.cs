using Shale.Chain.Accounts;
using Shale.Chain.Market;
using Shale.Chain.Networks;
using Xunit;

namespace Shale.Chain.Tests.Networks;

public sealed class DevnetTests : IDisposable
{
    private static readonly string KeyFile = Path.Combine(Repository.Root, "tests", "vectors", "settlement-8", "verification_key.json");

    private readonly DirectoryInfo _home = Directory.CreateTempSubdirectory("shale-devnet-");
    private int _keysMade;

    public void Dispose() => _home.Delete(recursive: true);

    private DevnetOptions Options() => new()
    {
        Folder = Path.Combine(_home.FullName, "devnet"),
        Program = AnvilNode.FindProgram(Repository.Root),
        Port = Ports.Free(),
        BlockSeconds = 0.2,
        Keys = (folder, _) =>
        {
            _keysMade++;
            return Task.FromResult<IReadOnlyList<DevnetKey>>([new DevnetKey(VerifyingKeyFile.Read(8, KeyFile), Path.Combine(folder, "8.zkey"))]);
        },
    };

    [Fact]
    public async Task Devnet_StartedAgain_HasItsContractsWalletsAndLeases()
    {
        Network before;
        await using (var devnet = await Devnet.StartAsync(Options(), CancellationToken.None))
        {
            Assert.True(devnet.IsNew);
            before = devnet.Network;
            Assert.Equal(Devnet.WalletNames, devnet.Wallets.Select(w => w.Name));
            Assert.Equal("client", Assert.Single(devnet.Wallets, w => w.IsDefault).Name);
            Assert.Equal(devnet.Node.Endpoint, Devnet.FindRunning(Options().Folder)!.Endpoint);

            var passphrase = (await File.ReadAllTextAsync(before.PassphraseFile!)).TrimEnd();
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(before.PassphraseFile!));
            using var account = WalletFolder.Unlock(devnet.Wallets.Single(w => w.Name == "provider"), passphrase);
            using var chain = before.Connect();
            var writer = new MarketWriter(before, new WalletTransactor(chain, before, account, Path.Combine(_home.FullName, "transactions"))) { Final = true };
            var done = await writer.RegisterAsync(0, "sp:22", [Bytes32.Keccak("x"u8)]);

            // Waited for finality: the answer at the final block has it.
            Assert.Equal(1u, await new MarketReader(chain, before).FindProviderAsync(account.Address, BlockTag.Finalized));
            Assert.True(done.Receipt.Succeeded);
        }

        Assert.Null(Devnet.FindRunning(Options().Folder));
        await using (var devnet = await Devnet.StartAsync(Options(), CancellationToken.None))
        {
            Assert.False(devnet.IsNew);
            Assert.Equal(1, _keysMade);
            var now = Network.Find(Path.Combine(Options().Folder, NetworkFile.FileName), "/nowhere");
            Assert.Equal((before.Market, before.Registry, before.DeployedAt), (now.Market, now.Registry, now.DeployedAt));
            Assert.Equal([devnet.Node.Endpoint], now.Endpoints);
            Assert.Equal(Path.Combine(Options().Folder, "keys", "8.zkey"), now.ProvingKeys[8]);
            using var chain = now.Connect();
            Assert.Equal(1u, await new MarketReader(chain, now).GetProviderCountAsync());
        }
    }

    [Fact]
    public async Task Devnet_ThatRunsAlready_IsNotStartedTwice()
    {
        await using var devnet = await Devnet.StartAsync(Options(), CancellationToken.None);
        var error = await Assert.ThrowsAsync<NetworkException>(() => Devnet.StartAsync(Options(), CancellationToken.None));
        Assert.Contains("already", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Node_ThatAKilledDevnetLeftBehind_IsStoppedFirst()
    {
        // What is left when the process that started the node is killed: the node, its state and its number.
        var options = Options();
        var node = await AnvilNode.StartAsync(new AnvilOptions { Program = options.Program, Folder = options.Folder, Port = options.Port }, CancellationToken.None);
        await using (var devnet = await Devnet.StartAsync(options, CancellationToken.None))
        {
            await node.Ended.WaitAsync(TimeSpan.FromMinutes(1));
            Assert.NotEqual(node.ProcessId, devnet.Node.ProcessId);
        }

        await node.DisposeAsync();
    }

    [Fact]
    public async Task Contracts_OfALostState_AreDeployedAgain()
    {
        var options = Options();
        await (await Devnet.StartAsync(options, CancellationToken.None)).DisposeAsync();
        File.Delete(Path.Combine(options.Folder, "state.json"));
        await using var devnet = await Devnet.StartAsync(options, CancellationToken.None);
        Assert.True(devnet.IsNew);
        using var chain = devnet.Network.Connect();
        await new MarketReader(chain, devnet.Network).CheckAsync();
        Assert.Equal((UInt128)10_000 * 1_000_000_000_000_000_000, await chain.GetBalanceAsync(devnet.Wallets[0].Address!.Value));
    }
}
