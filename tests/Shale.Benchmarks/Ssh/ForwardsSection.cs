using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Shale.Benchmarks.Ssh;

/// <summary>A port that stock ssh forwards (-L) to a server in the container: the gateway beside sshd in a container of the same image, in turns. SHALE_BENCH_SHORT=1: a tenth of the size.</summary>
internal sealed class ForwardsSection : ISection
{
    private const int Rounds = 15;
    private const int Echoes = 300;

    private static readonly long Size = Environment.GetEnvironmentVariable("SHALE_BENCH_SHORT") == "1" ? 100_000_000 : 1_000_000_000;

    // Serves whoever connects: a number of bytes, or, after a mark, their own bytes back.
    private const string Server =
        "exec perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(LocalAddr=>\"127.0.0.1\",LocalPort=>PORT,Listen=>9,ReuseAddr=>1) or die; $|=1; print \"ready\\n\"; $b=\"x\" x 65536; " +
        "while($c=$s->accept){ setsockopt($c,6,1,1); sysread($c,$n,16); if($n>0){ $n-=syswrite($c,$b,$n<65536?$n:65536) while $n>0 } else { syswrite($c,\"!\"); syswrite($c,$d) while sysread($c,$d,4096) } close $c }'";

    public string Name => "forwards";

    public string Title => "Forwarded ports: the gateway against OpenSSH's sshd in the same kind of container";

    public async Task RunAsync(Report report, CancellationToken cancellation)
    {
        await using var servers = await Servers.StartAsync();
        await using var sshd = await Forward.OpenAsync(servers, servers.Sshd);
        await using var ours = await Forward.OpenAsync(servers, servers.Ours);
        var (rates, times) = (new List<(double Ours, double Sshd)>(), new List<(double Ours, double Sshd)>());
        for (var i = 0; i <= Rounds; i++)
        {
            rates.Add((await ours.ReceiveAsync(cancellation), await sshd.ReceiveAsync(cancellation)));
            times.Add((await ours.EchoAsync(cancellation), await sshd.EchoAsync(cancellation)));
        }

        // The first round is not counted, and the ratio is of neighbours.
        rates.RemoveAt(0);
        times.RemoveAt(0);
        report.Row(
            "a forwarded port's throughput, out",
            FormattableString.Invariant($"{Report.Median([.. rates.Select(r => r.Ours)]):0} MB/s"),
            FormattableString.Invariant($"{Report.Median([.. rates.Select(r => r.Sshd)]):0} MB/s"),
            Report.Median([.. rates.Select(r => r.Ours / r.Sshd)]),
            "≥ 1.2");
        report.Row(
            "a forwarded port's latency, there and back",
            FormattableString.Invariant($"{Report.Median([.. times.Select(t => t.Ours)]):0.000} ms"),
            FormattableString.Invariant($"{Report.Median([.. times.Select(t => t.Sshd)]):0.000} ms"),
            Report.Median([.. times.Select(t => t.Ours / t.Sshd)]),
            "≤ 1.0");
    }

    /// <summary>One ssh with a forwarded port, and the server behind it.</summary>
    private sealed class Forward(Process ssh, int port) : IAsyncDisposable
    {
        private readonly byte[] _buffer = new byte[1 << 18];

        public static async Task<Forward> OpenAsync(Servers servers, Target target)
        {
            var (there, here) = (Ports.Free(), Ports.Free());
            string[] options = ["-c", "aes128-gcm@openssh.com", "-L", $"127.0.0.1:{here}:127.0.0.1:{there}"];
            var start = new ProcessStartInfo("ssh", [.. servers.Ssh(target, options), Server.Replace("PORT", there.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)]) { RedirectStandardOutput = true };
            var ssh = Process.Start(start)!;
            return await ssh.StandardOutput.ReadLineAsync() == "ready" ? new Forward(ssh, here) : throw new InvalidOperationException("The server in the container did not start.");
        }

        /// <summary>Takes bytes from the server; MB/s.</summary>
        public async Task<double> ReceiveAsync(CancellationToken cancellation)
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, port, cancellation);
            var stream = client.GetStream();
            var started = Stopwatch.GetTimestamp();
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"{Size}\n"), cancellation);

            // Waits in the call, which costs least: what the reader takes of the two cores is taken from both servers.
            long got = 0;
            for (int count; (count = client.Client.Receive(_buffer)) > 0;)
            {
                got += count;
            }

            return got == Size ? got / 1e6 / Stopwatch.GetElapsedTime(started).TotalSeconds : throw new InvalidOperationException($"{got} of {Size} bytes came.");
        }

        /// <summary>Sends a byte and waits for it, many times; milliseconds, the median.</summary>
        public async Task<double> EchoAsync(CancellationToken cancellation)
        {
            using var client = new TcpClient { NoDelay = true };
            await client.ConnectAsync(IPAddress.Loopback, port, cancellation);
            var stream = client.GetStream();
            await stream.WriteAsync("0\n"u8.ToArray(), cancellation);

            // It has read that, and takes nothing more for a part of it.
            await stream.ReadExactlyAsync(_buffer.AsMemory(0, 1), cancellation);
            var times = new List<double>(Echoes);
            for (var i = 0; i < Echoes; i++)
            {
                // As somebody who types or asks: not before the last answer was read.
                await Task.Delay(1, cancellation);
                var started = Stopwatch.GetTimestamp();
                await stream.WriteAsync(_buffer.AsMemory(0, 1), cancellation);
                await stream.ReadExactlyAsync(_buffer.AsMemory(0, 1), cancellation);
                times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            }

            return Report.Median([.. times]);
        }

        public async ValueTask DisposeAsync()
        {
            ssh.Kill();
            await ssh.WaitForExitAsync();
            ssh.Dispose();
        }
    }
}
