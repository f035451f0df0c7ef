using Shale.Agent.Market;
using Shale.Chain;
using Shale.Chain.Contracts;
using Shale.Chain.Market;
using Xunit;

namespace Shale.Agent.Tests.Market;

public sealed class OfferSearchTests
{
    private static readonly byte[] Set = [1, 0x55, 0x12, 0];

    private static readonly OfferWish Fair = new()
    {
        Cpus = 4, MemoryBytes = 8UL << 30, Gpus = 1, GpuModel = "h200", Image = "CUDA-ubuntu18.04", DataSets = [Set], File = "TRAIN", MaxPrice = 100, Bandwidth = 1 << 20, MinStars = 4,
    };

    [Fact]
    public void Offers_ThatFit_ComeCheapestFirstThenBestRated()
    {
        FoundOffer[] all = [Offer(1, 100, 4.5), Offer(2, 90, 4), Offer(3, 100, 5), Offer(4, 101, 5), Offer(5, 80, 3.9)];
        Assert.Equal([2u, 3u, 1u], OfferSearch.Find(all, Fair).Select(o => o.Provider.Index));
        Assert.Equal([3u], OfferSearch.Find(all, Fair with { Provider = 3 }).Select(o => o.Provider.Index));
    }

    [Fact]
    public void Offer_ThatDoesNotFit_SaysWhy()
    {
        void Not(OfferWish wish, string why) => Assert.Contains(why, OfferSearch.WhyNot(Offer(1, 100, 4), wish), StringComparison.Ordinal);
        Assert.Null(OfferSearch.WhyNot(Offer(1, 100, 4), Fair));
        Not(Fair with { MaxPrice = 99 }, "costs 100 attoFIL a second, more than 99");
        Not(Fair with { Cpus = 9 }, "8 CPUs");
        Not(Fair with { MemoryBytes = 17UL << 30 }, "16384 MiB");
        Not(Fair with { Gpus = 2 }, "1 GPUs");
        Not(Fair with { GpuModel = "A100" }, "'NVIDIA H200'");
        Not(Fair with { Bandwidth = 11 << 20 }, "bandwidth");
        Not(Fair with { Image = "debian" }, "has no image debian, but cuda-ubuntu18.04");
        Not(Fair with { DataSets = [new byte[] { 1, 0x55, 0x12, 1, 0 }] }, "does not hold the data set");
        Not(Fair with { File = "cifar" }, "'cifar'");
        Not(Fair with { MinStars = 4.5 }, "rating");
        Not(Fair with { Provider = 2 }, "another provider's");
    }

    [Fact]
    public void Image_ByItsDigest_IsTheSameImage() =>
        Assert.Equal("cuda-ubuntu18.04", OfferSearch.ImageOf(Offer(1, 1, 0).Offer.Offer, "sha256:" + Bytes32.Keccak("image"u8).ToString()[2..])!.Name);

    [Fact]
    public void Ratings_AreWeighedByWhatWasPaid_AndCountDistinctPayers()
    {
        Address one = Address.Parse("0x0000000000000000000000000000000000000001"), two = Address.Parse("0x0000000000000000000000000000000000000002");
        ShaleMarket.LeaseRatedEvent[] ratings = [new(1, 1, one, 5, 900, ""), new(2, 1, one, 1, 100, ""), new(3, 1, two, 1, 0, "")];
        var rating = ProviderRating.Of(ratings);
        Assert.Equal((4.6, 3, 1), (Math.Round(rating.Stars, 6), rating.Ratings, rating.Payers));
        Assert.Equal(new ProviderRating(0, 0, 0), ProviderRating.Of([]));
    }

    private static FoundOffer Offer(uint provider, ulong price, double stars) => new(
        new ProviderEntry(provider, new ShaleRegistry.Provider(default, default, default, 0, false, 1, "host:22", [])),
        new OfferEntry(provider, 1, new Offer(
            new Resources(8, 16UL << 30, 1, "NVIDIA H200", 10 << 20), price, 1,
            [new DataSet(Set, 0, default, ["train-images.gz"])], [new Image("cuda-ubuntu18.04", Bytes32.Keccak("image"u8))], "DE")),
        new ProviderRating(stars, 1, 1));
}
