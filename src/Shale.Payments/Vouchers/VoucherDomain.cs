using System.Buffers.Binary;
using Shale.Bn254.Fields;
using Shale.Crypto;

namespace Shale.Payments.Vouchers;

/// <summary>
/// What ties a voucher to one settlement contract on one chain: the first 31 bytes of
/// Keccak-256("shale/voucher/v1" ‖ chain ID as 32 bytes big-endian ‖ contract, 20 bytes), as a field element.
/// </summary>
/// <param name="Element">The element.</param>
public readonly record struct VoucherDomain(Fr Element)
{
    /// <summary>Bytes of a contract's address.</summary>
    public const int ContractSize = 20;

    /// <summary>The domain of a contract.</summary>
    /// <param name="chainId">EIP-155 chain ID.</param>
    /// <param name="contract">The settlement contract's address, 20 bytes.</param>
    /// <exception cref="ArgumentException">The address has another length.</exception>
    public static VoucherDomain Create(ulong chainId, ReadOnlySpan<byte> contract)
    {
        if (contract.Length != ContractSize)
        {
            throw new ArgumentException("A contract's address has 20 bytes.", nameof(contract));
        }

        ReadOnlySpan<byte> tag = "shale/voucher/v1"u8;
        Span<byte> input = stackalloc byte[16 + 32 + ContractSize];
        input.Clear();
        tag.CopyTo(input);
        BinaryPrimitives.WriteUInt64BigEndian(input[40..], chainId);
        contract.CopyTo(input[48..]);
        Span<byte> hash = stackalloc byte[Keccak256.HashSize];
        Keccak256.Hash(input, hash);
        return new VoucherDomain(Fr.ReduceBigEndian(hash[..31]));
    }
}
