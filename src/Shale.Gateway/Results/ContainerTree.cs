using System.Buffers;
using System.Text;
using Shale.Containers.Files;
using Shale.Data.UnixFs;

namespace Shale.Gateway.Results;

/// <summary>
/// A path in a lease's container as a tree to import: with the rights of the lease's user, links as what they are. Blocks its thread, which
/// must be no thread of the pool.
/// </summary>
/// <param name="files">The container's files; stay the caller's.</param>
/// <param name="root">The absolute path, without links.</param>
/// <param name="maxFileSize">A longer file is refused before it is read.</param>
/// <param name="turn">Called before every read: waits while the lease is not served, throws when it is over.</param>
/// <param name="cancellation">Ends the wait for the container.</param>
internal sealed class ContainerTree(IContainerFileTree files, ReadOnlyMemory<byte> root, long maxFileSize, Action turn, CancellationToken cancellation) : IFileTree
{
    // A page of names; a folder of a million entries is read in four thousand turns.
    private const int NamesAtOnce = 256;

    private static readonly UTF8Encoding Strict = new(false, true);

    public TreeEntry? Stat(string path)
    {
        var status = Wait(files.GetStatusAsync(Full(path), followLink: false, cancellation));
        return status.Error switch
        {
            FileError.None => Entry(path.Length == 0 ? root.Span[(root.Span.LastIndexOf((byte)'/') + 1)..] : Encoding.UTF8.GetBytes(path[(path.LastIndexOf('/') + 1)..]), status.Value),
            FileError.NotFound => null,
            _ => throw Failure(path, status.Error),
        };
    }

    public IEnumerable<TreeEntry> List(string path)
    {
        var opened = Wait(files.OpenFolderAsync(Full(path), cancellation));
        if (!opened.Ok)
        {
            throw Failure(path, opened.Error);
        }

        try
        {
            while (true)
            {
                turn();
                var names = Wait(opened.Value!.ReadAsync(NamesAtOnce, cancellation));
                if (!names.Ok)
                {
                    throw Failure(path, names.Error);
                }

                if (names.Value!.Count == 0)
                {
                    yield break;
                }

                foreach (var (name, status) in names.Value)
                {
                    // Without a status it went away while the folder was read.
                    if (status.Mode != 0 && !name.Span.SequenceEqual("."u8) && !name.Span.SequenceEqual(".."u8))
                    {
                        yield return Entry(name.Span, status);
                    }
                }
            }
        }
        finally
        {
            Wait(Done(opened.Value!.DisposeAsync()));
        }
    }

    public Stream Open(string path)
    {
        var full = Full(path);
        var listed = Wait(files.GetStatusAsync(full, followLink: false, cancellation));
        if (!listed.Ok || !listed.Value.IsRegular)
        {
            throw listed.Ok ? Replaced(path) : Failure(path, listed.Error);
        }

        var opened = Wait(files.OpenAsync(full, FileOpenFlags.Read, 0, cancellation));
        if (!opened.Ok)
        {
            throw Failure(path, opened.Error);
        }

        var stream = new FileBytes(this, path, opened.Value!);
        var status = Wait(opened.Value!.GetStatusAsync(cancellation));
        if (!status.Ok || !status.Value.IsRegular || (status.Value.Inode, status.Value.FileSystem) != (listed.Value.Inode, listed.Value.FileSystem))
        {
            // Something else has the name by now, perhaps a link.
            stream.Dispose();
            throw Replaced(path);
        }

        return stream;
    }

    public string ReadLink(string path)
    {
        var target = Wait(files.ReadLinkAsync(Full(path), cancellation));
        return target.Ok ? Text(target.Value!, "the target of a link") : throw Failure(path, target.Error);
    }

    private static async ValueTask<bool> Done(ValueTask task)
    {
        await task.ConfigureAwait(false);
        return true;
    }

    private static T Wait<T>(ValueTask<T> task) => task.IsCompletedSuccessfully ? task.Result : task.AsTask().GetAwaiter().GetResult();

    private static string Text(ReadOnlySpan<byte> bytes, string what)
    {
        try
        {
            return Strict.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw new IOException($"{what} is not UTF-8, which names in UnixFS are: {Printable(Encoding.UTF8.GetString(bytes))}");
        }
    }

    private static string Printable(string text) => string.Concat(text.Take(200).Select(c => char.IsControl(c) ? '?' : c));

    private TreeEntry Entry(ReadOnlySpan<byte> name, in FileStatus status)
    {
        var kind = status switch
        {
            { IsRegular: true } => EntryKind.File,
            { IsFolder: true } => EntryKind.Directory,
            { IsLink: true } => EntryKind.Symlink,
            _ => EntryKind.Other,
        };
        var text = Text(name, "a name");
        return kind == EntryKind.File && status.Size > maxFileSize
            ? throw new IOException($"{Printable(text)} alone has {status.Size} bytes, more than the {maxFileSize} that are left for this lease's results")
            : new TreeEntry(text, kind, kind == EntryKind.File ? status.Size : 0, status.Mode & 0xfff, new UnixFsTime(status.ModifySeconds, status.ModifyNanoseconds));
    }

    private ReadOnlyMemory<byte> Full(string path) => path.Length == 0 ? root : (byte[])[.. root.Span, .. root.Span is [(byte)'/'] ? [] : "/"u8, .. Encoding.UTF8.GetBytes(path)];

    private IOException Failure(string path, FileError error) => new($"{Printable(Encoding.UTF8.GetString(Full(path).Span))} can't be read: {Words(error)}");

    private IOException Replaced(string path) => new($"{Printable(Encoding.UTF8.GetString(Full(path).Span))} was replaced while it was packed; pack it when nothing writes there");

    private static string Words(FileError error) => error switch
    {
        FileError.NotFound => "there is no such file",
        FileError.AccessDenied or FileError.NotPermitted => "the lease's user may not",
        FileError.InputOutput => "the container's disk failed",
        FileError.BadDescriptor => "the container ended",
        FileError.TooManyLinks => "links lead in a circle",
        FileError.NotAFolder => "it is no directory",
        FileError.NotSupported => "it is a device, socket or pipe",
        _ => error.ToString(),
    };

    /// <summary>One file's bytes, in order.</summary>
    private sealed class FileBytes(ContainerTree tree, string path, IContainerFile file) : Stream
    {
        private const int LargestRead = 1 << 20;

        private long _at;
        private bool _closed;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => _at; set => throw new NotSupportedException(); }

        public override int Read(Span<byte> buffer)
        {
            var block = ArrayPool<byte>.Shared.Rent(Math.Min(buffer.Length, LargestRead));
            try
            {
                var n = Read(block, 0, Math.Min(buffer.Length, LargestRead));
                block.AsSpan(0, n).CopyTo(buffer);
                return n;
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(block);
            }
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            tree.Turn();
            var read = Wait(file.ReadAsync(buffer.AsMemory(offset, count), _at, tree.Cancellation));
            _at += read.Ok ? read.Value : throw tree.Failure(path, read.Error);
            return read.Value;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing && !_closed)
            {
                _closed = true;
                Wait(Done(file.DisposeAsync()));
            }

            base.Dispose(disposing);
        }
    }

    private CancellationToken Cancellation => cancellation;

    private void Turn() => turn();
}
