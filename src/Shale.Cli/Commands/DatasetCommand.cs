using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Shale.Data;
using Shale.Data.Car;
using Shale.Data.Cids;
using Shale.Data.Pieces;
using Shale.Data.Store;
using Shale.Data.UnixFs;
using Shale.Leases;

namespace Shale.Cli.Commands;

/// <summary><c>shale dataset</c>: what this provider holds, by CID.</summary>
internal static class DatasetCommand
{
    public static Command Create()
    {
        var command = new Command("dataset", "Add, list, verify and remove the data sets that leases can mount");
        command.Subcommands.Add(Add());
        command.Subcommands.Add(List());
        command.Subcommands.Add(Show());
        command.Subcommands.Add(Verify());
        command.Subcommands.Add(Remove());
        command.Subcommands.Add(Piece());
        return command;
    }

    /// <summary>The folder of the store, as every command that uses one names it.</summary>
    internal static Option<string> StoreOption() => new("--store", "--cache_dir", "--cache-dir")
    {
        Description = "The folder of the data set store.",
        DefaultValueFactory = _ => Path.Combine(GatewayCommand.DefaultState, "data"),
    };

    internal static DatasetStore OpenStore(string folder) => Value(DatasetStore.Open(folder));

    /// <summary>Finds what <c>--mnt=CID[/path]:…</c> names and verifies it: the host path to bind read-only.</summary>
    internal static string ResolveMount(string store, string source, CancellationToken cancellation)
    {
        CheckMount(store, source);
        var (cid, path) = SplitMount(source);
        return Value(OpenStore(store).Mount(cid, path, null, cancellation)).HostPath;
    }

    /// <summary>Says early what is wrong with the source of a mount by CID, without hashing anything.</summary>
    /// <param name="store">The store that has to have it; null: another process's.</param>
    /// <param name="source">CID[/path].</param>
    internal static void CheckMount(string? store, string source)
    {
        var (cid, _) = SplitMount(source);
        if (store is not null && !Directory.Exists(store))
        {
            throw new CliError($"The data set {cid} is not in this provider's store: {store} does not exist.", "Add it with shale dataset add.", ExitCodes.NoInput);
        }

        if (store is not null)
        {
            Value(OpenStore(store).Find(cid));
        }
    }

    private static (Cid Cid, string Path) SplitMount(string source)
    {
        var slash = source.IndexOf('/', StringComparison.Ordinal);
        return (ParseCid(slash < 0 ? source : source[..slash]), slash < 0 ? "" : source[slash..]);
    }

    internal static Cid ParseCid(string text)
    {
        var error = Cid.TryParse(text, out var cid);
        if (!error.IsError)
        {
            return cid!;
        }

        var where = error.Offset >= 0 && error.Fault is DataFault.CidCharacter or DataFault.CidTrailingBits ? $" (character {error.Offset + 1})" : "";
        throw new CliError($"{text} is not a CID: {error.Detail}{where}.", "shale dataset list shows the data sets of the store.", ExitCodes.Usage);
    }

    internal static T Value<T>(DataResult<T> result) => result.Ok ? result.Value : throw Failure(result.Error);

    internal static CliError Failure(DataError error)
    {
        var place = error.Offset >= 0 ? $" (at byte {error.Offset})" : "";
        return error.Fault switch
        {
            DataFault.NotFound => new CliError(error.Detail + ".", "shale dataset list shows what there is.", ExitCodes.NoInput),
            DataFault.AlreadyExists => new CliError(error.Detail + "."),
            DataFault.Changed => new CliError(error.Detail + ".", "Restore the file, or remove the data set and add it again; nothing that changed is served."),
            DataFault.CarRoots => new CliError(error.Detail + ".", "Name the root with --root.", ExitCodes.Usage),
            _ => new CliError($"{error.Detail}{place} [{error.Fault}]."),
        };
    }

    private static Command Add()
    {
        var path = new Argument<string>("source") { Description = "A file, a directory, a CAR, or the piece CID to fetch from --piece_server." };
        var store = StoreOption();
        var car = new Option<bool?>("--car") { Description = "Take the source as a CAR whose tree is the data set. Default: when its name ends in .car." };
        var preset = new Option<string>("--preset") { Description = "How files become blocks: " + string.Join(", ", ImportPreset.All.Select(p => p.Name)) + ".", DefaultValueFactory = _ => ImportPreset.UnixFsV1.Name };
        var placement = new Option<string>("--placement") { Description = "auto (reflink, else hard link, else copy), independent (reflink, else copy), in-place (leave the data where it is).", DefaultValueFactory = _ => "auto" };
        var root = new Option<string?>("--root") { Description = "The root to take where a CAR names several." };
        var name = new Option<string?>("--name") { Description = "What to call it. Default: the source's file name." };
        var piece = new Option<string?>("--piece") { Description = "The piece CID that the data set belongs to." };
        var deal = new Option<string?>("--deal") { Description = "The deal that the data set belongs to." };
        var server = new Option<string?>("--piece_server", "--piece-server") { Description = "A piece server (FRC-0066) to fetch the source from, for example http://10.0.0.7:8000." };
        var padded = new Option<bool>("--padded") { Description = "Zeros may follow the CAR, as in a piece." };
        var modes = new Option<bool>("--modes") { Description = "Write permissions into the tree; changes the CID." };
        var times = new Option<bool>("--times") { Description = "Write modification times into the tree; changes the CID." };
        var hidden = new Option<bool>("--skip_hidden", "--skip-hidden") { Description = "Leave out names that start with a dot." };
        var command = new Command("add", "Add a file, a directory or a CAR and print its CID") { path, store, car, preset, placement, root, name, piece, deal, server, padded, modes, times, hidden };
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                var target = OpenStore(parsed.GetValue(store)!);
                var source = parsed.GetValue(path)!;
                using var http = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
                var request = parsed.GetValue(server) is { } address
                    ? Fetch(http, address, source, parsed.GetValue(store)!, cancellation)
                    : new AddRequest { Path = source, IsCar = parsed.GetValue(car) ?? source.EndsWith(".car", StringComparison.OrdinalIgnoreCase), ZeroPadded = parsed.GetValue(padded) };
                request = request with
                {
                    Root = parsed.GetValue(root) is { } r ? ParseCid(r) : null,
                    Preset = ImportPreset.Find(parsed.GetValue(preset)!) ?? throw new CliError($"There is no preset {parsed.GetValue(preset)}.", "There are: " + string.Join(", ", ImportPreset.All.Select(p => p.Name)) + ".", ExitCodes.Usage),
                    Options = new ImportOptions { KeepModes = parsed.GetValue(modes), KeepTimes = parsed.GetValue(times), SkipHidden = parsed.GetValue(hidden) },
                    Placement = ParsePlacement(parsed.GetValue(placement)!),
                    Name = parsed.GetValue(name) ?? request.Name,
                    Piece = PieceOf(parsed.GetValue(piece), parsed.GetValue(deal)) ?? request.Piece,
                };
                using var line = new ProgressLine();
                var dataset = Value(target.Add(request, line, cancellation));
                line.Dispose();
                if (parsed.GetValue(server) is not null)
                {
                    File.Delete(request.Path);
                }

                Console.WriteLine(dataset.Manifest.Cid);
                return ExitCodes.Success;
            },
            cancellation));
        return command;
    }

    private static Command List()
    {
        var store = StoreOption();
        var json = new Option<bool>("--json") { Description = "Print the manifests as JSON, one a line." };
        var command = new Command("list", "List the data sets of the store") { store, json };
        command.SetAction(parsed =>
        {
            foreach (var dataset in OpenStore(parsed.GetValue(store)!).List())
            {
                var m = dataset.Manifest;
                Console.WriteLine(parsed.GetValue(json)
                    ? JsonSerializer.Serialize(m, JsonSerializerOptions.Web)
                    : $"{m.Cid}  {Size(m.FileBytes),10}  {m.Entries,8} entries  {m.Name}{(m.Piece?.Deal is { } deal ? $"  deal {deal}" : "")}");
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static Command Show()
    {
        var cid = CidArgument();
        var store = StoreOption();
        var command = new Command("show", "Show a data set and its files") { cid, store };
        command.SetAction(parsed =>
        {
            var dataset = Value(OpenStore(parsed.GetValue(store)!).Find(ParseCid(parsed.GetValue(cid)!)));
            var m = dataset.Manifest;
            Console.WriteLine($"cid        {m.Cid}\nname       {m.Name}\nkind       {m.Kind}\npreset     {m.Preset ?? "as in its CAR"}\nsource     {m.Source}\nplacement  {m.Placement}\nadded      {m.AddedAt:u}\nsize       {m.FileBytes} bytes in {m.Entries} entries");
            if (m.Piece is { } piece)
            {
                Console.WriteLine($"piece      {piece.CidV2 ?? piece.CidV1 ?? "unknown"}\ndeal       {piece.Deal ?? "none"}");
            }

            foreach (var entry in dataset.Entries().Where(e => e.Kind != EntryKind.Directory).OrderBy(e => e.Path, StringComparer.Ordinal))
            {
                Console.WriteLine($"{entry.Cid}  {Size(entry.Length),10}  {(entry.Path.Length == 0 ? m.Name : entry.Path)}");
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static Command Verify()
    {
        var cid = CidArgument();
        var store = StoreOption();
        var command = new Command("verify", "Hash a data set again, whatever is remembered of it") { cid, store };
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                using var line = new ProgressLine();
                var error = OpenStore(parsed.GetValue(store)!).Verify(ParseCid(parsed.GetValue(cid)!), new BytesOf(line, "hashing"), cancellation);
                line.Dispose();
                if (error.IsError)
                {
                    throw Failure(error);
                }

                Console.WriteLine($"{parsed.GetValue(cid)} is what it was when it was added");
                return ExitCodes.Success;
            },
            cancellation));
        return command;
    }

    private static Command Remove()
    {
        var cid = CidArgument();
        var store = StoreOption();
        var command = new Command("remove", "Remove a data set that no lease has mounted") { cid, store };
        command.SetAction(parsed =>
        {
            var named = ParseCid(parsed.GetValue(cid)!);
            if (LeaseThatMounts(Path.GetFullPath(parsed.GetValue(store)!), named) is { } lease)
            {
                throw new CliError($"{lease} has the data set {named} mounted.", "End the lease first; a container's files must not go away under it.");
            }

            var error = OpenStore(parsed.GetValue(store)!).Remove(named);
            return error.IsError ? throw Failure(error) : ExitCodes.Success;
        });
        return command;
    }

    /// <summary>The lease that mounts a data set, of the gateway in whose state folder the store is; null where there is none.</summary>
    private static string? LeaseThatMounts(string store, Cid cid)
    {
        var state = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(store));
        return state is null || !Directory.Exists(Path.Combine(state, "leases")) ? null
            : new FileLeaseDirectory(state, (_, _) => { }).All
                .FirstOrDefault(l => l.State != LeaseState.Closed && l.Container.Mounts.Any(m => !Cid.TryParse(m.Source.Split('/')[0], out var mounted).IsError && mounted!.ToV1() == cid.ToV1()))?.Name;
    }

    private static Command Piece()
    {
        var car = new Argument<string>("car") { Description = "The CAR, or any other file that is to be a piece." };
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var command = new Command("piece", "Compute the piece commitment (CommP) of a CAR") { car, json };
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                using var stream = new FileStream(parsed.GetValue(car)!, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
                using var line = new ProgressLine();
                var piece = PieceHasher.Compute(stream, 0, new BytesOf(line, "hashing"), cancellation);
                line.Dispose();
                Console.WriteLine(parsed.GetValue(json)
                    ? JsonSerializer.Serialize(new { pieceCid = piece.CidV1.ToString(), pieceCidV2 = piece.CidV2.ToString(), pieceSize = piece.PieceSize, payloadSize = piece.PayloadLength }, JsonSerializerOptions.Web)
                    : $"piece CID     {piece.CidV1}\npiece CID v2  {piece.CidV2}\npiece size    {piece.PieceSize}\npayload size  {piece.PayloadLength}");
                return ExitCodes.Success;
            },
            cancellation));
        return command;
    }

    private static Argument<string> CidArgument() => new("cid") { Description = "The data set's CID." };

    private static AddRequest Fetch(HttpClient http, string address, string cid, string store, CancellationToken cancellation)
    {
        if (!Uri.TryCreate(address.TrimEnd('/') + "/", UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
        {
            throw new CliError($"--piece_server={address} is not an http or https address.", null, ExitCodes.Usage);
        }

        using var line = new ProgressLine();
        return Value(new PieceServerSource(http, uri).Locate(ParseCid(cid).ToString(), Path.Combine(store, "partial"), new BytesOf(line, "fetching"), cancellation));
    }

    private static PlacementRule ParsePlacement(string text) => text switch
    {
        "auto" => PlacementRule.Auto,
        "independent" => PlacementRule.Independent,
        "in-place" => PlacementRule.InPlace,
        _ => throw new CliError($"There is no placement {text}.", "There are: auto, independent, in-place.", ExitCodes.Usage),
    };

    private static PieceRecord? PieceOf(string? cid, string? deal)
    {
        if (cid is null)
        {
            return deal is null ? null : new PieceRecord(null, null, 0, deal);
        }

        var parsed = ParseCid(cid);
        if (parsed.Codec == Codec.FilCommitmentUnsealed)
        {
            return new PieceRecord(parsed.ToString(), null, 0, deal);
        }

        var error = PieceCommitment.TryFrom(parsed, out var piece);
        return error.IsError ? throw Failure(error) : new PieceRecord(piece!.CidV1.ToString(), parsed.ToString(), piece.PieceSize, deal);
    }

    internal static string Size(long bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB"];
        var (value, unit) = ((double)bytes, 0);
        while (value >= 1024 && unit < units.Length - 1)
        {
            (value, unit) = (value / 1024, unit + 1);
        }

        return value.ToString(unit == 0 ? "0" : "0.0", CultureInfo.InvariantCulture) + " " + units[unit];
    }

    /// <summary>Bytes of one stage, for a library call that reports bytes alone.</summary>
    internal sealed class BytesOf(IProgress<AddProgress> inner, string stage) : IProgress<long>
    {
        public void Report(long value) => inner.Report(new AddProgress(stage, value));
    }

    /// <summary>One line on a terminal's standard error, rewritten five times a second; nothing where that is a file.</summary>
    internal sealed class ProgressLine : IProgress<AddProgress>, IDisposable
    {
        private readonly bool _shown = !Console.IsErrorRedirected;
        private long _last;
        private bool _written;

        public void Report(AddProgress value)
        {
            if (!_shown || TimeProvider.System.GetElapsedTime(_last).TotalMilliseconds < 200)
            {
                return;
            }

            _last = TimeProvider.System.GetTimestamp();
            _written = true;
            Console.Error.Write($"\r\u001b[K{value.Stage} {Size(value.Bytes)}");
        }

        public void Dispose()
        {
            if (_written)
            {
                Console.Error.Write("\r\u001b[K");
                _written = false;
            }
        }
    }
}
