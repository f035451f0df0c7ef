using Shale.Bn254.Fields;

namespace Shale.Groth16.Constraints;

/// <summary>Each different coefficient once, by index.</summary>
internal sealed class CoefficientPool
{
    private readonly Dictionary<Fr, int> _indices = [];
    private readonly List<Fr> _values = [];

    public int Count => _values.Count;

    public Fr this[int index] => _values[index];

    public int IndexOf(in Fr value)
    {
        if (!_indices.TryGetValue(value, out int index))
        {
            index = _values.Count;
            _values.Add(value);
            _indices.Add(value, index);
        }

        return index;
    }
}
