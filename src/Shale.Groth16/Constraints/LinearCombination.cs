using Shale.Bn254.Fields;

namespace Shale.Groth16.Constraints;

/// <summary>
/// Σ coefficient·wire over strictly increasing wires; wire 0 is the constant one. Immutable. This is one side of a rank-1
/// constraint, and what an addition inside a circuit makes: additions never become constraints of their own.
/// </summary>
internal sealed class LinearCombination
{
    public static readonly LinearCombination Zero = new([], []);

    private readonly int[] _wires;
    private readonly Fr[] _coefficients;

    /// <summary>Takes both arrays over; wires strictly increase.</summary>
    public LinearCombination(int[] wires, Fr[] coefficients)
    {
        _wires = wires;
        _coefficients = coefficients;
    }

    public int Count => _wires.Length;

    public ReadOnlySpan<int> Wires => _wires;

    public ReadOnlySpan<Fr> Coefficients => _coefficients;

    public static LinearCombination OfWire(int wire) => new([wire], [Fr.One]);

    public static LinearCombination OfConstant(in Fr value) => value.IsZero ? Zero : new([0], [value]);

    /// <summary>a + scale·b; terms that cancel are dropped.</summary>
    public static LinearCombination AddScaled(LinearCombination a, LinearCombination b, in Fr scale)
    {
        if (b.Count == 0 || scale.IsZero)
        {
            return a;
        }

        var wires = new int[a.Count + b.Count];
        var coefficients = new Fr[a.Count + b.Count];
        int i = 0, j = 0, n = 0;
        while (i < a.Count || j < b.Count)
        {
            bool takeA = j == b.Count || (i < a.Count && a._wires[i] <= b._wires[j]);
            bool takeB = i == a.Count || (j < b.Count && b._wires[j] <= a._wires[i]);
            int wire = takeA ? a._wires[i] : b._wires[j];
            Fr sum = takeA ? a._coefficients[i++] : Fr.Zero;
            if (takeB)
            {
                sum += scale * b._coefficients[j++];
            }

            if (!sum.IsZero)
            {
                wires[n] = wire;
                coefficients[n++] = sum;
            }
        }

        if (n != wires.Length)
        {
            Array.Resize(ref wires, n);
            Array.Resize(ref coefficients, n);
        }

        return new LinearCombination(wires, coefficients);
    }

    public LinearCombination Scale(in Fr scale)
    {
        if (scale.IsZero)
        {
            return Zero;
        }

        var coefficients = new Fr[Count];
        for (int i = 0; i < coefficients.Length; i++)
        {
            coefficients[i] = scale * _coefficients[i];
        }

        return new LinearCombination(_wires, coefficients);
    }
}
