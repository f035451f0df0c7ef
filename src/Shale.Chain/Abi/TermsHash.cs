using Shale.Chain.Contracts;

namespace Shale.Chain.Abi;

/// <summary>What a client confirms: the Keccak-256 of <c>abi.encode(leaseId, terms)</c> (LeaseBook.sol).</summary>
public static class TermsHash
{
    /// <summary>The hash of a lease's terms.</summary>
    /// <param name="leaseId">The lease.</param>
    /// <param name="terms">As the client read and agrees to them.</param>
    public static Bytes32 Compute(ulong leaseId, Terms terms)
    {
        var number = AbiTypes.UInt<ulong>(64);
        var writer = new AbiWriter([]);
        var frame = writer.Begin(number.HeadSize + Terms.Codec.HeadSize);
        writer.Member(ref frame, number, leaseId);
        writer.Member(ref frame, Terms.Codec, terms);
        return Bytes32.Keccak(writer.ToArray());
    }
}
