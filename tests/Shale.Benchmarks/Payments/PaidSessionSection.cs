using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Shale.Benchmarks.Payments;

/// <summary>Bulk through stock ssh, paid every second on that very connection, beside the same of a lease that is free.</summary>
internal sealed class PaidSessionSection : ISection
{
    private const int Runs = 5;

    public string Name => "paid";

    public string Title => "A session paid every second beside a free one on the same gateway";

    public async Task RunAsync(Report report, CancellationToken cancellation)
    {
        var shale = Path.Combine(BenchmarkDocument.FindRoot(), "src/Shale.Cli/bin/Release/net10.0/shale");

        // Short: sockets lie in it.
        var folder = Directory.CreateTempSubdirectory("sb").FullName;
        Environment.SetEnvironmentVariable("SHALE_HOME", folder + "/a");
        Environment.SetEnvironmentVariable("SSH_AUTH_SOCK", null);
        var (state, port) = (folder + "/state", FreePort());
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
            foreach (var (figure, command) in new[] { ("1 GB out", "{0} 'head -c 1000000000 /dev/zero' >/dev/null"), ("1 GB in", "head -c 1000000000 /dev/zero | {0} 'cat >/dev/null'") })
            {
                Task Run(string lease) => SayAsync(
                    "bash", "-c", string.Format(CultureInfo.InvariantCulture, command, $"{shale} ssh {lease} -i {folder}/id -o IdentitiesOnly=yes -o BatchMode=yes -c aes128-gcm@openssh.com"));
                var (without, with, ratio) = await Report.PairAsync(Runs, () => Run(free), () => Run(paid));
                report.Row(figure, FormattableString.Invariant($"{1e3 / with:0} MB/s"), FormattableString.Invariant($"{1e3 / without:0} MB/s"), ratio, "≥ 0.98");
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

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
