using System.Buffers;
using System.Buffers.Binary;

namespace Shale.Wire;

/// <summary>What <see cref="WireFrame.TryRead"/> found.</summary>
public enum WireFrameStatus
{
    /// <summary>A whole frame, now taken off the buffer.</summary>
    Complete,

    /// <summary>A part of a frame that may still become whole; nothing was taken.</summary>
    Incomplete,

    /// <summary>A length above the bound: the stream cannot be followed any further. Nothing was taken.</summary>
    TooLong,
}

/// <summary>
/// Frames a stream of messages as the ssh-agent protocol and SFTP do: a four-byte length, then so many bytes. The bound is checked on the length alone,
/// before anything of the body is buffered.
/// </summary>
public static class WireFrame
{
    /// <summary>Takes one frame off the front of a buffer.</summary>
    /// <param name="buffer">What was received; shortened by the frame when one is complete.</param>
    /// <param name="maxLength">The longest body to accept, in bytes.</param>
    /// <param name="body">The frame's body, in the buffer's memory.</param>
    /// <returns>Whether there was a whole frame.</returns>
    public static WireFrameStatus TryRead(ref ReadOnlySequence<byte> buffer, int maxLength, out ReadOnlySequence<byte> body)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(maxLength);
        body = default;
        if (!TryReadUInt32(buffer, out var length))
        {
            return WireFrameStatus.Incomplete;
        }

        if (length > (uint)maxLength)
        {
            return WireFrameStatus.TooLong;
        }

        if (buffer.Length - sizeof(uint) < length)
        {
            return WireFrameStatus.Incomplete;
        }

        body = buffer.Slice(sizeof(uint), (int)length);
        buffer = buffer.Slice(body.End);
        return WireFrameStatus.Complete;
    }

    /// <summary>Reads the four bytes at the front of a sequence, most significant first, wherever its segments divide.</summary>
    /// <param name="buffer">The sequence; it is not shortened.</param>
    /// <param name="value">The number.</param>
    /// <returns>Whether there were four bytes.</returns>
    public static bool TryReadUInt32(in ReadOnlySequence<byte> buffer, out uint value)
    {
        if (BinaryPrimitives.TryReadUInt32BigEndian(buffer.FirstSpan, out value))
        {
            return true;
        }

        if (buffer.Length < sizeof(uint))
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        buffer.Slice(0, sizeof(uint)).CopyTo(bytes);
        value = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        return true;
    }
}
