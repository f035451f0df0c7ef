using System.Globalization;
using System.Text.Json;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>Data sets by CID in real leases: what the gateway verifies before every start of a container.</summary>
public sealed class DatasetTests
{
    [Fact]
    public async Task Mount_ByCid_IsServedReadOnlyAndRefusedAfterAChangeUntilItIsRestored()
    {
        await using var gateway = await GatewayProcess.StartAsync();
        var set = Directory.CreateDirectory(Path.Combine(gateway.Folder, "set")).FullName;
        await File.WriteAllTextAsync(Path.Combine(set, "a.txt"), "as it was");
        var added = await Cli.RunAsync(Cli.Shale, ["dataset", "add", set, "--placement=in-place", $"--store={gateway.Folder}/state/data"]);
        Assert.Equal(0, added.ExitCode);
        var cid = added.Output.Trim();

        var lease = await gateway.LeaseAsync("--image=shale/busybox:1", $"--mnt={cid}:/mnt/set", $"--mnt={cid}/a.txt:/mnt/a.txt");
        var record = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(gateway.Folder, "state", "leases", $"{lease}.json"))).RootElement;
        Assert.All(record.GetProperty("container").GetProperty("mounts").EnumerateArray(), m => Assert.Equal("", m.GetProperty("host_path").GetString()));
        var read = await gateway.SshAsync(lease, "cat /mnt/set/a.txt /mnt/a.txt; echo no > /mnt/a.txt || echo no > /mnt/set/b.txt || echo refused");
        Assert.Equal("as it wasas it wasrefused\n", read.Output);

        var removed = await Cli.RunAsync(Cli.Shale, ["dataset", "remove", cid, $"--store={gateway.Folder}/state/data"]);
        Assert.Equal(1, removed.ExitCode);
        Assert.Contains($"lease-{lease} has the data set {cid} mounted", removed.Error, StringComparison.Ordinal);

        // Two ways in which a container starts again: for the next session, and when the gateway comes back.
        await File.WriteAllTextAsync(Path.Combine(set, "a.txt"), "as it Was");
        var container = await gateway.ContainerAsync(lease);
        await Cli.RunAsync("docker", ["kill", container]);
        var refused = await gateway.SshAsync(lease, "cat /mnt/set/a.txt");
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("a.txt has other bytes than when it was added", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Was", refused.Output, StringComparison.Ordinal);
        await gateway.KillAsync();
        await gateway.LaunchAsync();
        var status = await StatusAsync(gateway, lease, "Failed");
        Assert.Contains("restore the file", status, StringComparison.Ordinal);

        await File.WriteAllTextAsync(Path.Combine(set, "a.txt"), "as it was");
        await StatusAsync(gateway, lease, "Serving");
        Assert.Equal("as it was", (await gateway.SshAsync(lease, "cat /mnt/set/a.txt")).Output);

        // A lease that ends while its container can't be started leaves none.
        await File.WriteAllTextAsync(Path.Combine(set, "a.txt"), "as it Was");
        await Cli.RunAsync("docker", ["kill", container]);
        await StatusAsync(gateway, lease, "Failed");
        File.Delete(Path.Combine(gateway.Folder, "state", "leases", $"{lease}.json"));
        await StatusAsync(gateway, lease, "Ended");
        for (var i = 0; i < 1800 && (await Cli.RunAsync("docker", ["inspect", container])).ExitCode == 0; i++)
        {
            await Task.Delay(100);
        }

        Assert.NotEqual(0, (await Cli.RunAsync("docker", ["inspect", container])).ExitCode);
        Assert.Equal(0, (await Cli.RunAsync(Cli.Shale, ["dataset", "remove", cid, $"--store={gateway.Folder}/state/data"])).ExitCode);
        Assert.True(File.Exists(Path.Combine(set, "a.txt")));
    }

    [Fact]
    public async Task Mount_WhoseDataSetIsNotThere_FailsTheLeaseWithASentence()
    {
        await using var gateway = await GatewayProcess.StartAsync();
        var outcome = await Cli.RunAsync(
            Cli.Shale,
            ["lease-container", "--detach", $"--state_dir={gateway.Folder}/state", $"--ssh_pubkey={gateway.Folder}/id.pub", "--image=shale/busybox:1", "--mnt=bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy:/mnt/x"]);
        Assert.Equal(69, outcome.ExitCode);
        Assert.Contains("is not in this provider's store", outcome.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.Combine(gateway.Folder, "state", "leases")));
    }

    private static async Task<string> StatusAsync(GatewayProcess gateway, ulong lease, string service)
    {
        var path = Path.Combine(gateway.Folder, "state", "status", lease.ToString(CultureInfo.InvariantCulture) + ".json");
        for (var i = 0; i < 1800; i++)
        {
            var text = await File.ReadAllTextAsync(path);
            if (JsonDocument.Parse(text).RootElement.GetProperty("service").GetString() == service)
            {
                return text;
            }

            await Task.Delay(100);
        }

        throw new TimeoutException($"Lease {lease} did not become {service}: {await File.ReadAllTextAsync(path)}");
    }
}
