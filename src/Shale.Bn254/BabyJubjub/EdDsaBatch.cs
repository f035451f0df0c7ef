using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Shale.Bn254.Fields;

namespace Shale.Bn254.BabyJubjub;

/// <summary>
/// A batch of signatures, verified by one random linear combination with 128-bit coefficients: a bad one passes with probability at
/// most 2^−128. Signatures are taken a block at a time; of each only what the sum needs is kept, 128 bytes, and the same memory serves
/// one batch after the other. Accepts exactly what <see cref="EdDsa.Verify(EdDsaPublicKey, in Fr, in EdDsaSignature)"/> accepts: R8 is
/// tested for the subgroup one by one, since torsion can cancel in a combination. Not safe for use from several threads at once.
/// </summary>
public sealed class EdDsaBatch
{
    /// <summary>Signatures that are worked on at once: what they need stays in a second-level cache.</summary>
    public const int BlockSize = 256;

    private const int HashInputs = 5;
    private const int CoefficientSize = 16;

    private readonly AffineCachedPoint[] _commitments;
    private readonly Limbs4[] _coefficients;

    // Signatures under one key share its term: Σ z·h per key.
    private readonly Dictionary<EdDsaPublicKey, int> _keys = [];
    private readonly List<AffineCachedPoint> _keyPoints = [];
    private readonly List<BabyJubjubScalar> _keyWeights = [];
    private readonly List<Limbs4> _keyScalars = [];
    private readonly BabyJubjubPoint[] _points;
    private readonly Fr[] _hashInputs;
    private readonly Fr[] _challenges;
    private readonly byte[] _random;
    private ExtendedPoint[] _buckets = [];
    private BabyJubjubScalar _response;
    private int _count;
    private bool _refused;

    /// <summary>Takes the memory for batches of at most so many signatures.</summary>
    public EdDsaBatch(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        var block = Math.Min(capacity, BlockSize);
        (_commitments, _coefficients) = (new AffineCachedPoint[capacity], new Limbs4[capacity]);
        (_points, _hashInputs, _challenges) = (new BabyJubjubPoint[block], new Fr[block * HashInputs], new Fr[block]);
        _random = new byte[block * CoefficientSize];
    }

    /// <summary>Adds signatures to the batch.</summary>
    /// <exception cref="ArgumentException">They are more than the batch has room for.</exception>
    public void Add(ReadOnlySpan<EdDsaBatchEntry> entries)
    {
        if (entries.Length > _commitments.Length - _count)
        {
            throw new ArgumentException($"The batch has room for {_commitments.Length} signatures.", nameof(entries));
        }

        for (int start = 0; start < entries.Length && !_refused; start += BlockSize)
        {
            _refused = !TryAddBlock(entries[start..Math.Min(start + BlockSize, entries.Length)]);
        }
    }

    /// <summary>True when every signature that was added is good; an empty batch is.</summary>
    public bool Verify()
    {
        if (_refused || _count == 0)
        {
            return !_refused;
        }

        _keyScalars.Clear();
        foreach (BabyJubjubScalar weight in _keyWeights)
        {
            _keyScalars.Add(weight.ToCanonicalLimbs());
        }

        ExtendedPoint commitments = MultiScalar.Sum(_commitments.AsSpan(0, _count), _coefficients.AsSpan(0, _count), 8 * CoefficientSize, ref _buckets);
        ExtendedPoint keys = MultiScalar.Sum(CollectionsMarshal.AsSpan(_keyPoints), CollectionsMarshal.AsSpan(_keyScalars), 251, ref _buckets);
        return FixedBase.Multiply(_response).Add(commitments.Add(keys).Negate()).IsIdentity;
    }

    /// <summary>Begins the next batch.</summary>
    public void Clear()
    {
        (_count, _refused, _response) = (0, false, default);
        _keys.Clear();
        _keyPoints.Clear();
        _keyWeights.Clear();
    }

    private bool TryAddBlock(ReadOnlySpan<EdDsaBatchEntry> entries)
    {
        Span<BabyJubjubPoint> points = _points.AsSpan(0, entries.Length);
        Span<Fr> inputs = _hashInputs.AsSpan(0, entries.Length * HashInputs);
        for (int i = 0; i < entries.Length; i++)
        {
            BabyJubjubPoint r8 = points[i] = entries[i].Signature.R8, a = entries[i].PublicKey.Point;
            if (r8.IsIdentity || !r8.IsOnCurve())
            {
                return false;
            }

            Span<Fr> input = inputs.Slice(i * HashInputs, HashInputs);
            (input[0], input[1], input[2], input[3], input[4]) = (r8.X, r8.Y, a.X, a.Y, entries[i].Message);
        }

        if (!SubgroupTest.AreInSubgroup(points))
        {
            return false;
        }

        Span<Fr> challenges = _challenges.AsSpan(0, entries.Length);
        Poseidon.Poseidon.HashMany(inputs, HashInputs, challenges);
        Span<byte> random = _random.AsSpan(0, entries.Length * CoefficientSize);
        RandomNumberGenerator.Fill(random);
        ReadOnlySpan<UInt128> coefficients = MemoryMarshal.Cast<byte, UInt128>(random);
        for (int i = 0; i < entries.Length; i++)
        {
            BabyJubjubScalar coefficient = BabyJubjubScalar.FromUInt128(coefficients[i]);
            _coefficients[_count] = new Limbs4((ulong)coefficients[i], (ulong)(coefficients[i] >> 64), 0, 0);
            _commitments[_count] = ExtendedPoint.FromAffine(points[i]).ToAffineCached(Fr.One);
            _count++;
            _response += coefficient * entries[i].Signature.S;
            AddToKey(entries[i].PublicKey, coefficient * BabyJubjubScalar.FromFr(challenges[i]));
        }

        return true;
    }

    private void AddToKey(EdDsaPublicKey key, in BabyJubjubScalar weight)
    {
        if (_keys.TryGetValue(key, out int known))
        {
            _keyWeights[known] += weight;
            return;
        }

        _keys.Add(key, _keyPoints.Count);
        _keyPoints.Add(key.OddMultiples[0]);
        _keyWeights.Add(weight);
    }
}
