using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.TestPeers;
using Xunit;

namespace Shale.Bn254.Tests.BabyJubjub;

public sealed class EdDsaTests
{
    private static readonly BabyJubjubPoint Torsion = BabyJubjubPoint.Generator.Multiply(BabyJubjubScalar.Order);
    private readonly Random _random = new(31337);

    [Fact]
    public void Blake512_PublishedVectorsAndPeer_Agree()
    {
        // The two test vectors of the BLAKE submission, section 2.
        Assert.Equal(
            "97961587f6d970faba6d2478045de6d1fabd09b61ae50932054d52bc29d31be4ff9102b9f69e2bbdb83be13d4b9c06091e5fa0b48bd081b634058be0ec49beb3",
            Blake(new byte[1]));
        Assert.Equal(
            "313717d608e9cf758dcb1eb0f0c3cf9fc150b2d500fb33f51c52afc99d358a2f1374b8a38bba7974e7f6ef79cab16f22ce1e649d6e01ad9589c213045d545dde",
            Blake(new byte[144]));
        byte[][] messages = [.. Enumerable.Range(0, 300).Select(length => Bytes(length))];
        JsonElement answers = Ask("blake512", messages.Select(m => new { message = Hex(m) }));
        for (int i = 0; i < messages.Length; i++)
        {
            Assert.Equal(answers[i].GetString(), Blake(messages[i]));
        }
    }

    [Theory]
    [InlineData("sign")]
    [InlineData("zkSign")]
    public void Sign_RandomAndEdgeInputs_IsByteForByteThePeers(string peer)
    {
        (byte[] Key, Fr Message)[] cases = [.. EdgeKeys().SelectMany(k => EdgeMessages().Select(m => (k, m))),
            .. Enumerable.Range(0, 60).Select(_ => (Bytes(32), Element()))];
        JsonElement answers = Ask(peer, cases.Select(c => new { key = Hex(c.Key), message = c.Message.ToString() }));
        for (int i = 0; i < cases.Length; i++)
        {
            using var key = new EdDsaPrivateKey(cases[i].Key);
            byte[] signature = new byte[EdDsaSignature.Size];
            key.Sign(cases[i].Message).Write(signature);
            Assert.Equal(answers[i].GetProperty("publicKey").GetString(), Hex(key.PublicKey.ToBytes()));
            Assert.Equal(answers[i].GetProperty("signature").GetString(), Hex(signature));
            Assert.True(EdDsa.Verify(key.PublicKey.ToBytes(), cases[i].Message, signature));
        }
    }

    [Fact]
    public void Sign_TwoThousandVectorsOfThePeers_IsByteForByteTheirs()
    {
        // tests/npm/eddsa-vectors.mjs wrote them, and says how keys and messages are made.
        string path = Path.Combine(Path.GetDirectoryName(NodePeer.Folder)!, "vectors", "eddsa-poseidon", "signatures.txt");
        string[] lines = File.ReadAllLines(path);
        Assert.Equal(2000, lines.Length);
        BigInteger r = Fr.Modulus;
        BigInteger[] edges = [0, 1, 2, r - 1, r - 2, (r - 1) / 2, (BigInteger.One << 248) - 1, ulong.MaxValue];
        var entries = new EdDsaBatchEntry[lines.Length];
        for (int i = 0; i < lines.Length; i++)
        {
            using var key = new EdDsaPrivateKey(SHA256.HashData(Encoding.UTF8.GetBytes($"key {i}")));
            Fr message = i < edges.Length
                ? Fr.FromBigInteger(edges[i])
                : Fr.ReduceBigEndian(SHA512.HashData(Encoding.UTF8.GetBytes($"message {i}")));
            byte[] signature = new byte[EdDsaSignature.Size];
            key.Sign(message).Write(signature);
            Assert.Equal(lines[i], Hex(key.PublicKey.ToBytes()) + " " + Hex(signature));

            byte[] theirs = Convert.FromHexString(lines[i].Remove(64, 1));
            Assert.True(EdDsaPublicKey.TryRead(theirs.AsSpan(0, 32), out EdDsaPublicKey? publicKey));
            Assert.True(EdDsaSignature.TryRead(theirs.AsSpan(32), out EdDsaSignature parsed));
            Assert.True(EdDsa.Verify(publicKey, message, parsed));
            entries[i] = new EdDsaBatchEntry(publicKey, message, parsed);
        }

        Assert.True(EdDsa.VerifyBatch(entries));
    }

    [Theory]
    [InlineData("verify")]
    [InlineData("zkVerify")]
    public void Verify_GoodAndMutated_AgreesWithThePeerExceptWhereStricter(string peer)
    {
        List<Candidate> candidates = Candidates(rounds: 5);
        JsonElement answers = Ask(peer, candidates.Select(c => new
        {
            message = c.Message.ToString(),
            r8 = new[] { c.R8.X.ToString(), c.R8.Y.ToString() },
            s = c.S.ToString(),
            a = new[] { c.A.X.ToString(), c.A.Y.ToString() },
        }));
        for (int i = 0; i < candidates.Count; i++)
        {
            bool theirs = answers[i].GetBoolean();
            bool stricter = candidates[i].StricterHere;
            Assert.True(theirs == (candidates[i].Good || stricter), $"{peer}: {candidates[i].Name}");
            Assert.True(candidates[i].VerifiesHere() == candidates[i].Good, candidates[i].Name);
        }
    }

    [Fact]
    public void Verify_ThousandsOfMutations_AcceptsOnlyTheGood()
    {
        foreach (Candidate candidate in Candidates(rounds: 100))
        {
            Assert.True(candidate.VerifiesHere() == candidate.Good, candidate.Name);
        }
    }

    [Fact]
    public void TryRead_ResponseNotBelowTheOrder_IsRefused()
    {
        using EdDsaPrivateKey key = EdDsaPrivateKey.Generate();
        byte[] bytes = new byte[64];
        EdDsaSignature signature = key.Sign(Fr.One);
        signature.Write(bytes);
        Assert.True(EdDsaSignature.TryRead(bytes, out EdDsaSignature back));
        Assert.Equal(signature, back);
        for (int times = 1; times <= 8; times++)
        {
            byte[] changed = [.. bytes];
            BigInteger s = signature.S.ToBigInteger() + (times * BabyJubjubScalar.Order);
            Assert.True(s.TryWriteBytes(changed.AsSpan(32), out _, isUnsigned: true));
            Assert.False(EdDsaSignature.TryRead(changed, out _));
            Assert.False(EdDsa.Verify(key.PublicKey.ToBytes(), Fr.One, changed));
        }

        Assert.False(EdDsaSignature.TryRead(bytes.AsSpan(1), out _));
        Assert.False(EdDsaSignature.TryRead([.. bytes, 0], out _));
    }

    [Fact]
    public void ReadMany_GoodAndBadEncodings_EqualsTryReadOneByOne()
    {
        using EdDsaPrivateKey key = EdDsaPrivateKey.Generate();
        byte[] bytes = Bytes(64 * 200);
        for (int i = 0; i < 200; i++)
        {
            Span<byte> one = bytes.AsSpan(64 * i, 64);
            if (i % 3 == 0)
            {
                key.Sign(Element()).Write(one);
            }
            else
            {
                // Some y are above r, some have no point; some S are below l.
                one[31] &= 0xBF;
                one[63] &= 0x07;
            }

            if (i == 30 || i == 31)
            {
                // (0, 1), and its second encoding
                one.Clear();
                one[0] = 1;
                one[31] = i == 31 ? (byte)0x80 : (byte)0;
            }
        }

        var signatures = new EdDsaSignature[200];
        bool[] valid = new bool[200];
        EdDsaSignature.ReadMany(bytes, signatures, valid);
        for (int i = 0; i < 200; i++)
        {
            Assert.Equal(EdDsaSignature.TryRead(bytes.AsSpan(64 * i, 64), out EdDsaSignature expected), valid[i]);
            Assert.Equal(expected, signatures[i]);
        }

        Assert.InRange(valid.Count(v => v), 70, 190);
        Assert.Throws<ArgumentException>(() => EdDsaSignature.ReadMany(bytes, new EdDsaSignature[199], new bool[199]));
    }

    [Fact]
    public void PublicKey_OffCurveOrSmallOrder_IsRefused()
    {
        for (int i = 0; i < 8; i++)
        {
            Assert.False(EdDsaPublicKey.TryCreate(Torsion.Multiply(i), out _));
        }

        Assert.False(EdDsaPublicKey.TryCreate(new BabyJubjubPoint(Fr.One, Fr.One), out _));
        Assert.True(EdDsaPublicKey.TryCreate(BabyJubjubPoint.Base8 + Torsion, out EdDsaPublicKey? mixed));
        Assert.False(mixed.IsInSubgroup);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(64, 64)]
    [InlineData(300, 3)]
    public void VerifyBatch_AllGood_Accepts(int count, int keys) => Assert.True(EdDsa.VerifyBatch(GoodBatch(count, keys)));

    [Fact]
    public void VerifyBatch_OneBadOfAnyKindAnywhere_Refuses()
    {
        EdDsaBatchEntry[] good = GoodBatch(20, 5);
        Assert.True(EdDsa.VerifyBatch([]));
        foreach (int position in new[] { 0, 7, 19 })
        {
            EdDsaBatchEntry entry = good[position];
            EdDsaSignature signature = entry.Signature;
            foreach (EdDsaBatchEntry bad in new[]
            {
                entry with { Message = entry.Message + Fr.One },
                entry with { PublicKey = good[position == 0 ? 1 : position - 1].PublicKey },
                entry with { Signature = signature with { S = signature.S + BabyJubjubScalar.FromBigInteger(1) } },
                entry with { Signature = signature with { R8 = -signature.R8 } },
                entry with { Signature = signature with { R8 = BabyJubjubPoint.Identity } },
                entry with { Signature = signature with { R8 = new BabyJubjubPoint(signature.R8.X + Fr.One, signature.R8.Y) } },
            })
            {
                EdDsaBatchEntry[] changed = [.. good];
                changed[position] = bad;
                Assert.False(EdDsa.VerifyBatch(changed));
            }
        }
    }

    [Fact]
    public void VerifyBatch_TorsionThatCancels_IsRefused()
    {
        // Two signatures whose commitments carry opposite torsion: a combination alone would let them pass now and then.
        for (int attempt = 0; attempt < 64; attempt++)
        {
            EdDsaBatchEntry[] batch = [TorsionSignature(4), TorsionSignature(4)];
            Assert.False(EdDsa.VerifyBatch(batch));
            Assert.All(batch, e => Assert.False(EdDsa.Verify(e.PublicKey, e.Message, e.Signature)));
        }
    }

    [Fact]
    public void VerifyBatch_KeyWithTorsion_AgreesWithSingleVerification()
    {
        for (int i = 0; i < 10; i++)
        {
            EdDsaBatchEntry entry = MixedKeySignature();
            Assert.True(EdDsa.Verify(entry.PublicKey, entry.Message, entry.Signature));
            Assert.True(EdDsa.VerifyBatch([entry, .. GoodBatch(3, 3)]));
        }
    }

    [Fact]
    public void PrivateKey_WrongLengthOrDisposed_Throws()
    {
        Assert.Throws<ArgumentException>(() => new EdDsaPrivateKey(new byte[31]));
        EdDsaPrivateKey key = EdDsaPrivateKey.Generate();
        Assert.DoesNotContain("secret", key.ToString(), StringComparison.Ordinal);
        key.Dispose();
        Assert.Throws<ObjectDisposedException>(() => key.Sign(Fr.One));
    }

    private static string Blake(byte[] message)
    {
        byte[] hash = new byte[64];
        Blake512.Hash(message, hash);
        return Hex(hash);
    }

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);

    private static JsonElement Ask(string operation, IEnumerable<object> questions) => NodePeer.Ask(
        "babyjub.mjs", new Dictionary<string, object> { [operation] = questions.ToArray() }, TimeSpan.FromMinutes(5)).GetProperty(operation);

    private static IEnumerable<byte[]> EdgeKeys()
    {
        yield return new byte[32];
        yield return [.. Enumerable.Repeat((byte)0xFF, 32)];
    }

    private static IEnumerable<Fr> EdgeMessages() => [Fr.Zero, Fr.One, -Fr.One, Fr.FromUInt64(ulong.MaxValue)];

    private EdDsaBatchEntry[] GoodBatch(int count, int keys)
    {
        EdDsaPrivateKey[] signers = [.. Enumerable.Range(0, keys).Select(_ => new EdDsaPrivateKey(Bytes(32)))];
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            Fr message = Element();
            return new EdDsaBatchEntry(signers[i % keys].PublicKey, message, signers[i % keys].Sign(message));
        })];
    }

    /// <summary>A signature that satisfies the equation up to torsion of order 2 in R8; made with a plain scalar as key.</summary>
    private EdDsaBatchEntry TorsionSignature(int torsion)
    {
        BigInteger secret = Integer() % BabyJubjubScalar.Order, nonce = Integer() % BabyJubjubScalar.Order;
        Fr message = Element();
        BabyJubjubPoint a = BabyJubjubPoint.Base8.Multiply(secret);
        BabyJubjubPoint r8 = BabyJubjubPoint.Base8.Multiply(nonce) + Torsion.Multiply(torsion);
        Assert.True(EdDsaPublicKey.TryCreate(a, out EdDsaPublicKey? key));
        return new EdDsaBatchEntry(key, message, new EdDsaSignature(r8, Response(nonce, secret, r8, a, message)));
    }

    /// <summary>A good signature under a key with torsion, which circomlib's equation accepts.</summary>
    private EdDsaBatchEntry MixedKeySignature()
    {
        BigInteger secret = Integer() % BabyJubjubScalar.Order, nonce = Integer() % BabyJubjubScalar.Order;
        Fr message = Element();
        BabyJubjubPoint a = BabyJubjubPoint.Base8.Multiply(secret) + Torsion;
        BabyJubjubPoint r8 = BabyJubjubPoint.Base8.Multiply(nonce);
        Assert.True(EdDsaPublicKey.TryCreate(a, out EdDsaPublicKey? key));
        return new EdDsaBatchEntry(key, message, new EdDsaSignature(r8, Response(nonce, secret, r8, a, message)));
    }

    private static BabyJubjubScalar Response(BigInteger nonce, BigInteger secret, BabyJubjubPoint r8, BabyJubjubPoint a, Fr message) =>
        BabyJubjubScalar.FromBigInteger(nonce) +
        (EdDsa.Challenge(r8, a, message) * BabyJubjubScalar.FromBigInteger(8 * secret));

    private List<Candidate> Candidates(int rounds)
    {
        var candidates = new List<Candidate>();
        for (int i = 0; i < rounds; i++)
        {
            using var key = new EdDsaPrivateKey(Bytes(32));
            Fr m = Element();
            EdDsaSignature signature = key.Sign(m);
            BabyJubjubPoint a = key.PublicKey.Point, r = signature.R8;
            BigInteger s = signature.S.ToBigInteger();
            candidates.Add(new("good", a, m, r, s, Good: true));
            candidates.Add(new("message + 1", a, m + Fr.One, r, s));
            candidates.Add(new("S + 1", a, m, r, s + 1));
            candidates.Add(new("S + order", a, m, r, s + BabyJubjubScalar.Order));
            candidates.Add(new("S = 0", a, m, r, 0));
            candidates.Add(new("-R8", a, m, -r, s));
            candidates.Add(new("R8 with torsion", a, m, r + Torsion.Multiply((i % 7) + 1), s));
            candidates.Add(new("R8 off the curve", a, m, new BabyJubjubPoint(r.X, r.Y + Fr.One), s));
            candidates.Add(new("R8 = identity", a, m, BabyJubjubPoint.Identity, s));
            candidates.Add(new("-A", -a, m, r, s));
            candidates.Add(new("A off the curve", new BabyJubjubPoint(a.X + Fr.One, a.Y), m, r, s));
            candidates.Add(new("other key", BabyJubjubPoint.Base8, m, r, s));
            EdDsaBatchEntry torsion = TorsionSignature((i % 7) + 1);
            candidates.Add(new("made with torsion in R8", torsion.PublicKey.Point, torsion.Message, torsion.Signature.R8, torsion.Signature.S.ToBigInteger()));
            EdDsaBatchEntry mixed = MixedKeySignature();
            candidates.Add(new("torsion in A", mixed.PublicKey.Point, mixed.Message, mixed.Signature.R8, mixed.Signature.S.ToBigInteger(), Good: true));

            // A of small order makes any R8 = S·Base8 good for every message; R8 of order 1 likewise tells nothing of a nonce.
            BigInteger forged = Integer() % BabyJubjubScalar.Order;
            candidates.Add(new("A of small order", Torsion.Multiply(i % 8), m, BabyJubjubPoint.Base8.Multiply(forged), forged, StricterHere: true));
            BabyJubjubPoint known = BabyJubjubPoint.Base8.Multiply(forged);
            BigInteger answer = Response(0, forged, BabyJubjubPoint.Identity, known, m).ToBigInteger();
            candidates.Add(new("R8 = identity, equation holds", known, m, BabyJubjubPoint.Identity, answer, StricterHere: true));
        }

        return candidates;
    }

    private byte[] Bytes(int length)
    {
        byte[] bytes = new byte[length];
        _random.NextBytes(bytes);
        return bytes;
    }

    private Fr Element() => Fr.ReduceBigEndian(Bytes(48));

    private BigInteger Integer() => new(Bytes(40), isUnsigned: true);

    private sealed record Candidate(
        string Name, BabyJubjubPoint A, Fr Message, BabyJubjubPoint R8, BigInteger S, bool Good = false, bool StricterHere = false)
    {
        /// <summary>Through the types as far as they let it: the scalar's type already refuses S ≥ l.</summary>
        public bool VerifiesHere()
        {
            byte[] s = new byte[32];
            S.TryWriteBytes(s, out _, isUnsigned: true);
            return EdDsaPublicKey.TryCreate(A, out EdDsaPublicKey? key) &&
                BabyJubjubScalar.TryFromBytes(s, out BabyJubjubScalar scalar) &&
                EdDsa.Verify(key, Message, new EdDsaSignature(R8, scalar));
        }
    }
}
