using Shale.Crypto.Keccak;

namespace Shale.Crypto.Tests;

public sealed class KeccakTests
{
    // The Ethereum yellow paper's KEC of nothing; Solidity's documentation and EIP-55's sources use the others.
    [Theory]
    [InlineData("", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")]
    [InlineData("abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45")]
    [InlineData("transfer(address,uint256)", "a9059cbb2ab09eb219583f4a59a5d0623ade346d962bcd4e46b11da047c9049b")]
    [InlineData("Transfer(address,address,uint256)", "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")]
    public void Hash_KnownTexts_GivesPublishedDigests(string text, string expected) =>
        Assert.Equal(expected, Hex(Keccak256.Hash(System.Text.Encoding.ASCII.GetBytes(text))));

    [Fact]
    public void Hash_EveryLengthUpTo600_AgreesWithNoble()
    {
        var messages = Enumerable.Range(0, 600).Select(n => Seeded(n).Bytes(n)).ToList();
        var answers = NodePeer.Ask<string[]>("crypto.mjs", messages.Select(m => new { op = "keccak256", message = Hex(m) }));
        Assert.Equal(answers, messages.Select(m => Hex(Keccak256.Hash(m))));
    }

    [Fact]
    public void Sha3_CavpVectors_GivePublishedDigests()
    {
        foreach (var (file, rate) in new[] { ("SHA3_256ShortMsg.rsp", KeccakSponge.Sha3_256Rate), ("SHA3_512ShortMsg.rsp", KeccakSponge.Sha3_512Rate) })
        {
            foreach (var record in Read(file).Where(r => r.ContainsKey("Len")))
            {
                var message = Hex(record["Msg"])[..(int.Parse(record["Len"], null) / 8)];
                var digest = new byte[record["MD"].Length / 2];
                var sponge = new KeccakSponge(rate, KeccakSponge.Sha3Suffix);
                sponge.Absorb(message);
                sponge.Squeeze(digest);
                Assert.Equal(record["MD"], Hex(digest));
            }
        }
    }

    [Fact]
    public void Shake_CavpVectors_GivePublishedOutputInAnyPieces()
    {
        foreach (var (file, rate) in new[] { ("SHAKE128VariableOut.rsp", KeccakSponge.Shake128Rate), ("SHAKE256VariableOut.rsp", KeccakSponge.Shake256Rate) })
        {
            foreach (var record in Read(file))
            {
                var output = new byte[record["Output"].Length / 2];
                foreach (var piece in new[] { output.Length, 7, 1 })
                {
                    var sponge = new KeccakSponge(rate, KeccakSponge.ShakeSuffix);
                    foreach (var part in Hex(record["Msg"]).Chunk(piece))
                    {
                        sponge.Absorb(part);
                    }

                    for (var at = 0; at < output.Length; at += piece)
                    {
                        sponge.Squeeze(output.AsSpan(at, Math.Min(piece, output.Length - at)));
                    }

                    Assert.Equal(record["Output"], Hex(output));
                }
            }
        }
    }
}
