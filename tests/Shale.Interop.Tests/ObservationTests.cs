using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>What a provider sees of sessions: metrics of every kind of stream, a log without what was typed, recordings of those leases alone whose terms allow it.</summary>
public sealed class ObservationTests
{
    private const int Size = 300_000;

    [Fact]
    public async Task Metrics_OfSessionsFilesAndForwards_CountThemAll()
    {
        var admin = Ports.Free();
        await using var gateway = await GatewayProcess.StartAsync([$"--admin=127.0.0.1:{admin}"]);
        var lease = await gateway.LeaseAsync("--image=shale/busybox:1");
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{admin}/") };
        async Task<long> ReadAsync(string name)
        {
            var line = (await http.GetStringAsync("metrics")).Split('\n').SingleOrDefault(l => l.StartsWith(name + " ", StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);
        }

        const string In = "shale_gateway_bytes_total{direction=\"in\"}", Out = "shale_gateway_bytes_total{direction=\"out\"}";
        var (file, back) = (Path.Combine(gateway.Folder, "file"), Path.Combine(gateway.Folder, "back"));
        await File.WriteAllBytesAsync(file, new byte[Size]);
        string[] scp = gateway.SshOptions("-P");
        (string Kind, Func<Task<Outcome>> In, Func<Task<Outcome>> Out)[] ways =
        [
            ("exec", () => gateway.SshAsync(lease, "cat >/dev/null", new byte[Size]), () => gateway.SshAsync(lease, $"head -c {Size} /dev/zero")),
            ("sftp", () => Cli.RunAsync("scp", [.. scp, file, $"{lease}@127.0.0.1:/f"]), () => Cli.RunAsync("scp", [.. scp, $"{lease}@127.0.0.1:/f", back])),
            ("scp", () => Cli.RunAsync("scp", ["-O", .. scp, file, $"{lease}@127.0.0.1:/f"]), () => Cli.RunAsync("scp", ["-O", .. scp, $"{lease}@127.0.0.1:/f", back])),
        ];
        foreach (var (kind, goIn, goOut) in ways)
        {
            var (before, sessions) = (await ReadAsync(In), await ReadAsync($"shale_gateway_sessions_total{{kind=\"{kind}\"}}"));
            Assert.Equal(0, (await goIn()).ExitCode);
            Assert.InRange(await ReadAsync(In) - before, Size, Size * 1.1);
            before = await ReadAsync(Out);
            Assert.Equal(0, (await goOut()).ExitCode);
            Assert.InRange(await ReadAsync(Out) - before, Size, Size * 1.1);
            Assert.Equal(sessions + 2, await ReadAsync($"shale_gateway_sessions_total{{kind=\"{kind}\"}}"));
        }

        // A forward to what sends back what it gets.
        Assert.Equal(0, (await gateway.SshAsync(lease, "setsid nc -ll -p 7000 -e cat >/dev/null 2>&1 </dev/null & sleep 0.1; for i in $(seq 100); do netstat -ltn | grep -q :7000 && break; sleep 0.1; done")).ExitCode);
        var (beforeIn, beforeOut) = (await ReadAsync(In), await ReadAsync(Out));
        var echoed = await Cli.RunAsync("ssh", [.. gateway.SshOptions(), "-W", "localhost:7000", $"{lease}@127.0.0.1"], new byte[Size]);
        Assert.Equal((0, Size), (echoed.ExitCode, echoed.OutputBytes.Length));
        Assert.Equal((Size, Size), (await ReadAsync(In) - beforeIn, await ReadAsync(Out) - beforeOut));
        await Wait.UntilAsync(async () => await ReadAsync("shale_gateway_sessions_open") == 0 && await ReadAsync("shale_gateway_connections_open") == 0, "sessions and connections to be counted down");
    }

    [Fact]
    public async Task Recording_OfALeaseThatAllowsIt_HoldsWhatTheTerminalShowedAndNothingElse()
    {
        var folder = Directory.CreateTempSubdirectory("shale-record-").FullName;
        try
        {
            await using var gateway = await GatewayProcess.StartAsync([$"--record={folder}/casts"]);
            var recorded = await gateway.LeaseAsync("--image=shale/busybox:1", "--allow_recording");
            var other = await gateway.LeaseAsync("--image=shale/busybox:1");
            foreach (var lease in new[] { other, recorded })
            {
                const string Command = "stty -echo; echo ready; read secret; stty echo; printf 'sh\\303\\244le %d\\n' ${#secret}";
                var start = new ProcessStartInfo("ssh", [.. gateway.SshOptions(), "-tt", $"{lease}@127.0.0.1", Command]) { RedirectStandardInput = true, RedirectStandardOutput = true };
                using var ssh = Process.Start(start)!;
                Assert.Equal("ready", await ssh.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60)));
                await ssh.StandardInput.WriteAsync("tops3cret\n");
                await ssh.StandardInput.FlushAsync();
                Assert.Equal("shäle 9\r\n", await ssh.StandardOutput.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(60)));
                await ssh.WaitForExitAsync();

                // Without a terminal there is nothing to record.
                Assert.Equal(0, (await gateway.SshAsync(lease, "echo nothing")).ExitCode);
            }

            var cast = Assert.Single(Directory.GetFiles(Path.Combine(folder, "casts")));
            Assert.StartsWith($"lease-{recorded}-", Path.GetFileName(cast), StringComparison.Ordinal);
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(cast));
            string[] lines = [];
            await Wait.UntilAsync(async () => (lines = await File.ReadAllLinesAsync(cast)).Any(l => l.Contains("le 9", StringComparison.Ordinal)), "the recording to be written");
            Assert.Equal(2, JsonDocument.Parse(lines[0]).RootElement.GetProperty("version").GetInt32());
            var events = lines[1..].Select(l => JsonDocument.Parse(l).RootElement).ToArray();
            Assert.All(events, e => Assert.Contains(e[1].GetString(), new[] { "o", "r" }));
            Assert.Equal(events.Select(e => e[0].GetDouble()).Order(), events.Select(e => e[0].GetDouble()));
            var text = string.Concat(events.Where(e => e[1].GetString() == "o").Select(e => e[2].GetString()));
            Assert.Contains("ready\r\n", text, StringComparison.Ordinal);
            Assert.Contains("shäle 9\r\n", text, StringComparison.Ordinal);

            // What was typed and not shown is nowhere.
            Assert.DoesNotContain("tops3cret", await File.ReadAllTextAsync(cast), StringComparison.Ordinal);
            Assert.DoesNotContain("tops3cret", gateway.Log, StringComparison.Ordinal);
            Assert.DoesNotContain(await File.ReadAllTextAsync(gateway.Key), gateway.Log, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
