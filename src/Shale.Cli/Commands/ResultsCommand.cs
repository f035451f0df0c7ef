using System.CommandLine;
using System.Text.Json;
using Shale.Data.Store;
using Shale.Data.UnixFs;

namespace Shale.Cli.Commands;

/// <summary><c>shale results</c>: packs what a lease produced, and brings a result to the client.</summary>
internal static class ResultsCommand
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
        var path = new Argument<string>("path") { Description = "The file or directory, as this machine sees it." };
        var output = new Option<string>("--output", "-o") { Description = "Where results go: a folder for each, named by its CID.", DefaultValueFactory = _ => Path.Combine(GatewayCommand.DefaultState, "results") };
        var preset = new Option<string>("--preset") { Description = "How files become blocks: " + string.Join(", ", ImportPreset.All.Select(p => p.Name)) + ".", DefaultValueFactory = _ => ImportPreset.UnixFsV1.Name };
        var command = new Command("pack", "Make the CAR, its CID and its piece commitment, with a manifest for a deal") { path, output, preset };
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                var source = Path.GetFullPath(parsed.GetValue(path)!);
                var rules = ImportPreset.Find(parsed.GetValue(preset)!) ?? throw new CliError($"There is no preset {parsed.GetValue(preset)}.", null, ExitCodes.Usage);
                using var line = new DatasetCommand.ProgressLine();
                var manifest = DatasetCommand.Value(ResultPacker.Pack(new HostFileTree(source), source, parsed.GetValue(output)!, rules, null, null, line, cancellation));
                line.Dispose();
                Console.WriteLine(JsonSerializer.Serialize(
                    manifest with { CarPath = Path.Combine(Path.GetFullPath(parsed.GetValue(output)!), manifest.PayloadCid, manifest.CarPath) },
                    Indented));
                return ExitCodes.Success;
            },
            cancellation));
        return command;
    }

    private static Command Get()
    {
        var cid = new Argument<string>("cid") { Description = "The CID that the lease's final statement names." };
        var destination = new Argument<string>("destination") { Description = "The file or directory to make." };
        var car = new Option<string>("--car") { Description = "The CAR: a file, or - for standard input, for example of ssh LEASE cat result.car.", Required = true };
        var limit = new Option<long>("--max_bytes", "--max-bytes") { Description = "The most bytes to take.", DefaultValueFactory = _ => 64L << 30 };
        var command = new Command("get", "Check a result against its CID and extract it") { cid, destination, car, limit };
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                var expected = DatasetCommand.ParseCid(parsed.GetValue(cid)!);
                var from = parsed.GetValue(car)!;
                using var stream = from == "-" ? Console.OpenStandardInput() : new FileStream(from, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
                using var line = new DatasetCommand.ProgressLine();
                var done = DatasetCommand.Value(ResultFetcher.Get(stream, expected, parsed.GetValue(destination)!, parsed.GetValue(limit), line, cancellation));
                line.Dispose();
                Console.WriteLine($"{parsed.GetValue(destination)} is {expected}: {done.Entries} entries, {DatasetCommand.Size(done.Bytes)}");
                return ExitCodes.Success;
            },
            cancellation));
        return command;
    }
}
