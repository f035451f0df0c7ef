using System.Numerics;
using Shale.EndToEnd.Tests.Worlds;
using Xunit;

namespace Shale.EndToEnd.Tests;

/// <summary>Several leases on one machine, and what goes wrong inside of one.</summary>
public sealed class CrowdTests(World world) : IClassFixture<World>
{
    private const int OrderEpochs = 300;

    [Fact]
    public async Task Machine_WithThreeLeasesOfTwoClients_TakesNoFourthUntilOneEnds()
    {
        var (one, two, provider) = (world.Client, world.Other, world.Provider);
        var before = await world.BooksAsync();
        var first = one.OrderAsync();
        var others = OrderTwoAsync();
        ulong[] leases = [await first, .. await others];
        Assert.Equal(3, leases.Distinct().Count());
        await Task.WhenAll(one.KeepAsync(leases[0]), two.KeepAsync(leases[1]));
        await two.KeepAsync(leases[2]);
        foreach (var (client, lease) in ((Client, ulong)[])[(one, leases[0]), (two, leases[1]), (two, leases[2])])
        {
            var hello = await client.SshAsync(lease, "hostname");
            Assert.True(hello.ExitCode == 0, hello.ToString());
        }

        // A lease is its client's.
        var foreign = await one.ShaleAsync("stop", $"{leases[1]}");
        Assert.True(foreign.ExitCode == 77, foreign.ToString());

        var fourth = await one.TryOrderAsync("--yes", "--image=busybox", "--wait=3s");
        Assert.True(fourth.ExitCode == 75, fourth.ToString());
        var declined = Client.OrderOf(fourth);
        await provider.SaidAsync($"order {declined} of 0x\\w+ is declined: the machine is taken: 0 CPUs");

        // One goes: its slot serves the next, and the others don't notice.
        var slot = (await provider.SaidAsync($"order {leases[1]} of 0x\\w+ is accepted: .*; (page 0, slot \\d)")).Groups[1].Value;
        var (paid1, _) = await two.StopAsync(leases[1]);
        var next = await one.OrderAsync();
        await provider.SaidAsync($"order {next} of 0x\\w+ is accepted: .*; {slot}");
        await one.KeepAsync(next);
        await one.SignsMoreAsync(leases[0], await one.SignedAsync(leases[0]));
        await two.SignsMoreAsync(leases[2], await two.SignedAsync(leases[2]));

        var ends = await Task.WhenAll(one.StopAsync(leases[0]), two.StopAsync(leases[2]));
        var (paidNext, _) = await one.StopAsync(next);
        await world.Chain.MineAsync(OrderEpochs);
        await one.MustAsync("stop", $"{declined}");
        BigInteger ofOne = ends[0].Paid + paidNext, ofTwo = paid1 + ends[1].Paid;
        await one.PaidWhatItSignedAsync(ofOne, leases[0], next);
        await two.PaidWhatItSignedAsync(ofTwo, leases[1], leases[2]);
        Assert.Equal(new Books(-ofOne, -ofTwo, ofOne + ofTwo, 0), await world.BooksAsync() - before);

        async Task<ulong[]> OrderTwoAsync() => [await two.OrderAsync(), await two.OrderAsync()];
    }

    [Fact]
    public async Task Container_ThatRunsOutOfMemory_LosesTheProcessAndNotTheLease()
    {
        var (client, provider) = (world.Client, world.Provider);
        var before = await world.BooksAsync();
        var lease = await client.OrderAsync("--image=debian", "--num_rams=128Mi", "--max-spend=0.5fil");
        await client.KeepAsync(lease);
        var greedy = await client.SshAsync(lease, "python3 -c 'x = b\"x\" * (1 << 29)'");
        Assert.True(greedy.ExitCode != 0 && greedy.Error.Contains("killed because the container's memory (128 MiB) is used up", StringComparison.Ordinal), greedy.ToString());
        var modest = await client.SshAsync(lease, "python3 -c 'print(len(b\"x\" * (1 << 20)))'");
        Assert.True(modest.Output == "1048576\n", modest.ToString());
        await client.SignsMoreAsync(lease, await client.SignedAsync(lease));
        var (paid, _) = await client.StopAsync(lease);
        await client.PaidWhatItSignedAsync(paid, lease);
        Assert.Equal(new Books(-paid, 0, paid, 0), await world.BooksAsync() - before);
    }

    [Fact]
    public async Task Image_ThatIsNotThere_IsGivenUpAndRefundedWhole()
    {
        var (client, provider) = (world.Client, world.Provider);
        var before = await world.BooksAsync();
        var root = Directory.CreateDirectory(Path.Combine(world.Folder, "image"));
        await File.WriteAllTextAsync(Path.Combine(root.FullName, "unique"), Guid.NewGuid().ToString());
        var tag = $"shale-e2e-{Guid.NewGuid():n}:1";
        await Programs.MustAsync("bash", ["-c", $"tar -C {root.FullName} -c . | docker import - {tag}"]);
        await provider.OfferAsync($"--image=gone={tag}");
        await Programs.MustAsync("docker", ["rmi", tag]);

        var outcome = await client.TryOrderAsync("--yes", "--image=gone", "--max-spend=0.5fil");
        Assert.True(outcome.ExitCode == 69 && outcome.Error.Contains("The provider could not serve lease", StringComparison.Ordinal), outcome.ToString());
        var lease = Client.OrderOf(outcome);
        await provider.SaidAsync($"lease {lease} ends: it can't be started: ");
        var (paid, back) = await client.StopAsync(lease);
        Assert.Equal((BigInteger.Zero, World.Atto("0.51")), (paid, back));
        Assert.Equal(new Books(0, 0, 0, 0), await world.BooksAsync() - before);
    }
}
