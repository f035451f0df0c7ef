using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Shale.Chain.Networks;
using Xunit;

namespace Shale.Chain.Tests.Networks;

public sealed class AnvilNodeTests : IDisposable
{
    private readonly DirectoryInfo _home = Directory.CreateTempSubdirectory("shale-anvil-");

    public void Dispose() => _home.Delete(recursive: true);

    private AnvilOptions Options(int port) => new() { Program = AnvilNode.FindProgram(Repository.Root), Folder = _home.FullName, Port = port, BlockSeconds = 0 };

    [Fact]
    public async Task Node_StoppedAndStartedAgain_GoesOnWithItsStateAndCallsAtFinalizedWork()
    {
        var address = Address.Parse("0xd388aB098ed3E84c0D808776440B48F685198498");
        var port = Ports.Free();
        ulong height;
        await using (var node = await AnvilNode.StartAsync(Options(port), CancellationToken.None))
        {
            await node.SetBalanceAsync(address, (UInt128)5 << 70, CancellationToken.None);
            await node.MineAsync(7, CancellationToken.None);
            height = Convert.ToUInt64((await node.RequestAsync("eth_blockNumber", CancellationToken.None)).GetString(), 16);
        }

        await using (var node = await AnvilNode.StartAsync(Options(port), CancellationToken.None))
        {
            var final = await node.RequestAsync("eth_getBlockByNumber", CancellationToken.None, "finalized", false);
            Assert.True(Convert.ToUInt64(final.GetProperty("number").GetString(), 16) >= height);
            Assert.Equal("0x1400000000000000000", "0x" + (await node.RequestAsync("eth_getBalance", CancellationToken.None, address.ToString(), "finalized")).GetString()![2..].TrimStart('0'));
        }
    }

    [Fact]
    public async Task Node_FinalizedAndSafe_AreTwoAndOneBehindTheHead()
    {
        await using var node = await AnvilNode.StartAsync(Options(Ports.Free()), CancellationToken.None);
        await node.MineAsync(10, CancellationToken.None);
        async Task<ulong> Number(string tag) => Convert.ToUInt64((await node.RequestAsync("eth_getBlockByNumber", CancellationToken.None, tag, false)).GetProperty("number").GetString(), 16);
        var head = await Number("latest");
        Assert.Equal(head - AnvilNode.FinalizedDepth, await Number("finalized"));
        Assert.Equal(head - 1, await Number("safe"));
    }

    [Fact]
    public async Task Node_OnATakenPort_SaysSo()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var error = await Assert.ThrowsAsync<NetworkException>(() => AnvilNode.StartAsync(Options(((IPEndPoint)taken.LocalEndpoint).Port), CancellationToken.None));
        Assert.Contains("--port", error.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Node_Disposed_LeavesNoProcess()
    {
        var node = await AnvilNode.StartAsync(Options(Ports.Free()), CancellationToken.None);
        var id = node.ProcessId;
        await node.DisposeAsync();
        Assert.Throws<ArgumentException>(() => Process.GetProcessById(id));
    }

    [Fact]
    public void Program_ThatIsMissing_SaysHowToGetIt()
    {
        var error = Assert.Throws<NetworkException>(() => AnvilNode.FindProgram("/nowhere", null, "/nowhere/bin"));
        Assert.Contains("npm ci", error.Hint, StringComparison.Ordinal);
    }
}
