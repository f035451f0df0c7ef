using Shale.Bn254.Fields;

namespace Shale.Groth16.Constraints;

/// <summary>
/// One of a constraint system's three sparse matrices, a row per constraint. Coefficients are kept once each in a shared pool:
/// a page of 256 slots has some ten million terms, but few thousand different coefficients.
/// </summary>
internal sealed class ConstraintRows(CoefficientPool pool)
{
    private readonly List<int> _ends = [];
    private readonly List<int> _wires = [];
    private readonly List<int> _coefficients = [];

    public int Count => _ends.Count;

    public long TermCount => _wires.Count;

    public void Add(LinearCombination row)
    {
        ReadOnlySpan<int> wires = row.Wires;
        ReadOnlySpan<Fr> coefficients = row.Coefficients;
        for (int i = 0; i < wires.Length; i++)
        {
            _wires.Add(wires[i]);
            _coefficients.Add(pool.IndexOf(coefficients[i]));
        }

        _ends.Add(_wires.Count);
    }

    public int TermsIn(int row) => _ends[row] - Start(row);

    public (int Wire, Fr Coefficient) Term(int row, int index)
    {
        int at = Start(row) + index;
        return (_wires[at], pool[_coefficients[at]]);
    }

    public Fr Evaluate(int row, ReadOnlySpan<Fr> witness)
    {
        Fr sum = Fr.Zero;
        for (int at = Start(row); at < _ends[row]; at++)
        {
            sum += pool[_coefficients[at]] * witness[_wires[at]];
        }

        return sum;
    }

    private int Start(int row) => row == 0 ? 0 : _ends[row - 1];
}
