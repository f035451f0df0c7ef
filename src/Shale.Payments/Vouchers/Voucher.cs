using System.Buffers.Binary;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;

namespace Shale.Payments.Vouchers;

/// <summary>A promise to pay: everything owed so far on a lease. Only the newest counts. Encoded: 51 bytes.</summary>
/// <param name="LeaseId">The lease's number in its contract, never reused.</param>
/// <param name="Cumulative">Everything owed on the lease so far; never less than before.</param>
/// <param name="Statement">The meter statement that the amount answers.</param>
public readonly record struct Voucher(ulong LeaseId, AttoFil Cumulative, StatementDigest Statement)
{
    /// <summary>Bytes of an encoded voucher without its signature.</summary>
    public const int Size = 8 + AttoFil.Size + StatementDigest.Size;

    internal const int MessageInputs = 4;

    /// <summary>Reads <see cref="Size"/> bytes; every such string is a voucher. False for another length.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out Voucher voucher)
    {
        voucher = default;
        if (bytes.Length != Size)
        {
            return false;
        }

        voucher = new Voucher(
            BinaryPrimitives.ReadUInt64BigEndian(bytes),
            AttoFil.Read(bytes.Slice(8, AttoFil.Size)),
            new StatementDigest(bytes.Slice(8 + AttoFil.Size, StatementDigest.Size)));
        return true;
    }

    /// <summary>Writes <see cref="Size"/> bytes: lease ID, cumulative amount, digest.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, LeaseId);
        Cumulative.Write(destination.Slice(8, AttoFil.Size));
        Statement.Write(destination.Slice(8 + AttoFil.Size, StatementDigest.Size));
    }

    /// <summary>What is signed: Poseidon(domain, leaseId, cumulative, statement).</summary>
    public Fr Message(in VoucherDomain domain)
    {
        Span<Fr> inputs = stackalloc Fr[MessageInputs];
        WriteMessageInputs(domain, inputs);
        return Poseidon.Hash(inputs);
    }

    internal void WriteMessageInputs(in VoucherDomain domain, Span<Fr> inputs)
    {
        inputs[0] = domain.Element;
        inputs[1] = Fr.FromUInt64(LeaseId);
        inputs[2] = Fr.FromUInt128(Cumulative.Value);
        inputs[3] = Statement.ToFieldElement();
    }

    /// <summary>Signs with a payment key.</summary>
    public SignedVoucher Sign(EdDsaPrivateKey key, in VoucherDomain domain)
    {
        Span<byte> bytes = stackalloc byte[SignedVoucher.Size];
        Write(bytes);
        key.Sign(Message(domain)).Write(bytes[Size..]);
        return SignedVoucher.TryRead(bytes, out SignedVoucher? signed)
            ? signed
            : throw new InvalidOperationException("A voucher just written can be read.");
    }
}
