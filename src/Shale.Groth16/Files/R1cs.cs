using System.Runtime.InteropServices;
using Shale.Bn254.Fields;

namespace Shale.Groth16.Files;

/// <summary>One term of a linear combination: wire number and the index of its coefficient in <see cref="R1cs.Coefficients"/>.</summary>
/// <param name="Wire">0 is the constant one.</param>
/// <param name="Coefficient">Index into <see cref="R1cs.Coefficients"/>.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct R1csTerm(int Wire, int Coefficient);

/// <summary>
/// A rank-1 constraint system over Fr: constraint i says ⟨A_i, w⟩·⟨B_i, w⟩ = ⟨C_i, w⟩ for the wires w. Wire 0 is the constant one; the
/// public outputs follow, then the public inputs, then the private inputs, then everything else (the layout of iden3's .r1cs).
/// Few coefficients differ in a real circuit, so a term holds an index (8 bytes a term instead of 36).
/// Built by <see cref="R1csBuilder"/> or read by <see cref="R1csFile"/>; immutable.
/// </summary>
public sealed class R1cs
{
    internal R1cs(
        int wires, int outputs, int publicInputs, int privateInputs, Fr[] coefficients, R1csMatrix a, R1csMatrix b, R1csMatrix c, ulong[]? labels)
    {
        WireCount = wires;
        OutputCount = outputs;
        PublicInputCount = publicInputs;
        PrivateInputCount = privateInputs;
        Coefficients = coefficients;
        A = a;
        B = b;
        C = c;
        Labels = labels;
    }

    /// <summary>All wires, the constant one included.</summary>
    public int WireCount { get; }

    /// <summary>Public outputs: wires 1 to this.</summary>
    public int OutputCount { get; }

    /// <summary>Public inputs: the wires after the outputs.</summary>
    public int PublicInputCount { get; }

    /// <summary>Private inputs: the wires after the public inputs (informative; the proof system does not tell them from other private wires).</summary>
    public int PrivateInputCount { get; }

    /// <summary>Outputs and public inputs together: the length of a proof's public.json.</summary>
    public int PublicCount => OutputCount + PublicInputCount;

    /// <summary>The number of constraints.</summary>
    public int ConstraintCount => A.RowCount;

    /// <summary>The distinct coefficients that the terms point to.</summary>
    public IReadOnlyList<Fr> Coefficients { get; }

    /// <summary>The left factors.</summary>
    public R1csMatrix A { get; }

    /// <summary>The right factors.</summary>
    public R1csMatrix B { get; }

    /// <summary>The products.</summary>
    public R1csMatrix C { get; }

    /// <summary>The label of each wire (circom's .sym speaks of labels), or null for "wire i has label i".</summary>
    internal ulong[]? Labels { get; }

    /// <summary>The number of the first constraint that the wires don't satisfy, or −1 when all hold.</summary>
    /// <param name="witness">One value for each wire, the first of them one.</param>
    /// <exception cref="ArgumentException">Not one value for each wire.</exception>
    public int FindUnsatisfied(ReadOnlySpan<Fr> witness)
    {
        if (witness.Length != WireCount)
        {
            throw new ArgumentException($"{witness.Length} values for {WireCount} wires.", nameof(witness));
        }

        for (var i = 0; i < ConstraintCount; i++)
        {
            if (Evaluate(A, i, witness) * Evaluate(B, i, witness) != Evaluate(C, i, witness))
            {
                return i;
            }
        }

        return witness[0] == Fr.One ? -1 : 0;
    }

    /// <summary>The value of one linear combination.</summary>
    public Fr Evaluate(R1csMatrix matrix, int row, ReadOnlySpan<Fr> witness)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        var sum = Fr.Zero;
        foreach (var term in matrix.Row(row))
        {
            sum += Coefficients[term.Coefficient] * witness[term.Wire];
        }

        return sum;
    }
}

/// <summary>The linear combinations of one side of all constraints.</summary>
public sealed class R1csMatrix
{
    private readonly R1csTerm[] _terms;
    private readonly int[] _starts;

    internal R1csMatrix(R1csTerm[] terms, int[] starts)
    {
        _terms = terms;
        _starts = starts;
    }

    /// <summary>The number of constraints.</summary>
    public int RowCount => _starts.Length - 1;

    /// <summary>All terms of all rows.</summary>
    public int TermCount => _terms.Length;

    /// <summary>The terms of constraint <paramref name="index"/>.</summary>
    public ReadOnlySpan<R1csTerm> Row(int index) => _terms.AsSpan(_starts[index], _starts[index + 1] - _starts[index]);
}
