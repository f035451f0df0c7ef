using System.Buffers;
using System.Diagnostics;

namespace Shale.Containers.Files;

/// <summary>
/// What was read beyond what was asked for, of a file that is read from front to back: most reads then need no turn to the session's thread.
/// It is used for a moment only and not after the session changed anything, so it never tells of less than a read a moment ago would.
/// </summary>
internal sealed class ReadAhead
{
    /// <summary>Eight of OpenSSH's reads; two such buffers for each file that is being read.</summary>
    public const int BlockSize = 256 * 1024;

    /// <summary>Reads in a row before more is read than asked for: small files never get here.</summary>
    private const int Patience = 4;

    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(50);

    private readonly Lock _lock = new();
    private byte[]? _block;
    private long _offset;
    private int _length;
    private long _stamp;
    private long _changes;
    private long _next;
    private int _inARow;

    /// <summary>
    /// Serves a read if all of it is at hand. Else says how much to read instead: the length asked for, or a block.
    /// </summary>
    public bool TryRead(Span<byte> buffer, long offset, long changes, out int toRead)
    {
        lock (_lock)
        {
            _inARow = offset == _next ? _inARow + 1 : 0;
            _next = offset + buffer.Length;
            toRead = buffer.Length;
            if (_block is not null && changes == _changes && offset >= _offset && offset + buffer.Length <= _offset + _length && Stopwatch.GetElapsedTime(_stamp) < Moment)
            {
                _block.AsSpan((int)(offset - _offset), buffer.Length).CopyTo(buffer);
                return true;
            }

            // Who asks for the better part of a block (OpenSSH's sftp, told our limits) gains nothing by a copy of it.
            if (_inARow >= Patience && buffer.Length <= BlockSize / 2)
            {
                toRead = BlockSize;
            }

            return false;
        }
    }

    /// <summary>Keeps a block, which belongs to it from then on, that was read at an offset.</summary>
    public void Keep(byte[] block, int length, long offset, long changes)
    {
        lock (_lock)
        {
            Drop();
            (_block, _length, _offset, _changes, _stamp) = (block, length, offset, changes, Stopwatch.GetTimestamp());
        }
    }

    /// <summary>Gives the memory back.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            Drop();
        }
    }

    private void Drop()
    {
        if (_block is not null)
        {
            ArrayPool<byte>.Shared.Return(_block);
            _block = null;
        }
    }
}
