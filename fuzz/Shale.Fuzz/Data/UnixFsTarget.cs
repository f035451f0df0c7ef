using Shale.Data.UnixFs;

namespace Shale.Fuzz.Data;

/// <summary>UnixFS messages: what is accepted encodes to a message that encodes to the same bytes.</summary>
public sealed class UnixFsTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "unixfs";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds =>
    [
        new UnixFsData { Type = UnixFsType.Directory }.Encode(),
        new UnixFsData { Type = UnixFsType.File, Data = "bytes"u8.ToArray(), FileSize = 5, Mode = 0x1ff, ModifiedAt = new UnixFsTime(-5, 7) }.Encode(),
        new UnixFsData { Type = UnixFsType.File, FileSize = 3 << 20, BlockSizes = [1 << 20, 2 << 20] }.Encode(),
        new UnixFsData { Type = UnixFsType.HamtShard, Data = new byte[] { 1, 2, 3 }, HashType = 0x22, Fanout = 256 }.Encode(),
        new UnixFsData { Type = UnixFsType.Symlink, Data = "../target"u8.ToArray() }.Encode(),
    ];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (UnixFsData.TryDecode(input.ToArray(), out var data).IsError)
        {
            return;
        }

        var encoded = data!.Encode();
        if (UnixFsData.TryDecode(encoded, out var again).IsError || !again!.Encode().AsSpan().SequenceEqual(encoded))
        {
            throw new InvalidOperationException("the message encodes to another message");
        }
    }
}
