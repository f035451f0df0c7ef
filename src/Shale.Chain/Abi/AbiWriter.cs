using System.Buffers.Binary;

namespace Shale.Chain.Abi;

/// <summary>Builds ABI encoded data: heads are reserved before their tails are appended.</summary>
internal sealed class AbiWriter
{
    internal const int WordSize = 32;

    private byte[] _buffer;

    /// <summary>Starts with bytes that offsets do not count: a selector, or creation code.</summary>
    internal AbiWriter(ReadOnlySpan<byte> prefix)
    {
        _buffer = new byte[prefix.Length + 256];
        prefix.CopyTo(_buffer);
        Length = prefix.Length;
    }

    internal int Length { get; private set; }

    /// <summary>Appends zero bytes and tells where they begin.</summary>
    internal int Reserve(int length)
    {
        var at = Length;
        var needed = checked(at + length);
        if (needed > _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Max(needed, checked(_buffer.Length * 2)));
        }

        Length = needed;
        return at;
    }

    internal AbiFrame Begin(int headSize)
    {
        var at = Reserve(headSize);
        return new AbiFrame(at, at);
    }

    internal Span<byte> Word(int at) => _buffer.AsSpan(at, WordSize);

    internal Span<byte> Slice(int at, int length) => _buffer.AsSpan(at, length);

    internal void PutSize(int at, int size) => BinaryPrimitives.WriteInt32BigEndian(_buffer.AsSpan(at + WordSize - 4, 4), size);

    internal void Member<T>(ref AbiFrame frame, AbiType<T> type, T value)
    {
        var at = frame.Head;
        frame.Head += type.HeadSize;
        if (type.IsDynamic)
        {
            PutSize(at, Length - frame.Start);
            at = Length;
        }

        type.Write(this, at, value);
    }

    internal byte[] ToArray() => _buffer.AsSpan(0, Length).ToArray();
}
