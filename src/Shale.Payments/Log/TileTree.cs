using System.Buffers;
using System.Buffers.Binary;

namespace Shale.Payments.Log;

/// <summary>The log's tree and its tiles (C2SP tlog-tiles): the right edge in memory, everything else in files.</summary>
internal sealed class TileTree
{
    private readonly string _folder;
    private readonly MerkleFrontier _frontier = new();
    private readonly List<MerkleHash>[] _edge = [.. Enumerable.Range(0, TilePath.MaxLevels).Select(_ => new List<MerkleHash>(TilePath.Width))];
    private readonly ArrayBufferWriter<byte> _bundle = new(64 * 1024);
    private readonly Action<int, long, MerkleHash> _completed;

    // Full tiles and bundles that the disk had no room for: at most those of one batch, since none follows before they are written.
    private readonly Dictionary<string, byte[]> _unwritten = [];

    public TileTree(string folder)
    {
        _folder = folder;
        _completed = Completed;
    }

    public long Size => _frontier.Size;

    public MerkleHash Root() => _frontier.Root();

    /// <summary>Takes up a tree of <paramref name="size"/> entries, a multiple of a tile's width, from its files.</summary>
    public void Restore(long size)
    {
        for (var level = 0; level < TilePath.MaxLevels && size >> (8 * level) != 0; level++)
        {
            var width = (int)((size >> (8 * level)) % TilePath.Width);
            _edge[level].Clear();
            if (width > 0)
            {
                _edge[level].AddRange(ReadTile(level, size >> (8 * level) >> 8, width));
            }
        }

        _frontier.Restore(size, (height, index) => Subtree(height, index));
    }

    /// <summary>Appends an entry; full tiles and bundles are written as they fill up (not flushed). What can't be is kept for <see cref="WriteUnwritten"/>.</summary>
    public void Append(ReadOnlySpan<byte> entry)
    {
        var span = _bundle.GetSpan(2 + entry.Length);
        BinaryPrimitives.WriteUInt16BigEndian(span, (ushort)entry.Length);
        entry.CopyTo(span[2..]);
        _bundle.Advance(2 + entry.Length);
        _frontier.Append(MerkleHash.Leaf(entry), _completed);
        if (Size % TilePath.Width == 0)
        {
            WriteFull(TilePath.Entries((Size / TilePath.Width) - 1), _bundle.WrittenSpan);
            _bundle.ResetWrittenCount();
        }
    }

    /// <summary>Writes the full tiles and bundles that could not be written before; without them the tree must not be published.</summary>
    /// <exception cref="IOException">Nor can they now.</exception>
    public void WriteUnwritten()
    {
        while (_unwritten.Count > 0)
        {
            var (path, content) = _unwritten.First();
            WriteFile(path, content);
            _unwritten.Remove(path);
        }
    }

    /// <summary>Writes the partial tiles that a reader of the tree as it stands needs.</summary>
    public void WritePartial()
    {
        for (var level = 0; level < TilePath.MaxLevels; level++)
        {
            if (_edge[level].Count > 0)
            {
                WriteFile(TilePath.Hashes(level, Size >> (8 * level) >> 8, _edge[level].Count), Bytes(_edge[level]));
            }
        }

        if (Size % TilePath.Width != 0)
        {
            WriteFile(TilePath.Entries(Size / TilePath.Width, (int)(Size % TilePath.Width)), _bundle.WrittenSpan);
        }
    }

    /// <summary>The root of the complete subtree of 2^<paramref name="height"/> leaves with this index.</summary>
    public MerkleHash Subtree(int height, long index)
    {
        var (level, span) = (height / 8, 1 << (height % 8));
        var first = index * span;
        var (tile, offset) = (first / TilePath.Width, (int)(first % TilePath.Width));
        var current = Size >> (8 * level) >> 8;
        IReadOnlyList<MerkleHash> hashes = tile == current ? _edge[level] : ReadTile(level, tile, TilePath.Width);
        return Fold(hashes, offset, span);
    }

    private static MerkleHash Fold(IReadOnlyList<MerkleHash> hashes, int offset, int span) =>
        span == 1 ? hashes[offset] : MerkleHash.Node(Fold(hashes, offset, span / 2), Fold(hashes, offset + (span / 2), span / 2));

    private void Completed(int height, long index, MerkleHash hash)
    {
        if (height % 8 != 0)
        {
            return;
        }

        var edge = _edge[height / 8];
        edge.Add(hash);
        if (edge.Count == TilePath.Width)
        {
            WriteFull(TilePath.Hashes(height / 8, index / TilePath.Width), Bytes(edge));
            edge.Clear();
        }
    }

    private MerkleHash[] ReadTile(int level, long index, int width)
    {
        var full = Path.Combine(_folder, TilePath.Hashes(level, index));
        var path = File.Exists(full) ? full : Path.Combine(_folder, TilePath.Hashes(level, index, width));
        var bytes = _unwritten.TryGetValue(TilePath.Hashes(level, index), out var kept) ? kept : File.ReadAllBytes(path);
        if (bytes.Length < width * MerkleHash.Size)
        {
            throw new VoucherLogException($"The tile {path} has {bytes.Length} bytes, {width * MerkleHash.Size} are needed. Restore it from a mirror.");
        }

        var hashes = new MerkleHash[width];
        for (var i = 0; i < width; i++)
        {
            hashes[i] = new MerkleHash(bytes.AsSpan(i * MerkleHash.Size, MerkleHash.Size));
        }

        return hashes;
    }

    private static byte[] Bytes(List<MerkleHash> hashes)
    {
        var bytes = new byte[hashes.Count * MerkleHash.Size];
        for (var i = 0; i < hashes.Count; i++)
        {
            hashes[i].CopyTo(bytes.AsSpan(i * MerkleHash.Size));
        }

        return bytes;
    }

    private void WriteFull(string path, ReadOnlySpan<byte> content)
    {
        try
        {
            WriteFile(path, content);
        }
        catch (IOException)
        {
            _unwritten[path] = content.ToArray();
        }
    }

    private void WriteFile(string path, ReadOnlySpan<byte> content)
    {
        var full = Path.Combine(_folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        var temporary = full + ".tmp";
        File.WriteAllBytes(temporary, content);
        File.Move(temporary, full, overwrite: true);
        if (!path.Contains(".p/", StringComparison.Ordinal) && Directory.Exists(full + ".p"))
        {
            // The full tile takes the place of its partial ones.
            Directory.Delete(full + ".p", recursive: true);
        }
    }
}
