using Shale.Payments.Log;
using Shale.Wire;

namespace Shale.Payments.Audit;

/// <summary>A bundle of entries as it was read; the next one takes its memory.</summary>
internal sealed class LogBundle : IDisposable
{
    private readonly PooledBufferWriter _bytes = LogSource.Buffer();
    private readonly (int Start, int Length)[] _entries = new (int, int)[TilePath.Width];

    /// <summary>Entries in it.</summary>
    public int Count { get; private set; }

    /// <summary>An entry's bytes, valid until the next bundle is read.</summary>
    public ReadOnlySpan<byte> this[int index] => _bytes.WrittenSpan.Slice(_entries[index].Start, _entries[index].Length);

    /// <summary>Reads a bundle; false where it is missing or malformed.</summary>
    /// <param name="source">The log.</param>
    /// <param name="index">The bundle.</param>
    /// <param name="width">So many entries of it.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="IOException">It can't be read at all.</exception>
    public async ValueTask<bool> TryReadAsync(ILogSource source, long index, int width, CancellationToken cancellation)
    {
        Count = 0;
        _bytes.Clear();

        // A log that has grown since its checkpoint was read has the full bundle where the partial one was.
        var read = (width < TilePath.Width && await source.TryReadAsync(TilePath.Entries(index, width), _bytes, cancellation).ConfigureAwait(false)) ||
            await source.TryReadAsync(TilePath.Entries(index), _bytes, cancellation).ConfigureAwait(false);
        return read && TryCut(width);
    }

    public void Dispose() => _bytes.Dispose();

    private bool TryCut(int width)
    {
        var bytes = _bytes.WrittenSpan;
        for (var at = 0; Count < width; Count++)
        {
            if (bytes.Length - at < 2)
            {
                return false;
            }

            var length = (bytes[at] << 8) | bytes[at + 1];
            if (bytes.Length - at - 2 < length)
            {
                return false;
            }

            _entries[Count] = (at + 2, length);
            at += 2 + length;
        }

        return true;
    }
}
