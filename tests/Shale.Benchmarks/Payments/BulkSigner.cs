using System.Security.Cryptography;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;
using Shale.Payments.Vouchers;

namespace Shale.Benchmarks.Payments;

/// <summary>
/// Signs many vouchers of one lease at once, for logs to measure with: some five times as fast as an agent, because nothing here is
/// secret. Scalars are hashes of numbers, points are multiplied and hashed in the time that they take, inversions are shared.
/// </summary>
internal sealed class BulkSigner
{
    private readonly ulong _lease;
    private readonly VoucherDomain _domain;
    private readonly BabyJubjubScalar _timesEight;

    public BulkSigner(ulong lease, in VoucherDomain domain)
    {
        (_lease, _domain) = (lease, domain);
        var scalar = Scalar("key", lease, 0);
        _timesEight = scalar * BabyJubjubScalar.FromUInt128(8);
        PublicKey = EdDsaPublicKey.TryCreate(FixedBase.Multiply(scalar).ToAffine(), out var key) ? key : throw new InvalidOperationException("The key has order 1.");
    }

    public EdDsaPublicKey PublicKey { get; }

    /// <summary>Signs vouchers of this lease; their statements tell the nonces apart.</summary>
    public SignedVoucher[] Sign(ReadOnlySpan<Voucher> vouchers)
    {
        var (nonces, commitments, inverses) = (new BabyJubjubScalar[vouchers.Length], new ExtendedPoint[vouchers.Length], new Fr[vouchers.Length]);
        var (inputs, messages) = (new Fr[vouchers.Length * Voucher.MessageInputs], new Fr[vouchers.Length]);
        for (var i = 0; i < vouchers.Length; i++)
        {
            nonces[i] = Scalar(vouchers[i].Statement.ToString(), _lease, i);
            commitments[i] = FixedBase.Multiply(nonces[i]);
            inverses[i] = commitments[i].Z;
            vouchers[i].WriteMessageInputs(_domain, inputs.AsSpan(i * Voucher.MessageInputs));
        }

        Fr.BatchInverse(inverses);
        Poseidon.HashMany(inputs, Voucher.MessageInputs, messages);
        var points = new BabyJubjubPoint[vouchers.Length];
        inputs = new Fr[vouchers.Length * 5];
        for (var i = 0; i < vouchers.Length; i++)
        {
            points[i] = commitments[i].ToAffine(inverses[i]);
            Fr[] input = [points[i].X, points[i].Y, PublicKey.Point.X, PublicKey.Point.Y, messages[i]];
            input.CopyTo(inputs, i * 5);
        }

        var challenges = new Fr[vouchers.Length];
        Poseidon.HashMany(inputs, 5, challenges);
        var signed = new SignedVoucher[vouchers.Length];
        Span<byte> bytes = stackalloc byte[SignedVoucher.Size];
        for (var i = 0; i < vouchers.Length; i++)
        {
            vouchers[i].Write(bytes);
            new EdDsaSignature(points[i], nonces[i] + (BabyJubjubScalar.FromFr(challenges[i]) * _timesEight)).Write(bytes[Voucher.Size..]);
            signed[i] = SignedVoucher.TryRead(bytes, out var voucher) ? voucher : throw new InvalidOperationException("A voucher just written can be read.");
        }

        return signed;
    }

    private static BabyJubjubScalar Scalar(string label, ulong lease, int number) =>
        BabyJubjubScalar.ReduceLittleEndian(SHA512.HashData(System.Text.Encoding.UTF8.GetBytes(FormattableString.Invariant($"benchmark {label} {lease} {number}"))));
}
