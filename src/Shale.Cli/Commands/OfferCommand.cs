using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Shale.Chain.Contracts;
using Shale.Chain.Market;
using Shale.Cli.Parsing;
using Shale.Containers.Engine;
using Shale.Data.Cids;
using Shale.Payments.Vouchers;

namespace Shale.Cli.Commands;

/// <summary><c>shale offer</c>: what a provider leases out, and for how much.</summary>
internal static class OfferCommand
{
    /// <summary>In the gateway's folder: how Docker starts the images that offers name by digest.</summary>
    internal const string ImagesFile = "images.json";

    private static readonly JsonSerializerOptions Indented = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static Command Create() => new("offer", "Put, list and remove what this provider leases out") { Put(), List(), Remove() };

    private static Command Put()
    {
        var options = ChainCommandOptions.WithOnePassphrase();
        var contents = new OfferOptions();
        var number = new Option<uint>("--offer") { Description = "The offer to replace. Default: a new one." };
        var state = new Option<string>("--state_dir", "--state-dir") { Description = "The gateway's folder, which learns how Docker starts the images.", DefaultValueFactory = _ => GatewayCommand.DefaultState };
        var dry = new Option<bool>("--dry_run", "--dry-run") { Description = "Print the offer and send nothing." };
        var command = new Command("put", "Put an offer: what this machine has, at a price") { number, state, dry };
        contents.AddTo(command);
        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var (offer, images) = await contents.ReadAsync(parsed, cancellation).ConfigureAwait(false);
            if (parsed.GetValue(dry))
            {
                Console.WriteLine(JsonSerializer.Serialize(Json(new OfferEntry(0, parsed.GetValue(number), offer)), Indented));
                return ExitCodes.Success;
            }

            var network = options.Network(parsed);
            using var chain = network.Connect();
            var provider = await ProviderCommand.FindAsync(options, parsed, network, new MarketReader(chain, network), null, cancellation).ConfigureAwait(false);
            if (images.Count > 0)
            {
                RememberImages(Path.Combine(parsed.GetValue(state)!, ImagesFile), images);
            }

            using var account = options.Unlock(parsed, network);
            using var line = new TransactionLine();
            var done = await ChainCommandOptions.Writer(chain, network, account, line).PutOfferAsync(provider, parsed.GetValue(number), offer, cancellation).ConfigureAwait(false);
            line.Dispose();
            Console.WriteLine($"Offer {done.Event.OfferId} of provider {provider} stands, in {done.Receipt.TransactionHash}");
            Print(new OfferEntry(provider, done.Event.OfferId, offer));
            return ExitCodes.Success;
        });
        return command;
    }

    private static Command List()
    {
        var options = new ChainCommandOptions();
        var which = new Argument<string?>("provider") { Description = "A provider's index, miner ID (f01946720), address or wallet. Default: the default wallet's.", Arity = ArgumentArity.ZeroOrOne };
        var json = new Option<bool>("--json") { Description = "Print JSON, prices in attoFIL per second." };
        var command = new Command("list", "List a provider's offers") { which, json };
        options.AddTo(command, signs: false);
        command.SetAction(async (parsed, cancellation) =>
        {
            var network = options.Network(parsed);
            using var chain = network.Connect();
            var reader = new MarketReader(chain, network);
            var provider = await ProviderCommand.FindAsync(options, parsed, network, reader, parsed.GetValue(which), cancellation).ConfigureAwait(false);
            var offers = await reader.GetOffersAsync(provider, default, cancellation).ConfigureAwait(false);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(offers.Select(Json), Indented));
                return ExitCodes.Success;
            }

            if (offers.Count == 0)
            {
                Console.Error.WriteLine($"Provider {provider} has no offer; put one with: shale offer put --price=0.01fil/min");
            }

            foreach (var offer in offers)
            {
                Print(offer);
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static Command Remove()
    {
        var options = ChainCommandOptions.WithOnePassphrase();
        var number = new Argument<uint>("offer") { Description = "The offer's number." };
        var command = new Command("remove", "Take an offer away; leases and orders go on") { number };
        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var network = options.Network(parsed);
            using var chain = network.Connect();
            var provider = await ProviderCommand.FindAsync(options, parsed, network, new MarketReader(chain, network), null, cancellation).ConfigureAwait(false);
            using var account = options.Unlock(parsed, network);
            using var line = new TransactionLine();
            var done = await ChainCommandOptions.Writer(chain, network, account, line).RemoveOfferAsync(provider, parsed.GetValue(number), cancellation).ConfigureAwait(false);
            line.Dispose();
            Console.WriteLine($"Offer {done.Event.OfferId} of provider {provider} is gone");
            return ExitCodes.Success;
        });
        return command;
    }

    /// <summary>Prices as people read them.</summary>
    internal static string Price(UInt128 attoFilPerSecond) => AttoFil.TryCreate(attoFilPerSecond, out var price) ? new Rate(price).ToString() : $"{attoFilPerSecond} attoFIL/s";

    /// <summary>Resources in one line.</summary>
    internal static string Describe(Resources resources)
    {
        var parts = new List<string> { $"{resources.Cpus} CPUs", $"{DatasetCommand.Size((long)Math.Min(resources.MemoryBytes, long.MaxValue))} RAM" };
        if (resources.Gpus > 0)
        {
            parts.Add($"{resources.Gpus} × {(resources.GpuModel.Length == 0 ? "GPU" : ProviderCommand.Printable(resources.GpuModel))}");
        }

        if (resources.Bandwidth > 0)
        {
            parts.Add($"{DatasetCommand.Size((long)Math.Min(resources.Bandwidth, long.MaxValue))}/s");
        }

        return string.Join(", ", parts);
    }

    /// <summary>A CID of somebody else's; in hexadecimal where it is none.</summary>
    internal static string CidText(ReadOnlyMemory<byte> bytes) =>
        !Cid.TryRead(bytes.Span, out var cid, out var read).IsError && read == bytes.Length ? cid!.ToString() : "0x" + Convert.ToHexStringLower(bytes.Span);

    /// <summary>An offer for programs; the same wherever offers are printed as JSON.</summary>
    internal static object Json(OfferEntry entry) => new
    {
        provider = entry.Provider,
        offer = entry.Id,
        resources = new { cpus = entry.Offer.Resources.Cpus, memoryBytes = entry.Offer.Resources.MemoryBytes, gpus = entry.Offer.Resources.Gpus, gpuModel = entry.Offer.Resources.GpuModel, bandwidth = entry.Offer.Resources.Bandwidth },
        pricePerSecond = entry.Offer.PricePerSecond.ToString(CultureInfo.InvariantCulture),
        minDeposit = entry.Offer.MinDeposit.ToString(CultureInfo.InvariantCulture),
        dataSets = entry.Offer.DataSets.Select(d => new { cid = CidText(d.Cid), dealId = d.DealId, pieceCid = d.PieceCid.IsEmpty ? null : CidText(d.PieceCid), files = d.Files }),
        images = entry.Offer.Images.Select(i => new { name = i.Name, digest = "sha256:" + i.Digest.ToString()[2..] }),
        region = entry.Offer.Region,
    };

    private static void Print(OfferEntry entry)
    {
        var offer = entry.Offer;
        Console.WriteLine($"offer {entry.Id}  {Price(offer.PricePerSecond)}, at least {Fil.Print(offer.MinDeposit)}{(offer.Region.Length == 0 ? "" : "  " + ProviderCommand.Printable(offer.Region))}");
        Console.WriteLine($"  {Describe(offer.Resources)}");
        foreach (var image in offer.Images)
        {
            Console.WriteLine($"  image {ProviderCommand.Printable(image.Name)}  sha256:{image.Digest.ToString()[2..]}");
        }

        foreach (var set in offer.DataSets)
        {
            Console.WriteLine($"  data  {CidText(set.Cid)}{(set.DealId == 0 ? "" : $"  deal {set.DealId}")}");
            foreach (var file in set.Files)
            {
                Console.WriteLine($"          {ProviderCommand.Printable(file)}");
            }
        }
    }

    private static void RememberImages(string path, IReadOnlyList<LocalImage> images)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var known = File.Exists(path) ? JsonSerializer.Deserialize<SortedDictionary<string, string>>(File.ReadAllBytes(path)) ?? [] : [];
        foreach (var image in images)
        {
            known["sha256:" + Convert.ToHexStringLower(image.Digest.Span)] = image.Reference;
        }

        var temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        File.WriteAllText(temporary, JsonSerializer.Serialize(known, Indented));
        File.Move(temporary, path, overwrite: true);
    }
}
