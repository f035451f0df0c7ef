using Shale.Bn254.Fields;

namespace Shale.Groth16.Constraints.Gadgets;

/// <summary>The wires that stand for a template's symbols in one permutation; while only a witness is computed it keeps none.</summary>
internal readonly struct PoseidonSymbols
{
    private readonly int[]? _wires;

    /// <param name="template">Whose symbols.</param>
    /// <param name="before">The outputs of the full round before the partial ones, each a wire of its own.</param>
    public PoseidonSymbols(PoseidonTemplate template, ReadOnlySpan<Variable> before)
    {
        if (before[0].Terms is null)
        {
            return;
        }

        _wires = new int[template.SymbolCount];
        for (int i = 0; i < before.Length; i++)
        {
            Set(1 + i, before[i]);
        }
    }

    /// <summary>Names the wire of a symbol. Wires are named in increasing order, so that rows come out sorted.</summary>
    public void Set(int symbol, in Variable wire)
    {
        if (_wires is not null)
        {
            _wires[symbol] = wire.Terms is { Count: 1 } single
                ? single.Wires[0]
                : throw new InvalidOperationException("Poseidon of constants alone needs no gadget.");
        }
    }

    /// <summary>A linear combination of the symbols whose value is known already.</summary>
    public Variable Express(Fr[] coefficients, in Fr value)
    {
        if (_wires is null)
        {
            return new Variable(value, null, varies: true);
        }

        int count = 0;
        foreach (Fr coefficient in coefficients)
        {
            count += coefficient.IsZero ? 0 : 1;
        }

        var wires = new int[count];
        var kept = new Fr[count];
        for (int s = 0, n = 0; s < coefficients.Length; s++)
        {
            if (!coefficients[s].IsZero)
            {
                wires[n] = _wires[s];
                kept[n++] = coefficients[s];
            }
        }

        return new Variable(value, new LinearCombination(wires, kept), varies: true);
    }
}
