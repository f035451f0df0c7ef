using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>What survives what.</summary>
public sealed class RestartTests
{
    [Fact]
    public async Task Gateway_KilledAndRestarted_FindsItsContainersWithAllThatIsInThem()
    {
        await using var gateway = await GatewayProcess.StartAsync();
        var lease = await gateway.LeaseAsync("--image=shale/debian:12");
        Assert.Equal(0, (await gateway.SshAsync(lease, "echo kept > /root/file; setsid sleep 7003 >/dev/null 2>&1 </dev/null & until pgrep -f '^sleep 7003' >/dev/null; do sleep 0.1; done")).ExitCode);
        await gateway.KillAsync();
        await gateway.LaunchAsync();
        var outcome = await gateway.SshAsync(lease, "cat /root/file; pgrep -f 'sleep 7003' >/dev/null && echo running");
        Assert.Equal("kept\nrunning\n", outcome.Output);
    }

    [Fact]
    public async Task Container_KilledBehindItsBack_IsStartedAgainForTheNextSession()
    {
        await using var gateway = await GatewayProcess.StartAsync();
        var lease = await gateway.LeaseAsync("--image=shale/debian:12");
        await gateway.SshAsync(lease, "echo kept > /root/file");
        var container = await gateway.ContainerAsync(lease);
        await Cli.RunAsync("docker", ["kill", container]);
        Assert.Equal("kept\n", (await gateway.SshAsync(lease, "cat /root/file")).Output);
    }

    [Fact]
    public async Task Lease_WhoseImageIsNowhere_SaysSoAndLeavesNothing()
    {
        await using var gateway = await GatewayProcess.StartAsync();
        var outcome = await Cli.RunAsync(Cli.Shale, ["lease-container", "--detach", $"--state_dir={gateway.Folder}/state", $"--ssh_pubkey={gateway.Folder}/id.pub", "--image=shale/there-is-none:1"]);
        Assert.Equal(69, outcome.ExitCode);
        Assert.Contains("shale/there-is-none:1", outcome.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.Combine(gateway.Folder, "state", "leases")));
    }

    [Fact]
    public async Task Lease_WithoutDetach_EndsAtSigtermAndItsContainerIsGone()
    {
        var folder = Directory.CreateTempSubdirectory("shale-it-").FullName;
        await Cli.RunAsync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", Path.Combine(folder, "id")]);
        using var process = Process.Start(new ProcessStartInfo(
            Cli.Shale,
            ["lease-container", "--image=shale/busybox:1", "--listen=127.0.0.1:0", $"--state_dir={folder}/state", $"--ssh_pubkey={folder}/id.pub"]) { RedirectStandardOutput = true })!;
        var line = await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(180));
        Assert.Matches(@"^ssh -p \d+ 1@127\.0\.0\.1$", line);
        var container = await GatewayProcess.ContainerAsync(Path.Combine(folder, "state"), 1);
        Assert.Equal(0, (await Cli.RunAsync("docker", ["inspect", container])).ExitCode);
        await Cli.RunAsync("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]);
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(180));
        Assert.NotEqual(0, (await Cli.RunAsync("docker", ["inspect", container])).ExitCode);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Login_AsAnotherUserThanTheKeys_IsRefusedAndOftenIsPenalised()
    {
        // A gateway of its own: as with sshd, failures are held against the address they come from.
        await using var gateway = await GatewayProcess.StartAsync();
        var lease = await gateway.LeaseAsync("--image=shale/busybox:1");
        Assert.Equal(0, (await Cli.RunAsync("ssh", [.. gateway.SshOptions(), "-l", "root", "127.0.0.1", "true"])).ExitCode);
        var refused = await Cli.RunAsync("ssh", [.. gateway.SshOptions(), "-l", $"lease-{lease + 1}", "127.0.0.1", "true"]);
        Assert.Equal(255, refused.ExitCode);
        Assert.Contains("Permission denied (publickey)", refused.Error, StringComparison.Ordinal);

        // What each failure costs runs off again with time: they come side by side, so that a slow machine's are no further apart than a fast one's.
        await Wait.UntilAsync(
            async () =>
            {
                var tried = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Cli.RunAsync("ssh", [.. gateway.SshOptions(), "-l", "999", "127.0.0.1", "true"])));
                Assert.All(tried, t => Assert.Equal(255, t.ExitCode));
                return tried.Any(t => !t.Error.Contains("Permission denied", StringComparison.Ordinal));
            },
            "the address to be turned away");
    }
}
