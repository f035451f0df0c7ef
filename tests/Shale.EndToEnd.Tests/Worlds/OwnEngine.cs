using System.Diagnostics;
using System.Globalization;

namespace Shale.EndToEnd.Tests.Worlds;

/// <summary>A Docker Engine of a test's own on a small file system in memory: the machine's is not stopped for a test.</summary>
internal sealed class OwnEngine : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("shale-engine-").FullName;
    private Process? _process;

    public string Address => $"unix://{_folder}/sock";

    private string LogFile => $"/tmp/{Path.GetFileName(_folder)}.log";

    public static async Task<OwnEngine> StartAsync()
    {
        var engine = new OwnEngine();
        try
        {
            await Programs.MustAsync("mount", ["-t", "tmpfs", "-o", "size=128m", "shale-test", engine._folder]);
            await engine.LaunchAsync();
            await Programs.MustAsync("bash", ["-c", $"docker save shale/busybox:1 | docker -H {engine.Address} load"]);
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
            "--default-address-pool", "base=10.214.0.0/16,size=24",
        ];
        _process = Process.Start(new ProcessStartInfo("bash", ["-c", "exec dockerd \"$@\" >\"$0\" 2>&1", LogFile, .. arguments]))!;
        await Wait.UntilAsync(
            async () => _process.HasExited ? throw new InvalidOperationException(await File.ReadAllTextAsync(LogFile)) : (await Programs.RunAsync("docker", ["-H", Address, "version"])).ExitCode == 0,
            () => "dockerd to start");
    }

    /// <summary>Asks it to end, as a service manager does.</summary>
    public async Task StopAsync()
    {
        await Programs.SignalAsync(_process!.Id, 15);
        await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(2));
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await Programs.RunAsync("bash", ["-c", $"docker -H {Address} rm -f $(docker -H {Address} ps -aq)"]);
            await StopAsync();
        }

        // Where it did not go in order: its containerd, and what is mounted.
        await Programs.RunAsync("bash", ["-c", string.Create(CultureInfo.InvariantCulture, $"for m in $(awk '{{print $2}}' /proc/mounts | grep '^{_folder}' | sort -r); do umount -l $m; done; rm -f {LogFile}")]);
        Directory.Delete(_folder, recursive: true);
    }
}
