using System.CommandLine;
using System.Globalization;
using System.Text.RegularExpressions;
using Shale.Chain;
using Shale.Chain.Contracts;
using Shale.Cli.Commands;
using Shale.Containers.Engine;
using Shale.Containers.Probes;
using Shale.Data.Cids;
using Shale.Data.Store;
using Shale.Data.UnixFs;

namespace Shale.Cli.Parsing;

/// <summary>What an offer is made of: what the machine has, unless it is told otherwise.</summary>
internal sealed partial class OfferOptions
{
    /// <summary>The contract's bound on an encoded offer, less its place in the call.</summary>
    private const int MaxOffer = 6144;

    /// <summary>Names of files that an offer lists of one data set at most; the provider tells the others over SSH.</summary>
    private const int MaxFiles = 32;

    /// <summary>The least deposit where none is given: ten minutes, so that a settlement is worth its gas.</summary>
    private const int DefaultDepositSeconds = 600;

    private readonly Option<string> _price = new("--price") { Description = "What the lease of all of it costs: 0.01fil/min.", Required = true };
    private readonly Option<string?> _deposit = new("--min_deposit", "--min-deposit") { Description = "What a client deposits at least. Default: ten minutes." };
    private readonly Option<uint?> _cpus = new("--num_cpus", "--num-cpus") { Description = "CPU cores. Default: those of this machine." };
    private readonly Option<string?> _memory = new("--num_rams", "--num-rams") { Description = "Memory: 12Gi. Default: that of this machine." };
    private readonly Option<uint?> _gpus = new("--num_gpus", "--num-gpus") { Description = "GPUs. Default: those of this machine." };
    private readonly Option<string?> _gpuModel = new("--gpu_model", "--gpu-model") { Description = "The GPUs' model. Default: as the driver names it." };
    private readonly Option<string> _bandwidth = new("--bandwidth") { Description = "Each way: 1Mi (MiB a second) or 8Mbps.", DefaultValueFactory = _ => "10Mi" };
    private readonly Option<string[]> _datasets = new("--dataset") { Description = "A data set of the store, by CID, or all. May be given often.", AllowMultipleArgumentsPerToken = false };
    private readonly Option<string[]> _images = new("--image") { Description = "A container image: NAME=DOCKER_IMAGE, or the image alone. May be given often.", AllowMultipleArgumentsPerToken = false };
    private readonly Option<string> _region = new("--region") { Description = "ISO 3166: DE, US-CA.", DefaultValueFactory = _ => "" };
    private readonly Option<string> _store = DatasetCommand.StoreOption();

    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _price, _deposit, _cpus, _memory, _gpus, _gpuModel, _bandwidth, _datasets, _images, _region, _store })
        {
            command.Options.Add(option);
        }
    }

    /// <summary>The offer, and how Docker starts each of its images.</summary>
    public async Task<(Offer Offer, IReadOnlyList<LocalImage> Images)> ReadAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var price = ChainCommandOptions.Price(parsed.GetValue(_price)!, "--price");
        var deposit = parsed.GetValue(_deposit) is { } least ? ChainCommandOptions.Amount(least, "--min_deposit") : price * DefaultDepositSeconds;
        var region = parsed.GetValue(_region)!;
        if (region.Length > 0 && !Iso3166().IsMatch(region))
        {
            throw new CliError($"--region={region} is not a region.", "Write ISO 3166 codes: DE, US-CA.", ExitCodes.Usage);
        }

        var host = await HostResources.ReadAsync(parsed.GetValue(_store)!, cancellation).ConfigureAwait(false);
        var gpus = parsed.GetValue(_gpus) ?? (uint)host.Gpus.Count;
        if (parsed.GetValue(_cpus) > host.Cpus || gpus > host.Gpus.Count)
        {
            Console.Error.WriteLine($"shale: this machine has {host.Cpus} CPUs and {host.Gpus.Count} GPUs; the offer says more");
        }

        var resources = new Resources(
            parsed.GetValue(_cpus) ?? (uint)host.Cpus,
            parsed.GetValue(_memory) is { } memory ? (ulong)Quantity.Memory(memory, "--num_rams") : (ulong)host.MemoryBytes,
            gpus,
            gpus == 0 ? "" : parsed.GetValue(_gpuModel) ?? (host.Gpus.Count > 0 ? host.Gpus[0].Name : ""),
            (ulong)Quantity.Bandwidth(parsed.GetValue(_bandwidth)!, "--bandwidth"));
        var images = new List<Image>();
        var local = new List<LocalImage>();
        foreach (var text in parsed.GetValue(_images) ?? [])
        {
            var equals = text.IndexOf('=', StringComparison.Ordinal);
            var found = await FindImageAsync(equals < 0 ? text : text[(equals + 1)..], cancellation).ConfigureAwait(false);
            images.Add(new Image(equals < 0 ? text : text[..equals], new Bytes32(found.Digest.Span)));
            local.Add(found);
        }

        return (Fit(new Offer(resources, price, deposit, [.. DataSets(parsed)], images, region)), local);
    }

    private static async Task<LocalImage> FindImageAsync(string image, CancellationToken cancellation)
    {
        try
        {
            return await LocalImage.FindAsync(EngineEndpoint.FromEnvironment(), image, cancellation).ConfigureAwait(false);
        }
        catch (EngineException missing) when (missing.Failure == EngineFailure.NotFound)
        {
            throw new CliError(missing.Message, null, ExitCodes.NoInput);
        }
    }

    private IEnumerable<DataSet> DataSets(ParseResult parsed)
    {
        string[] named = parsed.GetValue(_datasets) ?? [];
        if (named.Length == 0)
        {
            yield break;
        }

        var store = DatasetCommand.OpenStore(parsed.GetValue(_store)!);
        IEnumerable<Dataset> found = named is ["all"] ? store.List() : named.Select(n => DatasetCommand.Value(store.Find(DatasetCommand.ParseCid(n))));
        foreach (var dataset in found)
        {
            var piece = dataset.Manifest.Piece;
            var pieceCid = piece?.CidV2 ?? piece?.CidV1;
            string[] files = [.. dataset.Entries().Where(e => e.Kind != EntryKind.Directory).Select(e => e.Path.Length == 0 ? dataset.Manifest.Name : e.Path).Order(StringComparer.Ordinal).Take(MaxFiles)];
            yield return new DataSet(
                dataset.Cid.Bytes.ToArray(),
                ulong.TryParse(piece?.Deal, NumberStyles.None, CultureInfo.InvariantCulture, out var deal) ? deal : 0,
                pieceCid is null ? ReadOnlyMemory<byte>.Empty : Cid.Parse(pieceCid).Bytes.ToArray(),
                files);
        }
    }

    /// <summary>Leaves out names of files, the longest lists first, until the contract takes the offer.</summary>
    private static Offer Fit(Offer offer)
    {
        var left = 0;
        while (Size(offer) > MaxOffer)
        {
            var longest = offer.DataSets.MaxBy(d => d.Files.Count);
            if (longest is null || longest.Files.Count == 0)
            {
                throw new CliError($"The offer has {offer.DataSets.Count} data sets and {offer.Images.Count} images: more than the contract takes ({MaxOffer} bytes).", "Put several offers.", ExitCodes.Usage);
            }

            var keep = longest.Files.Count / 2;
            left += longest.Files.Count - keep;
            offer = offer with { DataSets = [.. offer.DataSets.Select(d => ReferenceEquals(d, longest) ? d with { Files = [.. d.Files.Take(keep)] } : d)] };
        }

        if (left > 0)
        {
            Console.Error.WriteLine($"shale: {left} names of files are not in the offer, which takes {MaxOffer} bytes; clients see them in the container");
        }

        return offer;
    }

    // Selector and three words stand before the offer in the call.
    private static int Size(Offer offer) => new ShaleRegistry.PutOfferCall(1, 0, offer).Encode().Length - 4 - (3 * 32) + 32;

    [GeneratedRegex("^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
    private static partial Regex Iso3166();
}
