using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Shale.Data.Cids;

namespace Shale.Data.Car;

/// <summary>
/// The index of a CAR version 2 (https://ipld.io/specs/transport/car/carv2/#format-0x0401-multihashindexsorted): by hash
/// function, then by digest length, digests in order, each with its section's offset in the version 1 payload.
/// </summary>
public static class CarIndex
{
    /// <summary>IndexSorted: digests without their hash function.</summary>
    public const ulong Sorted = 0x0400;

    /// <summary>MultihashIndexSorted: what <see cref="CarWriter"/> writes.</summary>
    public const ulong MultihashSorted = 0x0401;

    // No CAR mixes more; each bucket costs a read.
    private const int MaxBuckets = 64;

    /// <summary>Reads an index and checks it against the sections that are really there.</summary>
    /// <param name="stream">Untrusted bytes, from the start of the index to the end of the stream.</param>
    /// <param name="sections">Offset of each section, in the version 1 payload, with the CID that stands there.</param>
    /// <param name="complete">Whether every block that is not identity must be named (the header says "fully indexed").</param>
    /// <returns>None, or <see cref="DataFault.CarIndex"/>.</returns>
    public static DataError Check(Stream stream, IReadOnlyDictionary<long, Cid> sections, bool complete)
    {
        ArgumentNullException.ThrowIfNull(sections);
        var reader = new IndexReader(stream);
        var found = new HashSet<long>();
        if (!reader.TryReadCodec(out var codec) || codec is not (Sorted or MultihashSorted))
        {
            return Fault("the index has a format other than IndexSorted and MultihashIndexSorted");
        }

        uint functions = 1;
        if (codec == MultihashSorted && (!reader.TryReadUInt32(out functions) || functions > MaxBuckets))
        {
            return Fault("the index has no plausible number of hash functions");
        }

        for (var f = 0u; f < functions; f++)
        {
            ulong function = 0;
            if ((codec == MultihashSorted && !reader.TryReadUInt64(out function)) || !reader.TryReadUInt32(out var widths) || widths > MaxBuckets)
            {
                return Fault("the index ends early or has too many digest lengths");
            }

            for (var w = 0u; w < widths; w++)
            {
                if (!reader.TryReadUInt32(out var width) || !reader.TryReadUInt64(out var length)
                    || width < 8 || width > 8 + Cid.MaxDigestLength || length % width != 0)
                {
                    return Fault("a bucket of the index has an impossible width or length");
                }

                var error = CheckBucket(ref reader, codec == MultihashSorted ? function : null, (int)width, length / width, sections, found);
                if (error.IsError)
                {
                    return error;
                }
            }
        }

        if (!reader.AtEnd())
        {
            return Fault("bytes follow the index");
        }

        var expected = complete ? sections.Values.Count(cid => cid.Hash != MultihashCode.Identity) : 0;
        return found.Count < expected ? Fault($"the index names {found.Count} of {expected} blocks and claims to be complete") : DataError.None;
    }

    private static DataError CheckBucket(ref IndexReader reader, ulong? function, int width, ulong count, IReadOnlyDictionary<long, Cid> sections, HashSet<long> found)
    {
        Span<byte> entry = stackalloc byte[8 + Cid.MaxDigestLength];
        Span<byte> previous = stackalloc byte[8 + Cid.MaxDigestLength];
        entry = entry[..width];
        previous = previous[..width];
        for (ulong i = 0; i < count; i++)
        {
            if (!reader.TryRead(entry))
            {
                return Fault("the index ends early");
            }

            var digest = entry[..^8];
            if (i > 0 && digest.SequenceCompareTo(previous[..^8]) < 0)
            {
                return Fault("the index is not sorted");
            }

            var offset = BinaryPrimitives.ReadInt64LittleEndian(entry[^8..]);
            if (!sections.TryGetValue(offset, out var cid) || !cid.Digest.SequenceEqual(digest) || (function is { } f && cid.Hash != f))
            {
                return Fault($"the index names a block at {offset} that is not there");
            }

            found.Add(offset);
            entry.CopyTo(previous);
        }

        return DataError.None;
    }

    private static DataError Fault(string detail) => new(DataFault.CarIndex, detail);

    private readonly ref struct IndexReader(Stream stream)
    {
        public bool TryRead(Span<byte> bytes) => stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) == bytes.Length;

        public bool AtEnd() => stream.ReadByte() < 0;

        public bool TryReadCodec(out ulong codec)
        {
            Span<byte> bytes = stackalloc byte[2];
            codec = 0;
            return TryRead(bytes) && !Varint.TryRead(bytes, out codec, out var n).IsError && n == 2;
        }

        public bool TryReadUInt32(out uint value)
        {
            Span<byte> bytes = stackalloc byte[4];
            var ok = TryRead(bytes);
            value = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            return ok;
        }

        public bool TryReadUInt64(out ulong value)
        {
            Span<byte> bytes = stackalloc byte[8];
            var ok = TryRead(bytes);
            value = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            return ok;
        }
    }
}

/// <summary>Collects what a version 2 index names, and writes it sorted.</summary>
internal sealed class CarIndexBuilder
{
    private readonly Dictionary<(ulong Hash, int Length), List<(byte[] Digest, long Offset)>> _buckets = [];

    public void Add(Cid cid, long sectionOffset)
    {
        // Identity CIDs carry their data; the format leaves them out.
        if (cid.Hash == MultihashCode.Identity)
        {
            return;
        }

        ref var bucket = ref CollectionsMarshal.GetValueRefOrAddDefault(_buckets, (cid.Hash, cid.Digest.Length), out _);
        bucket ??= [];
        bucket.Add((cid.Digest.ToArray(), sectionOffset));
    }

    public void Write(Stream stream)
    {
        using var buffered = new BufferedStream(new NonClosing(stream), 1 << 16);
        Span<byte> scratch = stackalloc byte[8];
        buffered.Write(scratch[..Varint.Write(CarIndex.MultihashSorted, scratch)]);
        var functions = _buckets.GroupBy(b => b.Key.Hash).OrderBy(g => g.Key).ToList();
        WriteUInt32(buffered, (uint)functions.Count);
        foreach (var function in functions)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(scratch, function.Key);
            buffered.Write(scratch);
            WriteUInt32(buffered, (uint)function.Count());
            foreach (var (key, entries) in function.OrderBy(b => b.Key.Length))
            {
                entries.Sort(static (a, b) => a.Digest.AsSpan().SequenceCompareTo(b.Digest) is var c and not 0 ? c : a.Offset.CompareTo(b.Offset));
                WriteUInt32(buffered, (uint)key.Length + 8);
                BinaryPrimitives.WriteUInt64LittleEndian(scratch, (ulong)entries.Count * (ulong)(key.Length + 8));
                buffered.Write(scratch);
                foreach (var (digest, offset) in entries)
                {
                    buffered.Write(digest);
                    BinaryPrimitives.WriteInt64LittleEndian(scratch, offset);
                    buffered.Write(scratch);
                }
            }
        }
    }

    private static void WriteUInt32(Stream stream, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        stream.Write(bytes);
    }

    private sealed class NonClosing(Stream inner) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Flush() => inner.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => inner.Write(buffer, offset, count);

        public override void Write(ReadOnlySpan<byte> buffer) => inner.Write(buffer);
    }
}
