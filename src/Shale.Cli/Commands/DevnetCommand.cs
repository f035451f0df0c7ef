using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Shale.Chain.Accounts;
using Shale.Chain.Market;
using Shale.Chain.Networks;
using Shale.Cli.Parsing;
using Shale.Groth16;
using Shale.Groth16.Files;
using Shale.Groth16.Setup;
using Shale.Settlement.Circuit;

namespace Shale.Cli.Commands;

/// <summary><c>shale devnet</c>: a chain of one's own with the market on it.</summary>
internal static class DevnetCommand
{
    public static Command Create()
    {
        var folder = FolderOption();
        var port = new Option<int>("--port") { Description = "The port on 127.0.0.1.", DefaultValueFactory = _ => DevnetOptions.DefaultPort };
        var seconds = new Option<double>("--block_time", "--block-time") { Description = "Seconds between two blocks, 0.1 to 60.", DefaultValueFactory = _ => 1 };
        var sizes = new Option<string>("--page_sizes", "--page-sizes") { Description = "The page sizes that the market offers, of 8, 64, 256; the keys of the large ones take minutes.", DefaultValueFactory = _ => "8" };
        var detach = new Option<bool>("--detach") { Description = "Return when it runs; stop it with shale devnet stop." };
        var command = new Command("devnet", "Run a local chain with the market deployed and accounts funded") { folder, port, seconds, sizes, detach, Stop(), Mine(), Status() };
        command.SetAction(async (parsed, cancellation) =>
        {
            var blockSeconds = parsed.GetValue(seconds);
            if (blockSeconds is not (>= 0.1 and <= 60))
            {
                throw new CliError("--block_time is not between 0.1 and 60 seconds.", null, ExitCodes.Usage);
            }

            if (parsed.GetValue(detach))
            {
                return await DetachAsync(Folder(parsed, folder), [$"--port={parsed.GetValue(port)}", string.Create(CultureInfo.InvariantCulture, $"--block_time={blockSeconds}"), $"--page_sizes={parsed.GetValue(sizes)}"], cancellation).ConfigureAwait(false);
            }

            int[] pages = ParseSizes(parsed.GetValue(sizes)!);
            await using var devnet = await Devnet.StartAsync(
                new DevnetOptions
                {
                    Folder = Folder(parsed, folder),
                    Program = AnvilNode.FindProgram(Repository()),
                    Port = parsed.GetValue(port),
                    BlockSeconds = blockSeconds,
                    Keys = (keys, cancel) => Task.Run<IReadOnlyList<DevnetKey>>(() => [.. pages.Select(size => MakeKey(size, keys, cancel))], cancel),
                    Progress = new Lines(),
                },
                cancellation).ConfigureAwait(false);
            Print(devnet.Network, Folder(parsed, folder), devnet.IsNew ? "A new devnet" : "The devnet, as it was left,");
            var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using var stop = cancellation.Register(stopped.SetResult);
            await Task.WhenAny(devnet.Node.Ended, stopped.Task).ConfigureAwait(false);

            // Ctrl+C in a terminal reaches the node, too, which may be the first to end.
            if (await Task.WhenAny(stopped.Task, Task.Delay(TimeSpan.FromSeconds(1), CancellationToken.None)).ConfigureAwait(false) != stopped.Task)
            {
                throw new CliError("The local chain's node ended by itself.", $"Its log is {Path.Combine(Folder(parsed, folder), "anvil.log")}; start again with shale devnet.");
            }

            Console.Error.WriteLine("shale: stopping; the next start goes on from here");
            return ExitCodes.Success;
        });
        return command;
    }

    private static Command Stop()
    {
        var folder = FolderOption();
        var command = new Command("stop", "Stop the devnet that runs; its state stays") { folder };
        command.SetAction(async (parsed, cancellation) =>
        {
            if (Devnet.FindRunning(Folder(parsed, folder)) is not { } running)
            {
                Console.Error.WriteLine($"shale: no devnet runs in {Folder(parsed, folder)}");
                return ExitCodes.Success;
            }

            using (var kill = Process.Start("kill", ["-TERM", running.ProcessId.ToString(CultureInfo.InvariantCulture)]))
            {
                await kill.WaitForExitAsync(cancellation).ConfigureAwait(false);
            }

            while (Devnet.FindRunning(Folder(parsed, folder)) == running)
            {
                await Task.Delay(100, cancellation).ConfigureAwait(false);
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static Command Mine()
    {
        var folder = FolderOption();
        var blocks = new Argument<ulong>("blocks") { Description = "How many." };
        var command = new Command("mine", "Let epochs pass at once, to see deadlines expire") { blocks, folder };
        command.SetAction(async (parsed, cancellation) =>
        {
            var network = Running(parsed, folder);
            await AnvilNode.MineAsync(network.Endpoints[0], parsed.GetValue(blocks), network.EpochSeconds, cancellation).ConfigureAwait(false);
            using var chain = network.Connect();
            Console.WriteLine($"epoch {await chain.GetHeadAsync(cancellation).ConfigureAwait(false)}");
            return ExitCodes.Success;
        });
        return command;
    }

    private static Command Status()
    {
        var folder = FolderOption();
        var command = new Command("status", "Say whether a devnet runs, and where") { folder };
        command.SetAction(async (parsed, cancellation) =>
        {
            var network = Running(parsed, folder);
            using var chain = network.Connect();
            Console.WriteLine($"running on {network.Endpoints[0]}, epoch {await chain.GetHeadAsync(cancellation).ConfigureAwait(false)}");
            return ExitCodes.Success;
        });
        return command;
    }

    private static Option<string?> FolderOption() => new("--folder") { Description = "Its folder. Default: devnet in $SHALE_HOME, or in ~/.shale." };

    private static string Folder(ParseResult parsed, Option<string?> folder) => Path.GetFullPath(parsed.GetValue(folder) ?? Network.DevnetFolder(ChainCommandOptions.Home));

    private static Network Running(ParseResult parsed, Option<string?> folder)
    {
        var path = Folder(parsed, folder);
        return Devnet.FindRunning(path) is null
            ? throw new CliError($"No devnet runs in {path}.", "Start one: shale devnet", ExitCodes.Unavailable)
            : NetworkFile.Read(Path.Combine(path, NetworkFile.FileName));
    }

    /// <summary>Where contracts/ lies: as the launcher says, else above this program.</summary>
    private static string? Repository()
    {
        var at = Environment.GetEnvironmentVariable("SHALE_ROOT") is { Length: > 0 } root ? root : AppContext.BaseDirectory;
        while (at is not null && !Directory.Exists(Path.Combine(at, "contracts", "node_modules")))
        {
            at = Path.GetDirectoryName(at);
        }

        return at;
    }

    private static int[] ParseSizes(string text)
    {
        int[] sizes = [.. text.Split(',').Select(s => int.TryParse(s, NumberStyles.None, CultureInfo.InvariantCulture, out var size) && SettlementCircuit.PageSizes.Contains(size)
            ? size
            : throw new CliError($"--page_sizes={text} names a page size that there is not.", "There are: 8, 64, 256.", ExitCodes.Usage)).Distinct()];
        return sizes;
    }

    /// <summary>Development keys: made once, kept in the folder.</summary>
    private static DevnetKey MakeKey(int slots, string folder, CancellationToken cancellation)
    {
        Directory.CreateDirectory(folder);
        string proving = Path.Combine(folder, $"settlement-{slots}{DevelopmentSetup.RequiredSuffix}"), verifying = Path.Combine(folder, $"verification_key-{slots}.json");
        if (!File.Exists(proving))
        {
            Console.Error.WriteLine($"shale: making the proving key for pages of {slots} leases (once)");
            var constraints = Path.Combine(folder, $"settlement-{slots}.r1cs");
            SettlementCircuitFile.Write(slots, constraints);
            if (!ProofFiles.TrySetup(constraints, proving, ProofFiles.DefaultSeed, out var fault, null, cancellation))
            {
                throw new CliError(fault.ToString());
            }

            File.Delete(constraints);
        }

        if (!ProofFiles.TryReadVerificationKey(proving, out var key, out var bad))
        {
            throw new CliError($"{proving} can't be read: {bad}", "Remove the file; it is made anew.");
        }

        File.WriteAllText(verifying, SnarkJsJson.Write(key));
        return new DevnetKey(VerifyingKeyFile.Read(slots, verifying), proving);
    }

    private static void Print(Network network, string folder, string which)
    {
        Console.WriteLine($"""
            {which} runs at {network.Endpoints[0]} (chain {network.ChainId}).
            registry  {network.Registry}
            market    {network.Market}
            """);
        foreach (var wallet in ChainCommandOptions.Wallets(network).List())
        {
            Console.WriteLine($"{wallet.Name,-9} {wallet.Address}  {FilecoinAddress.FromEvm(wallet.Address!.Value).ToString(testnet: true)}");
        }

        var file = Path.Combine(folder, NetworkFile.FileName);
        Console.WriteLine($"Use it with --network={(folder == Path.GetFullPath(Network.DevnetFolder(ChainCommandOptions.Home)) ? "devnet" : file)}; --wallet=NAME chooses an account. Nothing here is worth anything.");
        Console.Out.Flush();
    }

    /// <summary>Starts the same command in a session of its own and waits until it runs.</summary>
    private static async Task<int> DetachAsync(string folder, string[] options, CancellationToken cancellation)
    {
        if (Devnet.FindRunning(folder) is not null)
        {
            Print(NetworkFile.Read(Path.Combine(folder, NetworkFile.FileName)), folder, "A devnet that was there already");
            return ExitCodes.Success;
        }

        Directory.CreateDirectory(folder);
        var log = Path.Combine(folder, "devnet.log");
        var program = Environment.ProcessPath ?? throw new CliError("This process can't tell its own program.", "Run shale devnet without --detach.", ExitCodes.Software);
        string[] own = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [program, Path.Combine(AppContext.BaseDirectory, "shale.dll")] : [program];

        // A session of its own: neither Ctrl+C nor the terminal's end reaches it. The shell only redirects.
        string[] arguments = ["setsid", "sh", "-c", "exec \"$@\" >\"$0\" 2>&1 </dev/null", log, .. own, "devnet", "--folder=" + folder, .. options];
        using var started = Process.Start(new ProcessStartInfo(arguments[0], arguments[1..]))!;
        while (Devnet.FindRunning(folder)?.ProcessId != started.Id)
        {
            if (started.HasExited)
            {
                var said = File.Exists(log) ? await File.ReadAllTextAsync(log, cancellation).ConfigureAwait(false) : "";
                Console.Error.Write(said);
                throw new CliError("The devnet did not start.", $"What it said is in {log}.");
            }

            await Task.Delay(100, cancellation).ConfigureAwait(false);
        }

        Print(NetworkFile.Read(Path.Combine(folder, NetworkFile.FileName)), folder, "The devnet");
        return ExitCodes.Success;
    }

    private sealed class Lines : IProgress<string>
    {
        public void Report(string value) => Console.Error.WriteLine("shale: " + value);
    }
}
