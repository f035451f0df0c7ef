using System.Globalization;

namespace Shale.Benchmarks.Ssh;

/// <summary>Files through stock OpenSSH clients: the gateway beside sshd in a container of the same image. SHALE_BENCH_SHORT=1: a tenth of the size, one run.</summary>
internal sealed class FilesSection : ISection
{
    private static readonly bool Short = Environment.GetEnvironmentVariable("SHALE_BENCH_SHORT") == "1";
    private static readonly int Runs = Short ? 1 : 5;
    private static readonly long LargeSize = Short ? 200_000_000 : 2_000_000_000;
    private static readonly int SmallFiles = Short ? 500 : 5_000;

    public string Name => "files";

    public string Title => "Files: the gateway against OpenSSH's sshd in the same kind of container";

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
            await RatioAsync(report, $"sftp of one file of {size} in, into /dev/null", "≥ 1.3", LargeSize, t => SftpAsync(servers, t, $"put {large} /dev/null"), servers);
            await RatioAsync(report, $"sftp of one file of {size} out", "≥ 1.3", LargeSize, t => SftpAsync(servers, t, $"get /root/large {back}"), servers);
            await RatioAsync(report, $"sftp of one file of {size} out, into /dev/null", "≥ 1.3", LargeSize, t => SftpAsync(servers, t, "get /root/large /dev/null"), servers);
            await RatioAsync(report, $"scp of {SmallFiles} small files in", "≥ 1.0", 0, t => ScpAsync(servers, t, "-r", small, Remote(t, "/root/")), servers);
            await RatioAsync(report, $"scp of {SmallFiles} small files out", "≥ 1.0", 0, t => ScpAsync(servers, t, "-r", Remote(t, "/root/small"), back + "-small"), servers);
            await RatioAsync(report, $"rsync of {SmallFiles} small files in", "≥ 1.0", 0, t => RsyncAsync(servers, t, small + "/", "/root/rsync-small/"), servers, "rm -rf /root/rsync-small");
            await RatioAsync(report, $"rsync of one file of {size} in", "≥ 1.0", LargeSize, t => RsyncAsync(servers, t, large, "/root/rsync-large"), servers, "rm -f /root/rsync-large");
            report.Note(
                "scp writes over the file that is there; sftp and rsync make it anew, in the container or at the client, and the kernel's work for that is the same beside either server. "
                + "Where free memory has to come from a host first it takes seconds and swings; into /dev/null there is none of it.");
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

            // What the run before left unwritten would be written during this one.
            await Servers.RunAsync("sync");
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
}
