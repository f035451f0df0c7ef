using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>The engine gone, back, hung; its disk full; a container out of memory; a flood of connections that never log in. What goes on, what is said, and that all comes back by itself.</summary>
public sealed class FaultTests
{
    [Fact]
    public async Task Engine_KilledAndStartedAgain_SessionsGoOnThenContainersComeBack()
    {
        await using var engine = await OwnEngine.StartAsync();
        await using var gateway = await GatewayProcess.StartAsync(environment: new Dictionary<string, string> { ["DOCKER_HOST"] = engine.Address });
        var lease = await gateway.LeaseAsync("--image=shale/busybox:1");
        Assert.Equal("1\n", (await gateway.SshAsync(lease, "echo kept > /kept; echo 1")).Output);

        await engine.SignalAsync("KILL");
        Assert.Equal("kept\n", (await gateway.SshAsync(lease, "cat /kept")).Output);
        var refused = await Cli.RunAsync(Cli.Shale, ["lease-container", "--detach", $"--state_dir={gateway.Folder}/state", $"--ssh_pubkey={gateway.Folder}/id.pub", "--image=shale/busybox:1"]);
        Assert.Equal(69, refused.ExitCode);
        Assert.Contains("Docker", refused.Error, StringComparison.Ordinal);

        // An engine that starts ends what it finds running: the gateway starts it again.
        await engine.LaunchAsync();
        await ServesAsync(gateway, lease, "cat /kept", "kept\n");
        var another = await gateway.LeaseAsync("--image=shale/busybox:1");
        Assert.Equal("2\n", (await gateway.SshAsync(another, "echo 2")).Output);
    }

    [Fact]
    public async Task Engine_Hung_SessionsGoOnAndWhatNeedsItIsToldInTime()
    {
        await using var engine = await OwnEngine.StartAsync();
        await using var gateway = await GatewayProcess.StartAsync(environment: new Dictionary<string, string> { ["DOCKER_HOST"] = engine.Address });
        var lease = await gateway.LeaseAsync("--image=shale/busybox:1");
        await engine.SignalAsync("STOP");
        try
        {
            Assert.Equal("1\n", (await gateway.SshAsync(lease, "echo 1")).Output);
            var copied = await Cli.RunAsync("scp", [.. gateway.SshOptions("-P"), $"{lease}@127.0.0.1:/etc/passwd", Path.Combine(gateway.Folder, "passwd")]);
            Assert.True(copied.ExitCode == 0, copied.Error);
            var refused = await Cli.RunAsync(
                Cli.Shale, ["lease-container", "--detach", $"--state_dir={gateway.Folder}/state", $"--ssh_pubkey={gateway.Folder}/id.pub", "--image=shale/busybox:1"], seconds: 240);
            Assert.Equal(69, refused.ExitCode);
            Assert.Contains("Docker", refused.Error, StringComparison.Ordinal);
        }
        finally
        {
            await engine.SignalAsync("CONT");
        }

        var another = await gateway.LeaseAsync("--image=shale/busybox:1");
        Assert.Equal("2\n", (await gateway.SshAsync(another, "echo 2")).Output);
    }

    [Fact]
    public async Task Disk_Full_IsSaidAndNothingElseBreaks()
    {
        await using var engine = await OwnEngine.StartAsync();
        await using var gateway = await GatewayProcess.StartAsync(environment: new Dictionary<string, string> { ["DOCKER_HOST"] = engine.Address });
        var lease = await gateway.LeaseAsync("--image=shale/busybox:1");
        var filled = await gateway.SshAsync(lease, "dd if=/dev/zero of=/fill bs=1M");
        Assert.NotEqual(0, filled.ExitCode);
        Assert.Contains("No space left on device", filled.Error, StringComparison.Ordinal);
        var file = Path.Combine(gateway.Folder, "file");
        await File.WriteAllBytesAsync(file, new byte[2_000_000]);
        var old = await Cli.RunAsync("scp", ["-O", .. gateway.SshOptions("-P"), file, $"{lease}@127.0.0.1:/file"]);
        Assert.Equal(1, old.ExitCode);
        Assert.Contains("No space left on device", old.Error, StringComparison.Ordinal);
        Assert.NotEqual(0, (await Cli.RunAsync("scp", [.. gateway.SshOptions("-P"), file, $"{lease}@127.0.0.1:/file"])).ExitCode);
        Assert.Equal("1\n", (await gateway.SshAsync(lease, "echo 1")).Output);

        Assert.Equal(0, (await gateway.SshAsync(lease, "rm -f /fill /file")).ExitCode);
        var copied = await Cli.RunAsync("scp", [.. gateway.SshOptions("-P"), file, $"{lease}@127.0.0.1:/file"]);
        Assert.True(copied.ExitCode == 0, copied.Error);
    }

    [Fact]
    public async Task Disk_FullWhenALeaseIsMade_IsSaidAndTheLeaseIsServedOnceThereIsRoom()
    {
        await using var engine = await OwnEngine.StartAsync();
        await using var gateway = await GatewayProcess.StartAsync(environment: new Dictionary<string, string> { ["DOCKER_HOST"] = engine.Address });
        var lease = await gateway.LeaseAsync("--image=shale/busybox:1");
        await gateway.SshAsync(lease, "dd if=/dev/zero of=/fill bs=1M; dd if=/dev/zero of=/rest bs=512");

        // A person who leases by hand is told, and nothing of it stays.
        var refused = await Cli.RunAsync(
            Cli.Shale, ["lease-container", "--detach", $"--state_dir={gateway.State}", $"--ssh_pubkey={gateway.Key}.pub", "--image=shale/busybox:1"], seconds: 180);
        Assert.Equal(69, refused.ExitCode);
        Assert.Contains("no space left on device", refused.Error, StringComparison.OrdinalIgnoreCase);
        Assert.Single(Directory.GetFiles(Path.Combine(gateway.State, "leases")));

        // A lease that the operator writes stays, says why, and is tried again.
        var record = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(gateway.State, "leases", $"{lease}.json")))!;
        const ulong Later = 1000;
        record["id"] = Later;
        await File.WriteAllTextAsync(Path.Combine(gateway.Folder, "record"), record.ToJsonString());
        File.Move(Path.Combine(gateway.Folder, "record"), Path.Combine(gateway.State, "leases", $"{Later}.json"));
        await Wait.UntilAsync(async () => await gateway.StatusAsync(Later) == "Failed", "the lease to fail", () => gateway.Log);
        Assert.Contains("no space left on device", await File.ReadAllTextAsync(Path.Combine(gateway.State, "status", $"{Later}.json")), StringComparison.OrdinalIgnoreCase);
        Assert.Equal("1\n", (await gateway.SshAsync(lease, "echo 1")).Output);

        Assert.Equal(0, (await gateway.SshAsync(lease, "rm -f /fill /rest")).ExitCode);
        await Wait.UntilAsync(async () => await gateway.StatusAsync(Later) == "Serving", "the lease to be served", () => gateway.Log);
        Assert.Equal("2\n", (await gateway.SshAsync(Later, "echo 2")).Output);
        Assert.Equal("2\n", (await Cli.RunAsync("bash", ["-c", $"docker -H {engine.Address} ps -aq | wc -l"])).Output);
    }

    [Fact]
    public async Task Memory_UsedUp_IsSaidAndTheNextCommandRuns()
    {
        await using var gateway = await GatewayProcess.StartAsync();
        var lease = await gateway.LeaseAsync("--image=shale/debian:12", "--num_rams=64m");
        var killed = await gateway.SshAsync(lease, "exec python3 -c 'x=bytearray(300<<20); print(len(x))'");
        Assert.NotEqual(0, killed.ExitCode);
        Assert.Contains("shale: killed because the container's memory (64 MiB) is used up", killed.Error, StringComparison.Ordinal);
        Assert.Equal("1\n", (await gateway.SshAsync(lease, "echo 1")).Output);
    }

    [Fact]
    public async Task Connections_TwoThousandThatNeverLogIn_DoNotLockOutAnotherAddress()
    {
        const int count = 2000;
        await using var gateway = await GatewayProcess.StartAsync();
        var lease = await gateway.LeaseAsync("--image=shale/busybox:1");
        var sockets = new List<Socket>();
        try
        {
            for (var i = 0; i < count; i++)
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                sockets.Add(socket);
                socket.Bind(new IPEndPoint(IPAddress.Parse("127.0.7.1"), 0));
                await socket.ConnectAsync(IPAddress.Loopback, gateway.Port);
                if (i % 2 == 0)
                {
                    try
                    {
                        await socket.SendAsync(Encoding.ASCII.GetBytes("SSH-2.0-Stalled\r\n"));
                    }
                    catch (SocketException)
                    {
                        // Refused already: also an answer.
                    }
                }
            }

            // From this machine's usual address, all through the flood.
            for (var i = 0; i < 5; i++)
            {
                var outcome = await gateway.SshAsync(lease, "echo 1");
                Assert.True(outcome.Output == "1\n", outcome.Error);
            }
        }
        finally
        {
            sockets.ForEach(s => s.Dispose());
        }
    }

    private static async Task ServesAsync(GatewayProcess gateway, ulong lease, string command, string expected)
    {
        var outcome = await gateway.SshAsync(lease, command);
        for (var i = 0; i < 60 && outcome.Output != expected; i++)
        {
            await Task.Delay(1000);
            outcome = await gateway.SshAsync(lease, command);
        }

        Assert.True(outcome.Output == expected, outcome.Output + outcome.Error);
    }
}
