using System.Diagnostics.CodeAnalysis;
using Shale.Bn254.BabyJubjub;

namespace Shale.Payments.Vouchers;

/// <summary>
/// A voucher with 64 bytes that claim to be its signature; <see cref="Verify"/> tells. Encoded: 115 bytes, the voucher's 51,
/// then the signature. Immutable; equality is that of the bytes.
/// </summary>
public sealed class SignedVoucher : IEquatable<SignedVoucher>
{
    /// <summary>Bytes of an encoded signed voucher.</summary>
    public const int Size = Voucher.Size + EdDsaSignature.Size;

    private readonly byte[] _bytes;

    private SignedVoucher(byte[] bytes, in Voucher voucher)
    {
        _bytes = bytes;
        Voucher = voucher;
    }

    /// <summary>The voucher.</summary>
    public Voucher Voucher { get; }

    /// <summary>The encoding.</summary>
    public ReadOnlyMemory<byte> Bytes => _bytes;

    /// <summary>R8 ‖ S, 64 bytes, not checked.</summary>
    public ReadOnlySpan<byte> Signature => _bytes.AsSpan(Voucher.Size);

    /// <summary>Reads 115 bytes; false for another length. The signature is neither parsed nor verified.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out SignedVoucher? voucher)
    {
        voucher = null;
        if (bytes.Length != Size || !Voucher.TryRead(bytes[..Voucher.Size], out Voucher content))
        {
            return false;
        }

        voucher = new SignedVoucher(bytes.ToArray(), content);
        return true;
    }

    /// <summary>True when the payment key signed this voucher for this contract.</summary>
    public bool Verify(EdDsaPublicKey payer, in VoucherDomain domain) =>
        EdDsaSignature.TryRead(Signature, out EdDsaSignature signature) &&
        EdDsa.Verify(payer, Voucher.Message(domain), signature);

    /// <inheritdoc/>
    public bool Equals(SignedVoucher? other) => other is not null && _bytes.AsSpan().SequenceEqual(other._bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SignedVoucher);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(_bytes);
        return hash.ToHashCode();
    }

    /// <summary>Lease and amount.</summary>
    public override string ToString() => $"lease {Voucher.LeaseId}: {Voucher.Cumulative} attoFIL";
}
