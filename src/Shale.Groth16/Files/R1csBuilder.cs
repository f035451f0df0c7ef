using Shale.Bn254.Fields;
using Shale.Groth16.Constraints;

namespace Shale.Groth16.Files;

/// <summary>Collects constraints, then makes an <see cref="R1cs"/> of them. Not for several threads.</summary>
public sealed class R1csBuilder
{
    private readonly Dictionary<Fr, int> _coefficientIndex = [];
    private readonly List<Fr> _coefficients = [];
    private readonly Side _a = new(), _b = new(), _c = new();
    private int _highestWire;

    /// <summary>Constraints so far.</summary>
    public int ConstraintCount => _a.Rows;

    /// <summary>
    /// Adds ⟨a, w⟩·⟨b, w⟩ = ⟨c, w⟩ and returns its number. Terms with a zero coefficient are left out; a wire should appear once in a
    /// combination (snarkjs' witness check counts only the last).
    /// </summary>
    public int AddConstraint(
        ReadOnlySpan<(int Wire, Fr Coefficient)> a, ReadOnlySpan<(int Wire, Fr Coefficient)> b, ReadOnlySpan<(int Wire, Fr Coefficient)> c)
    {
        Append(_a, a);
        Append(_b, b);
        Append(_c, c);
        return _a.Rows - 1;
    }

    /// <summary>The same with combinations that are sorted and free of zeros already.</summary>
    internal int AddConstraint(LinearCombination a, LinearCombination b, LinearCombination c)
    {
        Append(_a, a);
        Append(_b, b);
        Append(_c, c);
        return _a.Rows - 1;
    }

    /// <summary>The finished system.</summary>
    /// <param name="wires">All wires, the constant one included.</param>
    /// <param name="outputs">Public outputs (wires 1 …).</param>
    /// <param name="publicInputs">Public inputs, after the outputs.</param>
    /// <param name="privateInputs">Private inputs, after the public ones.</param>
    /// <exception cref="ArgumentException">A constraint names a wire that is not there, or the counts exceed the wires.</exception>
    public R1cs Build(int wires, int outputs, int publicInputs, int privateInputs)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(outputs);
        ArgumentOutOfRangeException.ThrowIfNegative(publicInputs);
        ArgumentOutOfRangeException.ThrowIfNegative(privateInputs);
        if (_highestWire >= wires || 1L + outputs + publicInputs + privateInputs > wires)
        {
            throw new ArgumentException($"{wires} wires cannot hold 1 + {outputs} + {publicInputs} + {privateInputs} of them, or constraints name wire {_highestWire}.", nameof(wires));
        }

        return new R1cs(wires, outputs, publicInputs, privateInputs, [.. _coefficients], _a.Build(), _b.Build(), _c.Build(), labels: null);
    }

    internal Fr[] DistinctCoefficients() => [.. _coefficients];

    internal int IndexOf(in Fr coefficient)
    {
        if (!_coefficientIndex.TryGetValue(coefficient, out var index))
        {
            index = _coefficients.Count;
            _coefficients.Add(coefficient);
            _coefficientIndex.Add(coefficient, index);
        }

        return index;
    }

    private void Append(Side side, LinearCombination terms)
    {
        for (var i = 0; i < terms.Count; i++)
        {
            side.Terms.Add(new R1csTerm(terms.Wires[i], IndexOf(terms.Coefficients[i])));
        }

        side.EndRow();
        if (terms.Count > 0)
        {
            _highestWire = Math.Max(_highestWire, terms.Wires[^1]);
        }
    }

    private void Append(Side side, ReadOnlySpan<(int Wire, Fr Coefficient)> terms)
    {
        foreach (var (wire, coefficient) in terms)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(wire, nameof(terms));
            if (!coefficient.IsZero)
            {
                side.Terms.Add(new R1csTerm(wire, IndexOf(coefficient)));
                _highestWire = Math.Max(_highestWire, wire);
            }
        }

        side.EndRow();
    }

    /// <summary>Terms and row ends of one matrix while it grows.</summary>
    internal sealed class Side
    {
        private readonly List<int> _starts = [0];

        public List<R1csTerm> Terms { get; } = [];

        public int Rows => _starts.Count - 1;

        public void EndRow() => _starts.Add(Terms.Count);

        public R1csMatrix Build() => new([.. Terms], [.. _starts]);
    }
}
