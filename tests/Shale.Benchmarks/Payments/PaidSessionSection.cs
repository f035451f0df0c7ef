using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Shale.Benchmarks.Payments;

/// <summary>
/// Bulk through stock ssh, paid every second on that very connection, beside the same of a lease that is free. Measured from the first byte on: what a login costs,
/// and the wait for the first payment, are no part of it. Each run lasts several payments; the two take turns, and the ratio is the median of the pairs.
/// (SHALE_BENCH_PAIRS, SHALE_BENCH_SECONDS: others than 7 pairs of 8 seconds each.)
/// </summary>
internal sealed class PaidSessionSection : ISection
{
    private const int BufferBytes = 1 << 20;

    private static readonly int Pairs = Setting("SHALE_BENCH_PAIRS", 7);
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(Setting("SHALE_BENCH_SECONDS", 8));

    public string Name => "paid";

    public string Title => "A session paid every second beside a free one on the same gateway";

    public async Task RunAsync(Report report, CancellationToken cancellation)
    {
        var shale = Path.Combine(BenchmarkDocument.FindRoot(), "src/Shale.Cli/bin/Release/net10.0/shale");

        // Short: sockets lie in it.
        var folder = Directory.CreateTempSubdirectory("sb").FullName;
        Environment.SetEnvironmentVariable("SHALE_HOME", folder + "/a");
        Environment.SetEnvironmentVariable("SSH_AUTH_SOCK", null);
        var (state, port) = (folder + "/state", Ports.Free());
        using var gateway = Process.Start(new ProcessStartInfo(shale, ["gateway", $"--state_dir={state}", $"--listen=127.0.0.1:{port}"]) { RedirectStandardError = true })!;
        using var agent = new Process { StartInfo = new ProcessStartInfo(shale, ["agent"]) { RedirectStandardError = true, RedirectStandardInput = true } };
        try
        {
            await SayAsync("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder + "/id");
            await SayAsync(shale, "agent", "init", "--insecure-no-passphrase");
            var payer = (await SayAsync(shale, "agent", "key")).Trim();
            while (await gateway.StandardError.ReadLineAsync(cancellation) is { } line && !line.Contains("serving SSH", StringComparison.Ordinal))
            {
                // Until it listens.
            }

            _ = gateway.StandardError.ReadToEndAsync(cancellation);
            string[] common = ["lease-container", "--detach", $"--state_dir={state}", $"--listen=127.0.0.1:{port}", "--image=shale/debian:12", $"--ssh_pubkey={folder}/id.pub"];
            var free = await LeaseAsync(shale, common);
            var paid = await LeaseAsync(shale, [.. common, "--price=0.01fil/min", "--deposit=1fil", $"--payer={payer}", "--interval=1"]);
            string[] known = [$"--host_key={state}/hostkeys/ssh_host_ed25519_key.pub", "--host=127.0.0.1", $"--port={port}"];
            await SayAsync(shale, ["agent", "add-lease", "--lease=" + free, .. known]);
            await SayAsync(shale, ["agent", "add-lease", "--lease=" + paid, .. known, "--price=0.01fil/min", "--deposit=1fil"]);
            agent.Start();
            await agent.StandardError.ReadLineAsync(cancellation);
            _ = agent.StandardError.ReadToEndAsync(cancellation);
            foreach (var (figure, measure) in new (string, Func<Process, Task<long>>)[] { ("out", ReadAsync), ("in", WriteAsync) })
            {
                Task<Figures> Run(string lease) => MeasureAsync(
                    gateway,
                    new ProcessStartInfo(shale, ["ssh", lease, "-i", folder + "/id", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-c", "aes128-gcm@openssh.com", figure == "out" ? "cat /dev/zero" : "cat >/dev/null"]),
                    measure);
                await ReportAsync(report, figure, () => Run(free), () => Run(paid), cancellation);
            }
        }
        finally
        {
            foreach (var lease in Directory.GetFiles(state + "/leases", "*.json"))
            {
                File.Delete(lease);
            }

            await Task.Delay(TimeSpan.FromSeconds(6), CancellationToken.None);
            foreach (var process in new[] { agent, gateway })
            {
                await SayAsync("kill", "-TERM", process.Id.ToString(CultureInfo.InvariantCulture));
                await process.WaitForExitAsync(CancellationToken.None);
            }

            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task ReportAsync(Report report, string figure, Func<Task<Figures>> free, Func<Task<Figures>> paid, CancellationToken cancellation)
    {
        // Uncounted: compilation, caches, the thread pool's size.
        await free();
        await paid();
        var (without, with) = (new Figures[Pairs], new Figures[Pairs]);
        for (var i = 0; i < Pairs; i++)
        {
            cancellation.ThrowIfCancellationRequested();

            // Whoever goes first in a pair goes second in the next.
            if (i % 2 == 0)
            {
                (without[i], with[i]) = (await free(), await paid());
            }
            else
            {
                (with[i], without[i]) = (await paid(), await free());
            }
        }

        report.Row(
            FormattableString.Invariant($"throughput {figure}, {Pairs} pairs of {Length.TotalSeconds:0} s"),
            FormattableString.Invariant($"{Median(with, f => f.Rate) / 1e6:0} MB/s"),
            FormattableString.Invariant($"{Median(without, f => f.Rate) / 1e6:0} MB/s"),
            Report.Median([.. with.Zip(without, (a, b) => a.Rate / b.Rate)]),
            "≥ 0.98");
        report.Row(
            $"bytes {figure} for a second of the gateway's processor time",
            FormattableString.Invariant($"{Median(with, f => f.PerProcessorSecond) / 1e6:0} MB"),
            FormattableString.Invariant($"{Median(without, f => f.PerProcessorSecond) / 1e6:0} MB"),
            Report.Median([.. with.Zip(without, (a, b) => a.PerProcessorSecond / b.PerProcessorSecond)]),
            "≥ 0.98");
    }

    /// <summary>One session: its bytes a second, and the gateway's processor time meanwhile.</summary>
    private static async Task<Figures> MeasureAsync(Process gateway, ProcessStartInfo start, Func<Process, Task<long>> measure)
    {
        (start.RedirectStandardInput, start.RedirectStandardOutput, start.RedirectStandardError) = (true, true, true);
        using var ssh = Process.Start(start)!;
        var error = ssh.StandardError.ReadToEndAsync();
        try
        {
            // The first megabyte: from here on both are served, and their windows are open.
            if (await measure(ssh) == 0)
            {
                throw new InvalidOperationException("The session ended at once: " + await error);
            }

            gateway.Refresh();
            var (began, processor) = (Stopwatch.GetTimestamp(), gateway.TotalProcessorTime);
            long bytes = 0;
            while (Stopwatch.GetElapsedTime(began) < Length)
            {
                var count = await measure(ssh);
                bytes += count > 0 ? count : throw new InvalidOperationException("The session ended: " + await error);
            }

            var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
            gateway.Refresh();
            return new Figures(bytes / seconds, bytes / (gateway.TotalProcessorTime - processor).TotalSeconds);
        }
        finally
        {
            ssh.Kill(entireProcessTree: true);
            await ssh.WaitForExitAsync();
        }
    }

    private static readonly byte[] Buffer = new byte[BufferBytes];

    /// <summary>Takes up to a megabyte of the session's output; 0 at its end.</summary>
    private static async Task<long> ReadAsync(Process ssh) => await ssh.StandardOutput.BaseStream.ReadAtLeastAsync(Buffer, BufferBytes, throwOnEndOfStream: false);

    /// <summary>Gives the session a megabyte; 0 when it takes none.</summary>
    private static async Task<long> WriteAsync(Process ssh)
    {
        try
        {
            await ssh.StandardInput.BaseStream.WriteAsync(Buffer);
            return BufferBytes;
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static double Median(Figures[] runs, Func<Figures, double> figure) => Report.Median([.. runs.Select(figure)]);

    private static int Setting(string name, int otherwise) => int.Parse(Environment.GetEnvironmentVariable(name) ?? otherwise.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    private static async Task<string> LeaseAsync(string shale, string[] arguments) => (await SayAsync(shale, arguments)).Trim().Split(' ')[^1].Split('@')[0];

    private static async Task<string> SayAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true })!;
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {await error}");
    }

    /// <summary>Bytes a second, and bytes for a second of the gateway's processor time.</summary>
    private readonly record struct Figures(double Rate, double PerProcessorSecond);
}
