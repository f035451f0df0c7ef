using System.Diagnostics;
using System.Globalization;

namespace Shale.Interop.Tests;

/// <summary>A Docker Engine of the tests' own on a small file system in memory, to be killed, stopped and filled without disturbing the machine's.</summary>
internal sealed class OwnEngine : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("shale-engine-").FullName;
    private Process? _process;

    public string Address => $"unix://{_folder}/sock";

    public static async Task<OwnEngine> StartAsync()
    {
        var engine = new OwnEngine();
        await MustAsync("mount", "-t", "tmpfs", "-o", "size=128m", "shale-test", engine._folder);
        await engine.LaunchAsync();
        await MustAsync("bash", "-c", $"docker save shale/busybox:1 | docker -H {engine.Address} load");
        return engine;
    }

    public async Task LaunchAsync()
    {
        string[] arguments =
        [
            "--data-root", $"{_folder}/data", "--exec-root", $"{_folder}/exec", "--pidfile", $"{_folder}/pid", "--host", Address, "--bridge=none", "--iptables=false", "--ip-masq=false",
            "--default-address-pool", "base=10.213.0.0/16,size=24",
        ];
        var start = new ProcessStartInfo("bash", ["-c", "exec dockerd \"$@\" >\"$0\" 2>&1", $"/tmp/{Path.GetFileName(_folder)}.log", .. arguments]);
        _process = Process.Start(start)!;
        for (var i = 0; i < 360; i++)
        {
            if ((await Cli.RunAsync("docker", ["-H", Address, "version"])).ExitCode == 0)
            {
                return;
            }

            await Task.Delay(500);
        }

        throw new InvalidOperationException($"dockerd does not start: /tmp/{Path.GetFileName(_folder)}.log");
    }

    /// <summary>Sends a signal: KILL to make it go without a word, STOP to hang it, CONT to let it go on.</summary>
    public async Task SignalAsync(string name)
    {
        await MustAsync("kill", $"-{name}", _process!.Id.ToString(CultureInfo.InvariantCulture));
        if (name == "KILL")
        {
            await _process.WaitForExitAsync();

            // What a reboot would have cleared.
            await MustAsync("bash", "-c", $"rm -f {_folder}/pid {_folder}/exec/containerd/containerd.pid {_folder}/exec/containerd/*.sock*");
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await Cli.RunAsync("bash", ["-c", $"docker -H {Address} rm -f $(docker -H {Address} ps -aq)"]);
            await SignalAsync("TERM");
            await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(180));
        }

        // Left over where a test failed with the engine dead: its containerd and what that runs.
        await Cli.RunAsync("bash", ["-c", $"for p in $(pgrep -f '{_folder}/'); do [ $p != $$ ] && kill -9 $p; done; for m in $(awk '{{print $2}}' /proc/mounts | grep '^{_folder}' | sort -r); do umount -l $m; done; rm -f /tmp/{Path.GetFileName(_folder)}.log"]);
        Directory.Delete(_folder, recursive: true);
    }

    private static async Task MustAsync(string program, params string[] arguments)
    {
        var outcome = await Cli.RunAsync(program, arguments);
        if (outcome.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {outcome.Error}");
        }
    }
}
