using Shale.Bn254.Fields;

namespace Shale.Bn254.Poseidon;

/// <summary>
/// The Grain LFSR in self-shrinking mode that the Poseidon paper (eprint 2019/458, appendix E) and its authors' script
/// generate_parameters_grain.sage take all constants from: 80 bits of state, set up from the parameters, 160 bits thrown away.
/// </summary>
internal sealed class GrainLfsr
{
    private const int FieldBits = 254;

    // Bit i of the state is the bit that leaves i steps from now.
    private UInt128 _state;

    public GrainLfsr(int width, int fullRounds, int partialRounds)
    {
        int position = 0;
        Append(1, 2, ref position); // a prime field
        Append(0, 4, ref position); // the S-box is a power
        Append(FieldBits, 12, ref position);
        Append((uint)width, 12, ref position);
        Append((uint)fullRounds, 10, ref position);
        Append((uint)partialRounds, 10, ref position);
        Append(0x3FFFFFFF, 30, ref position);
        for (int i = 0; i < 160; i++)
        {
            _ = Step();
        }
    }

    /// <summary>The next element below the modulus; larger samples are passed over.</summary>
    public Fr NextRejecting()
    {
        Limbs4 sample;
        do
        {
            sample = NextSample();
        }
        while (!Limbs4.LessThan(sample, Montgomery<FrModulus>.Modulus));
        return Fr.FromMontgomeryLimbs(Montgomery<FrModulus>.FromCanonical(sample));
    }

    /// <summary>The next element, reduced modulo the prime: how the script draws the matrix.</summary>
    public Fr NextReduced() => Fr.FromMontgomeryLimbs(Montgomery<FrModulus>.FromCanonical(NextSample()));

    private void Append(uint value, int bits, ref int position)
    {
        for (int i = bits - 1; i >= 0; i--)
        {
            _state |= (UInt128)((value >> i) & 1) << position++;
        }
    }

    private Limbs4 NextSample()
    {
        ulong l0 = 0, l1 = 0, l2 = 0, l3 = 0;
        for (int i = 0; i < FieldBits; i++)
        {
            l3 = (l3 << 1) | (l2 >> 63);
            l2 = (l2 << 1) | (l1 >> 63);
            l1 = (l1 << 1) | (l0 >> 63);
            l0 = (l0 << 1) | NextBit();
        }

        return new Limbs4(l0, l1, l2, l3);
    }

    /// <summary>Of each pair of bits the second counts when the first is set.</summary>
    private ulong NextBit()
    {
        while (Step() == 0)
        {
            _ = Step();
        }

        return Step();
    }

    private ulong Step()
    {
        ulong low = (ulong)_state;
        ulong bit = (low ^ (low >> 13) ^ (low >> 23) ^ (low >> 38) ^ (low >> 51) ^ (low >> 62)) & 1;
        _state = (_state >> 1) | ((UInt128)bit << 79);
        return bit;
    }
}
