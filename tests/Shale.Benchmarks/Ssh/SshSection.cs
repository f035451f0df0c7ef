using System.Diagnostics;
using Shale.Ssh.Client;

namespace Shale.Benchmarks.Ssh;

/// <summary>The gateway beside OpenSSH's sshd in a container of the same image: stock ssh where a person would use it, a light client where sshd and not ssh is to be measured.</summary>
internal sealed class SshSection : ISection
{
    private const int Runs = 5;

    public string Name => "ssh";

    public string Title => "SSH into a container: the gateway against OpenSSH's sshd in the same kind of container";

    public async Task RunAsync(Report report, CancellationToken cancellation)
    {
        await using var servers = await Servers.StartAsync();
        foreach (var cipher in new[] { "aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com" })
        {
            var goal = cipher.StartsWith("aes", StringComparison.Ordinal) ? "≥ 1.5" : "≥ 1.4";
            await BulkAsync(report, servers, $"1 GB out, {cipher}", cipher, "head -c 1000000000 /dev/zero", null, 1e9, goal);
            await BulkAsync(report, servers, $"1 GB in, {cipher}", cipher, "cat >/dev/null", "head -c 1000000000 /dev/zero", 1e9, goal);
        }

        await LoginAsync(report, servers, "ssh host true, default key exchange", [], "≤ 0.85");
        await LoginAsync(report, servers, "ssh host true, curve25519", ["-o", "KexAlgorithms=curve25519-sha256"], "≤ 0.75");
        await LightLoginsAsync(report, servers);
        await EchoAsync(report, servers);
        await MemoryAsync(report, servers);
    }

    private static async Task BulkAsync(Report report, Servers servers, string figure, string cipher, string command, string? source, double bytes, string goal)
    {
        Task Run(Target target)
        {
            var ssh = "ssh " + string.Join(' ', servers.Ssh(target, "-c", cipher)) + " '" + command + "'";
            return Servers.RunAsync("bash", "-c", source is null ? ssh + " >/dev/null" : source + " | " + ssh);
        }

        var (sshd, ours, ratio) = await Report.PairAsync(Runs, () => Run(servers.Sshd), () => Run(servers.Ours));
        report.Row(figure, FormattableString.Invariant($"{bytes / 1e6 / ours:0} MB/s"), FormattableString.Invariant($"{bytes / 1e6 / sshd:0} MB/s"), ratio, goal);
    }

    private static async Task LoginAsync(Report report, Servers servers, string figure, string[] options, string goal)
    {
        var (ours, sshd, ratio) = await Report.PairAsync(
            15,
            () => Servers.RunAsync("ssh", [.. servers.Ssh(servers.Ours, options), "true"]),
            () => Servers.RunAsync("ssh", [.. servers.Ssh(servers.Sshd, options), "true"]));
        report.Row(figure, FormattableString.Invariant($"{ours * 1000:0} ms"), FormattableString.Invariant($"{sshd * 1000:0} ms"), ratio, goal);
    }

    /// <summary>Logins without a session, from a light client in this process: processor time of the server, and how many a second.</summary>
    private static async Task LightLoginsAsync(Report report, Servers servers)
    {
        const int Logins = 200;
        async Task<(double Cpu, double Wall)> MeasureAsync(Target target)
        {
            async Task LoginsAsync(int count)
            {
                // Four at a time stay below MaxStartups.
                await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (_, _) =>
                {
                    await using var client = await servers.ConnectAsync(target);
                });
            }

            await LoginsAsync(50);
            var cpu = servers.CpuSeconds(target);
            var wall = await Report.SecondsAsync(() => LoginsAsync(Logins));
            await Task.Delay(500);
            return ((servers.CpuSeconds(target) - cpu) / Logins, Logins / wall);
        }

        var ours = await MeasureAsync(servers.Ours);
        var sshd = await MeasureAsync(servers.Sshd);
        report.Row("CPU of the server per login without a session", FormattableString.Invariant($"{ours.Cpu * 1000:0.00} ms"), FormattableString.Invariant($"{sshd.Cpu * 1000:0.00} ms"), ours.Cpu / sshd.Cpu, "≤ 0.33");
        report.Row("logins a second, light client beside it", FormattableString.Invariant($"{ours.Wall:0}"), FormattableString.Invariant($"{sshd.Wall:0}"), ours.Wall / sshd.Wall, "–");
    }

    /// <summary>A byte to <c>cat</c> and back while another session of the same connection moves bulk.</summary>
    private static async Task EchoAsync(Report report, Servers servers)
    {
        async Task<double> MeasureAsync(Target target)
        {
            await using var client = await servers.ConnectAsync(target);
            await using var bulk = await OpenAsync(client, "cat /dev/zero");
            using var stop = new CancellationTokenSource();
            var drain = Task.Run(async () =>
            {
                while (!stop.IsCancellationRequested)
                {
                    var read = await bulk.Output.ReadAsync(stop.Token);
                    bulk.Output.AdvanceTo(read.Buffer.End);
                }
            });
            await using var echo = await OpenAsync(client, "cat");
            var times = new double[200];
            for (var i = 0; i < times.Length; i++)
            {
                var started = Stopwatch.GetTimestamp();
                await echo.WriteAsync(new byte[] { 1 }, CancellationToken.None);
                var read = await echo.Output.ReadAsync();
                echo.Output.AdvanceTo(read.Buffer.End);
                times[i] = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
                await Task.Delay(10);
            }

            await stop.CancelAsync();
            await drain.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return Report.Median(times);
        }

        var sshd = await MeasureAsync(servers.Sshd);
        var ours = await MeasureAsync(servers.Ours);
        report.Row("echo of a keystroke beside bulk, median", FormattableString.Invariant($"{ours:0.00} ms"), FormattableString.Invariant($"{sshd:0.00} ms"), ours / sshd, "≤ 1.0");
    }

    private static async Task MemoryAsync(Report report, Servers servers)
    {
        async Task<double> MeasureAsync(Target target, int count)
        {
            var clients = new List<SshClient>();
            try
            {
                clients.Add(await servers.ConnectAsync(target));
                var before = servers.Memory(target);
                while (clients.Count < count)
                {
                    clients.Add(await servers.ConnectAsync(target));
                }

                await Task.Delay(2000);
                return (servers.Memory(target) - before) / 1024.0 / (count - 1);
            }
            finally
            {
                foreach (var client in clients)
                {
                    await client.DisposeAsync();
                }
            }
        }

        var ours = await MeasureAsync(servers.Ours, 2000);
        var sshd = await MeasureAsync(servers.Sshd, 100);
        report.Row("memory per idle authenticated connection (2,000 of ours, 100 of sshd's)", FormattableString.Invariant($"{ours:0} KiB"), FormattableString.Invariant($"{sshd:0} KiB"), ours / sshd, "≤ 150 KiB");
    }

    private static async Task<SshClientSession> OpenAsync(SshClient client, string command)
    {
        var session = await client.OpenSessionAsync(CancellationToken.None) ?? throw new InvalidOperationException("No session.");
        return await session.ExecAsync(command, CancellationToken.None) ? session : throw new InvalidOperationException($"'{command}' was refused.");
    }
}
