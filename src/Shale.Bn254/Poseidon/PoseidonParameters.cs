using Shale.Bn254.Fields;

namespace Shale.Bn254.Poseidon;

/// <summary>
/// circomlib's Poseidon instance of one width over Fr: S-box x^5, 8 full rounds, and the partial rounds that circomlib chose
/// per width. Round constants and matrix come from the Grain LFSR, made on first use and kept. Immutable and thread-safe.
/// </summary>
public sealed class PoseidonParameters
{
    /// <summary>The smallest width: one input and the capacity element.</summary>
    public const int MinWidth = 2;

    /// <summary>The largest width: 16 inputs and the capacity element.</summary>
    public const int MaxWidth = 17;

    private static readonly int[] PartialRoundsByWidth = [56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68];

    private static readonly Lazy<PoseidonParameters>[] Instances =
        [.. Enumerable.Range(MinWidth, MaxWidth - MinWidth + 1).Select(t => new Lazy<PoseidonParameters>(() => new PoseidonParameters(t)))];

    private readonly Fr[] _roundConstants;
    private readonly Fr[] _matrix;
    private readonly Lazy<PoseidonSchedule> _schedule;
    private readonly Lazy<uint[]> _laneConstants;

    private PoseidonParameters(int width)
    {
        Width = width;
        PartialRounds = PartialRoundsByWidth[width - MinWidth];
        var grain = new GrainLfsr(width, FullRounds, PartialRounds);
        _roundConstants = new Fr[width * (FullRounds + PartialRounds)];
        for (int i = 0; i < _roundConstants.Length; i++)
        {
            _roundConstants[i] = grain.NextRejecting();
        }

        _matrix = CauchyMatrix(grain, width);
        _schedule = new Lazy<PoseidonSchedule>(() => new PoseidonSchedule(this));
        _laneConstants = new Lazy<uint[]>(() => PoseidonLanes.Prepare(this, Schedule));
    }

    /// <summary>t: the state's elements, one more than the inputs.</summary>
    public int Width { get; }

    /// <summary>Rounds with an S-box on every element; half of them before the partial rounds, half after.</summary>
    public int FullRounds { get; } = 8;

    /// <summary>Rounds with an S-box on element 0 only.</summary>
    public int PartialRounds { get; }

    /// <summary>C: round r adds C[r·t + i] to element i before its S-boxes; (FullRounds + PartialRounds)·t elements.</summary>
    public ReadOnlySpan<Fr> RoundConstants => _roundConstants;

    /// <summary>M in row-major order: after its S-boxes, a round sets element i to Σ_j M[i·t + j]·element j.</summary>
    public ReadOnlySpan<Fr> Matrix => _matrix;

    /// <summary>The same permutation with sparse matrices in the partial rounds.</summary>
    internal PoseidonSchedule Schedule => _schedule.Value;

    /// <summary>The schedule's constants as <see cref="PoseidonLanes"/> reads them.</summary>
    internal uint[] LaneConstants => _laneConstants.Value;

    /// <summary>The instance of a width.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The width is not in <see cref="MinWidth"/>..<see cref="MaxWidth"/>.</exception>
    public static PoseidonParameters ForWidth(int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, MinWidth);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(width, MaxWidth);
        return Instances[width - MinWidth].Value;
    }

    /// <summary>
    /// M[i][j] = 1/(x_i + y_j). The script would draw again if an element came twice, a sum were zero or the matrix failed its
    /// subspace tests; for circomlib's widths the first draw stands, which the tests compare with circomlib's own constants.
    /// </summary>
    private static Fr[] CauchyMatrix(GrainLfsr grain, int width)
    {
        var points = new Fr[2 * width];
        for (int i = 0; i < points.Length; i++)
        {
            points[i] = grain.NextReduced();
        }

        var matrix = new Fr[width * width];
        for (int i = 0; i < width; i++)
        {
            for (int j = 0; j < width; j++)
            {
                matrix[(i * width) + j] = points[i] + points[width + j];
            }
        }

        Fr.BatchInverse(matrix);
        return matrix;
    }
}
