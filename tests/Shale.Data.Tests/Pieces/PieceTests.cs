using Shale.Data.Cids;
using Shale.Data.Hashing;
using Shale.Data.Pieces;
using Shale.Data.Tests.Support;
using Xunit;

namespace Shale.Data.Tests.Pieces;

public class PieceTests
{
    private static byte[] Quads(params int[] values) => values.SelectMany(v => Enumerable.Repeat((byte)v, 127)).ToArray();

    private static byte[] Filled(int length, byte value)
    {
        var bytes = new byte[length];
        bytes.AsSpan().Fill(value);
        return bytes;
    }

    // The test cases of FRC-0069.
    public static TheoryData<byte[], string, string?> Frc0069() => new()
    {
        { Quads(0, 1, 2, 3), "bafkzcibcaaces3nobte6ezpp4wqan2age2s5yxcatzotcvobhgcmv5wi2xh5mbi", "baga6ea4seaqes3nobte6ezpp4wqan2age2s5yxcatzotcvobhgcmv5wi2xh5mbi" },
        { [], "bafkzcibcp4bdomn3tgwgrh3g532zopskstnbrd2n3sxfqbze7rxt7vqn7veigmy", null },
        { new byte[127], "bafkzcibcaabdomn3tgwgrh3g532zopskstnbrd2n3sxfqbze7rxt7vqn7veigmy", null },
        { new byte[128], "bafkzcibcpybwiktap34inmaex4wbs6cghlq5i2j2yd2bb2zndn5ep7ralzphkdy", null },
        { [.. Quads(0, 1, 2, 3), .. new byte[127 * 4]], "bafkzcibcaac542av3szurbbscwuu3zjssvfwbpsvbjf6y3tukvlgl2nf5rha6pa", "baga6ea4seaqn42av3szurbbscwuu3zjssvfwbpsvbjf6y3tukvlgl2nf5rha6pa" },
        { [.. Quads(0, 1, 2, 3), .. new byte[4]], "bafkzcibd7abqlxticxolgseegik2stpfgkkuwyf6kufex3doorkvmzpjuxwe4dz4", "baga6ea4seaqn42av3szurbbscwuu3zjssvfwbpsvbjf6y3tukvlgl2nf5rha6pa" },
        { [.. Quads(0, 1, 2, 3), .. new byte[5]], "bafkzcibd64bqlxticxolgseegik2stpfgkkuwyf6kufex3doorkvmzpjuxwe4dz4", "baga6ea4seaqn42av3szurbbscwuu3zjssvfwbpsvbjf6y3tukvlgl2nf5rha6pa" },
    };

    [Theory]
    [MemberData(nameof(Frc0069))]
    public void Piece_OfFrc0069_HasItsCids(byte[] payload, string v2, string? v1)
    {
        var piece = PieceHasher.Compute(payload);
        Assert.Equal(v2, piece.CidV2.ToString());
        Assert.Equal(v1 ?? piece.CidV1.ToString(), piece.CidV1.ToString());
        Assert.Equal(DataError.None, PieceCommitment.TryFrom(Cid.Parse(v2), out var back));
        Assert.Equal((piece.Height, piece.PayloadLength), (back!.Height, back.PayloadLength));
        Assert.True(piece.SamePiece(back));
    }

    [Theory]
    [InlineData("baga6ea4seaqao7s73y24kcutaosvacpdjgfe5pw76ooefnyqw4ynr3d2y6x2mpq", 32L << 30, "bafkzcibcaapao7s73y24kcutaosvacpdjgfe5pw76ooefnyqw4ynr3d2y6x2mpq")]
    [InlineData("baga6ea4seaqomqafu276g53zko4k23xzh4h4uecjwicbmvhsuqi7o4bhthhm4aq", 64L << 30, "bafkzcibcaap6mqafu276g53zko4k23xzh4h4uecjwicbmvhsuqi7o4bhthhm4aq")]
    public void Piece_OfVersion1AndSize_IsFrc0069sVersion2(string v1, long size, string v2)
    {
        Assert.Equal(DataError.None, PieceCommitment.TryFrom(Cid.Parse(v1), size, out var piece));
        Assert.Equal(v2, piece!.CidV2.ToString());
        Assert.Equal(size, piece.PieceSize);
    }

    // Payload length, piece size, piece CID: computed by Lotus, from go-fil-commp-hashhash's test data (bytes of 0xcc).
    [Theory]
    [InlineData(96, 128, "baga6ea4seaqhwcjhi4krhl3ht6dewnwevkpxbepxy7p7onwgz65t52typbsysby")]
    [InlineData(126, 128, "baga6ea4seaqapbh46gdnszvb7fcinevsy5bzg3b4higkh7groptswf6zas6jamy")]
    [InlineData(127, 128, "baga6ea4seaqmfldjtozgne6adk7eve2vdxte7vzlivae7nzsbrawobo546zkijq")]
    [InlineData(192, 256, "baga6ea4seaqkx7m2s6r4zahtlbwrs5ryvemkclwfp7nijopdd5swpdnxzjf7wkq")]
    [InlineData(253, 256, "baga6ea4seaql6ldbyafhiecr36xba5tufreyo4km2ts3lfknhl2zogp3aztxijy")]
    [InlineData(254, 256, "baga6ea4seaqkixbzz75uys2pcjbrbdilgjhmum72qm4xphrwav2iyel5oat4aka")]
    [InlineData(255, 512, "baga6ea4seaqg7celu5y2iwbi2ra5koygvotxtzr5lj6vzvxi6gfub6mpa6niwpi")]
    [InlineData(256, 512, "baga6ea4seaqi7c3dnwkqysqh4lpkz5jaxz2d2f5bvo3ttu2hnfmdewhcoji56na")]
    [InlineData(384, 512, "baga6ea4seaqhexlmnzbarsbdbdahs7e36dkq5vkdwsrttehoakrif5wiqme36lq")]
    [InlineData(507, 512, "baga6ea4seaqenvh5mcy5cjqwsbubbpczprkk2onwvfjd2743zkqh6ofuzkatwey")]
    [InlineData(508, 512, "baga6ea4seaqb6ckbupixkhwp7thgb52f4en222boppajkqk7gaomkpof3lh4cei")]
    [InlineData(509, 1024, "baga6ea4seaqdzbeaexq6gpbqh2tlnbz5mm5neap2kejsketkogzd6x2dx7dzkii")]
    [InlineData(512, 1024, "baga6ea4seaqojaa522sjqms2wipasjbxnjgytunsgp52tgrfcofj73f7q7ou6hy")]
    [InlineData(768, 1024, "baga6ea4seaqb6xvxaybzp6vslujjiwvgt23ckrwt7y53eddy5qmc6csnc37lwpi")]
    [InlineData(1015, 1024, "baga6ea4seaqmgiyjcutwgo6glks2mogixs6mb4sbehto6uzienucfx23wbtkica")]
    [InlineData(1016, 1024, "baga6ea4seaqjxgfdkdu37aryhg7bqqiwizj5f6ugasftgeocabwnj4cxkgisaoq")]
    [InlineData(1017, 2048, "baga6ea4seaqf3n5ob5qonkwnxfcbjzftsagbnrjfzualqvzhcylz46b7sgz6wmi")]
    [InlineData(1024, 2048, "baga6ea4seaqdlpnhgsndrgjeu4p46hahlsr4lybg6du4d56ooppdpxhcofxeuoi")]
    public void Piece_OfLotusVector_HasItsCid(int length, long size, string cid)
    {
        var piece = PieceHasher.Compute(Filled(length, 0xcc));
        Assert.Equal((cid, size), (piece.CidV1.ToString(), piece.PieceSize));
    }

    [Fact]
    public void Piece_OfLengthsAroundQuadsBlocksAndUnits_IsWhatDataSegmentComputes()
    {
        const int block = 2048 * 127;
        using var scratch = new Scratch();
        var lengths = new[] { 1, 126, 128, 253, 1000, 16_255, 16_256, 16_257, block - 1, block, block + 1, (block * 3) + 5, (block * 16) - 1, block * 16, (block * 16) + 1, (block * 16) + (127 * 3), (block * 21) + 77 };
        var files = lengths.Select((n, i) => scratch.File($"{n}", n, i)).ToArray();
        var answers = Peer.Ask(files.Select(f => (object)new { op = "piece", must = true, path = f }).ToArray());
        for (var i = 0; i < files.Length; i++)
        {
            using var stream = File.OpenRead(files[i]);
            var piece = PieceHasher.Compute(stream);
            Assert.Equal(
                (lengths[i], answers[i].GetProperty("v1").GetString(), answers[i].GetProperty("v2").GetString(), answers[i].GetProperty("size").GetInt64(), answers[i].GetProperty("padding").GetInt64()),
                (lengths[i], piece.CidV1.ToString(), piece.CidV2.ToString(), piece.PieceSize, piece.Padding));
        }
    }

    [Fact]
    public void Piece_OnEveryPathAndThreadCount_IsTheSame()
    {
        using var scratch = new Scratch();
        var file = scratch.File("f", 9_000_001);
        var expected = Peer.One(new { op = "piece", must = true, path = file }).GetProperty("v2").GetString();
        foreach (var path in Enum.GetValues<Sha256Path>())
        {
            if ((path == Sha256Path.Avx512 && !Sha256Lanes512.IsSupported) || (path == Sha256Path.Avx2 && !Sha256Lanes256.IsSupported))
            {
                continue;
            }

            foreach (var threads in new[] { 1, 2, 5 })
            {
                using var stream = File.OpenRead(file);
                Assert.Equal(expected, PieceHasher.Compute(stream, threads, path, null, default).CidV2.ToString());
            }
        }
    }

    [Theory]
    // Height 1; height 51; padding that a smaller tree would have spared; more padding than the smallest piece has bytes.
    [InlineData(new byte[] { 0, 1 })]
    [InlineData(new byte[] { 0, 51 })]
    [InlineData(new byte[] { 127, 3 })]
    [InlineData(new byte[] { 0x80, 1, 2 })]
    public void PieceCid_WithImpossibleSizes_IsRefused(byte[] head)
    {
        var cid = Cid.Create(1, Codec.Raw, MultihashCode.Fr32Sha256Trunc254PadBinTree, [.. head, .. new byte[32]]);
        Assert.Equal(DataFault.PieceSize, PieceCommitment.TryFrom(cid, out _).Fault);
    }

    [Fact]
    public void Fr32_Unpadded_IsWhatWasPaddedAndNothingElseIsTaken()
    {
        var source = new byte[127 * 20];
        new Random(3).NextBytes(source);
        var padded = new byte[128 * 20];
        Fr32.Pad(source, padded);
        Assert.All(Enumerable.Range(0, 80), i => Assert.Equal(0, padded[(32 * i) + 31] & 0xc0));
        var back = new byte[source.Length];
        Assert.Equal(DataError.None, Fr32.TryUnpad(padded, back));
        Assert.Equal(source, back);
        padded[63] |= 0x40;
        Assert.Equal(DataFault.PieceSize, Fr32.TryUnpad(padded, back).Fault);
    }
}
