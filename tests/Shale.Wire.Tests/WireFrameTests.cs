using System.Buffers;
using Xunit;

namespace Shale.Wire.Tests;

public sealed class WireFrameTests
{
    [Fact]
    public void Frames_InAnySegmentation_AreReadInOrder()
    {
        byte[] stream = [0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0];
        for (var size = 1; size <= stream.Length; size++)
        {
            var buffer = Segmented(stream, size);
            Assert.Equal(WireFrameStatus.Complete, WireFrame.TryRead(ref buffer, 3, out var body));
            Assert.Equal([1, 2, 3], body.ToArray());
            Assert.Equal(WireFrameStatus.Complete, WireFrame.TryRead(ref buffer, 3, out body));
            Assert.Equal(0, body.Length);
            Assert.Equal(WireFrameStatus.Complete, WireFrame.TryRead(ref buffer, 3, out body));
            Assert.Equal([9], body.ToArray());
            Assert.Equal(WireFrameStatus.Incomplete, WireFrame.TryRead(ref buffer, 3, out _));
            Assert.Equal(2, buffer.Length);
        }
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 4 }, WireFrameStatus.TooLong)]
    [InlineData(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF }, WireFrameStatus.TooLong)]
    [InlineData(new byte[] { 0, 0, 0, 3, 1, 2 }, WireFrameStatus.Incomplete)]
    [InlineData(new byte[] { }, WireFrameStatus.Incomplete)]
    public void Frame_TooLongOrPartial_TakesNothing(byte[] stream, WireFrameStatus expected)
    {
        var buffer = new ReadOnlySequence<byte>(stream);
        Assert.Equal(expected, WireFrame.TryRead(ref buffer, 3, out _));
        Assert.Equal(stream.Length, buffer.Length);
    }

    [Fact]
    public void PooledBuffer_PastItsBound_ThrowsAndKeepsWhatItHas()
    {
        using var buffer = new PooledBufferWriter(1000, holdsSecrets: true);
        buffer.Write(new byte[900].AsSpan());
        Assert.Throws<InvalidOperationException>(() => buffer.GetSpan(101 + 2000));
        Assert.Equal(900, buffer.WrittenCount);
        buffer.Clear();
        Assert.Equal(0, buffer.WrittenCount);
        buffer.Write((ReadOnlySpan<byte>)[7]);
        Assert.Equal([7], buffer.WrittenSpan.ToArray());
    }

    [Fact]
    public void PooledBuffer_ThatHeldSecrets_IsZeroedWhenItGrowsAndWhenItIsCleared()
    {
        using var buffer = new PooledBufferWriter(1 << 16, holdsSecrets: true);
        var first = buffer.GetMemory(100);
        first.Span[..100].Fill(0xAA);
        buffer.Advance(100);
        var second = buffer.GetMemory(20_000);
        Assert.False(first.Span[..100].Contains((byte)0xAA));
        Assert.Equal(100, buffer.WrittenSpan.Count((byte)0xAA));
        buffer.Clear();
        Assert.False(second.Span.Contains((byte)0xAA));
    }

    private static ReadOnlySequence<byte> Segmented(byte[] data, int size)
    {
        Segment? first = null, last = null;
        for (var i = 0; i < data.Length; i += size)
        {
            last = new Segment(data.AsMemory(i, Math.Min(size, data.Length - i)), last);
            first ??= last;
        }

        return new ReadOnlySequence<byte>(first!, 0, last!, last!.Memory.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, Segment? previous)
        {
            Memory = memory;
            if (previous is not null)
            {
                RunningIndex = previous.RunningIndex + previous.Memory.Length;
                previous.Next = this;
            }
        }
    }
}
