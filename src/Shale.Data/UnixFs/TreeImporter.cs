using System.Text;
using Shale.Data.Car;
using Shale.Data.Cids;

namespace Shale.Data.UnixFs;

/// <summary>Something that was imported, or that a data set lists.</summary>
/// <param name="Path">Relative to the root, with '/'; empty for the root itself.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Cid">Its CID.</param>
/// <param name="Length">A file's length in bytes.</param>
public readonly record struct ImportedEntry(string Path, EntryKind Kind, Cid Cid, long Length);

/// <summary>What an import made.</summary>
/// <param name="Root">The root's CID.</param>
/// <param name="TreeSize">Bytes of all blocks below the root and its own, blocks counted as often as they are linked to.</param>
/// <param name="FileBytes">Bytes of all files.</param>
/// <param name="Entries">How many files, directories and links there are, the root included.</param>
public readonly record struct ImportResult(Cid Root, ulong TreeSize, long FileBytes, long Entries);

/// <summary>How an import differs from what its preset says.</summary>
public sealed record ImportOptions
{
    /// <summary>Whether permissions are written into the tree; changes its CID.</summary>
    public bool KeepModes { get; init; }

    /// <summary>Whether modification times are written into the tree; changes its CID.</summary>
    public bool KeepTimes { get; init; }

    /// <summary>Whether names that start with a dot are left out, as <c>ipfs add</c> and <c>ipfs-car</c> do.</summary>
    public bool SkipHidden { get; init; }

    /// <summary>The most files, directories and links that are taken; what lists them stands in memory until its directory is done.</summary>
    public long MaxEntries { get; init; } = long.MaxValue;

    /// <summary>How many threads hash; 1 to 64, the machine's cores by default.</summary>
    public int Threads { get; init; } = Math.Clamp(Environment.ProcessorCount, 1, 64);

    /// <summary>Takes each entry when it is done, children before their directory.</summary>
    public Action<ImportedEntry>? OnEntry { get; init; }
}

/// <summary>Makes UnixFS blocks of a file tree. Not for several threads at once; it uses several itself.</summary>
public sealed class TreeImporter
{
    /// <summary>
    /// The deepest tree, in directories. A path has at most 4096 bytes on Linux, which is 2048 directories; deeper than this
    /// is no data set that people made, and readers that follow links recursively need a bound.
    /// </summary>
    public const int MaxDepth = 512;

    /// <summary>The most entries of one directory: they are in memory together, at about 200 bytes each.</summary>
    public const int MaxDirectoryEntries = 2 << 20;

    private readonly ImportPreset _preset;
    private readonly IBlockSink _sink;
    private readonly ImportOptions _options;
    private readonly IProgress<long>? _progress;
    private readonly LeafPipeline _leaves;
    private long _fileBytes;
    private long _entries;
    private long _listed;

    /// <summary>Makes an importer.</summary>
    /// <param name="preset">How files become blocks.</param>
    /// <param name="sink">Where the blocks go.</param>
    /// <param name="options">What differs from the preset.</param>
    /// <param name="progress">Told how many bytes of files were read.</param>
    public TreeImporter(ImportPreset preset, IBlockSink sink, ImportOptions? options = null, IProgress<long>? progress = null)
    {
        _preset = preset;
        _sink = sink;
        _options = options ?? new ImportOptions();
        _progress = progress;
        _leaves = new LeafPipeline(preset, sink, _options.Threads);
    }

    /// <summary>Imports what a tree has at its root: a file or a directory.</summary>
    /// <param name="tree">Where to read.</param>
    /// <param name="cancellationToken">Stops between chunks.</param>
    /// <returns>The root, or why the tree cannot be imported.</returns>
    public DataResult<ImportResult> Import(IFileTree tree, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(tree);
        _fileBytes = 0;
        _entries = 0;
        _listed = 1;
        if (tree.Stat("") is not { } root)
        {
            return new DataError(DataFault.NotFound, "there is nothing to import");
        }

        var link = ImportEntry(tree, "", root, 0, cancellationToken);
        return link.Ok ? new ImportResult(link.Value.Cid, link.Value.TreeSize, _fileBytes, _entries) : link.Error;
    }

    /// <summary>Imports one file from a stream of unknown length.</summary>
    /// <param name="stream">Its bytes; stays the caller's.</param>
    /// <param name="cancellationToken">Stops between chunks.</param>
    /// <returns>The file's root.</returns>
    public ImportResult ImportStream(Stream stream, CancellationToken cancellationToken = default)
    {
        _fileBytes = 0;
        var link = ImportBytes(stream, null, null, cancellationToken, out var length);
        return new ImportResult(link.Cid, link.TreeSize, length, 1);
    }

    private DataResult<DagLink> ImportEntry(IFileTree tree, string path, in TreeEntry entry, int depth, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        uint? mode = _options.KeepModes ? entry.Mode : null;
        UnixFsTime? time = _options.KeepTimes ? entry.ModifiedAt : null;
        DataResult<DagLink> link;
        long length = 0;
        switch (entry.Kind)
        {
            case EntryKind.File:
                using (var stream = tree.Open(path))
                {
                    link = ImportBytes(stream, mode, time, cancellationToken, out length);
                }

                if (length != entry.Length)
                {
                    return new DataError(DataFault.Changed, $"{TreeNames.Printable(path)} had {entry.Length} bytes when it was listed and {length} when it was read");
                }

                break;
            case EntryKind.Directory:
                link = ImportDirectory(tree, path, mode, time, depth, cancellationToken);
                break;
            case EntryKind.Symlink:
                link = ImportSymlink(tree, path, mode, time);
                break;
            default:
                return new DataError(DataFault.WrongType, $"{TreeNames.Printable(path)} is a device, socket or pipe");
        }

        if (link.Ok)
        {
            _entries++;
            _options.OnEntry?.Invoke(new ImportedEntry(path, entry.Kind, link.Value.Cid, length));
        }

        return link;
    }

    private DagLink ImportBytes(Stream stream, uint? mode, UnixFsTime? time, CancellationToken cancellationToken, out long length)
    {
        var layout = new FileLayout(_preset, _sink);
        // A file of one leaf that has metadata holds its bytes in its node, since a raw leaf has no place for metadata.
        if (mode is not null || time is not null)
        {
            var head = new byte[_preset.ChunkLength + 1];
            var n = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
            if (n <= _preset.ChunkLength)
            {
                length = n;
                _fileBytes += n;
                _progress?.Report(_fileBytes);
                var data = new UnixFsData { Type = UnixFsType.File, Data = head.AsMemory(0, n), FileSize = (ulong)n, Mode = mode, ModifiedAt = time };
                return WriteNode([], data, 0) with { FileBytes = (ulong)n };
            }

            stream = new PrefixedStream(head, stream);
        }

        var before = _fileBytes;
        length = _leaves.Run(stream, layout.Add, _progress is null ? null : n => _progress.Report(before + n), cancellationToken);
        _fileBytes += length;
        return layout.Finish(mode, time);
    }

    private DataResult<DagLink> ImportDirectory(IFileTree tree, string path, uint? mode, UnixFsTime? time, int depth, CancellationToken cancellationToken)
    {
        if (depth == MaxDepth)
        {
            return new DataError(DataFault.TooDeep, $"{TreeNames.Printable(path)} is deeper than {MaxDepth} directories");
        }

        var children = new List<(byte[] Key, TreeEntry Entry)>();
        foreach (var child in tree.List(path))
        {
            if (_options.SkipHidden && child.Name.StartsWith('.'))
            {
                continue;
            }

            var fault = TreeNames.CheckName(child.Name);
            if (fault.IsError)
            {
                return fault;
            }

            if (children.Count == MaxDirectoryEntries)
            {
                return new DataError(DataFault.TooLarge, $"{TreeNames.Printable(path)} has more than {MaxDirectoryEntries} entries");
            }

            if (_listed++ >= _options.MaxEntries)
            {
                return new DataError(DataFault.TooLarge, $"there are more than {_options.MaxEntries} entries");
            }

            children.Add((Encoding.UTF8.GetBytes(child.Name), child));
        }

        children.Sort(static (a, b) => a.Key.AsSpan().SequenceCompareTo(b.Key));
        var links = new List<DagPbLink>(children.Count);
        for (var i = 0; i < children.Count; i++)
        {
            var child = children[i].Entry;
            if (i > 0 && children[i - 1].Entry.Name == child.Name)
            {
                return new DataError(DataFault.DuplicateName, $"{TreeNames.Printable(path)} has \"{TreeNames.Printable(child.Name)}\" twice");
            }

            var link = ImportEntry(tree, path.Length == 0 ? child.Name : $"{path}/{child.Name}", child, depth + 1, cancellationToken);
            if (!link.Ok)
            {
                return link;
            }

            links.Add(new DagPbLink(link.Value.Cid, child.Name, link.Value.TreeSize));
        }

        var data = new UnixFsData { Type = UnixFsType.Directory, Mode = mode, ModifiedAt = time };
        if (IsSharded(links, data))
        {
            return Hamt.Build(_preset, _sink, links, mode, time);
        }

        ulong treeSize = 0;
        foreach (var link in links)
        {
            treeSize += link.Size ?? 0;
        }

        return WriteNode(links, data, treeSize);
    }

    private DataResult<DagLink> ImportSymlink(IFileTree tree, string path, uint? mode, UnixFsTime? time)
    {
        var target = tree.ReadLink(path);
        var fault = path.Length == 0
            ? new DataError(DataFault.WrongType, "a data set is a file or a directory, not a link to one")
            : TreeNames.CheckLink(path, target);
        if (fault.IsError)
        {
            return fault;
        }

        // Every link has mode 0777, which is not worth a field.
        return WriteNode([], new UnixFsData { Type = UnixFsType.Symlink, Data = Encoding.UTF8.GetBytes(target), Mode = mode is 0x1ff ? null : mode, ModifiedAt = time }, 0);
    }

    private DagLink WriteNode(List<DagPbLink> links, UnixFsData data, ulong below)
    {
        var block = new DagPbNode(links, data.Encode()).Encode();
        var cid = Cid.OfBlock(_preset.CidVersion, Codec.DagPb, block);
        _sink.Write(cid, block);
        return new DagLink(cid, 0, below + (ulong)block.Length);
    }

    private bool IsSharded(List<DagPbLink> links, UnixFsData data)
    {
        if (_preset.Sharding == ShardingRule.Entries)
        {
            return links.Count > _preset.ShardingThreshold;
        }

        long size = 0;
        if (_preset.Sharding == ShardingRule.BlockBytes)
        {
            var length = data.Encode().Length;
            size = 1 + ProtobufWriter.VarintLength((ulong)length) + length;
        }

        foreach (var link in links)
        {
            size += _preset.Sharding == ShardingRule.BlockBytes
                ? DagPbNode.LinkLength(link)
                : Encoding.UTF8.GetByteCount(link.Name!) + link.Cid.Bytes.Length;
        }

        return size > _preset.ShardingThreshold;
    }

    /// <summary>Bytes that were read ahead, and the stream that they came from.</summary>
    private sealed class PrefixedStream(byte[] head, Stream rest) : Stream
    {
        private int _at;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(Span<byte> buffer)
        {
            var n = Math.Min(buffer.Length, head.Length - _at);
            if (n == 0)
            {
                return rest.Read(buffer);
            }

            head.AsSpan(_at, n).CopyTo(buffer);
            _at += n;
            return n;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
