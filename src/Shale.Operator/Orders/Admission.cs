using System.Globalization;
using System.Numerics;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Chain.Contracts;
using Shale.Data.Cids;
using Shale.Leases;
using Shale.Payments.Vouchers;
using Lease = Shale.Chain.Contracts.Lease;

namespace Shale.Operator.Orders;

/// <summary>Decides about an order: what it would be served with, or why not. Pure: the same order against the same book gives the same answer.</summary>
internal static class Admission
{
    // What an order that asks for nothing in particular is served with: enough for a shell and a script.
    private const uint DefaultCpus = 1;
    private const ulong DefaultMemory = 1UL << 30;

    /// <summary>A number that no counter of bytes a second reaches; above it an order is a mistake.</summary>
    private const ulong MaxBandwidth = 1UL << 40;

    /// <summary>Decides.</summary>
    /// <returns>The lease to accept, or the declined one with its reason.</returns>
    public static OperatorLease Decide(PlacedOrder placed, IReadOnlyDictionary<uint, Offer> offers, IEnumerable<OperatorLease> leases, MachineCapacity capacity, TimeSpan maxDuration, bool isDraining, Func<Image, string> imageReference)
    {
        var order = placed.Order;
        var mounts = new List<MountTerms>();
        var image = "";
        var payer = "";
        var price = UInt128.Zero;
        var (cpus, memory, gpus) = (Math.Max(order.Resources.Cpus, order.Resources.Cpus == 0 ? DefaultCpus : 0), order.Resources.MemoryBytes == 0 ? DefaultMemory : order.Resources.MemoryBytes, order.Resources.Gpus);
        var reason = Refusal();
        return new OperatorLease
        {
            Id = placed.LeaseId,
            Stage = reason is null ? LeaseStage.Accepting : LeaseStage.Declined,
            Reason = reason ?? "",
            Client = placed.Client.ToString(),
            Cpus = cpus,
            MemoryBytes = memory,
            Gpus = gpus,
            Bandwidth = (long)Math.Min(order.Resources.Bandwidth, MaxBandwidth),
            Image = image,
            SshKeys = order.SshKeys,
            Mounts = mounts,
            PayerKey = payer,
            Price = price.ToString(CultureInfo.InvariantCulture),
            Duration = order.Duration,
        };

        string? Refusal()
        {
            if (isDraining)
            {
                return "this provider takes no new leases now";
            }

            if (!offers.TryGetValue(order.Offer, out var offer))
            {
                return string.Create(CultureInfo.InvariantCulture, $"offer {order.Offer} does not stand");
            }

            price = offer.PricePerSecond;
            if (order.PriceLimit < price)
            {
                return string.Create(CultureInfo.InvariantCulture, $"its limit of {order.PriceLimit} attoFIL a second is below the offer's price of {price}");
            }

            if (order.Duration > maxDuration.TotalSeconds)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{order.Duration} s are longer than the {maxDuration.TotalSeconds} s that are leased at most");
            }

            if (price == 0 || !AttoFil.TryCreate(price, out _))
            {
                return "the offer has no price";
            }

            if (!TryReadPayer(order.Ax, order.Ay, out payer))
            {
                return "the payment key is not a point of BabyJubjub's prime-order subgroup: no voucher of it could be collected";
            }

            return Image(offer) ?? Mounts(offer) ?? Keys() ?? Resources(offer);
        }

        string? Image(Offer offer)
        {
            var found = offer.Images.FirstOrDefault(i => i.Digest == order.ImageDigest);
            image = found is null ? "" : imageReference(found);
            return found is null ? $"the image {order.ImageDigest} is not in the offer" : null;
        }

        string? Mounts(Offer offer)
        {
            foreach (var mount in order.Mounts)
            {
                if (ReadCid(mount.Cid) is not { } cid || offer.DataSets.All(d => ReadCid(d.Cid) != cid))
                {
                    return $"a data set that it mounts at {mount.Path} is not in the offer";
                }

                if (!TrySplit(mount.Path, out var inside, out var target))
                {
                    return $"'{mount.Path}' is not an absolute path in the container";
                }

                mounts.Add(new MountTerms { Source = inside.Length == 0 ? cid.ToString() : $"{cid}/{inside}", Target = target });
            }

            return null;
        }

        string? Keys() => order.SshKeys.Count == 0 || order.SshKeys.Any(k => k.Length == 0 || k.Any(char.IsControl)) ? "it names no SSH key, or one that is no line of authorized_keys" : null;

        string? Resources(Offer offer)
        {
            var asked = order.Resources;
            if (cpus > offer.Resources.Cpus || memory > offer.Resources.MemoryBytes || gpus > offer.Resources.Gpus || (offer.Resources.Bandwidth > 0 && asked.Bandwidth > offer.Resources.Bandwidth))
            {
                return "it asks for more than the offer has";
            }

            if (asked.GpuModel.Length > 0 && !asked.GpuModel.Equals(offer.Resources.GpuModel, StringComparison.OrdinalIgnoreCase))
            {
                return $"it asks for the GPU '{asked.GpuModel}', the offer has '{offer.Resources.GpuModel}'";
            }

            var open = leases.Where(l => l.IsOpen && l.Id != placed.LeaseId).ToList();
            var (usedCpus, usedMemory, usedGpus) = (open.Aggregate(0UL, (sum, l) => sum + l.Cpus), open.Aggregate(UInt128.Zero, (sum, l) => sum + l.MemoryBytes), open.Aggregate(0UL, (sum, l) => sum + l.Gpus));
            return usedCpus + cpus > capacity.Cpus || usedMemory + memory > capacity.MemoryBytes || usedGpus + gpus > capacity.Gpus
                ? string.Create(CultureInfo.InvariantCulture, $"the machine is taken: {Left(capacity.Cpus, usedCpus)} CPUs, {Left(capacity.MemoryBytes, usedMemory)} bytes of memory and {Left(capacity.Gpus, usedGpus)} GPUs are free")
                : null;
        }

        static UInt128 Left(UInt128 has, UInt128 used) => has > used ? has - used : 0;
    }

    /// <summary>Whether a record on chain is that of an order: after a reorganisation another one may have its number.</summary>
    public static bool IsOf(OperatorLease lease, Lease record) =>
        lease.Client == record.Client.ToString() && TryReadPayer(record.Ax, record.Ay, out var payer) && lease.PayerKey == payer;

    /// <summary>The compressed payment key of an order, hex; false where it could never pay.</summary>
    private static bool TryReadPayer(BigInteger ax, BigInteger ay, out string payer)
    {
        payer = "";
        if (ax >= Fr.Modulus || ay >= Fr.Modulus || ax.Sign < 0 || ay.Sign < 0)
        {
            return false;
        }

        var point = new BabyJubjubPoint(Fr.FromBigInteger(ax), Fr.FromBigInteger(ay));
        if (!EdDsaPublicKey.TryCreate(point, out var key) || !key.IsInSubgroup)
        {
            return false;
        }

        payer = key.ToString();
        return true;
    }

    private static Cid? ReadCid(ReadOnlyMemory<byte> bytes) => !Cid.TryRead(bytes.Span, out var cid, out var used).IsError && used == bytes.Length ? cid : null;

    /// <summary>A mount's place: <c>/in/container</c>, or <c>path/in/data/set:/in/container</c>.</summary>
    private static bool TrySplit(string text, out string inside, out string target)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        (inside, target) = colon < 0 ? ("", text) : (text[..colon].Trim('/'), text[(colon + 1)..]);
        return target.Length > 1 && target[0] == '/' && !target.Contains(':', StringComparison.Ordinal) && !text.Any(char.IsControl);
    }
}
