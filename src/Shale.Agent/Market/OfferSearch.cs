using System.Globalization;
using Shale.Chain.Contracts;
using Shale.Chain.Market;

namespace Shale.Agent.Market;

/// <summary>What a client looks for. 0, empty or null: whatever.</summary>
public sealed record OfferWish
{
    /// <summary>The provider's index.</summary>
    public uint? Provider { get; init; }

    /// <summary>attoFIL per second at most.</summary>
    public UInt128? MaxPrice { get; init; }

    /// <summary>CPU cores.</summary>
    public uint Cpus { get; init; }

    /// <summary>Bytes of memory.</summary>
    public ulong MemoryBytes { get; init; }

    /// <summary>GPUs.</summary>
    public uint Gpus { get; init; }

    /// <summary>Part of the GPU's name, "H200".</summary>
    public string GpuModel { get; init; } = "";

    /// <summary>Bytes a second each way.</summary>
    public ulong Bandwidth { get; init; }

    /// <summary>An image's name, or its digest as <c>sha256:…</c>.</summary>
    public string Image { get; init; } = "";

    /// <summary>Binary CIDs of data sets.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> DataSets { get; init; } = [];

    /// <summary>Part of a file's name in some data set.</summary>
    public string File { get; init; } = "";

    /// <summary>Stars at least, 1 to 5.</summary>
    public double MinStars { get; init; }
}

/// <summary>An offer and whose it is.</summary>
/// <param name="Provider">The provider.</param>
/// <param name="Offer">The offer.</param>
/// <param name="Rating">What its clients said.</param>
public sealed record FoundOffer(ProviderEntry Provider, OfferEntry Offer, ProviderRating Rating);

/// <summary>What a provider's clients said, weighted by what they really paid.</summary>
/// <param name="Stars">1 to 5; 0 without ratings.</param>
/// <param name="Ratings">How many ratings.</param>
/// <param name="Payers">How many distinct clients: one can rate itself up, many cost more.</param>
public readonly record struct ProviderRating(double Stars, int Ratings, int Payers)
{
    /// <summary>Sums up ratings of one provider.</summary>
    public static ProviderRating Of(IEnumerable<ShaleMarket.LeaseRatedEvent> ratings)
    {
        List<ShaleMarket.LeaseRatedEvent> all = [.. ratings];
        double weight = all.Sum(r => (double)r.Paid), stars = weight > 0 ? all.Sum(r => r.Stars * (double)r.Paid) / weight : 0;
        return new ProviderRating(stars, all.Count, all.Where(r => r.Paid > 0).Select(r => r.Client).Distinct().Count());
    }
}

/// <summary>Chooses among offers. Pure.</summary>
public static class OfferSearch
{
    /// <summary>The offers that fit, the best first: cheapest, then best rated.</summary>
    public static IReadOnlyList<FoundOffer> Find(IEnumerable<FoundOffer> offers, OfferWish wish) =>
        [.. offers.Where(o => WhyNot(o, wish) is null).OrderBy(o => o.Offer.Offer.PricePerSecond).ThenByDescending(o => o.Rating.Stars).ThenBy(o => o.Provider.Index)];

    /// <summary>Why an offer does not fit, in words; null where it does.</summary>
    public static string? WhyNot(FoundOffer found, OfferWish wish)
    {
        ArgumentNullException.ThrowIfNull(found);
        ArgumentNullException.ThrowIfNull(wish);
        Offer offer = found.Offer.Offer;
        Resources has = offer.Resources;
        return wish.Provider is { } provider && provider != found.Provider.Index ? "it is another provider's"
            : wish.MaxPrice is { } most && offer.PricePerSecond > most ? string.Create(CultureInfo.InvariantCulture, $"it costs {offer.PricePerSecond} attoFIL a second, more than {most}")
            : wish.Cpus > has.Cpus ? string.Create(CultureInfo.InvariantCulture, $"it has {has.Cpus} CPUs")
            : wish.MemoryBytes > has.MemoryBytes ? string.Create(CultureInfo.InvariantCulture, $"it has {has.MemoryBytes >> 20} MiB of memory")
            : wish.Gpus > has.Gpus ? string.Create(CultureInfo.InvariantCulture, $"it has {has.Gpus} GPUs")
            : wish.GpuModel.Length > 0 && !has.GpuModel.Contains(wish.GpuModel, StringComparison.OrdinalIgnoreCase) ? $"its GPUs are '{has.GpuModel}'"
            : has.Bandwidth > 0 && wish.Bandwidth > has.Bandwidth ? string.Create(CultureInfo.InvariantCulture, $"it has a bandwidth of {has.Bandwidth} bytes a second")
            : wish.Image.Length > 0 && ImageOf(offer, wish.Image) is null ? $"it has no image {wish.Image}{(offer.Images.Count == 0 ? "" : ", but " + string.Join(", ", offer.Images.Select(i => i.Name)))}"
            : wish.DataSets.Any(cid => !offer.DataSets.Any(d => d.Cid.Span.SequenceEqual(cid.Span))) ? "it does not hold the data set"
            : wish.File.Length > 0 && !offer.DataSets.Any(d => d.Files.Any(f => f.Contains(wish.File, StringComparison.OrdinalIgnoreCase))) ? $"no data set of it has a file '{wish.File}'"
            : found.Rating.Stars < wish.MinStars ? "its rating is lower"
            : null;
    }

    /// <summary>An image of an offer by its name, or by its digest as <c>sha256:…</c>; null where there is none.</summary>
    public static Image? ImageOf(Offer offer, string image)
    {
        ArgumentNullException.ThrowIfNull(offer);
        return offer.Images.FirstOrDefault(i => i.Name.Equals(image, StringComparison.OrdinalIgnoreCase) || "sha256:" + i.Digest.ToString()[2..] == image);
    }
}
