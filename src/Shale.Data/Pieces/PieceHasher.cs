using System.Runtime.InteropServices;
using Shale.Data.Hashing;

namespace Shale.Data.Pieces;

/// <summary>
/// Computes piece commitments: Fr32 padding, then a binary tree of SHA-256 with the last two bits of each node cleared. One
/// thread reads, units of 4 MiB are padded and hashed to one node each on all cores, and what is left is a node a level.
/// </summary>
public static unsafe class PieceHasher
{
    // A block of 2048 quads pads to 256 KiB: input, tree and room to work in stay in a core's second-level cache.
    private const int BlockQuads = 2048;
    private const int BlockIn = BlockQuads * Fr32.QuadIn;
    private const int BlockOut = BlockQuads * Fr32.QuadOut;
    private const int BlockLevel = 13;

    // Sixteen blocks are enough work for a task to be cheap beside it.
    private const int UnitBlocks = 16;
    private const int UnitLevel = BlockLevel + 4;
    private const int MaxUnits = 64;

    private static readonly byte[][] ZeroNodes = ComputeZeroNodes();

    /// <summary>Computes the commitment to the bytes of a stream, from its position to its end.</summary>
    /// <param name="stream">The bytes; stays the caller's.</param>
    /// <param name="threads">How many threads hash; 0 for the machine's cores.</param>
    /// <param name="progress">Told how many bytes were read.</param>
    /// <param name="cancellationToken">Stops between units.</param>
    /// <returns>The commitment.</returns>
    public static PieceCommitment Compute(Stream stream, int threads = 0, IProgress<long>? progress = null, CancellationToken cancellationToken = default) =>
        Compute(stream, threads, Sha256Batch.BestForPairs, progress, cancellationToken);

    /// <summary>Computes the commitment to bytes in memory.</summary>
    /// <param name="payload">The bytes.</param>
    /// <returns>The commitment.</returns>
    public static PieceCommitment Compute(ReadOnlyMemory<byte> payload)
    {
        using var stream = MemoryMarshal.TryGetArray(payload, out var array)
            ? new MemoryStream(array.Array!, array.Offset, array.Count, writable: false)
            : new MemoryStream(payload.ToArray(), writable: false);
        return Compute(stream);
    }

    internal static PieceCommitment Compute(Stream stream, int threads, Sha256Path path, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var ring = new Unit[Math.Clamp((threads == 0 ? Environment.ProcessorCount : threads) + 1, 2, MaxUnits)];
        var tree = new Tree();
        long length = 0;
        int next = 0, oldest = 0, running = 0;
        try
        {
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (running == ring.Length)
                {
                    ring[oldest].Deliver(tree);
                    oldest = (oldest + 1) % ring.Length;
                    running--;
                }

                var unit = ring[next] ??= new Unit(path);
                var n = unit.Fill(stream);
                length += n;
                if (n == 0)
                {
                    break;
                }

                unit.Start();
                next = (next + 1) % ring.Length;
                running++;
                progress?.Report(length);
                if (n < BlockIn * UnitBlocks)
                {
                    break;
                }
            }

            for (; running > 0; running--)
            {
                ring[oldest].Deliver(tree);
                oldest = (oldest + 1) % ring.Length;
            }
        }
        finally
        {
            for (; running > 0; running--)
            {
                ring[oldest].Wait();
                oldest = (oldest + 1) % ring.Length;
            }
        }

        var height = PieceCommitment.HeightFor(length);
        return new PieceCommitment(tree.Finish(height), height, length);
    }

    internal static byte[] PadNode(byte[] node, int from, int to)
    {
        for (var level = from; level < to; level++)
        {
            node = Combine(node, ZeroNodes[level]);
        }

        return node;
    }

    private static byte[][] ComputeZeroNodes()
    {
        var nodes = new byte[PieceCommitment.MaxHeight + 1][];
        nodes[0] = new byte[32];
        for (var i = 1; i < nodes.Length; i++)
        {
            nodes[i] = Combine(nodes[i - 1], nodes[i - 1]);
        }

        return nodes;
    }

    private static byte[] Combine(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        var pair = stackalloc byte[64];
        left.CopyTo(new Span<byte>(pair, 32));
        right.CopyTo(new Span<byte>(pair + 32, 32));
        Sha256Batch.HashPairs(Sha256Path.Library, pair, pair, 1);
        return new Span<byte>(pair, 32).ToArray();
    }

    /// <summary>The nodes that wait for their right neighbour: at most one a level, as in a binary counter.</summary>
    private sealed class Tree
    {
        private readonly byte[]?[] _waiting = new byte[PieceCommitment.MaxHeight + 1][];
        private byte[]? _last;
        private int _lastLevel;

        public void Add(byte[] node, int level)
        {
            while (_waiting[level] is { } left)
            {
                _waiting[level++] = null;
                node = Combine(left, node);
            }

            _waiting[level] = node;
        }

        /// <summary>The node over the last bytes, which are fewer than a block.</summary>
        public void AddLast(byte[] node, int level)
        {
            _last = node;
            _lastLevel = level;
        }

        public byte[] Finish(int height)
        {
            byte[]? node = null;
            for (var level = 0; level < height; level++)
            {
                node = _last is not null && level == _lastLevel ? _last : node;
                if (_waiting[level] is { } left)
                {
                    node = Combine(left, node ?? ZeroNodes[level]);
                }
                else if (node is not null)
                {
                    node = Combine(node, ZeroNodes[level]);
                }
            }

            node = _last is not null && height == _lastLevel ? _last : node;
            return node ?? _waiting[height] ?? ZeroNodes[height];
        }
    }

    private sealed class Unit(Sha256Path path)
    {
        private readonly byte[] _input = GC.AllocateUninitializedArray<byte>(BlockIn * UnitBlocks, pinned: true);
        private readonly byte[] _padded = GC.AllocateUninitializedArray<byte>(BlockOut, pinned: true);
        private readonly byte[] _nodes = GC.AllocateUninitializedArray<byte>(32 * UnitBlocks, pinned: true);
        private int _length;
        private Task? _work;

        public int Fill(Stream stream) => _length = stream.ReadAtLeast(_input, _input.Length, throwOnEndOfStream: false);

        public void Start() => _work = Task.Run(Hash);

        public void Wait() => _work?.Wait();

        public void Deliver(Tree tree)
        {
            _work!.GetAwaiter().GetResult();
            var blocks = _length / BlockIn;
            if (blocks == UnitBlocks)
            {
                tree.Add(_nodes.AsSpan(0, 32).ToArray(), UnitLevel);
                return;
            }

            for (var i = 0; i < blocks; i++)
            {
                tree.Add(_nodes.AsSpan(32 * i, 32).ToArray(), BlockLevel);
            }

            if (_length % BlockIn > 0)
            {
                tree.AddLast(_nodes.AsSpan(32 * blocks, 32).ToArray(), PieceCommitment.HeightFor(_length % BlockIn));
            }
        }

        private void Hash()
        {
            fixed (byte* nodes = _nodes)
            {
                var blocks = _length / BlockIn;
                for (var i = 0; i < blocks; i++)
                {
                    HashTree(_input.AsSpan(i * BlockIn, BlockIn), nodes + (32 * i));
                }

                if (blocks == UnitBlocks)
                {
                    for (var count = UnitBlocks / 2; count > 0; count /= 2)
                    {
                        Sha256Batch.HashPairs(path, nodes, nodes, count);
                    }

                    return;
                }

                var rest = _length - (blocks * BlockIn);
                if (rest > 0)
                {
                    // Zeros up to the smallest tree that holds the rest.
                    var size = (int)PieceCommitment.UnpaddedSizeOf(PieceCommitment.HeightFor(rest));
                    _input.AsSpan(_length, (blocks * BlockIn) + size - _length).Clear();
                    HashTree(_input.AsSpan(blocks * BlockIn, size), nodes + (32 * blocks));
                }
            }
        }

        // A power of two of quads to one node.
        private void HashTree(ReadOnlySpan<byte> input, byte* node)
        {
            Fr32.Pad(input, _padded);
            fixed (byte* p = _padded)
            {
                for (var pairs = input.Length / Fr32.QuadIn * 2; pairs > 0; pairs /= 2)
                {
                    Sha256Batch.HashPairs(path, p, p, pairs);
                }

                new ReadOnlySpan<byte>(p, 32).CopyTo(new Span<byte>(node, 32));
            }
        }
    }
}
