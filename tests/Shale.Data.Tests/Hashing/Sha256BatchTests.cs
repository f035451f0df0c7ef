using System.Security.Cryptography;
using Shale.Data.Hashing;
using Xunit;

namespace Shale.Data.Tests.Hashing;

public unsafe class Sha256BatchTests
{
    // The paths that this processor has; the library's is always among them.
    public static TheoryData<string> Paths()
    {
        var paths = new TheoryData<string> { nameof(Sha256Path.Library) };
        if (Sha256Lanes256.IsSupported)
        {
            paths.Add(nameof(Sha256Path.Avx2));
        }

        if (Sha256Lanes512.IsSupported)
        {
            paths.Add(nameof(Sha256Path.Avx512));
        }

        return paths;
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Pairs_OnEveryPath_AreTheLibrarysDigestsTruncated(string path)
    {
        var source = new byte[64 * 100];
        new Random(1).NextBytes(source);
        foreach (var pairs in new[] { 0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 100 })
        {
            var actual = new byte[32 * pairs];
            fixed (byte* s = source, d = actual)
            {
                Sha256Batch.HashPairs(Enum.Parse<Sha256Path>(path), s, d, pairs);
            }

            for (var i = 0; i < pairs; i++)
            {
                var expected = SHA256.HashData(source.AsSpan(64 * i, 64));
                expected[31] &= 0x3f;
                Assert.Equal(expected, actual[(32 * i)..(32 * (i + 1))]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Pairs_InPlace_AreTheSame(string path)
    {
        var bytes = new byte[64 * 64];
        new Random(2).NextBytes(bytes);
        var expected = Enumerable.Range(0, 64).SelectMany(i =>
        {
            var digest = SHA256.HashData(bytes.AsSpan(64 * i, 64));
            digest[31] &= 0x3f;
            return digest;
        }).ToArray();
        fixed (byte* b = bytes)
        {
            Sha256Batch.HashPairs(Enum.Parse<Sha256Path>(path), b, b, 64);
        }

        Assert.Equal(expected, bytes[..expected.Length]);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Messages_OfEveryLengthAroundABlock_AreTheLibrarysDigests(string path)
    {
        foreach (var length in Enumerable.Range(0, 140).Append(4096).Append(100_003))
        {
            // Twenty: sixteen of one length for the lanes, and a rest; the last of another length.
            var random = new Random(length);
            var messages = Enumerable.Range(0, 20).Select(i =>
            {
                var message = new byte[i == 19 ? length + 1 : length];
                random.NextBytes(message);
                return (ReadOnlyMemory<byte>)message;
            }).ToArray();
            var digests = new byte[32 * messages.Length];
            Sha256Batch.HashMessages(Enum.Parse<Sha256Path>(path), messages, digests);
            for (var i = 0; i < messages.Length; i++)
            {
                Assert.Equal(SHA256.HashData(messages[i].Span), digests[(32 * i)..(32 * (i + 1))]);
            }
        }
    }
}
