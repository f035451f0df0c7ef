using Shale.Data.Car;
using Shale.Data.Cids;
using Shale.Data.Tests.Support;
using Xunit;

namespace Shale.Data.Tests.Car;

public class CarTests
{
    // The CAR of js-car's test suite: raw, dag-pb (CID version 0) and dag-cbor blocks, two roots.
    internal const string Sample =
        "63a265726f6f747382d82a58250001711220f88bc853804cf294fe417e4fa83028689fcdb1b1592c5102e1474dbc200fab8bd82a5825000171122069ea0740f9807a28f4d932c62e7c1c83be055e55072c90266ab3e79df63a365b6776657273696f6e01280155122061be55a8e2f6b4e172338bddf184d6dbee29c98853e0a0485ecee7f27b9af0b461616161280155122081cc5b17018674b401b42f35ba07bb79e211239c23bffe658da1577e3e646877626262622801551220b6fbd675f98e2abd22d4ed29fdc83150fedc48597e92dd1a7a24381d44a2745163636363511220e7dc486e97e6ebe5cdabab3e392bdad128b6e09acc94bb4e2aa2af7b986d24d0122d0a240155122061be55a8e2f6b4e172338bddf184d6dbee29c98853e0a0485ecee7f27b9af0b4120363617418048001122079a982de3c9907953d4d323cee1d0fb1ed8f45f8ef02870c0cb9e09246bd530a122d0a240155122081cc5b17018674b401b42f35ba07bb79e211239c23bffe658da1577e3e6468771203646f671804122d0a221220e7dc486e97e6ebe5cdabab3e392bdad128b6e09acc94bb4e2aa2af7b986d24d01205666972737418338301122002acecc5de2438ea4126a3010ecb1f8a599c8eff22fff1a1dcffe999b27fd3de122e0a2401551220b6fbd675f98e2abd22d4ed29fdc83150fedc48597e92dd1a7a24381d44a274511204626561721804122f0a22122079a982de3c9907953d4d323cee1d0fb1ed8f45f8ef02870c0cb9e09246bd530a12067365636f6e641895015b01711220f88bc853804cf294fe417e4fa83028689fcdb1b1592c5102e1474dbc200fab8ba2646c696e6bd82a582300122002acecc5de2438ea4126a3010ecb1f8a599c8eff22fff1a1dcffe999b27fd3de646e616d6564626c6970360171122069ea0740f9807a28f4d932c62e7c1c83be055e55072c90266ab3e79df63a365ba2646c696e6bf6646e616d65656c696d626f";

    internal static byte[] SampleBytes => Convert.FromHexString(Sample);

    internal static DataError ReadAll(byte[] car, out List<(Cid Cid, byte[] Data, long Section, long Offset)> blocks, bool zeroPadded = false, int step = int.MaxValue)
    {
        blocks = [];
        using var stream = new Trickle(car, step);
        var error = CarReader.TryOpen(stream, zeroPadded, out var reader);
        if (error.IsError)
        {
            return error;
        }

        while (reader!.TryRead(out var block, out error))
        {
            blocks.Add((block.Cid, block.Data.ToArray(), block.SectionOffset, block.DataOffset));
        }

        return error;
    }

    internal static byte[] WrapV2(byte[] v1, byte[]? index = null, int padding = 0)
    {
        var header = new byte[CarV2Header.Length];
        new CarV2Header(false, header.Length + padding, v1.Length, index is null ? 0 : header.Length + padding + v1.Length).Write(header);
        return [.. header, .. new byte[padding], .. v1, .. index ?? []];
    }

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(1)]
    [InlineData(7)]
    public void Reader_OfThePublishedSample_GivesItsBlocks(int step)
    {
        Assert.Equal(DataError.None, ReadAll(SampleBytes, out var blocks, step: step));
        Assert.Equal(
            [
                "bafkreidbxzk2ryxwwtqxem4l3xyyjvw35yu4tcct4cqeqxwo47zhxgxqwq",
                "bafkreiebzrnroamgos2adnbpgw5apo3z4iishhbdx77gldnbk57d4zdio4",
                "bafkreifw7plhl6mofk6sfvhnfh64qmkq73oeqwl6sloru6rehaoujituke",
                "QmdwjhxpxzcMsR3qUuj7vUL8pbA7MgR3GAxWi2GLHjsKCT",
                "QmWXZxVQ9yZfhQxLD35eDR8LiMRsYtHxYqTFCBbJoiJVys",
                "QmNX6Tffavsya4xgBi2VJQnSuqy9GsxongxZZ9uZBqp16d",
                "bafyreihyrpefhacm6kkp4ql6j6udakdit7g3dmkzfriqfykhjw6cad5lrm",
                "bafyreidj5idub6mapiupjwjsyyxhyhedxycv4vihfsicm2vt46o7morwlm",
            ],
            blocks.Select(b => b.Cid.ToString()));
        Assert.All(blocks, b => Assert.False(b.Cid.Verify(b.Data).IsError));
    }

    [Fact]
    public void Writer_OfTheSamplesBlocks_WritesTheSample()
    {
        ReadAll(SampleBytes, out var blocks);
        using var stream = new MemoryStream();
        var writer = new CarWriter(stream, [blocks[6].Cid, blocks[7].Cid]);
        foreach (var block in blocks)
        {
            writer.Write(block.Cid, block.Data);
        }

        writer.Finish();
        Assert.Equal(SampleBytes, stream.ToArray());
        Assert.Equal(stream.Length, writer.Length);
    }

    [Fact]
    public void Reader_OfOffsets_AgreesWithCarIndexer()
    {
        using var scratch = new Scratch();
        File.WriteAllBytes(scratch["c"], SampleBytes);
        var entries = Peer.One(new { op = "indexCar", must = true, path = scratch["c"] }).EnumerateArray().ToArray();
        ReadAll(SampleBytes, out var blocks);
        Assert.Equal(
            entries.Select(e => (e.GetProperty("cid").GetString()!, e.GetProperty("offset").GetInt64(), e.GetProperty("blockOffset").GetInt64(), (long)e.GetProperty("blockLength").GetInt32())),
            blocks.Select(b => (b.Cid.ToString(), b.Section, b.Offset, (long)b.Data.Length)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    public void Reader_OfVersion2_ReadsThePayloadAlone(int padding)
    {
        var car = WrapV2(SampleBytes, [1, 2, 3], padding);
        Assert.Equal(DataError.None, ReadAll(car, out var blocks));
        Assert.Equal(8, blocks.Count);
        using var scratch = new Scratch();
        File.WriteAllBytes(scratch["c"], car);
        Assert.Equal(8, Peer.One(new { op = "readCar", must = true, path = scratch["c"] }).GetProperty("blocks").GetArrayLength());
    }

    [Fact]
    public void Index_ThatTheWriterWrites_NamesEveryBlockAndIsRefusedWhenChanged()
    {
        ReadAll(SampleBytes, out var blocks);
        using var stream = new MemoryStream();
        var writer = new CarWriter(stream, [blocks[6].Cid], withIndex: true);
        blocks.ForEach(b => writer.Write(b.Cid, b.Data));
        writer.Finish();
        var car = stream.ToArray();
        Assert.Equal(DataError.None, CarV2Header.TryRead(car.AsSpan(11), out var header));
        Assert.True(header.FullyIndexed);
        Assert.Equal(DataError.None, ReadAll(car, out var again));
        var sections = again.ToDictionary(b => b.Section, b => b.Cid);
        var index = car[(int)header.IndexOffset..];
        Assert.Equal(DataError.None, CarIndex.Check(new MemoryStream(index), sections, complete: true));

        // One function, one width of 40, eight digests in order: 2 + 4 + 8 + 4 + 4 + 8 bytes before them.
        Assert.Equal(30 + (8 * 40), index.Length);
        Assert.Equal([0x81, 0x08, 1, 0, 0, 0, 0x12, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 40, 0, 0, 0, 0x40, 1, 0, 0, 0, 0, 0, 0], index[..30]);
        for (var i = 0; i < index.Length; i++)
        {
            var changed = index.ToArray();
            changed[i] ^= 1;
            Assert.Equal(DataFault.CarIndex, CarIndex.Check(new MemoryStream(changed), sections, complete: true).Fault);
        }

        for (var n = 0; n < index.Length; n++)
        {
            Assert.Equal(DataFault.CarIndex, CarIndex.Check(new MemoryStream(index[..n]), sections, complete: true).Fault);
        }

        Assert.Equal(DataFault.CarIndex, CarIndex.Check(new MemoryStream([.. index, 0]), sections, complete: true).Fault);
    }

    [Theory]
    [InlineData("", DataFault.CarTruncated)]
    [InlineData("00", DataFault.CarHeader)]
    [InlineData("80", DataFault.CarTruncated)]
    [InlineData("8000", DataFault.VarintNotMinimal)]
    [InlineData("ffffffffffffffffff01", DataFault.VarintTooLong)]
    [InlineData("ffffffffffffff7f", DataFault.CarTooLarge)]
    [InlineData("11a265726f6f7473806776657273696f6e", DataFault.CarTruncated)]
    [InlineData("11a265726f6f7473806776657273696f6e03", DataFault.CarVersion)]
    [InlineData("11a265726f6f7473806776657273696f6e00", DataFault.CarVersion)]
    [InlineData("0aa16776657273696f6e01", DataFault.CarHeader)]
    [InlineData("08a165726f6f747380", DataFault.CarHeader)]
    [InlineData("12a265726f6f7473806776657273696f6e0100", DataFault.CarHeader)]
    [InlineData("11a265726f6f7473806576657273696f6e01", DataFault.CarHeader)]
    [InlineData("11a265726f6f7473f66776657273696f6e01", DataFault.CarHeader)]
    [InlineData("12a265726f6f74738180 6776657273696f6e01", DataFault.CarHeader)]
    [InlineData("19a265726f6f74739affffffff6776657273696f6e01000000000000", DataFault.CarHeader)]
    [InlineData("12a265726f6f7473806776657273696f6e1801", DataFault.CarHeader)]
    [InlineData("0fa265726f6f747380 65726f6f747380", DataFault.CarHeader)]
    [InlineData("0aa16776657273696f6e02", DataFault.CarTruncated)]
    public void Header_Malformed_IsRefusedWithItsOwnFault(string hex, DataFault fault) =>
        Assert.Equal(fault, ReadAll(Convert.FromHexString(hex.Replace(" ", "")), out _).Fault);

    [Fact]
    public void Reader_OfATruncatedFile_SaysSoUnlessItEndsBetweenSections()
    {
        ReadAll(SampleBytes, out var blocks);
        var whole = blocks.Select(b => b.Section).Append(SampleBytes.Length).ToHashSet();
        for (var n = 0; n < SampleBytes.Length; n++)
        {
            Assert.Equal(whole.Contains(n) ? DataFault.None : DataFault.CarTruncated, ReadAll(SampleBytes[..n], out _).Fault);
            // Version 2 says how long the payload is, so that there no end goes unnoticed.
            var fault = ReadAll(WrapV2(SampleBytes)[..(CarV2Header.Length + n)], out _).Fault;
            Assert.Contains(fault, new[] { DataFault.CarTruncated, DataFault.CarOffsets });
        }
    }

    [Theory]
    [InlineData("00", DataFault.CarSection)]
    [InlineData("01 01", DataFault.CarSection)]
    [InlineData("04 01551220", DataFault.CarSection)]
    [InlineData("8480808004 0155", DataFault.CarTooLarge)]
    [InlineData("8100", DataFault.VarintNotMinimal)]
    [InlineData("ffffffffffffffffffff01", DataFault.VarintTooLong)]
    [InlineData("05 0255000000", DataFault.CidVersion)]
    [InlineData("06 01551201 0000", DataFault.CidDigestLength)]
    public void Section_Malformed_IsRefusedWithItsOwnFault(string hex, DataFault fault)
    {
        var car = SampleBytes.Concat(Convert.FromHexString(hex.Replace(" ", ""))).ToArray();
        var error = ReadAll(car, out var blocks);
        Assert.Equal((fault, 8), (error.Fault, blocks.Count));
        Assert.True(error.Offset >= SampleBytes.Length);
    }

    [Fact]
    public void Reader_OfAPiece_TakesZerosAfterTheLastSectionAndNothingElse()
    {
        byte[] padded = [.. SampleBytes, .. new byte[10_000]];
        Assert.Equal(DataError.None, ReadAll(padded, out var blocks, zeroPadded: true));
        Assert.Equal(8, blocks.Count);
        Assert.Equal(DataFault.CarSection, ReadAll(padded, out _).Fault);
        padded[^1] = 1;
        Assert.Equal(DataFault.CarSection, ReadAll(padded, out _, zeroPadded: true).Fault);
    }

    [Theory]
    [InlineData(50, 100, 0, DataFault.CarOffsets)]
    [InlineData(51, 0, 0, DataFault.CarOffsets)]
    [InlineData(51, -1, 0, DataFault.CarOffsets)]
    [InlineData(51, long.MaxValue, 0, DataFault.CarOffsets)]
    [InlineData(51, 100_000, 0, DataFault.CarOffsets)]
    [InlineData(51, 715, 60, DataFault.CarOffsets)]
    [InlineData(51, 50, 0, DataFault.CarTruncated)]
    public void HeaderV2_WithImpossibleOffsets_IsRefused(long dataOffset, long dataSize, long indexOffset, DataFault fault)
    {
        var car = WrapV2(SampleBytes);
        new CarV2Header(false, dataOffset, dataSize, indexOffset).Write(car);
        Assert.Equal(fault, ReadAll(car, out _).Fault);
    }

    [Fact]
    public void Reader_OfVersion2InVersion2_IsRefused()
    {
        Assert.Equal(DataFault.CarVersion, ReadAll(WrapV2(WrapV2(SampleBytes)), out _).Fault);
    }

    /// <summary>A stream that gives a few bytes a call.</summary>
    private sealed class Trickle(byte[] bytes, int step) : MemoryStream(bytes)
    {
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, step));

        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, step)]);
    }
}
