using System.Security.Cryptography;
using Shale.Payments.Vouchers;

namespace Shale.Payments.Policy;

/// <summary>What the chain says about a lease of this wallet; the agent believes nobody else on it.</summary>
public sealed record LeaseFacts
{
    /// <summary>The lease.</summary>
    public required ulong LeaseId { get; init; }

    /// <summary>EIP-155 chain ID.</summary>
    public required ulong ChainId { get; init; }

    /// <summary>The settlement contract, 20 bytes.</summary>
    public required ReadOnlyMemory<byte> Contract { get; init; }

    /// <summary>The provider's miner ID.</summary>
    public required string Provider { get; init; }

    /// <summary>The price that was confirmed.</summary>
    public required AttoFil PricePerSecond { get; init; }

    /// <summary>The deposit that is final.</summary>
    public required AttoFil Deposit { get; init; }

    /// <summary>SHA-256 of each host key blob that the provider registered.</summary>
    public required IReadOnlyList<ReadOnlyMemory<byte>> HostKeys { get; init; }

    /// <summary>The domain of its vouchers.</summary>
    public VoucherDomain Domain => VoucherDomain.Create(ChainId, Contract.Span);

    /// <summary>True when the blob is one of the provider's host keys.</summary>
    public bool IsHostKey(ReadOnlySpan<byte> blob)
    {
        byte[] digest = SHA256.HashData(blob);
        return HostKeys.Any(key => key.Span.SequenceEqual(digest));
    }
}

/// <summary>Where the agent looks leases up; from memory, at once.</summary>
public interface ILeaseFacts
{
    /// <summary>The facts; null for a lease that the chain doesn't show as this wallet's, active or closing.</summary>
    LeaseFacts? Find(ulong leaseId);
}
