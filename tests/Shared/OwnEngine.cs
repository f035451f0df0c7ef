using System.Diagnostics;
using System.Globalization;

namespace Shale.Testing;

/// <summary>A Docker Engine of a test's own on a small file system in memory, to be killed, stopped and filled without disturbing the machine's.</summary>
internal sealed class OwnEngine : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private static int s_next;

    private readonly string _folder = Directory.CreateTempSubdirectory("shale-engine-").FullName;

    // Test processes run one after the other; several engines of one must not share their networks.
    private readonly int _network = 213 + (Interlocked.Increment(ref s_next) % 16);
    private Process? _process;

    private OwnEngine()
    {
    }

    public string Address => $"unix://{_folder}/sock";

    private string LogFile => $"/tmp/{Path.GetFileName(_folder)}.log";

    public static async Task<OwnEngine> StartAsync()
    {
        var engine = new OwnEngine();
        try
        {
            await RunAsync("mount", "-t", "tmpfs", "-o", "size=128m", "shale-test", engine._folder);
            await engine.LaunchAsync();
            await RunAsync("bash", "-c", $"docker save shale/busybox:1 | docker -H {engine.Address} load");
            return engine;
        }
        catch
        {
            await engine.DisposeAsync();
            throw;
        }
    }

    public async Task LaunchAsync()
    {
        string[] arguments =
        [
            "--data-root", $"{_folder}/data", "--exec-root", $"{_folder}/exec", "--pidfile", $"{_folder}/pid", "--host", Address, "--bridge=none", "--iptables=false", "--ip-masq=false",
            "--default-address-pool", string.Create(CultureInfo.InvariantCulture, $"base=10.{_network}.0.0/16,size=24"),
        ];
        _process = Process.Start(new ProcessStartInfo("bash", ["-c", "exec dockerd \"$@\" >\"$0\" 2>&1", LogFile, .. arguments]))!;
        await Wait.UntilAsync(
            async () => _process.HasExited ? throw new InvalidOperationException(await File.ReadAllTextAsync(LogFile)) : (await TryAsync("docker", "-H", Address, "version")).ExitCode == 0,
            "dockerd to start",
            () => File.ReadAllText(LogFile),
            milliseconds: 500);
    }

    /// <summary>Sends a signal: KILL to make it go without a word, STOP to hang it, CONT to let it go on.</summary>
    public async Task SignalAsync(string name)
    {
        await RunAsync("kill", $"-{name}", _process!.Id.ToString(CultureInfo.InvariantCulture));
        if (name == "KILL")
        {
            await _process.WaitForExitAsync();

            // What a reboot would have cleared.
            await RunAsync("bash", "-c", $"rm -f {_folder}/pid {_folder}/exec/containerd/containerd.pid {_folder}/exec/containerd/*.sock*");
        }
    }

    /// <summary>Asks it to end, as a service manager does.</summary>
    public async Task StopAsync()
    {
        await SignalAsync("TERM");
        await _process!.WaitForExitAsync().WaitAsync(Patience);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await TryAsync("bash", "-c", $"docker -H {Address} rm -f $(docker -H {Address} ps -aq)");
            await StopAsync();
        }

        // Left over where a test failed with the engine dead: its containerd and what that runs.
        await TryAsync("bash", "-c", $"for p in $(pgrep -f '{_folder}/'); do [ $p != $$ ] && kill -9 $p; done; for m in $(awk '{{print $2}}' /proc/mounts | grep '^{_folder}' | sort -r); do umount -l $m; done; rm -f {LogFile}");
        Directory.Delete(_folder, recursive: true);
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        var (code, error) = await TryAsync(program, arguments);
        if (code != 0)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {error}");
        }
    }

    private static async Task<(int ExitCode, string Error)> TryAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        await process.StandardOutput.ReadToEndAsync().WaitAsync(Patience);
        await process.WaitForExitAsync().WaitAsync(Patience);
        return (process.ExitCode, await error);
    }
}
