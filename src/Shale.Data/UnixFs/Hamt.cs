using System.Numerics;
using System.Text;
using Shale.Data.Car;
using Shale.Data.Cids;

namespace Shale.Data.UnixFs;

/// <summary>
/// Directories as hash array mapped tries (https://specs.ipfs.tech/unixfs/#dag-pb-hamtdirectory): a node has a slot for each
/// value of one byte of the name's hash; a link's name is the slot in hexadecimal, followed by the entry's name unless the
/// slot holds a node.
/// </summary>
internal static class Hamt
{
    /// <summary>murmur3-x64-64 in the multicodec table.</summary>
    public const ulong HashType = 0x22;

    /// <summary>A 64-bit hash has eight bytes; names that agree in all of them cannot be told apart.</summary>
    public const int MaxDepth = 8;

    public static DataResult<DagLink> Build(ImportPreset preset, IBlockSink sink, IReadOnlyList<DagPbLink> entries, uint? mode, UnixFsTime? time)
    {
        var hashed = new (ulong Hash, DagPbLink Link)[entries.Count];
        for (var i = 0; i < hashed.Length; i++)
        {
            hashed[i] = (Murmur3.Hash64(Encoding.UTF8.GetBytes(entries[i].Name!)), entries[i]);
        }

        Array.Sort(hashed, static (a, b) => a.Hash.CompareTo(b.Hash));
        return BuildNode(preset, sink, hashed, 0, mode, time);
    }

    private static DataResult<DagLink> BuildNode(ImportPreset preset, IBlockSink sink, ReadOnlySpan<(ulong Hash, DagPbLink Link)> entries, int depth, uint? mode, UnixFsTime? time)
    {
        if (depth == MaxDepth)
        {
            return new DataError(DataFault.Hamt, $"the names \"{entries[0].Link.Name}\" and \"{entries[1].Link.Name}\" have the same hash: no HAMT holds both");
        }

        var links = new List<DagPbLink>(ImportPreset.Fanout);
        var bits = BigInteger.Zero;
        ulong treeSize = 0;
        var shift = 56 - (8 * depth);
        for (var i = 0; i < entries.Length;)
        {
            var slot = (int)(entries[i].Hash >> shift) & 0xff;
            var end = i + 1;
            while (end < entries.Length && ((int)(entries[end].Hash >> shift) & 0xff) == slot)
            {
                end++;
            }

            var prefix = slot.ToString("X2", System.Globalization.CultureInfo.InvariantCulture);
            DagPbLink link;
            if (end == i + 1)
            {
                link = entries[i].Link with { Name = prefix + entries[i].Link.Name };
            }
            else
            {
                var shard = BuildNode(preset, sink, entries[i..end], depth + 1, null, null);
                if (!shard.Ok)
                {
                    return shard;
                }

                link = new DagPbLink(shard.Value.Cid, prefix, shard.Value.TreeSize);
            }

            links.Add(link);
            treeSize += link.Size ?? 0;
            bits |= BigInteger.One << slot;
            i = end;
        }

        var data = new UnixFsData
        {
            Type = UnixFsType.HamtShard,
            Data = bits.ToByteArray(isUnsigned: true, isBigEndian: true),
            HashType = HashType,
            Fanout = ImportPreset.Fanout,
            Mode = mode,
            ModifiedAt = time,
        };
        var block = new DagPbNode(links, data.Encode()).Encode();
        var cid = Cid.OfBlock(preset.CidVersion, Codec.DagPb, block);
        sink.Write(cid, block);
        return new DagLink(cid, 0, treeSize + (ulong)block.Length);
    }
}
