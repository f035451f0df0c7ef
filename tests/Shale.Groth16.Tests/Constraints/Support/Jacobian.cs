using Shale.Bn254.Fields;
using Shale.Groth16.Files;

namespace Shale.Groth16.Tests.Constraints.Support;

/// <summary>
/// The derivatives of all constraints by the wires that are not inputs, at one witness. Where their rank is the number of those wires, no
/// other witness is near this one: every wire is forced by the inputs up to finitely many choices, which perturbation then tries.
/// </summary>
internal sealed class Jacobian
{
    private readonly Dictionary<int, Fr>[] _rows;
    private readonly int _columns;
    private readonly List<(int Row, int Column)> _pivots = [];
    private readonly bool[] _rowDone;

    /// <param name="r1cs">The constraints.</param>
    /// <param name="witness">Where the derivatives are taken.</param>
    /// <param name="firstUnknown">The first wire that is no input.</param>
    /// <param name="leaveOut">Constraints that count as if they weren't there.</param>
    public Jacobian(R1cs r1cs, ReadOnlySpan<Fr> witness, int firstUnknown, Func<int, bool>? leaveOut = null)
    {
        _columns = r1cs.WireCount - firstUnknown;
        _rows = new Dictionary<int, Fr>[r1cs.ConstraintCount];
        _rowDone = new bool[_rows.Length];
        for (int i = 0; i < _rows.Length; i++)
        {
            var row = new Dictionary<int, Fr>();
            AddTerms(row, r1cs, r1cs.A.Row(i), r1cs.Evaluate(r1cs.B, i, witness), firstUnknown);
            AddTerms(row, r1cs, r1cs.B.Row(i), r1cs.Evaluate(r1cs.A, i, witness), firstUnknown);
            AddTerms(row, r1cs, r1cs.C.Row(i), -Fr.One, firstUnknown);
            _rowDone[i] = leaveOut?.Invoke(i) ?? false;
            _rows[i] = _rowDone[i] ? [] : row.Where(t => !t.Value.IsZero).ToDictionary();
        }

        Peel();
    }

    /// <summary>Wires, counted from the first unknown, that no chain of constraints forces one by one.</summary>
    public IReadOnlyList<int> Unforced => [.. Enumerable.Range(0, _columns).Except(_pivots.Select(p => p.Column))];

    /// <summary>Constraints without which the rank stays what it is.</summary>
    /// <param name="isComparison">
    /// Of the constraints beyond the rank, those that must not stand in for another one, as those left out must not: the last bit of a decomposition,
    /// for one, which has no wire of its own.
    /// </param>
    public IReadOnlySet<int> NotNeeded(Func<int, bool> isComparison)
    {
        var result = new HashSet<int>();
        for (int row = 0; row < _rows.Length; row++)
        {
            if (!_rowDone[row])
            {
                result.Add(row);
                if (!isComparison(row))
                {
                    result.UnionWith(Combination(row));
                }
            }
        }

        return result;
    }

    private static void AddTerms(Dictionary<int, Fr> row, R1cs r1cs, ReadOnlySpan<R1csTerm> terms, Fr factor, int firstUnknown)
    {
        foreach (R1csTerm term in terms)
        {
            if (term.Wire >= firstUnknown)
            {
                row[term.Wire - firstUnknown] = row.GetValueOrDefault(term.Wire - firstUnknown) + (factor * r1cs.Coefficients[term.Coefficient]);
            }
        }
    }

    /// <summary>Takes a row with one wire left, again and again: its constraint forces that wire to first order, given those before.</summary>
    private void Peel()
    {
        var rowsOf = new Dictionary<int, List<int>>();
        var left = new int[_rows.Length];
        var ready = new Queue<int>();
        for (int i = 0; i < _rows.Length; i++)
        {
            left[i] = _rows[i].Count;
            foreach (int column in _rows[i].Keys)
            {
                (rowsOf.TryGetValue(column, out List<int>? list) ? list : rowsOf[column] = []).Add(i);
            }

            if (left[i] == 1)
            {
                ready.Enqueue(i);
            }
        }

        var known = new HashSet<int>();
        while (ready.TryDequeue(out int row))
        {
            if (left[row] != 1)
            {
                continue;
            }

            int column = _rows[row].Keys.Single(c => !known.Contains(c));
            known.Add(column);
            _pivots.Add((row, column));
            _rowDone[row] = true;
            foreach (int other in rowsOf[column])
            {
                if (--left[other] == 1)
                {
                    ready.Enqueue(other);
                }
            }
        }
    }

    /// <summary>The pivot rows that a row is a combination of: a triangular system, solved from the last pivot back.</summary>
    private List<int> Combination(int row)
    {
        var rest = new Dictionary<int, Fr>(_rows[row]);
        var used = new List<int>();
        for (int i = _pivots.Count - 1; i >= 0; i--)
        {
            (int pivotRow, int column) = _pivots[i];
            if (!rest.TryGetValue(column, out Fr value) || value.IsZero)
            {
                continue;
            }

            used.Add(pivotRow);
            Fr factor = value * _rows[pivotRow][column].Inverse();
            foreach ((int c, Fr v) in _rows[pivotRow])
            {
                rest[c] = rest.GetValueOrDefault(c) - (factor * v);
            }
        }

        return used;
    }
}
