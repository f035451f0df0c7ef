using System.Buffers.Binary;

namespace Shale.Chain.Abi;

/// <summary>Builds ABI encoded data: heads are reserved before their tails are appended.</summary>
internal sealed class AbiWriter
{
    internal const int WordSize = 32;

    private byte[] buffer;

    /// <summary>Starts with bytes that offsets do not count: a selector, or creation code.</summary>
    internal AbiWriter(ReadOnlySpan<byte> prefix)
    {
        buffer = new byte[prefix.Length + 256];
        prefix.CopyTo(buffer);
        Length = prefix.Length;
    }

    internal int Length { get; private set; }

    /// <summary>Appends zero bytes and tells where they begin.</summary>
    internal int Reserve(int length)
    {
        var at = Length;
        var needed = checked(at + length);
        if (needed > buffer.Length)
        {
            Array.Resize(ref buffer, Math.Max(needed, checked(buffer.Length * 2)));
        }

        Length = needed;
        return at;
    }

    internal AbiFrame Begin(int headSize)
    {
        var at = Reserve(headSize);
        return new AbiFrame(at, at);
    }

    internal Span<byte> Word(int at) => buffer.AsSpan(at, WordSize);

    internal Span<byte> Slice(int at, int length) => buffer.AsSpan(at, length);

    internal void PutSize(int at, int size) => BinaryPrimitives.WriteInt32BigEndian(buffer.AsSpan(at + WordSize - 4, 4), size);

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

    internal byte[] ToArray() => buffer.AsSpan(0, Length).ToArray();
}
