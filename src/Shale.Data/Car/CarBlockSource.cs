using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Shale.Data.Cids;

namespace Shale.Data.Car;

/// <summary>Where the blocks of a tree come from. Every block that is handed out was hashed on the way. Safe for several threads.</summary>
public interface IBlockSource
{
    /// <summary>Gets a block.</summary>
    /// <param name="cid">Its CID.</param>
    /// <param name="block">Its bytes, which are the caller's.</param>
    /// <returns>None, <see cref="DataFault.BlockMissing"/>, <see cref="DataFault.HashMismatch"/>, or <see cref="DataFault.HashUnsupported"/>.</returns>
    DataError TryGet(Cid cid, out byte[] block);
}

/// <summary>
/// Random access to a CAR file's blocks. Opening reads every section's head; a block is hashed each time it is read, so that
/// a file that changes underneath is noticed. Takes about 72 bytes of memory a block: 72 MiB for a TiB in blocks of a MiB.
/// </summary>
public sealed class CarBlockSource : IBlockSource, IDisposable
{
    /// <summary>The most blocks: a bound for the index at 4.6 GiB of memory, or 64 TiB in blocks of a MiB.</summary>
    private const int MaxBlocks = 1 << 26;

    private readonly FileStream _file;
    private readonly Dictionary<BlockKey, (long Offset, int Length)> _blocks;

    private CarBlockSource(FileStream file, IReadOnlyList<Cid> roots, Dictionary<BlockKey, (long Offset, int Length)> blocks)
    {
        _file = file;
        _blocks = blocks;
        Roots = roots;
    }

    /// <summary>The roots that the header names.</summary>
    public IReadOnlyList<Cid> Roots { get; }

    /// <summary>How many different blocks there are.</summary>
    public int Count => _blocks.Count;

    internal SafeFileHandle Handle => _file.SafeFileHandle;

    /// <summary>Opens a file and finds its blocks.</summary>
    /// <param name="path">The CAR.</param>
    /// <param name="zeroPadded">Whether zeros may follow the last section.</param>
    /// <param name="verify">Whether to hash every block now, those that nothing links to included.</param>
    /// <param name="progress">Told how many bytes of the payload were read.</param>
    /// <param name="cancellationToken">Stops between windows.</param>
    /// <returns>The source, or what is wrong with the file.</returns>
    public static DataResult<CarBlockSource> Open(string path, bool zeroPadded = false, bool verify = false, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        var file = Store.HostFiles.OpenRead(path);
        var keep = false;
        try
        {
            var blocks = new Dictionary<BlockKey, (long, int)>();
            IReadOnlyList<Cid> roots;
            long payloadStart;
            if (verify)
            {
                // The reader's own view of the header is needed too; it is small.
                var headerError = CarReader.TryOpen(file, zeroPadded, out var header);
                if (headerError.IsError)
                {
                    return headerError;
                }

                payloadStart = header!.PayloadStart;
                file.Position = 0;
                var summary = CarVerifier.Verify(file, zeroPadded, b => blocks.TryAdd(BlockKey.Of(b.Cid), (payloadStart + b.DataOffset, b.Data.Length)), 0, progress, cancellationToken);
                if (!summary.Ok)
                {
                    return summary.Error;
                }

                roots = summary.Value.Roots;
            }
            else
            {
                var error = Scan(file, zeroPadded, blocks, out roots, cancellationToken);
                if (error.IsError)
                {
                    return error;
                }
            }

            keep = true;
            return new CarBlockSource(file, roots, blocks);
        }
        finally
        {
            if (!keep)
            {
                file.Dispose();
            }
        }
    }

    /// <inheritdoc/>
    public DataError TryGet(Cid cid, out byte[] block)
    {
        ArgumentNullException.ThrowIfNull(cid);
        if (cid.Hash == MultihashCode.Identity)
        {
            block = cid.Digest.ToArray();
            return DataError.None;
        }

        var error = TryReadUnchecked(cid, out block);
        return error.IsError ? error : cid.Verify(block);
    }

    /// <summary>Reads a block without hashing it: for a caller that hashes several at once.</summary>
    internal DataError TryReadUnchecked(Cid cid, out byte[] block)
    {
        block = [];
        if (!_blocks.TryGetValue(BlockKey.Of(cid), out var place))
        {
            return new DataError(DataFault.BlockMissing, $"the block {cid} is not in the CAR");
        }

        block = GC.AllocateUninitializedArray<byte>(place.Length);
        return TryRead(cid, block);
    }

    internal bool TryFind(Cid cid, out int length)
    {
        var found = _blocks.TryGetValue(BlockKey.Of(cid), out var place);
        length = place.Length;
        return found;
    }

    internal DataError TryRead(Cid cid, Span<byte> destination)
    {
        var (offset, length) = _blocks[BlockKey.Of(cid)];
        for (var at = 0; at < length;)
        {
            var n = RandomAccess.Read(_file.SafeFileHandle, destination[at..length], offset + at);
            if (n == 0)
            {
                return new DataError(DataFault.Changed, "the CAR became shorter while it was read");
            }

            at += n;
        }

        return DataError.None;
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    // Reads heads only and steps over the blocks' bytes.
    private static DataError Scan(FileStream file, bool zeroPadded, Dictionary<BlockKey, (long Offset, int Length)> blocks, out IReadOnlyList<Cid> roots, CancellationToken cancellationToken)
    {
        roots = [];
        var error = CarReader.TryOpen(file, zeroPadded, out var reader);
        if (error.IsError)
        {
            return error;
        }

        roots = reader!.Roots;
        var start = reader.PayloadStart;
        var end = reader.HeaderV2 is { } v2 ? start + v2.DataSize : file.Length;
        var at = start + reader.Position;
        Span<byte> head = stackalloc byte[Varint.MaxLength + (4 * Varint.MaxLength) + Cid.MaxDigestLength];
        while (at < end)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var n = RandomAccess.Read(file.SafeFileHandle, head[..(int)Math.Min(head.Length, end - at)], at);
            error = Varint.TryRead(head[..n], out var length, out var prefix);
            if (error.IsError)
            {
                return error.Fault == DataFault.VarintTruncated ? new DataError(DataFault.CarTruncated, "the file ends in a section's length", at) : error.Within(at, "section length");
            }

            if (length == 0)
            {
                file.Position = at;
                return zeroPadded ? CheckZeros(file, end - at, at) : new DataError(DataFault.CarSection, "a section of no bytes holds no CID", at);
            }

            if (length > CarReader.MaxSectionLength)
            {
                return new DataError(DataFault.CarTooLarge, $"a section of {length} bytes exceeds the limit of {CarReader.MaxSectionLength}", at);
            }

            if (at + prefix + (long)length > end)
            {
                return new DataError(DataFault.CarTruncated, $"the file ends in a section of {length} bytes", end);
            }

            error = Cid.TryRead(head.Slice(prefix, (int)Math.Min((ulong)(n - prefix), length)), out var cid, out var cidLength);
            if (error.IsError)
            {
                return error.Fault is DataFault.CidTruncated or DataFault.VarintTruncated
                    ? new DataError(DataFault.CarSection, $"a section of {length} bytes is too short for its CID", at)
                    : error.Within(at + prefix, "section");
            }

            if (blocks.Count == MaxBlocks)
            {
                return new DataError(DataFault.CarTooLarge, $"a CAR with more than {MaxBlocks} blocks is not read at random", at);
            }

            blocks.TryAdd(BlockKey.Of(cid!), (at + prefix + cidLength, (int)length - cidLength));
            at += prefix + (long)length;
        }

        return DataError.None;
    }

    private static DataError CheckZeros(FileStream file, long length, long at)
    {
        var buffer = new byte[1 << 16];
        while (length > 0)
        {
            var n = file.Read(buffer, 0, (int)Math.Min(buffer.Length, length));
            if (n == 0)
            {
                break;
            }

            if (buffer.AsSpan(0, n).ContainsAnyExcept((byte)0))
            {
                return new DataError(DataFault.CarSection, "something other than zeros follows the last section", at);
            }

            length -= n;
        }

        return DataError.None;
    }

    /// <summary>A multihash as a value: blocks are found by hash function and digest, whatever version and codec a link gives.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct BlockKey(ulong A, ulong B, ulong C, ulong D, ulong Hash)
    {
        public static BlockKey Of(Cid cid)
        {
            Span<ulong> words = stackalloc ulong[4];
            words.Clear();
            var digest = cid.Digest;
            if (digest.Length <= 32)
            {
                digest.CopyTo(MemoryMarshal.AsBytes(words));
            }
            else
            {
                System.Security.Cryptography.SHA256.HashData(digest, MemoryMarshal.AsBytes(words));
            }

            return new BlockKey(words[0], words[1], words[2], words[3], cid.Hash ^ ((ulong)digest.Length << 56));
        }

        public override int GetHashCode() => HashCode.Combine(A, Hash);
    }
}
