using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Shale.Agent.Market;
using Shale.Chain;
using Shale.Chain.Contracts;
using Shale.Chain.Market;
using Shale.Chain.Networks;
using Shale.Chain.Rpc;
using Shale.Cli.Parsing;

namespace Shale.Cli.Commands;

/// <summary><c>shale list</c>: what can be leased, from whom, and for how much.</summary>
internal static class ListCommand
{
    /// <summary>Public nodes keep some 2,000 epochs of events; ratings older than that are not asked for.</summary>
    private const ulong RatingWindow = 2000;

    public static Command Create()
    {
        var options = new ChainCommandOptions();
        var miner = new Option<string?>("--miner") { Description = "Only this provider: f01946720, or its index." };
        var price = new Option<string?>("--price") { Description = "At most: 0.01fil/min." };
        var cpus = new Option<uint>("--num_cpus", "--num-cpus") { Description = "CPU cores at least." };
        var memory = new Option<string?>("--num_rams", "--num-rams") { Description = "Memory at least: 12Gi." };
        var gpus = new Option<uint>("--num_gpus", "--num-gpus") { Description = "GPUs at least." };
        var gpu = new Option<string?>("--gpu") { Description = "Part of the GPU's name: H200." };
        var data = new Option<string[]>("--data") { Description = "A data set that it holds: a CID, or part of a file's name. May be given often." };
        var image = new Option<string?>("--image") { Description = "A container image that it has." };
        var rating = new Option<double>("--rating") { Description = "Stars at least, 1 to 5." };
        var sort = new Option<string>("--sort") { Description = "price, rating, cpus, memory or gpus.", DefaultValueFactory = _ => "price" };
        var json = new Option<bool>("--json") { Description = "Print JSON, amounts in attoFIL." };
        var command = new Command("list", "List providers: resources, data sets, price") { miner, price, cpus, memory, gpus, gpu, data, image, rating, sort, json };
        options.AddTo(command, signs: false);
        command.SetAction(async (parsed, cancellation) =>
        {
            var sets = (parsed.GetValue(data) ?? []).ToLookup(d => !Data.Cids.Cid.TryParse(d, out _).IsError);
            var order = Order(parsed.GetValue(sort)!);
            var wish = new OfferWish
            {
                MaxPrice = parsed.GetValue(price) is { } text ? ChainCommandOptions.Price(text, "--price") : null,
                Cpus = parsed.GetValue(cpus),
                MemoryBytes = parsed.GetValue(memory) is { } size ? (ulong)Quantity.Memory(size, "--num_rams") : 0,
                Gpus = parsed.GetValue(gpus),
                GpuModel = parsed.GetValue(gpu) ?? "",
                Image = parsed.GetValue(image) ?? "",
                DataSets = [.. sets[true].Select(c => (ReadOnlyMemory<byte>)DatasetCommand.ParseCid(c).Bytes.ToArray())],
                File = sets[false].FirstOrDefault() ?? "",
                MinStars = parsed.GetValue(rating),
            };
            var network = options.Network(parsed);
            using var chain = network.Connect();
            var reader = new MarketReader(chain, network);
            if (parsed.GetValue(miner) is { } named)
            {
                wish = wish with { Provider = await ProviderCommand.FindAsync(options, parsed, network, reader, named, cancellation).ConfigureAwait(false) };
            }

            var all = await AllAsync(chain, network, reader, cancellation).ConfigureAwait(false);
            var found = order(OfferSearch.Find(all, wish)).ToList();
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(
                    found.Select(f => new
                    {
                        miner = f.Provider.Provider.MinerId == 0 ? null : ProviderCommand.Miner(f.Provider.Provider.MinerId, network),
                        endpoint = f.Provider.Provider.Endpoint,
                        stars = f.Rating.Stars,
                        ratings = f.Rating.Ratings,
                        payers = f.Rating.Payers,
                        offer = OfferCommand.Json(f.Offer),
                    }),
                    JsonSerializerOptions.Web));
            }
            else
            {
                Print(found, all.Count, network);
            }

            return found.Count > 0 ? ExitCodes.Success : ExitCodes.Failure;
        });
        return command;
    }

    /// <summary>All offers that stand, with their providers and ratings.</summary>
    internal static async Task<IReadOnlyList<FoundOffer>> AllAsync(ChainClient chain, Network network, MarketReader reader, CancellationToken cancellation)
    {
        var providers = await reader.GetProvidersAsync(default, cancellation).ConfigureAwait(false);
        var offers = await reader.GetOffersAsync(providers, default, cancellation).ConfigureAwait(false);
        var ratings = await RatingsAsync(chain, network, cancellation).ConfigureAwait(false);
        return [.. offers.Select(o => new FoundOffer(providers.First(p => p.Index == o.Provider), o, ProviderRating.Of(ratings.Where(r => r.Provider == o.Provider))))];
    }

    private static async Task<IReadOnlyList<ShaleMarket.LeaseRatedEvent>> RatingsAsync(ChainClient chain, Network network, CancellationToken cancellation)
    {
        try
        {
            var head = await chain.GetHeadAsync(cancellation).ConfigureAwait(false);
            var from = network.ChainId is Network.FilecoinChainId or Network.CalibrationChainId ? Math.Max(network.DeployedAt, head - Math.Min(head, RatingWindow)) : network.DeployedAt;
            return [.. (await new MarketEvents(chain, network).ReadRangeAsync(from, head, cancellation).ConfigureAwait(false)).Select(e => e.Event).OfType<ShaleMarket.LeaseRatedEvent>()];
        }
        catch (ChainException gone) when (gone.Kind == ChainErrorKind.Pruned)
        {
            // A list without stars is still a list.
            return [];
        }
    }

    private static Func<IReadOnlyList<FoundOffer>, IEnumerable<FoundOffer>> Order(string sort) => sort switch
    {
        "price" => found => found,
        "rating" => found => found.OrderByDescending(f => f.Rating.Stars),
        "cpus" => found => found.OrderByDescending(f => f.Offer.Offer.Resources.Cpus),
        "memory" => found => found.OrderByDescending(f => f.Offer.Offer.Resources.MemoryBytes),
        "gpus" => found => found.OrderByDescending(f => f.Offer.Offer.Resources.Gpus),
        _ => throw new CliError($"--sort={sort} is not known.", "Sort by price, rating, cpus, memory or gpus.", ExitCodes.Usage),
    };

    /// <summary>The table that people know: provider, a tree of resources, a tree of data sets, price.</summary>
    private static void Print(List<FoundOffer> found, int all, Network network)
    {
        if (found.Count == 0)
        {
            Console.Error.WriteLine(all == 0 ? $"shale: nobody offers anything on {network.Name}" : $"shale: none of {all} offers fits");
            return;
        }

        var rows = found.Select(f => (string[][])[Provider(f, network), Resources(f), DataSets(f), [Price(f)]]).ToList();
        string[] heads = ["PROVIDER", "AVAILABLE RESOURCES", "AVAILABLE DATA SETS", "PRICE"];
        var widths = heads.Select((h, c) => Math.Max(h.Length, rows.Max(r => r[c].Length == 0 ? 0 : r[c].Max(l => l.Length)))).ToArray();
        void Line(IEnumerable<string> cells) => Console.WriteLine(string.Join("  ", cells.Select((cell, c) => cell.PadRight(widths[c]))).TrimEnd());
        Line(heads);
        foreach (var row in rows)
        {
            for (var i = 0; i < row.Max(c => c.Length); i++)
            {
                Line(row.Select(c => i < c.Length ? c[i] : ""));
            }
        }
    }

    private static string[] Provider(FoundOffer found, Network network)
    {
        var provider = found.Provider.Provider;
        var name = provider.MinerId == 0 ? string.Create(CultureInfo.InvariantCulture, $"provider {found.Provider.Index}") : ProviderCommand.Miner(provider.MinerId, network) + (provider.MinerVerified ? "" : " (unconfirmed)");
        return
        [
            name,
            found.Rating.Ratings == 0 ? "no ratings" : string.Create(CultureInfo.InvariantCulture, $"{found.Rating.Stars:0.0} stars, {found.Rating.Payers} payers"),
            .. found.Offer.Offer.Region.Length == 0 ? Array.Empty<string>() : [ProviderCommand.Printable(found.Offer.Offer.Region)],
        ];
    }

    private static string[] Resources(FoundOffer found)
    {
        var has = found.Offer.Offer.Resources;
        string[] leaves =
        [
            string.Create(CultureInfo.InvariantCulture, $"CPU  {has.Cpus} cores"),
            $"RAM  {DatasetCommand.Size((long)Math.Min(has.MemoryBytes, long.MaxValue))}",
            has.Gpus == 0 ? "GPU  none" : string.Create(CultureInfo.InvariantCulture, $"GPU  {has.Gpus} × {ProviderCommand.Printable(has.GpuModel)}"),
            .. has.Bandwidth == 0 ? Array.Empty<string>() : [$"NET  {DatasetCommand.Size((long)Math.Min(has.Bandwidth, long.MaxValue))}/s"],
            .. found.Offer.Offer.Images.Count == 0 ? Array.Empty<string>() : [$"IMG  {string.Join(", ", found.Offer.Offer.Images.Select(i => ProviderCommand.Printable(i.Name)))}"],
        ];
        return Tree(string.Create(CultureInfo.InvariantCulture, $"offer {found.Offer.Id}"), leaves);
    }

    private static string[] DataSets(FoundOffer found) =>
        [.. found.Offer.Offer.DataSets.SelectMany(d => Tree(OfferCommand.CidText(d.Cid), [.. d.Files.Select(ProviderCommand.Printable)]))];

    private static string Price(FoundOffer found) => OfferCommand.Price(found.Offer.Offer.PricePerSecond).Replace("/min", "/MINUTE", StringComparison.Ordinal);

    private static string[] Tree(string root, string[] leaves) => [root, .. leaves.Select((l, i) => (i == leaves.Length - 1 ? "└─ " : "├─ ") + l)];
}
