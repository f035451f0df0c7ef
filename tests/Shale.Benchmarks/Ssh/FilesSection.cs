using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Shale.Benchmarks.Ssh;

/// <summary>Files and forwarded ports through stock OpenSSH clients: the gateway beside sshd in a container of the same image. SHALE_BENCH_SHORT=1: a tenth of the size, one run.</summary>
internal sealed class FilesSection : ISection
{
    private static readonly bool Short = Environment.GetEnvironmentVariable("SHALE_BENCH_SHORT") == "1";
    private static readonly int Runs = Short ? 1 : 3;
    private static readonly long LargeSize = Short ? 200_000_000 : 2_000_000_000;
    private static readonly int SmallFiles = Short ? 500 : 5_000;

    // Serves whoever connects: a number of bytes, or their own bytes back.
    private const string Server =
        "exec perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(LocalAddr=>\"127.0.0.1\",LocalPort=>PORT,Listen=>9,ReuseAddr=>1) or die; $|=1; print \"ready\\n\"; $b=\"x\" x 65536; " +
        "while($c=$s->accept){ setsockopt($c,6,1,1); sysread($c,$n,16); if($n>0){ $n-=syswrite($c,$b,$n<65536?$n:65536) while $n>0 } else { syswrite($c,$d) while sysread($c,$d,4096) } close $c }'";

    public string Name => "files";

    public string Title => "Files and forwarded ports: the gateway against OpenSSH's sshd in the same kind of container";

    public async Task RunAsync(Report report, CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("shale-files-").FullName;
        try
        {
            await using var servers = await Servers.StartAsync();
            var (large, small, back) = (Path.Combine(folder, "large"), Path.Combine(folder, "small"), Path.Combine(folder, "back"));
            await Servers.RunAsync("bash", "-c", $"head -c {LargeSize} /dev/zero | openssl enc -aes-128-ctr -pass pass:x -nosalt 2>/dev/null >{large}");
            Directory.CreateDirectory(small);
            for (var i = 0; i < SmallFiles; i++)
            {
                await File.WriteAllBytesAsync(Path.Combine(small, i.ToString(CultureInfo.InvariantCulture)), new byte[1 + (i * 7919 % 8192)], cancellation);
            }

            var size = FormattableString.Invariant($"{LargeSize / 1e9:0.#} GB");
            await RatioAsync(report, $"scp of one file of {size} in", "≥ 1.3", LargeSize, t => ScpAsync(servers, t, large, Remote(t, "/root/large")), servers);
            await RatioAsync(report, $"scp of one file of {size} out", "≥ 1.3", LargeSize, t => ScpAsync(servers, t, Remote(t, "/root/large"), back), servers);
            await RatioAsync(report, $"sftp of one file of {size} in", "≥ 1.3", LargeSize, t => SftpAsync(servers, t, $"put {large} /root/large"), servers);
            await RatioAsync(report, $"sftp of one file of {size} out", "≥ 1.3", LargeSize, t => SftpAsync(servers, t, $"get /root/large {back}"), servers);
            await RatioAsync(report, $"scp of {SmallFiles} small files in", "≥ 1.0", 0, t => ScpAsync(servers, t, "-r", small, Remote(t, "/root/")), servers);
            await RatioAsync(report, $"scp of {SmallFiles} small files out", "≥ 1.0", 0, t => ScpAsync(servers, t, "-r", Remote(t, "/root/small"), back + "-small"), servers);
            await RatioAsync(report, $"rsync of {SmallFiles} small files in", "≥ 1.0", 0, t => RsyncAsync(servers, t, small + "/", "/root/rsync-small/"), servers, "rm -rf /root/rsync-small");
            await RatioAsync(report, $"rsync of one file of {size} in", "≥ 1.0", LargeSize, t => RsyncAsync(servers, t, large, "/root/rsync-large"), servers, "rm -f /root/rsync-large");
            await ForwardAsync(report, servers);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task RatioAsync(Report report, string figure, string goal, long bytes, Func<Target, Task> run, Servers servers, string? prepare = null)
    {
        async Task TimedAsync(Target target, List<double> times)
        {
            if (prepare is not null)
            {
                await Servers.RunAsync("ssh", [.. servers.Ssh(target), prepare]);
            }

            times.Add(await Report.SecondsAsync(() => run(target)));
        }

        var (ours, sshd) = (new List<double>(), new List<double>());
        for (var i = 0; i <= Runs; i++)
        {
            await TimedAsync(servers.Sshd, sshd);
            await TimedAsync(servers.Ours, ours);
        }

        // The first of each is not counted, and the ratio is of neighbours.
        var ratio = Report.Median([.. sshd.Zip(ours, (s, o) => s / o).Skip(1)]);
        string Show(List<double> times) => Report.Median([.. times.Skip(1)]) is var median && bytes > 0
            ? FormattableString.Invariant($"{bytes / 1e6 / median:0} MB/s")
            : FormattableString.Invariant($"{median:0.00} s");
        report.Row(figure, Show(ours), Show(sshd), ratio, goal);
    }

    private static string Remote(Target target, string path) => $"{target.User}@127.0.0.1:{path}";

    /// <summary>The options that ssh has, for programs that name the port otherwise.</summary>
    private static string[] Options(Servers servers, Target target) =>
        [.. servers.Ssh(target)[..^1].Select(o => o == "-p" ? "-P" : o), "-c", "aes128-gcm@openssh.com"];

    private static Task ScpAsync(Servers servers, Target target, params string[] arguments) => Servers.RunAsync("scp", [.. Options(servers, target), .. arguments]);

    private static Task SftpAsync(Servers servers, Target target, string command) =>
        Servers.RunAsync("bash", "-c", $"echo '{command}' | sftp {string.Join(' ', Options(servers, target))} -b - {target.User}@127.0.0.1");

    private static Task RsyncAsync(Servers servers, Target target, string from, string to) =>
        Servers.RunAsync("rsync", "-a", "--whole-file", "-e", "ssh -c aes128-gcm@openssh.com " + string.Join(' ', servers.Ssh(target)[..^1]), from, Remote(target, to));

    private static async Task ForwardAsync(Report report, Servers servers)
    {
        var (ours, sshd) = (await ForwardedAsync(servers, servers.Ours), await ForwardedAsync(servers, servers.Sshd));
        report.Row("a forwarded port's throughput, out", FormattableString.Invariant($"{ours.MegaBytes:0} MB/s"), FormattableString.Invariant($"{sshd.MegaBytes:0} MB/s"), ours.MegaBytes / sshd.MegaBytes, "≥ 1.2");
        report.Row("a forwarded port's latency, there and back", FormattableString.Invariant($"{ours.Milliseconds:0.000} ms"), FormattableString.Invariant($"{sshd.Milliseconds:0.000} ms"), ours.Milliseconds / sshd.Milliseconds, "≤ 1.0");
    }

    private static async Task<(double MegaBytes, double Milliseconds)> ForwardedAsync(Servers servers, Target target)
    {
        var (there, here) = (FreePort(), FreePort());
        var start = new ProcessStartInfo("ssh", [.. servers.Ssh(target, "-c", "aes128-gcm@openssh.com", "-L", $"127.0.0.1:{here}:127.0.0.1:{there}"), Server.Replace("PORT", there.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)])
        {
            RedirectStandardOutput = true,
        };
        using var ssh = Process.Start(start)!;
        try
        {
            if (await ssh.StandardOutput.ReadLineAsync() != "ready")
            {
                throw new InvalidOperationException("The server in the container did not start.");
            }

            var rates = new List<double>();
            var buffer = new byte[1 << 18];
            for (var i = 0; i <= Runs; i++)
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, here);
                var stream = client.GetStream();
                var started = Stopwatch.GetTimestamp();
                await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes($"{LargeSize / 2}\n"));
                long got = 0;
                for (int count; (count = await stream.ReadAsync(buffer)) > 0;)
                {
                    got += count;
                }

                rates.Add(got / 1e6 / Stopwatch.GetElapsedTime(started).TotalSeconds);
            }

            using var echo = new TcpClient { NoDelay = true };
            await echo.ConnectAsync(IPAddress.Loopback, here);
            var echoed = echo.GetStream();
            await echoed.WriteAsync("0\n"u8.ToArray());
            var times = new List<double>();
            for (var i = 0; i < 500; i++)
            {
                await Task.Delay(1);
                var started = Stopwatch.GetTimestamp();
                await echoed.WriteAsync(new byte[1]);
                await echoed.ReadExactlyAsync(buffer.AsMemory(0, 1));
                times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            }

            return (Report.Median([.. rates.Skip(1)]), Report.Median([.. times]));
        }
        finally
        {
            ssh.Kill();
            await ssh.WaitForExitAsync();
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
