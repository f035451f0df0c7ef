using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Shale.EndToEnd.Tests.Worlds;

/// <summary>What a program printed and how it ended.</summary>
internal sealed record Outcome(string Command, int ExitCode, string Output, string Error)
{
    public override string ToString() => $"{Command}: exit code {ExitCode}\n{Output}{Error}";
}

/// <summary>Runs programs, with a limit on their time.</summary>
internal static class Programs
{
    /// <summary>Generous: a command that hangs is a failure, a slow machine is none.</summary>
    private const int Seconds = 300;

    public static string Root { get; } = FindRoot();

    /// <summary>The executable that was built with these tests.</summary>
    public static string Shale { get; } = Path.Combine(Root, "src/Shale.Cli/bin", Directory.GetParent(AppContext.BaseDirectory.TrimEnd('/'))!.Name, "net10.0/shale");

    public static async Task<Outcome> RunAsync(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        using var process = Process.Start(Start(program, arguments, environment))!;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(Seconds));
        process.StandardInput.Close();
        var (output, error) = (new StringBuilder(), new StringBuilder());
        var read = Task.WhenAll(ReadAsync(process.StandardOutput, output, limit.Token), ReadAsync(process.StandardError, error, limit.Token));
        var command = $"{Path.GetFileName(program)} {string.Join(' ', arguments)}";
        try
        {
            await process.WaitForExitAsync(limit.Token);
            await read;
            return new Outcome(command, process.ExitCode, output.ToString(), error.ToString());
        }
        catch (OperationCanceledException)
        {
            var ended = process.HasExited;
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{command} {(ended ? "ended, and what it started holds its output" : "did not end")} within {Seconds} s. It said so far:\n{output}{error}");
        }

        static async Task ReadAsync(StreamReader from, StringBuilder into, CancellationToken cancellation)
        {
            var buffer = new char[4096];
            for (int count; (count = await from.ReadAsync(buffer, cancellation)) > 0;)
            {
                into.Append(buffer, 0, count);
            }
        }
    }

    public static async Task<Outcome> MustAsync(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var outcome = await RunAsync(program, arguments, environment);
        return outcome.ExitCode == 0 ? outcome : throw new InvalidOperationException(outcome.ToString());
    }

    /// <summary>How a program is started here: nothing of the user's own set-up, and no terminal.</summary>
    public static ProcessStartInfo Start(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var name in start.Environment.Keys.Where(k => k.StartsWith("SHALE_", StringComparison.Ordinal) || k == "SSH_AUTH_SOCK").ToList())
        {
            start.Environment.Remove(name);
        }

        start.Environment["SHALE_ROOT"] = Root;
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        return start;
    }

    /// <summary>kill(2): 9 is the end without a word, 15 asks.</summary>
    public static Task SignalAsync(int process, int signal) =>
        RunAsync("kill", [string.Create(CultureInfo.InvariantCulture, $"-{signal}"), process.ToString(CultureInfo.InvariantCulture)]);

    /// <summary>The children of a process, with their command lines.</summary>
    public static IReadOnlyList<(int Id, string CommandLine)> Children(int parent)
    {
        var children = new List<(int, string)>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id))
            {
                try
                {
                    // pid (name) state ppid …, where the name may hold anything but comes in the last parentheses.
                    var stat = File.ReadAllText(Path.Combine(folder, "stat"));
                    if (int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture) == parent)
                    {
                        children.Add((id, File.ReadAllText(Path.Combine(folder, "cmdline")).Replace('\0', ' ')));
                    }
                }
                catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
                {
                    // It has ended meanwhile.
                }
            }
        }

        return children;
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Shale.sln")))
        {
            folder = folder.Parent;
        }

        return folder.FullName;
    }
}
