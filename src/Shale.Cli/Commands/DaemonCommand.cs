using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Shale.Cli.Commands;

/// <summary><c>shale daemon</c>: a provider's gateway and operator, as two processes, started and watched.</summary>
internal static class DaemonCommand
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);

    private const string ParentVariable = "SHALE_DAEMON";

    public static Command Create()
    {
        var gateway = new GatewayCommandOptions();
        var operating = new OperatorCommandOptions();
        var command = new Command("daemon", "Run a provider: gateway and operator, started and watched");
        gateway.AddTo(command);
        operating.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var state = gateway.StateDirectory(parsed);
            var executable = Environment.ProcessPath!;

            // Run by the dotnet host, the program is its first argument.
            string[] self = Path.GetFileNameWithoutExtension(executable) == "dotnet" ? [executable, Environment.GetCommandLineArgs()[0]] : [executable];
            string[] chain = [.. Given(parsed, operating.Chain.Options)];
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            Task<int>[] children =
            [
                WatchAsync("gateway", [.. self, "gateway", .. Given(parsed, gateway.Options)], stop.Token),
                WatchAsync("operator", [.. self, "operator", $"--state_dir={state}", .. Given(parsed, operating.Own), .. chain], stop.Token),
            ];

            // One that can't start at all (a port that is taken, a wallet that is none) ends the other: half a provider takes orders that it can't serve.
            var first = await Task.WhenAny(children).ConfigureAwait(false);
            await stop.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(children).ConfigureAwait(false);
            return cancellation.IsCancellationRequested ? ExitCodes.Success : await first.ConfigureAwait(false);
        });
        return command;
    }

    /// <summary>
    /// In a child of a daemon: ends with it, however that ended. One that was killed would otherwise leave a gateway that holds the port, and an operator that
    /// settles beside the next one's.
    /// </summary>
    /// <returns>Cancelled with the given token, and where this process belongs to a daemon, with the daemon; for the caller to dispose.</returns>
    public static CancellationTokenSource EndWithDaemon(CancellationToken cancellation)
    {
        var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        if (Environment.GetEnvironmentVariable(ParentVariable) is { Length: > 0 })
        {
            // Containers' and other programs' parents are not ours.
            Environment.SetEnvironmentVariable(ParentVariable, null);
            _ = Task.Factory.StartNew(
                () =>
                {
                    using var input = Console.OpenStandardInput();
                    while (input.ReadByte() >= 0)
                    {
                    }

                    try
                    {
                        end.Cancel();
                    }
                    catch (ObjectDisposedException)
                    {
                        // It was on its way out already.
                    }
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default);
        }

        return end;
    }

    /// <summary>The options that were given, as they would be typed.</summary>
    private static IEnumerable<string> Given(ParseResult parsed, IEnumerable<Option> options) =>
        from option in options
        let result = parsed.GetResult(option)
        where result is { Implicit: false }
        from token in result.Tokens.Count == 0 ? [option.Name] : result.Tokens.Select(t => $"{option.Name}={t.Value}")
        select token;

    /// <summary>Runs a child, again when it ends, until it is cancelled. One that ends again and again within its first ten seconds is given up.</summary>
    /// <returns>The exit code of the last run.</returns>
    private static async Task<int> WatchAsync(string name, string[] command, CancellationToken cancellation)
    {
        var (wait, early) = (TimeSpan.FromSeconds(1), 0);
        while (true)
        {
            var started = Stopwatch.GetTimestamp();
            var code = await RunAsync(name, command, cancellation).ConfigureAwait(false);
            if (cancellation.IsCancellationRequested)
            {
                return code;
            }

            var lived = Stopwatch.GetElapsedTime(started);
            (early, wait) = lived < TimeSpan.FromSeconds(10) ? (early + 1, wait * 2 < LongestWait ? wait * 2 : LongestWait) : (0, TimeSpan.FromSeconds(1));
            var refused = code is ExitCodes.Usage or ExitCodes.NoInput or ExitCodes.NoPermission or ExitCodes.Configuration;

            // What is taken (the port, the folder) may be held by a process of a daemon before this one that is just ending: half a minute for that.
            if (early >= (code == ExitCodes.Unavailable ? 6 : 3) || refused)
            {
                Console.Error.WriteLine($"shale: the {name} can't run (exit code {code}); see above");
                return code;
            }

            Console.Error.WriteLine($"shale: the {name} ended with exit code {code} and is started again in {wait.TotalSeconds:0} s");
            await Task.Delay(wait, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task<int> RunAsync(string name, string[] command, CancellationToken cancellation)
    {
        // Nothing is ever written to the child's input: its end tells that this process is gone.
        var start = new ProcessStartInfo(command[0]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment[ParentVariable] = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        foreach (var argument in command.Skip(1))
        {
            start.ArgumentList.Add(argument);
        }

        using var child = Process.Start(start)!;
        using var terminate = cancellation.Register(() => Terminate(child));
        await Task.WhenAll(CopyAsync(name, child.StandardOutput), CopyAsync(name, child.StandardError)).ConfigureAwait(false);
        await child.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        return child.ExitCode;
    }

    private static async Task CopyAsync(string name, StreamReader from)
    {
        while (await from.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            Console.Error.WriteLine($"{name}: {line}");
        }
    }

    /// <summary>SIGTERM: both take it as a request to stop in order.</summary>
    private static void Terminate(Process child)
    {
        const int Term = 15;
        try
        {
            if (!child.HasExited)
            {
                _ = Kill(child.Id, Term);
            }
        }
        catch (InvalidOperationException)
        {
            // It has ended.
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int process, int signal);
}
