using System.Text;
using Shale.Crypto;
using Shale.Data.Cids;
using Shale.Data.Tests.Support;
using Xunit;

namespace Shale.Data.Tests.Cids;

public class CidTests
{
    // Texts of the CID specification, of multiformats' own tests and of Filecoin: the same content in several bases.
    [Theory]
    [InlineData("QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR", 0, Codec.DagPb, MultihashCode.Sha256)]
    [InlineData("zdj7Wb59AJh4tAfLk6QjGRqW86qgu7yxFJHdzTsoKMNUQMepP", 1, Codec.DagPb, MultihashCode.Sha256)]
    [InlineData("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi", 1, Codec.DagPb, MultihashCode.Sha256)]
    [InlineData("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", 1, Codec.Raw, MultihashCode.Sha256)]
    [InlineData("bafy2bzaced4ueelaegfs5fqu4tzsh6ywbbpfk3cxppupmxfdhbpbhzawfw5oy", 1, Codec.DagCbor, MultihashCode.Blake2b256)]
    [InlineData("bafkqactgnfwc6mjpmnzg63q", 1, Codec.Raw, MultihashCode.Identity)]
    [InlineData("baga6ea4seaqao7s73y24kcutaosvacpdjgfe5pw76ooefnyqw4ynr3d2y6x2mpq", 1, Codec.FilCommitmentUnsealed, MultihashCode.Sha256Trunc254Padded)]
    [InlineData("bafkzcibcaapao7s73y24kcutaosvacpdjgfe5pw76ooefnyqw4ynr3d2y6x2mpq", 1, Codec.Raw, MultihashCode.Fr32Sha256Trunc254PadBinTree)]
    public void Cid_OfAPublishedText_IsWhatItSaysAndPrintsBack(string text, int version, ulong codec, ulong hash)
    {
        Assert.Equal(DataFault.None, Cid.TryParse(text, out var cid).Fault);
        Assert.Equal((version, codec, hash), (cid!.Version, cid.Codec, cid.Hash));
        Assert.Equal(text, text[0] == 'z' ? cid.ToString(Multibase.Base58Btc) : cid.ToString());
    }

    [Fact]
    public void Cid_InEveryBase_IsWhatMultiformatsPrintsAndReads()
    {
        var random = new Random(7);
        var cids = new List<Cid>();
        foreach (var codec in new[] { Codec.Raw, Codec.DagPb, Codec.DagCbor, Codec.FilCommitmentUnsealed, Codec.FilCommitmentSealed, 0x300000UL })
        {
            foreach (var (hash, length) in new[] { (MultihashCode.Sha256, 32), (MultihashCode.Blake2b256, 32), (MultihashCode.Identity, 0), (MultihashCode.Identity, 5), (MultihashCode.Sha256Trunc254Padded, 32), (MultihashCode.Fr32Sha256Trunc254PadBinTree, 34) })
            {
                var digest = new byte[length];
                random.NextBytes(digest);
                digest.AsSpan(0, Math.Min(length, random.Next(4))).Clear();
                cids.Add(Cid.Create(1, codec, hash, digest));
            }
        }

        var printed = Peer.Ask(cids.Select(c => (object)new { op = "printCid", must = true, bytes = Convert.ToHexString(c.Bytes) }).ToArray());
        for (var i = 0; i < cids.Count; i++)
        {
            foreach (var text in printed[i].EnumerateObject())
            {
                Assert.Equal(text.Value.GetString(), cids[i].ToString((Multibase)text.Name[0]));
                Assert.Equal(DataFault.None, Cid.TryParse(text.Value.GetString(), out var back).Fault);
                Assert.Equal(cids[i], back);
            }
        }
    }

    [Fact]
    public void Cid_OfABlock_IsWhatMultiformatsComputes()
    {
        var blocks = new[] { [], "a"u8.ToArray(), Encoding.UTF8.GetBytes(new string('x', 127)), new byte[128], new byte[129], new byte[4096] };
        var cases = new[] { ("sha2-256", MultihashCode.Sha256), ("blake2b-256", MultihashCode.Blake2b256), ("identity", MultihashCode.Identity) }
            .SelectMany(h => blocks.Where(b => h.Item2 != MultihashCode.Identity || b.Length <= Cid.MaxDigestLength).Select(b => (Name: h.Item1, Hash: h.Item2, Block: b))).ToArray();
        var answers = Peer.Ask(cases.Select(c => (object)new { op = "hashCid", must = true, codec = Codec.Raw, hash = c.Name, block = Convert.ToHexString(c.Block) }).ToArray());
        for (var i = 0; i < cases.Length; i++)
        {
            var cid = Cid.Parse(answers[i].GetProperty("text").GetString()!);
            Assert.Equal(cases[i].Hash, cid.Hash);
            Assert.False(cid.Verify(cases[i].Block).IsError);
            Assert.Equal(DataFault.HashMismatch, cid.Verify([.. cases[i].Block, 0]).Fault);
        }
    }

    [Theory]
    [InlineData("", DataFault.CidLength, 0)]
    [InlineData("b", DataFault.CidLength, 1)]
    [InlineData("Qm", DataFault.CidLength, 2)]
    [InlineData("QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMn", DataFault.CidLength, 45)]
    [InlineData("QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnI", DataFault.CidCharacter, 45)]
    [InlineData("QmbWqxBEKC3P8tqs0c98xmWNzrzDtRLMiMPL8wBuTGsMnR", DataFault.CidCharacter, 16)]
    [InlineData("xafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi", DataFault.CidMultibase, 0)]
    [InlineData("1afybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi", DataFault.CidMultibase, 0)]
    [InlineData("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzd1", DataFault.CidCharacter, 58)]
    [InlineData("bafybeigdyrzt5sfp7Udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi", DataFault.CidCharacter, 18)]
    [InlineData("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi=", DataFault.CidCharacter, 59)]
    [InlineData("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdj", DataFault.CidTrailingBits, 58)]
    [InlineData("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdia", DataFault.CidLength, 60)]
    [InlineData("f0", DataFault.CidLength, 2)]
    [InlineData("f00", DataFault.CidVersion, -1)]
    [InlineData("f02551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", DataFault.CidVersion, -1)]
    [InlineData("f1220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", DataFault.CidVersion, 0)]
    [InlineData("f01551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8", DataFault.CidTruncated, -1)]
    [InlineData("f01551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85500", DataFault.CidTrailingBytes, -1)]
    [InlineData("f0155121fe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8", DataFault.CidDigestLength, -1)]
    [InlineData("f0155ff01", DataFault.VarintTruncated, -1)]
    [InlineData("f01d500", DataFault.VarintNotMinimal, -1)]
    [InlineData("f01ffffffffffffffffff01", DataFault.VarintTooLong, -1)]
    [InlineData("f015500ff01", DataFault.CidDigestLength, -1)]
    public void Cid_Malformed_IsRefusedWithItsPlace(string text, DataFault fault, long place)
    {
        var error = Cid.TryParse(text, out var cid);
        Assert.Null(cid);
        Assert.Equal((fault, place), (error.Fault, error.Offset));
    }

    [Fact]
    public void Cid_OfAnyText_IsReadAsMultiformatsReadsItOrRefused()
    {
        // Mutations of right texts: what both accept must be the same; what we accept they must accept.
        var random = new Random(11);
        var seeds = new[] { "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi", "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR", "f015500050102030405", "k2jmtxw8rjh1z69c6not3wtdxb0u3urbzhyll1t9jg6ox26dhi5sfi1m" };
        var texts = Enumerable.Range(0, 400).Select(_ =>
        {
            var text = seeds[random.Next(seeds.Length)].ToCharArray();
            for (var n = random.Next(3); n >= 0; n--)
            {
                text[random.Next(text.Length)] = "abcdefghijklmnopqrstuvwxyz234567ABCDEFQ01-_"[random.Next(43)];
            }

            return new string(text);
        }).ToArray();
        var answers = Peer.Ask(texts.Select(t => (object)new { op = "parseCid", text = t }).ToArray());
        var accepted = 0;
        for (var i = 0; i < texts.Length; i++)
        {
            if (Cid.TryParse(texts[i], out var cid).IsError)
            {
                continue;
            }

            accepted++;
            Assert.Equal(Convert.ToHexStringLower(cid!.Bytes), answers[i].GetProperty("bytes").GetString());
        }

        Assert.InRange(accepted, 20, texts.Length);
    }

    [Theory]
    // The examples of the unsigned-varint specification.
    [InlineData("01", 1)]
    [InlineData("7f", 127)]
    [InlineData("8001", 128)]
    [InlineData("ff01", 255)]
    [InlineData("ac02", 300)]
    [InlineData("808001", 16384)]
    [InlineData("ffffffffffffffff7f", long.MaxValue)]
    public void Varint_OfTheSpecification_ReadsAndWrites(string hex, long value)
    {
        var bytes = Convert.FromHexString(hex);
        Assert.False(Varint.TryRead(bytes, out var read, out var consumed).IsError);
        Assert.Equal(((ulong)value, bytes.Length), (read, consumed));
        var buffer = new byte[9];
        Assert.Equal(bytes, buffer[..Varint.Write((ulong)value, buffer)]);
        Assert.Equal(bytes.Length, Varint.Length((ulong)value));
    }

    [Fact]
    public void Blake2b_OfRfc7693Vector_IsItsDigest()
    {
        // RFC 7693 appendix A: BLAKE2b-512 of "abc".
        var digest = new byte[64];
        Blake2b.HashData("abc"u8, digest);
        Assert.Equal(
            "BA80A53F981C4D0D6A2797B69F12F6E94C212F14685AC4B74B12BB6FDBFFA2D17D87C5392AAB792DC252D5DE4533CC9518D38AA8DBF1925AB92386EDD4009923",
            Convert.ToHexString(digest));
    }

    [Fact]
    public void Blake2b_OfEmptyInput_IsThePublishedDigest()
    {
        // The 32-byte digest of nothing, as the reference implementation's test vectors give it.
        var digest = new byte[32];
        Blake2b.HashData([], digest);
        Assert.Equal("0E5751C026E543B2E8AB2EB06099DAA1D1E5DF47778F7787FAAB45CDF12FE3A8", Convert.ToHexString(digest));
    }
}
