using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;

namespace Shale.Payments.Vouchers;

/// <summary>Verifies batches of vouchers one after the other in memory that it keeps. Not safe for use from several threads at once.</summary>
public sealed class VoucherVerifier
{
    private readonly EdDsaBatch _batch;
    private readonly byte[] _encoded;
    private readonly bool[] _readable;
    private readonly EdDsaSignature[] _signatures;
    private readonly Fr[] _inputs;
    private readonly Fr[] _messages;
    private readonly EdDsaBatchEntry[] _entries;

    /// <summary>Takes the memory for batches of at most so many vouchers.</summary>
    public VoucherVerifier(int capacity)
    {
        _batch = new EdDsaBatch(capacity);
        var block = Math.Min(capacity, EdDsaBatch.BlockSize);
        (_encoded, _readable, _signatures) = (new byte[block * EdDsaSignature.Size], new bool[block], new EdDsaSignature[block]);
        (_inputs, _messages, _entries) = (new Fr[block * Voucher.MessageInputs], new Fr[block], new EdDsaBatchEntry[block]);
    }

    /// <summary>True when every signature is good: what <see cref="SignedVoucher.Verify"/> says of each. One random linear combination of all.</summary>
    /// <exception cref="ArgumentException">They are more than there is memory for.</exception>
    public bool Verify(ReadOnlySpan<VoucherCheck> checks)
    {
        _batch.Clear();
        for (; !checks.IsEmpty; checks = checks[Math.Min(checks.Length, EdDsaBatch.BlockSize)..])
        {
            ReadOnlySpan<VoucherCheck> block = checks[..Math.Min(checks.Length, EdDsaBatch.BlockSize)];
            Prepare(block);
            if (_readable.AsSpan(0, block.Length).Contains(false))
            {
                return false;
            }

            _batch.Add(_entries.AsSpan(0, block.Length));
        }

        return _batch.Verify();
    }

    /// <summary>Adds to the lists what can be read of a block, with its positions, and the positions of the rest to <paramref name="unreadable"/>.</summary>
    internal void Read(ReadOnlySpan<VoucherCheck> checks, List<EdDsaBatchEntry> entries, List<int> positions, List<int> unreadable)
    {
        for (int start = 0; start < checks.Length; start += EdDsaBatch.BlockSize)
        {
            ReadOnlySpan<VoucherCheck> block = checks[start..Math.Min(checks.Length, start + EdDsaBatch.BlockSize)];
            Prepare(block);
            for (int i = 0; i < block.Length; i++)
            {
                if (_readable[i])
                {
                    entries.Add(_entries[i]);
                    positions.Add(start + i);
                }
                else
                {
                    unreadable.Add(start + i);
                }
            }
        }
    }

    private void Prepare(ReadOnlySpan<VoucherCheck> checks)
    {
        for (int i = 0; i < checks.Length; i++)
        {
            checks[i].Voucher.Signature.CopyTo(_encoded.AsSpan(EdDsaSignature.Size * i));
            checks[i].Voucher.Voucher.WriteMessageInputs(checks[i].Domain, _inputs.AsSpan(Voucher.MessageInputs * i));
        }

        EdDsaSignature.ReadMany(_encoded.AsSpan(0, EdDsaSignature.Size * checks.Length), _signatures.AsSpan(0, checks.Length), _readable.AsSpan(0, checks.Length));
        Poseidon.HashMany(_inputs.AsSpan(0, Voucher.MessageInputs * checks.Length), Voucher.MessageInputs, _messages.AsSpan(0, checks.Length));
        for (int i = 0; i < checks.Length; i++)
        {
            _entries[i] = new EdDsaBatchEntry(checks[i].Payer, _messages[i], _signatures[i]);
        }
    }
}
