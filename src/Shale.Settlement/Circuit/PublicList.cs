using System.Buffers.Binary;
using System.Text;
using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;
using Shale.Crypto;

namespace Shale.Settlement.Circuit;

/// <summary>
/// The list e of a settlement, known to circuit and contract alike, and the three public signals that stand for it
/// (docs/SETTLEMENT.md, "The statement"; to be kept in step with it and with contracts/src/lib/Transcript.sol).
/// </summary>
public static class PublicList
{
    /// <summary>Elements before the first slot's: domain, page key, old root, new root, paid.</summary>
    public const int HeaderLength = 5;

    /// <summary>Elements of a slot: its word, leaseId, Ax, Ay, deposit.</summary>
    public const int SlotLength = 5;

    /// <summary>The width of the sponge that commits to the list: five elements a permutation, just the header or just a slot.</summary>
    internal const int SpongeWidth = 6;

    private static readonly byte[] Tag = Encoding.ASCII.GetBytes("shale/settlement/v1");

    /// <summary>The list's length for a page.</summary>
    public static int Length(int slots) => HeaderLength + (SlotLength * slots);

    /// <summary>The sponge's first capacity element: the 19 bytes of the tag <c>shale/settlement/v1</c>, then the number of slots as 32 bits, read as one big-endian number.</summary>
    public static Fr Capacity(int slots)
    {
        Span<byte> bytes = stackalloc byte[Fr.Size];
        bytes.Clear();
        BinaryPrimitives.WriteUInt32BigEndian(bytes[^4..], (uint)slots);
        Tag.CopyTo(bytes[^(4 + Tag.Length)..]);
        return Fr.ReduceBigEndian(bytes);
    }

    /// <summary>C: the Poseidon sponge over the list.</summary>
    /// <exception cref="ArgumentException">The list is not that of the page.</exception>
    public static Fr Commit(int slots, ReadOnlySpan<Fr> list)
    {
        if (list.Length != Length(slots))
        {
            throw new ArgumentException($"{list.Length} elements where a page of {slots} slots has {Length(slots)}.", nameof(list));
        }

        Span<Fr> state = stackalloc Fr[SpongeWidth];
        state.Clear();
        state[0] = Capacity(slots);
        for (int at = 0; at < list.Length; at += SpongeWidth - 1)
        {
            for (int i = 1; i < SpongeWidth; i++)
            {
                state[i] += list[at + i - 1];
            }

            Poseidon.Permute(state);
        }

        return state[1];
    }

    /// <summary>r = Keccak-256(C ‖ e_0 ‖ …) mod p, each element as 32 bytes, most significant first.</summary>
    public static Fr Challenge(in Fr commitment, ReadOnlySpan<Fr> list)
    {
        var words = new byte[Fr.Size * (1 + list.Length)];
        commitment.ToBytesBigEndian(words);
        for (int i = 0; i < list.Length; i++)
        {
            list[i].ToBytesBigEndian(words.AsSpan(Fr.Size * (1 + i), Fr.Size));
        }

        return Fr.ReduceBigEndian(Keccak256.Hash(words));
    }

    /// <summary>d = Σ e_i·r^i.</summary>
    public static Fr Evaluate(ReadOnlySpan<Fr> list, in Fr point)
    {
        Fr sum = Fr.Zero;
        for (int i = list.Length - 1; i >= 0; i--)
        {
            sum = (sum * point) + list[i];
        }

        return sum;
    }
}
