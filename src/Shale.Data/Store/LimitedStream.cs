namespace Shale.Data.Store;

/// <summary>A result is larger than it may be.</summary>
internal sealed class ResultTooLargeException(string message) : IOException(message);

/// <summary>A file being written, as far as its limits allow. Does not own it.</summary>
internal sealed class LimitedStream(FileStream inner, string folder, ResultLimits limits) : Stream
{
    // Asking the file system costs a system call; other writers fill little of a disk while this much is written.
    private const long CheckInterval = 64 << 20;

    private long _written;
    private long _nextCheck;

    public override bool CanRead => false;

    public override bool CanSeek => true;

    public override bool CanWrite => true;

    public override long Length => inner.Length;

    public override long Position { get => inner.Position; set => inner.Position = value; }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (inner.Position + buffer.Length > limits.MaxCarSize)
        {
            throw new ResultTooLargeException($"the result is larger than the {limits.MaxCarSize} bytes that are left for this lease's results");
        }

        if (_written >= _nextCheck && limits.MinFreeBytes > 0)
        {
            _nextCheck = _written + CheckInterval;
            if (new DriveInfo(folder).AvailableFreeSpace - CheckInterval < limits.MinFreeBytes)
            {
                throw new ResultTooLargeException("the provider's disk has no room for the result");
            }
        }

        inner.Write(buffer);
        _written += buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush() => inner.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => inner.Seek(offset, origin);

    public override void SetLength(long value) => inner.SetLength(value);
}
