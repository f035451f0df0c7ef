using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Shale.Data;
using Shale.Data.Store;
using Shale.Data.UnixFs;
using Shale.Gateway.Results;

namespace Shale.Cli.Commands;

/// <summary><c>shale results</c>: packs what a lease produced, and brings a result to the client.</summary>
internal static partial class ResultsCommand
{
    private static readonly JsonSerializerOptions Indented = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static Command Create()
    {
        var command = new Command("results", "Pack what a lease produced for a deal, and fetch a result");
        command.Subcommands.Add(Pack());
        command.Subcommands.Add(Get());
        return command;
    }

    private static Command Pack()
    {
        var options = new AgentCommandOptions();
        var path = new Argument<string>("path") { Description = "LEASE:PATH, as its client; with --lease a path in that lease, as its provider; else a file or directory of this machine." };
        var lease = new Option<string?>("--lease") { Description = "On the provider's machine: the lease whose path it is." };
        var state = new Option<string>("--state_dir", "--state-dir") { Description = "The gateway's state folder, for --lease.", DefaultValueFactory = _ => GatewayCommand.DefaultState };
        var output = new Option<string?>("--output", "-o") { Description = "Where results of this machine's own files go: a folder for each, named by its CID. Default: " + Path.Combine(GatewayCommand.DefaultState, "results") + "." };
        var preset = new Option<string>("--preset") { Description = "How files become blocks: " + string.Join(", ", ImportPreset.All.Select(p => p.Name)) + ".", DefaultValueFactory = _ => ImportPreset.UnixFsV1.Name };
        var command = new Command("pack", "Make the CAR, its CID and its piece commitment, with a manifest for a deal") { path, lease, state, output, preset };
        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var source = parsed.GetValue(path)!;
            var rules = ImportPreset.Find(parsed.GetValue(preset)!) ?? throw new CliError($"There is no preset {parsed.GetValue(preset)}.", "There are: " + string.Join(", ", ImportPreset.All.Select(p => p.Name)) + ".", ExitCodes.Usage);
            using var line = new DatasetCommand.ProgressLine();
            ResultManifest manifest;
            if (parsed.GetValue(lease) is { } named)
            {
                manifest = DatasetCommand.Value(await ProviderResults.PackAsync(Path.GetFullPath(parsed.GetValue(state)!), AgentCommandOptions.ParseLease(named), source, rules, line, cancellation).ConfigureAwait(false));
            }
            else if (LeasePath().Match(source) is { Success: true } inside)
            {
                var arguments = await SshCommand.PrepareAsync(options, parsed, inside.Groups[1].Value, cancellation).ConfigureAwait(false);
                manifest = await ResultsClient.PackAsync(arguments, inside.Groups[2].Value, rules.Name, line, cancellation).ConfigureAwait(false);
            }
            else
            {
                manifest = await Task.Run(() => PackHere(Path.GetFullPath(source), Path.GetFullPath(parsed.GetValue(output) ?? Path.Combine(GatewayCommand.DefaultState, "results")), rules, line, cancellation), cancellation).ConfigureAwait(false);
            }

            line.Dispose();
            Console.WriteLine(JsonSerializer.Serialize(manifest, Indented));
            return ExitCodes.Success;
        });
        return command;
    }

    private static ResultManifest PackHere(string source, string output, ImportPreset rules, DatasetCommand.ProgressLine line, CancellationToken cancellation)
    {
        var manifest = DatasetCommand.Value(ResultPacker.Pack(new HostFileTree(source), source, output, rules, progress: line, cancellationToken: cancellation));
        return manifest with { CarPath = Path.Combine(output, manifest.PayloadCid, manifest.CarPath) };
    }

    private static Command Get()
    {
        var options = new AgentCommandOptions();
        var arguments = new Argument<string[]>("[lease] cid destination")
        {
            Description = "The lease that packed it (left out with --car); the CID that pack printed and the lease's final statement names; the file or directory to make.",
            Arity = new ArgumentArity(2, 3),
        };
        var car = new Option<string?>("--car") { Description = "Take the CAR from a file, or - for standard input, instead of the lease." };
        var limit = new Option<long>("--max_bytes", "--max-bytes") { Description = "The most bytes to take.", DefaultValueFactory = _ => 64L << 30 };
        var command = new Command("get", "Fetch a result, check it against its CID and extract it") { arguments, car, limit };
        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var given = parsed.GetValue(arguments)!;
            var from = parsed.GetValue(car);
            if (given.Length != (from is null ? 3 : 2))
            {
                throw new CliError("A result is fetched from a lease or taken from a CAR.", "shale results get LEASE CID DESTINATION, or shale results get CID DESTINATION --car=FILE.", ExitCodes.Usage);
            }

            var expected = DatasetCommand.ParseCid(given[^2]);
            var destination = given[^1];
            var max = parsed.GetValue(limit);
            using var line = new DatasetCommand.ProgressLine();
            ExtractProgress done;
            if (from is null)
            {
                var ssh = await SshCommand.PrepareAsync(options, parsed, given[0], cancellation).ConfigureAwait(false);
                done = await ResultsClient.GetAsync(ssh, expected, destination, max, line, cancellation).ConfigureAwait(false);
            }
            else
            {
                done = await Task.Run(
                    () =>
                    {
                        using var stream = from == "-" ? Console.OpenStandardInput() : new FileStream(from, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
                        return DatasetCommand.Value(ResultFetcher.Get(stream, expected, destination, max, line, cancellation));
                    },
                    cancellation).ConfigureAwait(false);
            }

            line.Dispose();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{destination} is {expected}: {done.Entries} entries, {DatasetCommand.Size(done.Bytes)}"));
            return ExitCodes.Success;
        });
        return command;
    }

    [GeneratedRegex("^((?:lease-)?[0-9]{1,20}):(.+)$", RegexOptions.Singleline)]
    private static partial Regex LeasePath();
}
