using System.Globalization;
using System.Security.Cryptography;
using Shale.Payments.Log;
using Xunit;

namespace Shale.Payments.Tests.Log;

public sealed class MerkleTests
{
    // The leaves and roots that RFC 6962's reference implementation (google/certificate-transparency, merkle_tree_test) publishes.
    private static readonly string[] Leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

    private static readonly string[] Roots =
    [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    [Fact]
    public void Root_OfThePublishedLeaves_IsThePublishedOne()
    {
        var frontier = new MerkleFrontier();
        Assert.Equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", Convert.ToHexStringLower(frontier.Root().ToArray()));
        for (var i = 0; i < Leaves.Length; i++)
        {
            frontier.Append(MerkleHash.Leaf(Convert.FromHexString(Leaves[i])));
            Assert.Equal(Roots[i], Convert.ToHexStringLower(frontier.Root().ToArray()));
        }
    }

    [Fact]
    public void Proofs_OfEveryPairUpTo70_VerifyAndNoOtherDoes()
    {
        const int size = 70;
        var leaves = Enumerable.Range(0, size).Select(i => MerkleHash.Leaf(SHA256.HashData(BitConverter.GetBytes(i)))).ToArray();
        MerkleHash Naive(int from, int to)
        {
            if (to == from)
            {
                return MerkleHash.Empty;
            }

            if (to - from == 1)
            {
                return leaves[from];
            }

            var k = 1;
            while (k * 2 < to - from)
            {
                k *= 2;
            }

            return MerkleHash.Node(Naive(from, from + k), Naive(from + k, to));
        }

        MerkleHash Subtree(int height, long index) => Naive((int)index << height, (int)(index + 1) << height);
        var stranger = MerkleHash.Leaf([1, 2, 3]);
        for (var n = 1; n <= size; n++)
        {
            var root = Naive(0, n);
            for (var m = 0; m <= n; m++)
            {
                MerkleHash[] consistency = [.. MerkleProof.Consistency(m, n, Subtree)];
                var old = Naive(0, m);
                Assert.True(MerkleProof.VerifyConsistency(m, n, old, root, consistency), $"consistency {m} {n}");
                Assert.False(MerkleProof.VerifyConsistency(m, n, stranger, root, consistency));
                Assert.False(MerkleProof.VerifyConsistency(m, n, old, root, [.. consistency, stranger]));
                for (var i = 0; i < consistency.Length; i++)
                {
                    var altered = consistency.ToArray();
                    altered[i] = stranger;
                    Assert.False(MerkleProof.VerifyConsistency(m, n, old, root, altered));
                    Assert.False(MerkleProof.VerifyConsistency(m, n, old, root, consistency.AsSpan(0, i)));
                }

                if (m == n)
                {
                    continue;
                }

                MerkleHash[] inclusion = [.. MerkleProof.Inclusion(m, n, Subtree)];
                Assert.True(MerkleProof.VerifyInclusion(m, n, leaves[m], root, inclusion), $"inclusion {m} {n}");
                Assert.False(MerkleProof.VerifyInclusion(m, n, stranger, root, inclusion));
                Assert.False(MerkleProof.VerifyInclusion(m, n, leaves[m], root, [.. inclusion, stranger]));
                for (var i = 0; i < inclusion.Length; i++)
                {
                    var altered = inclusion.ToArray();
                    altered[i] = stranger;
                    Assert.False(MerkleProof.VerifyInclusion(m, n, leaves[m], root, altered));
                }
            }
        }
    }

    [Theory]
    [InlineData(0, "tile/entries/000")]
    [InlineData(1, "tile/entries/001")]
    [InlineData(1234067, "tile/entries/x001/x234/067")]
    public void TilePath_OfAnIndex_IsAsTlogTilesWritesIt(long index, string path) => Assert.Equal(path, TilePath.Entries(index));

    [Fact]
    public void TilePath_OfAPartialTile_NamesItsWidth() =>
        Assert.Equal("tile/2/x001/000.p/17", TilePath.Hashes(2, 1000, 17));

    [Fact]
    public void Note_FromGosDocumentation_Opens()
    {
        // The example of golang.org/x/mod/sumdb/note's package documentation.
        const string key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        const string text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
        const string signature = "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        Assert.True(NoteVerifier.TryParse(key, out var verifier));
        Assert.Equal(key, verifier.ToString());
        Assert.True(SignedNote.TryOpen(text + "\n" + signature, verifier, out var opened));
        Assert.Equal(text, opened);
        Assert.False(SignedNote.TryOpen(text.Replace("problem", "Problem", StringComparison.Ordinal) + "\n" + signature, verifier, out _));
        Assert.False(NoteVerifier.TryParse(key.Replace("c74f20a3", "c74f20a4", StringComparison.Ordinal), out _));
    }

    [Theory]
    [InlineData("o\n05\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")]
    [InlineData("o\n-5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")]
    [InlineData("p\n5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")]
    [InlineData("o\n5\nAAAA\n")]
    [InlineData("o\n5\n")]
    public void Checkpoint_ThatIsMalformed_IsRefused(string body)
    {
        using var signer = new NoteSigner("o", new byte[32]);
        Assert.False(Checkpoint.TryOpen(signer.Sign(body), signer.Verifier, out _));
        var good = new Checkpoint("o", 5, MerkleHash.Empty);
        Assert.True(Checkpoint.TryOpen(good.Sign(signer), signer.Verifier, out var opened));
        Assert.Equal(good, opened);
        Assert.Equal(5.ToString(CultureInfo.InvariantCulture), opened.Body.Split('\n')[1]);
    }
}
