using Shale.Chain;
using Shale.Chain.Contracts;
using Shale.Data.Cids;
using Shale.Operator.Orders;
using Xunit;

namespace Shale.Operator.Tests;

public sealed class AdmissionTests
{
    private static readonly Cid DataSet = Cid.Parse("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy");
    private static readonly Bytes32 Digest = Bytes32.Keccak("image"u8);
    private static readonly MachineCapacity Machine = new(8, 16UL << 30, 1);

    private static readonly Offer Offered = new(
        new Resources(8, 16UL << 30, 1, "NVIDIA H200", 10 << 20), 1000, 1, [new DataSet(DataSet.Bytes.ToArray(), 0, default, ["a"])], [new Image("shale/debian:12", Digest)], "DE");

    private static readonly Order Fair = Build();

    [Fact]
    public void Order_ThatFits_IsAcceptedWithWhatItAsksFor()
    {
        var lease = Decide(Fair with { Mounts = [new Mount(DataSet.Bytes.ToArray(), "/mnt/a"), new Mount(DataSet.Bytes.ToArray(), "x/y:/mnt/b")] });
        Assert.Equal(("", LeaseStage.Accepting), (lease.Reason, lease.Stage));
        Assert.Equal((2u, 1UL << 30, "1000"), (lease.Cpus, lease.MemoryBytes, lease.Price));
        Assert.Equal([DataSet.ToString(), $"{DataSet}/x/y"], lease.Mounts.Select(m => m.Source));
        Assert.Equal(["/mnt/a", "/mnt/b"], lease.Mounts.Select(m => m.Target));
    }

    [Fact]
    public void Order_ThatDoesNotFit_IsDeclinedWithItsReason()
    {
        void Refused(Order order, string reason) => Assert.Contains(reason, Decide(order).Reason, StringComparison.Ordinal);
        Refused(Fair with { Offer = 2 }, "offer 2 does not stand");
        Refused(Fair with { PriceLimit = 999 }, "below the offer's price of 1000");
        Refused(Fair with { Duration = 31 * 86400 }, "longer than");
        Refused(Fair with { ImageDigest = Bytes32.Keccak("other"u8) }, "is not in the offer");
        Refused(Fair with { Mounts = [new Mount(new byte[] { 1, 0x55, 0x12, 0 }, "/mnt/a")] }, "a data set that it mounts");
        Refused(Fair with { Mounts = [new Mount(DataSet.Bytes.ToArray(), "mnt/a")] }, "not an absolute path");
        Refused(Fair with { Mounts = [new Mount(DataSet.Bytes.ToArray(), "/mnt/a:rw")] }, "not an absolute path");
        Refused(Fair with { SshKeys = [] }, "no SSH key");
        Refused(Fair with { SshKeys = ["ssh-ed25519 AAAA\nroot"] }, "no SSH key");
        Refused(Fair with { Resources = Fair.Resources with { Cpus = 9 } }, "more than the offer has");
        Refused(Fair with { Resources = Fair.Resources with { GpuModel = "NVIDIA A100" } }, "the offer has 'NVIDIA H200'");
        Refused(Fair with { Resources = Fair.Resources with { Bandwidth = 11 << 20 } }, "more than the offer has");
    }

    /// <summary>Points that the contract lets through: on the curve, and of order 1, 2 or 8, or with a part of small order.</summary>
    [Theory]
    [InlineData("0", "1")]
    [InlineData("0", "21888242871839275222246405745257275088548364400416034343698204186575808495616")]
    [InlineData("995203441582195749578291179787384436505546430278305826713579947235728471134", "5472060717959818805561601436314318772137091100104008585924551046643952123905")] // circomlib's Generator
    public void PaymentKey_OutsideTheSubgroup_IsRefused(string x, string y)
    {
        var order = Fair with { Ax = System.Numerics.BigInteger.Parse(x), Ay = System.Numerics.BigInteger.Parse(y) };
        Assert.Contains("prime-order subgroup", Decide(order).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Orders_PastWhatTheMachineHas_AreDeclinedAndSayWhatIsFree()
    {
        var taken = Decide(Fair with { Resources = Fair.Resources with { Cpus = 7 } }) with { Stage = LeaseStage.Serving };
        var lease = Admission.Decide(Placed(2, Fair), Offers, [taken], Machine, TimeSpan.FromDays(30), false, i => i.Name);
        Assert.Contains("1 CPUs", lease.Reason, StringComparison.Ordinal);
        Assert.Equal(LeaseStage.Accepting, Admission.Decide(Placed(2, Fair), Offers, [taken with { Stage = LeaseStage.Closed }], Machine, TimeSpan.FromDays(30), false, i => i.Name).Stage);
        Assert.Contains("no new leases", Admission.Decide(Placed(2, Fair), Offers, [], Machine, TimeSpan.FromDays(30), true, i => i.Name).Reason, StringComparison.Ordinal);
    }

    private static IReadOnlyDictionary<uint, Offer> Offers { get; } = new Dictionary<uint, Offer> { [1] = Offered };

    private static OperatorLease Decide(Order order) => Admission.Decide(Placed(1, order), Offers, [], Machine, TimeSpan.FromDays(30), false, i => i.Name);

    private static PlacedOrder Placed(ulong id, Order order) => new(id, default, 100, 1, order);

    private static Order Build()
    {
        var key = new Shale.Bn254.BabyJubjub.EdDsaPrivateKey(new byte[32]).PublicKey.Point;
        return new Order(1, 1, 1000, 3600, key.X.ToBigInteger(), key.Y.ToBigInteger(), new Resources(2, 1UL << 30, 0, "", 0), Digest, ["ssh-ed25519 AAAA me"], []);
    }
}
