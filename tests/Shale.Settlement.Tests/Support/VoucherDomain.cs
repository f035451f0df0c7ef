using System.Text;
using Shale.Bn254.Fields;
using Shale.Crypto;

namespace Shale.Settlement.Tests.Support;

/// <summary>The voucher domain of a chain and contract: first 31 bytes of Keccak-256("shale/voucher/v1" ‖ chainId ‖ contract).</summary>
internal static class VoucherDomain
{
    public static Fr Of(ulong chainId, string contract)
    {
        byte[] bytes = [.. Encoding.ASCII.GetBytes("shale/voucher/v1"), .. new byte[24], .. BitConverter.GetBytes(chainId).Reverse(), .. Convert.FromHexString(contract[2..])];
        return Fr.ReduceBigEndian(Keccak256.Hash(bytes).AsSpan(0, 31));
    }
}
