using System.Text;
using System.Threading.Channels;

namespace Shale.Payments.Log;

/// <summary>
/// The voucher log's one writer. Appends that wait together share one write and one flush (group commit); nobody is told that an entry is in
/// the log before it is on the disk. Opening recovers from any crash: docs/VOUCHERLOG.md says how.
/// </summary>
public sealed class VoucherLogWriter : IVoucherLog, IAsyncDisposable
{
    /// <summary>The longest entry: a bundle's length prefix has 16 bits.</summary>
    public const int MaxEntryBytes = ushort.MaxValue;

    /// <summary>Entries of a journal segment: 65,536 make whole tiles of levels 0 and 1, so that a restart reads one tile a level.</summary>
    public const int SegmentEntries = TilePath.Width * TilePath.Width;

    // Enough for every lease of a large provider to wait at once; past it writers wait for room.
    private const int QueueLength = 8192;

    // One flush carries at most this much, so that the first of a burst doesn't wait for all of it.
    private const int BatchBytes = 4 << 20;

    // How far the published tiles and checkpoint may lag behind the journal while entries come in.
    private static readonly TimeSpan PublishInterval = TimeSpan.FromSeconds(1);

    private readonly Channel<Pending> _queue = System.Threading.Channels.Channel.CreateBounded<Pending>(new BoundedChannelOptions(QueueLength) { SingleReader = true });
    private readonly Lock _gate = new();
    private readonly string _folder;
    private readonly NoteSigner _signer;
    private readonly TimeProvider _time;
    private readonly FileStream _lock;
    private readonly TileTree _tree;
    private readonly Task _loop;
    private Journal _journal;
    private Checkpoint _current;
    private (long Size, string Note) _signed = (-1, "");
    private long _publishedSize = -1;
    private long _publishedAt;
    private bool _segmentIsFull;
    private VoucherLogException? _failure;

    private VoucherLogWriter(string folder, NoteSigner signer, TimeProvider time, FileStream @lock, TileTree tree, Journal journal, LogRecovery recovery)
    {
        (_folder, _signer, _time, _lock, _tree, _journal) = (folder, signer, time, @lock, tree, journal);
        Recovery = recovery;
        _current = new Checkpoint(signer.Verifier.Name, tree.Size, tree.Root());
        Publish();
        _loop = Task.Factory.StartNew(WriteLoop, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>The log's folder.</summary>
    public string Folder => _folder;

    /// <summary>What opening found.</summary>
    public LogRecovery Recovery { get; }

    /// <inheritdoc/>
    public Checkpoint Current
    {
        get
        {
            lock (_gate)
            {
                return _current;
            }
        }
    }

    /// <summary>Opens the log in a folder, or begins one there.</summary>
    /// <param name="folder">The folder; created if it isn't there.</param>
    /// <param name="signer">Signs checkpoints; its name is the log's origin.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="VoucherLogException">Another writer has it; it belongs to another origin; entries that were acknowledged are missing.</exception>
    public static VoucherLogWriter Open(string folder, NoteSigner signer, TimeProvider time)
    {
        Directory.CreateDirectory(Path.Combine(folder, "journal"));
        FileStream exclusive;
        try
        {
            exclusive = new FileStream(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException cause)
        {
            throw new VoucherLogException($"The voucher log in {folder} has a writer already: a gateway that is still running. Stop it first.", cause);
        }

        try
        {
            var tree = new TileTree(folder);
            var (journal, recovery) = LogRecovery.Run(folder, signer.Verifier, tree);
            return new VoucherLogWriter(folder, signer, time, exclusive, tree, journal, recovery);
        }
        catch
        {
            exclusive.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<long> AppendAsync(ReadOnlyMemory<byte> entry, CancellationToken cancellation)
    {
        if (entry.Length is 0 or > MaxEntryBytes)
        {
            throw new ArgumentException($"An entry has 1 to {MaxEntryBytes} bytes.", nameof(entry));
        }

        var pending = new Pending(entry);
        try
        {
            await _queue.Writer.WriteAsync(pending, cancellation).ConfigureAwait(false);
        }
        catch (ChannelClosedException)
        {
            throw _failure ?? new VoucherLogException("The voucher log is closed.");
        }

        return await pending.Done.Task.WaitAsync(cancellation).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public string SignedCheckpoint()
    {
        lock (_gate)
        {
            if (_signed.Size != _current.Size)
            {
                _signed = (_current.Size, _current.Sign(_signer));
            }

            return _signed.Note;
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<MerkleHash> ProveConsistency(long oldSize, long size)
    {
        lock (_gate)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(size, _tree.Size);
            return MerkleProof.Consistency(oldSize, size, _tree.Subtree);
        }
    }

    /// <summary>Writes what waits, publishes tiles and checkpoint, and lets go of the log.</summary>
    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _loop.ConfigureAwait(false);
        _journal.Dispose();
        await _lock.DisposeAsync().ConfigureAwait(false);
    }

    private void WriteLoop()
    {
        var batch = new List<Pending>();
        var reader = _queue.Reader;
        while (true)
        {
            // Wakes up to publish what came in, also when nothing more comes.
            var wait = reader.WaitToReadAsync().AsTask();
            while (_publishedSize < _tree.Size && !wait.Wait(PublishInterval))
            {
                TryPublish();
            }

            if (!wait.GetAwaiter().GetResult())
            {
                break;
            }

            batch.Clear();
            // A batch ends with its segment.
            var room = SegmentEntries - (int)(_tree.Size % SegmentEntries);
            for (var bytes = 0; bytes < BatchBytes && batch.Count < room && reader.TryRead(out var pending); bytes += pending.Entry.Length)
            {
                batch.Add(pending);
            }

            if (!TryCommit(batch))
            {
                break;
            }

            if (_time.GetElapsedTime(_publishedAt) >= PublishInterval)
            {
                TryPublish();
            }
        }

        if (_failure is null)
        {
            TryPublish();
        }
    }

    /// <summary>Makes a batch durable and answers it. False when the log can't go on.</summary>
    private bool TryCommit(List<Pending> batch)
    {
        try
        {
            MakeReady();
            foreach (var pending in batch)
            {
                _journal.Add(pending.Entry.Span);
            }

            _journal.Commit();
        }
        catch (VoucherLogException failure)
        {
            Fail(failure, batch);
            return false;
        }
        catch (IOException cause)
        {
            var refusal = new VoucherLogException($"The voucher log in {_folder} can't grow: {cause.Message} Make room on its disk; it goes on by itself.", cause);
            foreach (var pending in batch)
            {
                pending.Done.TrySetException(refusal);
            }

            return true;
        }

        long first;
        lock (_gate)
        {
            first = _tree.Size;
            foreach (var pending in batch)
            {
                _tree.Append(pending.Entry.Span);
            }

            _current = new Checkpoint(_signer.Verifier.Name, _tree.Size, _tree.Root());
        }

        _segmentIsFull = _tree.Size % SegmentEntries == 0;
        for (var i = 0; i < batch.Count; i++)
        {
            batch[i].Done.TrySetResult(first + i);
        }

        return TryFollowUp();
    }

    /// <summary>Writes what the batch left to do. A disk that is full for it leaves it to the next batch; false when the log can't go on.</summary>
    private bool TryFollowUp()
    {
        try
        {
            MakeReady();
        }
        catch (VoucherLogException failure)
        {
            Fail(failure, []);
            return false;
        }
        catch (IOException)
        {
            // The entries are in the journal; its segment stays until their tiles are written.
        }

        return true;
    }

    /// <summary>Writes the tiles that the disk had no room for before, and goes over to the next segment where one is full: the log does not grow without.</summary>
    /// <exception cref="IOException">There is still no room.</exception>
    /// <exception cref="VoucherLogException">The disk does not keep what it was given.</exception>
    private void MakeReady()
    {
        lock (_gate)
        {
            _tree.WriteUnwritten();
        }

        if (_segmentIsFull)
        {
            Rotate();
        }
    }

    /// <summary>Begins the next segment once all tiles of the full one are on the disk; the full one is then no longer needed.</summary>
    private void Rotate()
    {
        try
        {
            Durable.FlushFileSystem(_folder);
        }
        catch (IOException cause)
        {
            throw new VoucherLogException($"The tiles of the voucher log in {_folder} could not be flushed to its disk: {cause.Message} Check the disk, then start the gateway again.", cause);
        }

        var journals = Path.Combine(_folder, "journal");
        var next = Journal.Create(journals, _tree.Size);
        _journal.Dispose();
        (_journal, _segmentIsFull) = (next, false);

        // All before it, not only the last: a crash just here leaves a full segment behind, and with the one after it gone opening would find a gap.
        foreach (var (path, first) in LogRecovery.Segments(_folder))
        {
            if (first < _tree.Size)
            {
                File.Delete(path);
            }
        }
    }

    private void Fail(VoucherLogException failure, List<Pending> batch)
    {
        _failure = failure;
        _queue.Writer.TryComplete(failure);
        foreach (var pending in batch)
        {
            pending.Done.TrySetException(failure);
        }

        while (_queue.Reader.TryRead(out var pending))
        {
            pending.Done.TrySetException(failure);
        }
    }

    private void TryPublish()
    {
        try
        {
            Publish();
        }
        catch (IOException)
        {
            // Readers lag behind; the journal has everything. Tried again with the next batch.
            _publishedAt = _time.GetTimestamp();
        }
    }

    /// <summary>
    /// Writes what readers of the log read. Only this thread changes the tree, so that it is read here without the lock: a charge that wants a checkpoint does not
    /// wait for the disk.
    /// </summary>
    private void Publish()
    {
        _publishedAt = _time.GetTimestamp();
        if (_publishedSize == _tree.Size)
        {
            return;
        }

        lock (_gate)
        {
            _tree.WriteUnwritten();
        }

        _tree.WritePartial();
        Durable.Replace(Path.Combine(_folder, "checkpoint"), Encoding.UTF8.GetBytes(SignedCheckpoint()));
        _publishedSize = _tree.Size;
    }

    private sealed class Pending(ReadOnlyMemory<byte> entry)
    {
        public ReadOnlyMemory<byte> Entry { get; } = entry;

        public TaskCompletionSource<long> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
