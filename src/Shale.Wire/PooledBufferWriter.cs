using System.Buffers;
using System.Security.Cryptography;

namespace Shale.Wire;

/// <summary>
/// A growing buffer from the shared pool, for messages that are built and sent at once. It is bounded: to write past the bound is a bug and throws.
/// Not safe for use from several threads at once.
/// </summary>
public sealed class PooledBufferWriter : IBufferWriter<byte>, IDisposable
{
    private const int InitialCapacity = 512;

    private readonly int _maxCapacity;
    private readonly bool _holdsSecrets;
    private byte[] _buffer = [];
    private int _written;

    /// <summary>Makes an empty buffer; memory is taken from the pool at the first write.</summary>
    /// <param name="maxCapacity">The most bytes that it will hold.</param>
    /// <param name="holdsSecrets">Whether memory is zeroed before it goes back to the pool.</param>
    public PooledBufferWriter(int maxCapacity, bool holdsSecrets = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxCapacity);
        _maxCapacity = maxCapacity;
        _holdsSecrets = holdsSecrets;
    }

    /// <summary>How many bytes were written.</summary>
    public int WrittenCount => _written;

    /// <summary>What was written, valid until the next write, <see cref="Clear"/> or <see cref="Dispose"/>.</summary>
    public ReadOnlyMemory<byte> WrittenMemory => _buffer.AsMemory(0, _written);

    /// <summary>What was written, valid until the next write, <see cref="Clear"/> or <see cref="Dispose"/>.</summary>
    public ReadOnlySpan<byte> WrittenSpan => _buffer.AsSpan(0, _written);

    /// <inheritdoc/>
    public void Advance(int count)
    {
        if (count < 0 || count > _buffer.Length - _written)
        {
            throw new ArgumentOutOfRangeException(nameof(count));
        }

        _written += count;
    }

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _buffer.AsMemory(_written);
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _buffer.AsSpan(_written);
    }

    /// <summary>Forgets what was written and keeps the memory for what comes next.</summary>
    public void Clear() => Truncate(0);

    /// <summary>Forgets what was written after the first bytes.</summary>
    /// <param name="count">How many to keep; not more than were written.</param>
    public void Truncate(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _written);
        if (_holdsSecrets)
        {
            CryptographicOperations.ZeroMemory(_buffer.AsSpan(count, _written - count));
        }

        _written = count;
    }

    /// <summary>Gives the memory back to the pool. The buffer may be used again afterwards.</summary>
    public void Dispose()
    {
        Clear();
        Return(_buffer);
        _buffer = [];
    }

    private void Reserve(int sizeHint)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sizeHint);
        var needed = (long)_written + Math.Max(1, sizeHint);
        if (needed <= _buffer.Length)
        {
            return;
        }

        if (needed > _maxCapacity)
        {
            throw new InvalidOperationException($"A message of more than {_maxCapacity} bytes was written.");
        }

        var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(_maxCapacity, Math.Max(needed, Math.Max(InitialCapacity, 2L * _buffer.Length))));
        var old = _buffer;
        old.AsSpan(0, _written).CopyTo(larger);
        _buffer = larger;
        if (_holdsSecrets)
        {
            CryptographicOperations.ZeroMemory(old.AsSpan(0, _written));
        }

        Return(old);
    }

    private static void Return(byte[] buffer)
    {
        if (buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
