using Shale.Data.Car;
using Shale.Data.Cids;

namespace Shale.Data.UnixFs;

/// <summary>A part of a file, or a finished node, as the node above it links to it.</summary>
/// <param name="Cid">Its CID.</param>
/// <param name="FileBytes">How many bytes of the file stand below it.</param>
/// <param name="TreeSize">How many bytes of blocks stand below it, its own included (Tsize).</param>
internal readonly record struct DagLink(Cid Cid, ulong FileBytes, ulong TreeSize);

/// <summary>
/// Builds the balanced tree over a file's leaves as they come: one row of unfinished links a level, so that memory is
/// <see cref="ImportPreset.MaxLinks"/> times the height, whatever the file's size.
/// </summary>
internal sealed class FileLayout(ImportPreset preset, IBlockSink sink)
{
    private readonly List<List<DagLink>> _rows = [[]];
    private long _leaves;

    public void Add(DagLink leaf)
    {
        _leaves++;
        Add(0, leaf);
    }

    /// <summary>The root: the leaf itself where there is one only and no metadata has to be kept.</summary>
    public DagLink Finish(uint? mode, UnixFsTime? time)
    {
        if (_leaves == 1)
        {
            return _rows[0][0];
        }

        for (var level = 0; ; level++)
        {
            var row = _rows[level];
            var top = level == _rows.Count - 1;
            if (top && row.Count == 1 && level > 0)
            {
                return row[0];
            }

            if (top)
            {
                return Emit(row, mode, time);
            }

            if (row.Count > 0)
            {
                var node = Emit(row, null, null);
                row.Clear();
                Add(level + 1, node);
            }
        }
    }

    // A full row is written when the next link comes, so that a root is known to be one before it is written.
    private void Add(int level, DagLink link)
    {
        if (_rows[level].Count == preset.MaxLinks)
        {
            var node = Emit(_rows[level], null, null);
            _rows[level].Clear();
            if (_rows.Count == level + 1)
            {
                _rows.Add([]);
            }

            Add(level + 1, node);
        }

        _rows[level].Add(link);
    }

    private DagLink Emit(List<DagLink> row, uint? mode, UnixFsTime? time)
    {
        ulong fileBytes = 0, treeSize = 0;
        var links = new DagPbLink[row.Count];
        var sizes = new ulong[row.Count];
        for (var i = 0; i < links.Length; i++)
        {
            links[i] = new DagPbLink(row[i].Cid, "", row[i].TreeSize);
            sizes[i] = row[i].FileBytes;
            fileBytes += sizes[i];
            treeSize += row[i].TreeSize;
        }

        var data = new UnixFsData { Type = UnixFsType.File, FileSize = fileBytes, BlockSizes = sizes, Mode = mode, ModifiedAt = time };
        var block = new DagPbNode(links, data.Encode()).Encode();
        var cid = Cid.OfBlock(preset.CidVersion, Codec.DagPb, block);
        sink.Write(cid, block);
        return new DagLink(cid, fileBytes, treeSize + (ulong)block.Length);
    }
}
