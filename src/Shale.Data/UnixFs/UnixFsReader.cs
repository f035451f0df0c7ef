using System.Numerics;
using System.Text;
using Shale.Data.Car;
using Shale.Data.Cids;

namespace Shale.Data.UnixFs;

/// <summary>A file, directory or link of a UnixFS tree.</summary>
/// <param name="Cid">Its CID.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Length">A file's length in bytes.</param>
/// <param name="Mode">Its permissions where the tree has them.</param>
/// <param name="ModifiedAt">Its modification time where the tree has one.</param>
/// <param name="Target">Where a link leads.</param>
public sealed record UnixFsEntry(Cid Cid, EntryKind Kind, long Length, uint? Mode, UnixFsTime? ModifiedAt, string? Target)
{
    internal DagPbNode? Node { get; init; }

    internal UnixFsData? Data { get; init; }

    internal ReadOnlyMemory<byte> Raw { get; init; }
}

/// <summary>How much of an untrusted tree is read before it is given up.</summary>
/// <param name="MaxBytes">Bytes of all files together; a few blocks can stand for more than any disk.</param>
/// <param name="MaxEntries">Files, directories and links together.</param>
public readonly record struct TreeLimits(long MaxBytes, long MaxEntries)
{
    /// <summary>No limit on bytes, 64 million entries.</summary>
    public static TreeLimits Default => new(long.MaxValue, 1L << 26);
}

/// <summary>Reads UnixFS trees out of untrusted, verified blocks. Safe for several threads if its source is.</summary>
/// <param name="blocks">Where the blocks come from.</param>
public sealed class UnixFsReader(IBlockSource blocks)
{
    /// <summary>The deepest tree within a file: with 174 links a node, four levels are 240 TiB.</summary>
    private const int MaxFileDepth = 32;

    /// <summary>Describes what a CID stands for.</summary>
    /// <param name="cid">The CID, raw or dag-pb.</param>
    /// <returns>The entry, or what is wrong with its block.</returns>
    public DataResult<UnixFsEntry> Open(Cid cid)
    {
        ArgumentNullException.ThrowIfNull(cid);
        if (cid.Codec is not (Codec.Raw or Codec.DagPb))
        {
            return new DataError(DataFault.CodecUnsupported, $"{cid} has codec {Codec.Name(cid.Codec)}, which is not part of UnixFS");
        }

        var error = blocks.TryGet(cid, out var block);
        if (error.IsError)
        {
            return error;
        }

        if (cid.Codec == Codec.Raw)
        {
            return new UnixFsEntry(cid, EntryKind.File, block.Length, null, null, null) { Raw = block };
        }

        error = Decode(cid, block, out var node, out var data);
        if (error.IsError)
        {
            return error;
        }

        switch (data!.Type)
        {
            case UnixFsType.File or UnixFsType.Raw:
                error = CheckSizes(cid, node!, data, out var length);
                return error.IsError ? error : new UnixFsEntry(cid, EntryKind.File, length, data.Mode, data.ModifiedAt, null) { Node = node, Data = data };
            case UnixFsType.Directory or UnixFsType.HamtShard:
                return new UnixFsEntry(cid, EntryKind.Directory, 0, data.Mode, data.ModifiedAt, null) { Node = node, Data = data };
            case UnixFsType.Symlink when node!.Links.Count == 0:
                return new UnixFsEntry(cid, EntryKind.Symlink, 0, data.Mode, data.ModifiedAt, Encoding.UTF8.GetString((data.Data ?? default).Span));
            default:
                return new DataError(DataFault.UnixFs, $"{cid} is no file, directory or link");
        }
    }

    /// <summary>Follows a path, link targets not included.</summary>
    /// <param name="root">Where the path starts.</param>
    /// <param name="path">Names with '/' between them; empty for the root.</param>
    /// <returns>The entry, <see cref="DataFault.NotFound"/>, or what is wrong on the way.</returns>
    public DataResult<UnixFsEntry> Resolve(Cid root, string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        var entry = Open(root);
        foreach (var name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!entry.Ok)
            {
                return entry;
            }

            if (entry.Value.Kind != EntryKind.Directory)
            {
                return new DataError(DataFault.NotFound, $"there is no {TreeNames.Printable(path)}: {entry.Value.Cid} is no directory");
            }

            var error = TryList(entry.Value, out var links);
            if (error.IsError)
            {
                return error;
            }

            var index = links.FindIndex(l => l.Name == name);
            if (index < 0)
            {
                return new DataError(DataFault.NotFound, $"there is no {TreeNames.Printable(path)}: {TreeNames.Printable(name)} is missing");
            }

            entry = Open(links[index].Cid);
        }

        return entry;
    }

    /// <summary>Lists a directory, of one block or sharded; names are safe and unique.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="entries">Its entries, in the order of their names' bytes.</param>
    /// <returns>None, or what is wrong with it.</returns>
    public DataError TryList(UnixFsEntry directory, out List<DagPbLink> entries)
    {
        ArgumentNullException.ThrowIfNull(directory);
        entries = [];
        if (directory.Kind != EntryKind.Directory)
        {
            return new DataError(DataFault.WrongType, $"{directory.Cid} is no directory");
        }

        var error = directory.Data!.Type == UnixFsType.Directory
            ? AddNamed(directory.Node!.Links, entries)
            : AddShard(directory.Cid, directory.Node!, directory.Data, 0, entries);
        if (error.IsError)
        {
            return error;
        }

        var keys = entries.ConvertAll(e => Encoding.UTF8.GetBytes(e.Name!)).ToArray();
        var sorted = entries.ToArray();
        Array.Sort(keys, sorted, Comparer<byte[]>.Create(static (a, b) => a.AsSpan().SequenceCompareTo(b)));
        entries = [.. sorted];
        for (var i = 1; i < entries.Count; i++)
        {
            if (entries[i].Name == entries[i - 1].Name)
            {
                return new DataError(DataFault.DuplicateName, $"the directory {directory.Cid} has \"{TreeNames.Printable(entries[i].Name!)}\" twice");
            }
        }

        return DataError.None;
    }

    /// <summary>Visits every entry of a tree, directories before what they hold.</summary>
    /// <param name="root">The root.</param>
    /// <param name="limits">When to give up.</param>
    /// <param name="visit">Takes each path with its entry; an error ends the walk.</param>
    /// <param name="cancellationToken">Stops between entries.</param>
    /// <returns>None, or the first thing that is wrong.</returns>
    public DataError Walk(Cid root, TreeLimits limits, Func<string, UnixFsEntry, DataError> visit, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var left = limits;
        return Walk(root, "", 0, ref left, visit, cancellationToken);
    }

    /// <summary>Visits the leaves of a file in order.</summary>
    /// <param name="file">The file.</param>
    /// <param name="leaf">Takes each leaf's place in the file, its length, and either its CID (a raw block that was not read yet) or its bytes.</param>
    /// <returns>None, or the first thing that is wrong.</returns>
    internal DataError Leaves(UnixFsEntry file, Func<long, int, Cid?, ReadOnlyMemory<byte>, DataError> leaf)
    {
        if (file.Node is null)
        {
            return leaf(0, file.Raw.Length, null, file.Raw);
        }

        return Leaves(file.Cid, file.Node, file.Data!, 0, 0, leaf);
    }

    private DataError Leaves(Cid cid, DagPbNode node, UnixFsData data, long offset, int depth, Func<long, int, Cid?, ReadOnlyMemory<byte>, DataError> leaf)
    {
        if (depth == MaxFileDepth)
        {
            return new DataError(DataFault.TooDeep, $"the file {cid} is deeper than {MaxFileDepth} nodes");
        }

        if (data.Data is { Length: > 0 } bytes)
        {
            var error = leaf(offset, bytes.Length, null, bytes);
            if (error.IsError)
            {
                return error;
            }

            offset += bytes.Length;
        }

        for (var i = 0; i < node.Links.Count; i++)
        {
            var link = node.Links[i].Cid;
            var size = (long)data.BlockSizes[i];
            var error = link.Codec switch
            {
                Codec.Raw when size > CarReader.MaxSectionLength => new DataError(DataFault.SizeMismatch, $"{link} is one block and should have {size} bytes"),
                Codec.Raw => leaf(offset, (int)size, link, default),
                Codec.DagPb => OpenPart(link, size, offset, depth, leaf),
                _ => new DataError(DataFault.CodecUnsupported, $"a part of a file has codec {Codec.Name(link.Codec)}"),
            };
            if (error.IsError)
            {
                return error;
            }

            offset += size;
        }

        return DataError.None;
    }

    private DataError OpenPart(Cid link, long size, long offset, int depth, Func<long, int, Cid?, ReadOnlyMemory<byte>, DataError> leaf)
    {
        var error = blocks.TryGet(link, out var block);
        if (!error.IsError)
        {
            error = Decode(link, block, out var node, out var data);
            if (!error.IsError && data!.Type is not (UnixFsType.File or UnixFsType.Raw))
            {
                error = new DataError(DataFault.UnixFs, $"{link} is a part of a file and no file itself");
            }

            if (!error.IsError)
            {
                error = CheckSizes(link, node!, data!, out var length);
                if (!error.IsError && length != size)
                {
                    error = new DataError(DataFault.SizeMismatch, $"{link} has {length} bytes where {size} were declared");
                }
            }

            if (!error.IsError)
            {
                return Leaves(link, node!, data!, offset, depth + 1, leaf);
            }
        }

        return error;
    }

    private DataError Walk(Cid cid, string path, int depth, ref TreeLimits left, Func<string, UnixFsEntry, DataError> visit, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (depth > TreeImporter.MaxDepth)
        {
            return new DataError(DataFault.TooDeep, $"the tree is deeper than {TreeImporter.MaxDepth} directories");
        }

        var opened = Open(cid);
        if (!opened.Ok)
        {
            return path.Length == 0 ? opened.Error : opened.Error.Within(0, TreeNames.Printable(path));
        }

        var entry = opened.Value;
        left = new TreeLimits(left.MaxBytes - entry.Length, left.MaxEntries - 1);
        if (left.MaxEntries < 0 || left.MaxBytes < 0)
        {
            return new DataError(DataFault.TooLarge, left.MaxBytes < 0 ? "the tree's files are larger than there is room for" : "the tree has more entries than the limit");
        }

        if (entry.Kind == EntryKind.Symlink)
        {
            var fault = path.Length == 0 ? new DataError(DataFault.WrongType, "the root is a link") : TreeNames.CheckLink(path, entry.Target!);
            if (fault.IsError)
            {
                return fault;
            }
        }

        var error = visit(path, entry);
        if (error.IsError || entry.Kind != EntryKind.Directory)
        {
            return error;
        }

        error = TryList(entry, out var links);
        foreach (var link in links)
        {
            if (error.IsError)
            {
                break;
            }

            error = Walk(link.Cid, path.Length == 0 ? link.Name! : $"{path}/{link.Name}", depth + 1, ref left, visit, cancellationToken);
        }

        return error;
    }

    private static DataError Decode(Cid cid, byte[] block, out DagPbNode? node, out UnixFsData? data)
    {
        data = null;
        var error = DagPbNode.TryDecode(block, out node);
        if (error.IsError)
        {
            return error.Within(0, cid.ToString());
        }

        if (node!.Data is not { } bytes)
        {
            return new DataError(DataFault.UnixFs, $"{cid} has no UnixFS message");
        }

        error = UnixFsData.TryDecode(bytes, out data);
        return error.IsError ? error.Within(0, cid.ToString()) : DataError.None;
    }

    // A part of no bytes would let a few blocks be visited without end; no importer writes one.
    private static DataError CheckSizes(Cid cid, DagPbNode node, UnixFsData data, out long length)
    {
        length = 0;
        if (data.BlockSizes.Count != node.Links.Count)
        {
            return new DataError(DataFault.SizeMismatch, $"{cid} has {node.Links.Count} parts and the sizes of {data.BlockSizes.Count}");
        }

        var total = (UInt128)(data.Data?.Length ?? 0);
        foreach (var size in data.BlockSizes)
        {
            if (size == 0)
            {
                return new DataError(DataFault.SizeMismatch, $"{cid} has a part of no bytes");
            }

            total += size;
        }

        if (total > long.MaxValue || (data.FileSize is { } declared && declared != (ulong)total))
        {
            return new DataError(DataFault.SizeMismatch, $"{cid} declares {data.FileSize} bytes and its parts have {total}");
        }

        length = (long)total;
        return DataError.None;
    }

    private static DataError AddNamed(IReadOnlyList<DagPbLink> links, List<DagPbLink> entries)
    {
        foreach (var link in links)
        {
            var error = TreeNames.CheckName(link.Name ?? "");
            if (error.IsError)
            {
                return error;
            }

            entries.Add(link);
        }

        return DataError.None;
    }

    private DataError AddShard(Cid cid, DagPbNode node, UnixFsData data, int depth, List<DagPbLink> entries)
    {
        var fanout = data.Fanout ?? 0;
        if (data.HashType != Hamt.HashType || fanout is < 8 or > 1024 || !BitOperations.IsPow2(fanout))
        {
            return new DataError(DataFault.Hamt, $"the shard {cid} has hash function {data.HashType} and {fanout} slots");
        }

        var bits = new BigInteger((data.Data ?? default).Span, isUnsigned: true, isBigEndian: true);
        var width = (fanout - 1).ToString("X", System.Globalization.CultureInfo.InvariantCulture).Length;
        var previous = -1;
        foreach (var link in node.Links)
        {
            var name = link.Name ?? "";
            if (name.Length < width || !int.TryParse(name.AsSpan(0, width), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var slot)
                || (ulong)slot >= fanout || slot <= previous || ((bits >> slot) & 1) == 0)
            {
                return new DataError(DataFault.Hamt, $"the shard {cid} has a link \"{TreeNames.Printable(name)}\" that fits no slot of its own");
            }

            previous = slot;
            bits ^= BigInteger.One << slot;
            if (name.Length > width)
            {
                var error = AddNamed([link with { Name = name[width..] }], entries);
                if (error.IsError)
                {
                    return error;
                }

                continue;
            }

            if (depth + 1 == Hamt.MaxDepth * 2)
            {
                return new DataError(DataFault.TooDeep, $"the shard {cid} is deeper than its hash function allows");
            }

            var child = Open(link.Cid);
            if (!child.Ok)
            {
                return child.Error;
            }

            if (child.Value.Data is not { Type: UnixFsType.HamtShard } shard || shard.Fanout != data.Fanout)
            {
                return new DataError(DataFault.Hamt, $"{link.Cid} is no shard of the directory that links to it");
            }

            // Empty shards below one another would let a few blocks be visited 256^16 times.
            if (child.Value.Node!.Links.Count == 0)
            {
                return new DataError(DataFault.Hamt, $"the shard {link.Cid} is empty");
            }

            var below = AddShard(link.Cid, child.Value.Node, shard, depth + 1, entries);
            if (below.IsError)
            {
                return below;
            }

            if (entries.Count > TreeImporter.MaxDirectoryEntries)
            {
                return new DataError(DataFault.TooLarge, $"the directory {cid} has more than {TreeImporter.MaxDirectoryEntries} entries");
            }
        }

        return bits.IsZero ? DataError.None : new DataError(DataFault.Hamt, $"the shard {cid} names slots in its bit field that it has no links for");
    }
}
