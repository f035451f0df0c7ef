using Microsoft.Win32.SafeHandles;
using Shale.Data.Car;
using Shale.Data.Cids;
using Shale.Data.Hashing;
using Shale.Data.Store;

namespace Shale.Data.UnixFs;

/// <summary>How far an extraction is.</summary>
/// <param name="Bytes">Bytes of files that stand on disk.</param>
/// <param name="Reused">How many of them an earlier, interrupted run had written; they were hashed again.</param>
/// <param name="Entries">Files, directories and links that stand on disk.</param>
public readonly record struct ExtractProgress(long Bytes, long Reused, long Entries);

/// <summary>
/// Writes a UnixFS tree to the file system. It appears under its name when it is complete and on disk, and not before; what
/// an interrupted run wrote is used again after it was hashed again. One run for a destination at a time, across processes.
/// </summary>
public sealed class TreeExtractor
{
    /// <summary>What stands next to the destination until the tree is complete.</summary>
    public const string PartialSuffix = ".shale-partial";

    private const UnixFileMode DirectoryMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private const UnixFileMode FileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    private readonly IBlockSource _blocks;
    private readonly TreeLimits? _limits;
    private readonly IProgress<ExtractProgress>? _progress;
    private readonly Batch[] _ring;
    private readonly List<(string Path, UnixFsEntry Entry)> _later = [];
    private int _next;
    private int _oldest;
    private int _running;
    private long _bytes;
    private long _reused;
    private long _entries;

    /// <summary>Makes an extractor for one tree.</summary>
    /// <param name="blocks">Where its blocks come from.</param>
    /// <param name="limits">When to give up; by default when the files would not fit the destination's file system.</param>
    /// <param name="threads">How many threads read, hash and write; 0 for the machine's cores.</param>
    /// <param name="progress">Told after each group of leaves and each entry.</param>
    public TreeExtractor(IBlockSource blocks, TreeLimits? limits = null, int threads = 0, IProgress<ExtractProgress>? progress = null)
    {
        _blocks = blocks;
        _limits = limits;
        _progress = progress;
        _ring = new Batch[Math.Clamp((threads == 0 ? Environment.ProcessorCount : threads) + 1, 2, 16)];
    }

    /// <summary>Extracts a tree.</summary>
    /// <param name="root">Its root.</param>
    /// <param name="destination">Where to; must not exist.</param>
    /// <param name="onEntry">Takes each path with its entry once it was accepted; may be null.</param>
    /// <param name="cancellationToken">Stops between groups of leaves; what was written stays for the next run.</param>
    /// <returns>How much was written, or why the tree is refused; a refused tree leaves nothing behind.</returns>
    public DataResult<ExtractProgress> Extract(Cid root, string destination, Action<string, UnixFsEntry>? onEntry = null, CancellationToken cancellationToken = default)
    {
        destination = Path.GetFullPath(destination);
        var parent = Path.GetDirectoryName(destination)!;
        var partial = destination + PartialSuffix;
        using var held = HostFiles.TryLock(partial + ".lock");
        if (held is null)
        {
            return new DataError(DataFault.InUse, $"another process extracts to {destination}");
        }

        if (HostFiles.Describe(destination) is not null)
        {
            File.Delete(partial + ".lock");
            return new DataError(DataFault.AlreadyExists, $"{destination} exists");
        }

        var limits = _limits ?? TreeLimits.Default with { MaxBytes = new DriveInfo(parent).AvailableFreeSpace + SizeOf(partial) };
        var error = ExtractTo(root, partial, limits, onEntry, cancellationToken);
        if (error.IsError)
        {
            Delete(partial);
            File.Delete(partial + ".lock");
            return error;
        }

        HostFiles.SyncFileSystem(parent);
        if (Directory.Exists(partial))
        {
            Directory.Move(partial, destination);
        }
        else
        {
            File.Move(partial, destination);
        }

        File.Delete(partial + ".lock");
        HostFiles.SyncDirectory(parent);
        return new ExtractProgress(_bytes, _reused, _entries);
    }

    /// <summary>Removes what an interrupted extraction left for its next run.</summary>
    /// <param name="destination">Where the extraction was to.</param>
    public static void Forget(string destination)
    {
        Delete(destination + PartialSuffix);
        File.Delete(destination + PartialSuffix + ".lock");
    }

    private DataError ExtractTo(Cid root, string partial, TreeLimits limits, Action<string, UnixFsEntry>? onEntry, CancellationToken cancellationToken)
    {
        var reader = new UnixFsReader(_blocks);

        // Once without writing: names, links, sizes and limits are known to be right before anything stands on disk.
        var fault = reader.Walk(root, limits, static (_, _) => DataError.None, cancellationToken);
        if (fault.IsError)
        {
            return fault;
        }

        var resumes = HostFiles.Describe(partial) is not null;
        DataError error;
        try
        {
            error = reader.Walk(root, limits, (path, entry) => Place(reader, path.Length == 0 ? partial : Path.Combine(partial, path), path, entry, resumes, onEntry, cancellationToken), cancellationToken);
        }
        catch
        {
            Drain();
            throw;
        }

        var late = Drain();
        error = error.IsError ? error : late;
        return error.IsError ? error : Finish(partial);
    }

    private DataError Place(UnixFsReader reader, string full, string path, UnixFsEntry entry, bool resumes, Action<string, UnixFsEntry>? onEntry, CancellationToken cancellationToken)
    {
        var error = DataError.None;
        switch (entry.Kind)
        {
            case EntryKind.Directory:
                // What stands there from an earlier run is this directory, since the partial tree belongs to one root only.
                Directory.CreateDirectory(full, DirectoryMode);
                break;
            case EntryKind.File:
                error = PlaceFile(reader, full, entry, resumes, cancellationToken);
                break;
            default:
                // Links come last, so that nothing is ever written through one.
                break;
        }

        if (!error.IsError)
        {
            if (entry.Kind == EntryKind.Symlink || entry.Mode is not null || entry.ModifiedAt is not null)
            {
                _later.Add((path, entry));
            }

            _entries++;
            onEntry?.Invoke(path, entry);
            _progress?.Report(new ExtractProgress(Interlocked.Read(ref _bytes), Interlocked.Read(ref _reused), _entries));
        }

        return error;
    }

    private DataError PlaceFile(UnixFsReader reader, string full, UnixFsEntry entry, bool resumes, CancellationToken cancellationToken)
    {
        var existing = resumes && HostFiles.Describe(full) is { Kind: EntryKind.File } there ? there.Length : 0;
        var options = new FileStreamOptions { Mode = System.IO.FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, BufferSize = 0, UnixCreateMode = FileMode };
        var output = new SharedHandle(new FileStream(full, options));
        try
        {
            if (existing > entry.Length)
            {
                output.File.SetLength(entry.Length);
            }

            return reader.Leaves(entry, (offset, length, cid, bytes) =>
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (cid is null)
                {
                    RandomAccess.Write(output.File.SafeFileHandle, bytes.Span, offset);
                    Interlocked.Add(ref _bytes, length);
                    return DataError.None;
                }

                var batch = _ring[_next] ??= new Batch(this);
                if (batch.Add(output, offset, length, cid, offset + length <= existing))
                {
                    return DataError.None;
                }

                return StartBatch() is { IsError: true } error ? error : Continue(output, offset, length, cid, offset + length <= existing);
            });
        }
        finally
        {
            output.Release();
        }
    }

    private DataError Continue(SharedHandle output, long offset, int length, Cid cid, bool exists)
    {
        var batch = _ring[_next] ??= new Batch(this);
        batch.Add(output, offset, length, cid, exists);
        return DataError.None;
    }

    private DataError StartBatch()
    {
        _ring[_next].Start();
        _running++;
        _next = (_next + 1) % _ring.Length;
        if (_running < _ring.Length)
        {
            return DataError.None;
        }

        var error = _ring[_oldest].Wait();
        _oldest = (_oldest + 1) % _ring.Length;
        _running--;
        _progress?.Report(new ExtractProgress(Interlocked.Read(ref _bytes), Interlocked.Read(ref _reused), _entries));
        return error;
    }

    private DataError Drain()
    {
        var error = DataError.None;
        if (_ring[_next] is { Count: > 0 } last)
        {
            last.Start();
            _running++;
            _next = (_next + 1) % _ring.Length;
        }

        for (; _running > 0; _running--)
        {
            var one = _ring[_oldest].Wait();
            error = error.IsError ? error : one;
            _oldest = (_oldest + 1) % _ring.Length;
        }

        return error;
    }

    // Links, then modes and times from the leaves of the tree up, since writing into a directory changes its time.
    private DataError Finish(string partial)
    {
        foreach (var (path, entry) in _later.Where(l => l.Entry.Kind == EntryKind.Symlink))
        {
            var full = Path.Combine(partial, path);
            if (HostFiles.Describe(full) is null)
            {
                File.CreateSymbolicLink(full, entry.Target!);
            }
            else if (new FileInfo(full).LinkTarget != entry.Target)
            {
                return new DataError(DataFault.Changed, $"{full} changed while the tree was extracted");
            }
        }

        for (var i = _later.Count - 1; i >= 0; i--)
        {
            var (path, entry) = _later[i];
            var full = path.Length == 0 ? partial : Path.Combine(partial, path);
            if (entry.Kind == EntryKind.Symlink)
            {
                continue;
            }

            // Bits that give a program its owner's rights have no place in data from elsewhere; owners can always read.
            if (entry.Mode is { } mode)
            {
                File.SetUnixFileMode(full, (UnixFileMode)(mode & 0x1ff) | UnixFileMode.UserRead | (entry.Kind == EntryKind.Directory ? UnixFileMode.UserExecute | UnixFileMode.UserWrite : 0));
            }

            // Times that this machine cannot have are left as they are.
            if (entry.ModifiedAt is { Seconds: > -2_208_988_800 and < 4_102_444_800 } time)
            {
                File.SetLastWriteTimeUtc(full, DateTime.UnixEpoch.AddSeconds(time.Seconds).AddTicks((time.Nanoseconds ?? 0) / 100));
            }
        }

        return DataError.None;
    }

    private static long SizeOf(string partial)
    {
        if (File.Exists(partial))
        {
            return new FileInfo(partial).Length;
        }

        return !Directory.Exists(partial) ? 0
            : new DirectoryInfo(partial).EnumerateFiles("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint }).Sum(f => f.Length);
    }

    private static void Delete(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
        else
        {
            File.Delete(path);
        }
    }

    /// <summary>A file that stays open until the last batch that writes to it is done.</summary>
    private sealed class SharedHandle(FileStream file)
    {
        private int _users = 1;

        public FileStream File => file;

        public void Use() => Interlocked.Increment(ref _users);

        public void Release()
        {
            if (Interlocked.Decrement(ref _users) == 0)
            {
                file.Dispose();
            }
        }
    }

    /// <summary>Up to sixteen leaves that are read, hashed and written together.</summary>
    private sealed class Batch(TreeExtractor owner)
    {
        // Sixteen leaves of the usual size; a batch ends early where leaves are larger.
        private const int Room = 17 << 20;

        private readonly (SharedHandle Output, long Offset, int Length, Cid Cid, bool Exists)[] _leaves = new (SharedHandle, long, int, Cid, bool)[Sha256Batch.Width];
        private readonly ReadOnlyMemory<byte>[] _blocks = new ReadOnlyMemory<byte>[Sha256Batch.Width];
        private readonly byte[] _digests = new byte[32 * Sha256Batch.Width];
        private byte[] _buffer = [];
        private int _used;
        private Task<DataError>? _work;

        public int Count { get; private set; }

        public bool Add(SharedHandle output, long offset, int length, Cid cid, bool exists)
        {
            if (Count == _leaves.Length || _used + length > Room)
            {
                return false;
            }

            output.Use();
            _leaves[Count++] = (output, offset, length, cid, exists);
            _used += length + 192;
            return true;
        }

        public void Start() => _work = Task.Run(Run);

        public DataError Wait()
        {
            try
            {
                return _work!.GetAwaiter().GetResult();
            }
            finally
            {
                for (var i = 0; i < Count; i++)
                {
                    _leaves[i].Output.Release();
                }

                Count = 0;
                _used = 0;
            }
        }

        private DataError Run()
        {
            if (_buffer.Length < _used)
            {
                _buffer = GC.AllocateUninitializedArray<byte>(_used);
            }

            var at = 0;
            for (var i = 0; i < Count; i++)
            {
                var leaf = _leaves[i];
                var room = _buffer.AsMemory(at, leaf.Length);
                at += leaf.Length + 192;
                if (leaf.Exists && IsThere(leaf.Output.File.SafeFileHandle, leaf.Offset, room.Span) && !leaf.Cid.Verify(room.Span).IsError)
                {
                    _blocks[i] = default;
                    Interlocked.Add(ref owner._bytes, leaf.Length);
                    Interlocked.Add(ref owner._reused, leaf.Length);
                    continue;
                }

                var error = Fetch(leaf.Cid, leaf.Length, room, out _blocks[i]);
                if (error.IsError)
                {
                    return error;
                }
            }

            return HashAndWrite();
        }

        private DataError Fetch(Cid cid, int length, Memory<byte> room, out ReadOnlyMemory<byte> block)
        {
            block = default;
            if (owner._blocks is CarBlockSource car && cid.Hash == MultihashCode.Sha256)
            {
                if (!car.TryFind(cid, out var actual))
                {
                    return new DataError(DataFault.BlockMissing, $"the block {cid} is not in the CAR");
                }

                if (actual != length)
                {
                    return new DataError(DataFault.SizeMismatch, $"{cid} has {actual} bytes where {length} were declared");
                }

                block = room;
                return car.TryRead(cid, room.Span);
            }

            var error = owner._blocks.TryGet(cid, out var bytes);
            block = bytes;
            return error.IsError || bytes.Length == length ? error : new DataError(DataFault.SizeMismatch, $"{cid} has {bytes.Length} bytes where {length} were declared");
        }

        private DataError HashAndWrite()
        {
            Sha256Batch.HashMessages(Sha256Batch.BestForMessages, _blocks.AsSpan(0, Count), _digests);
            for (var i = 0; i < Count; i++)
            {
                var leaf = _leaves[i];
                if (_blocks[i].Length == 0)
                {
                    continue;
                }

                if (leaf.Cid.Hash == MultihashCode.Sha256 ? !leaf.Cid.Digest.SequenceEqual(_digests.AsSpan(32 * i, 32)) : leaf.Cid.Verify(_blocks[i].Span).IsError)
                {
                    return new DataError(DataFault.HashMismatch, $"the bytes do not hash to {leaf.Cid}");
                }

                RandomAccess.Write(leaf.Output.File.SafeFileHandle, _blocks[i].Span, leaf.Offset);
                Interlocked.Add(ref owner._bytes, leaf.Length);
            }

            return DataError.None;
        }

        private static bool IsThere(SafeFileHandle file, long offset, Span<byte> room)
        {
            for (var at = 0; at < room.Length;)
            {
                var n = RandomAccess.Read(file, room[at..], offset + at);
                if (n == 0)
                {
                    return false;
                }

                at += n;
            }

            return true;
        }
    }
}
