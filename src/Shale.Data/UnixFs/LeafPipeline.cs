using Shale.Data.Car;
using Shale.Data.Cids;
using Shale.Data.Hashing;

namespace Shale.Data.UnixFs;

/// <summary>
/// Cuts a stream into leaves and hashes them on all cores. One thread reads; groups of sixteen leaves are hashed beside it;
/// results come out in order. Memory is the groups in flight, whatever the stream's length.
/// </summary>
internal sealed class LeafPipeline
{
    // Room before and after the bytes of a leaf for the protobuf messages around them.
    private const int Head = 32;
    private const int Tail = 32;

    // Chunks that start a power of two apart share the same few cache sets; three lines more between them and they do not.
    private const int Skew = 192;

    /// <summary>More groups in flight than this no longer help: reading is then the limit. Sixteen of 16 MiB are 256 MiB.</summary>
    private const int MaxGroups = 16;

    private readonly ImportPreset _preset;
    private readonly IBlockSink _sink;
    private readonly int _stride;
    private readonly Group[] _ring;

    public LeafPipeline(ImportPreset preset, IBlockSink sink, int degree)
    {
        _preset = preset;
        _sink = sink;
        _stride = (Head + preset.ChunkLength + Tail + Skew + 63) & ~63;
        _ring = new Group[Math.Clamp(degree + 1, 2, MaxGroups)];
    }

    /// <summary>Reads to the end of the stream; hands out each leaf's link in order, after its block went to the sink.</summary>
    /// <returns>How many bytes the stream had.</returns>
    public long Run(Stream stream, Action<DagLink> leaf, Action<long>? progress, CancellationToken cancellationToken)
    {
        long total = 0;
        int next = 0, oldest = 0, running = 0;
        var ended = false;
        try
        {
            while (!ended)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (running == _ring.Length)
                {
                    Deliver(_ring[oldest], leaf);
                    oldest = (oldest + 1) % _ring.Length;
                    running--;
                }

                var group = _ring[next] ??= new Group(_stride);
                group.Fill(stream, _preset.ChunkLength, first: total == 0 && running == 0);
                total += group.Bytes;
                ended = group.Ended;
                if (group.Count == 0)
                {
                    break;
                }

                // A small file is hashed here: a task would cost more than the hash.
                if (ended && running == 0 && group.Count == 1)
                {
                    group.Hash(_preset);
                    Deliver(group, leaf);
                    break;
                }

                group.Work = Task.Run(() => group.Hash(_preset), CancellationToken.None);
                next = (next + 1) % _ring.Length;
                running++;
                progress?.Invoke(total);
            }

            while (running > 0)
            {
                Deliver(_ring[oldest], leaf);
                oldest = (oldest + 1) % _ring.Length;
                running--;
            }
        }
        finally
        {
            // After an error the groups must be idle before anybody fills them again.
            for (; running > 0; running--)
            {
                _ring[oldest].Work?.Wait(CancellationToken.None);
                oldest = (oldest + 1) % _ring.Length;
            }
        }

        progress?.Invoke(total);
        return total;
    }

    private void Deliver(Group group, Action<DagLink> leaf)
    {
        group.Work?.GetAwaiter().GetResult();
        group.Work = null;
        for (var i = 0; i < group.Count; i++)
        {
            var block = group.Blocks[i];
            var digest = group.Digests.AsSpan(32 * i, 32);
            var cid = Cid.Create(_preset.RawLeaves ? 1 : _preset.CidVersion, _preset.RawLeaves ? Codec.Raw : Codec.DagPb, MultihashCode.Sha256, digest);
            _sink.Write(cid, block.Span);
            leaf(new DagLink(cid, (ulong)group.Lengths[i], (ulong)block.Length));
        }
    }

    private sealed class Group(int stride)
    {
        private byte[] _buffer = [];

        public ReadOnlyMemory<byte>[] Blocks { get; } = new ReadOnlyMemory<byte>[Sha256Batch.Width];

        public int[] Lengths { get; } = new int[Sha256Batch.Width];

        public byte[] Digests { get; } = new byte[32 * Sha256Batch.Width];

        public int Count { get; private set; }

        public long Bytes { get; private set; }

        public bool Ended { get; private set; }

        public Task? Work { get; set; }

        public void Fill(Stream stream, int chunkLength, bool first)
        {
            Count = 0;
            Bytes = 0;
            Ended = false;
            while (Count < Sha256Batch.Width && !Ended)
            {
                Reserve(Count);
                var chunk = _buffer.AsSpan((Count * stride) + Head, chunkLength);
                var n = stream.ReadAtLeast(chunk, chunkLength, throwOnEndOfStream: false);
                Ended = n < chunkLength;

                // An empty file has one empty leaf.
                if (n == 0 && !(first && Count == 0))
                {
                    break;
                }

                Lengths[Count++] = n;
                Bytes += n;
            }
        }

        public void Hash(ImportPreset preset)
        {
            for (var i = 0; i < Count; i++)
            {
                var start = (i * stride) + Head;
                Blocks[i] = preset.RawLeaves ? _buffer.AsMemory(start, Lengths[i]) : Wrap(start, Lengths[i]);
            }

            Sha256Batch.HashMessages(Sha256Batch.BestForMessages, Blocks.AsSpan(0, Count), Digests);
        }

        // One leaf's room at first, for the many files that need no more; all of it from the second leaf on.
        private void Reserve(int chunks)
        {
            var needed = chunks == 0 ? stride : stride * Sha256Batch.Width;
            if (_buffer.Length < needed)
            {
                var larger = GC.AllocateUninitializedArray<byte>(needed);
                _buffer.AsSpan().CopyTo(larger);
                _buffer = larger;
            }
        }

        // The UnixFS message {Type File, Data, filesize} in the Data of a dag-pb node, written around the bytes.
        private ReadOnlyMemory<byte> Wrap(int start, int length)
        {
            Span<byte> inner = stackalloc byte[16];
            var n = 0;
            inner[n++] = 0x08;
            inner[n++] = (byte)UnixFsType.File;
            if (length > 0)
            {
                inner[n++] = 0x12;
                n += ProtobufWriter.WriteVarint(inner[n..], (ulong)length);
            }

            var end = start + length;
            _buffer[end++] = 0x18;
            end += ProtobufWriter.WriteVarint(_buffer.AsSpan(end), (ulong)length);

            Span<byte> outer = stackalloc byte[12];
            outer[0] = 0x0a;
            var m = 1 + ProtobufWriter.WriteVarint(outer[1..], (ulong)(n + end - start));
            var from = start - n - m;
            outer[..m].CopyTo(_buffer.AsSpan(from));
            inner[..n].CopyTo(_buffer.AsSpan(from + m));
            return _buffer.AsMemory(from, end - from);
        }
    }
}
