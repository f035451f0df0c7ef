using Shale.Crypto.Keccak;
using Shale.Crypto.PostQuantum;

namespace Shale.Crypto.Tests;

public sealed class MlKem768Tests
{
    // The accumulated vectors of Go's crypto/mlkem (after C2SP/CCTV): inputs from SHAKE-128 of nothing; public keys, ciphertexts, secrets and the secrets of
    // random ciphertexts (implicit rejection) hashed together.
    [Theory]
    [InlineData(100, "1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415")]
    [InlineData(10_000, "8a518cc63da366322a8e7a818c7a0d63483cb3528d34a4cf42f35d5ad73f22fc")]
    public void AllOperations_AccumulatedVectors_HashToThePublishedValue(int rounds, string expected)
    {
        var source = new KeccakSponge(KeccakSponge.Shake128Rate, KeccakSponge.ShakeSuffix);
        var sink = new KeccakSponge(KeccakSponge.Shake128Rate, KeccakSponge.ShakeSuffix);
        byte[] seed = new byte[96], random = new byte[1088], pk = new byte[1184], sk = new byte[2400], ct = new byte[1088], ss = new byte[32], other = new byte[32];
        for (var i = 0; i < rounds; i++)
        {
            source.Squeeze(seed);
            source.Squeeze(random);
            MlKem768.GenerateKeyPair(seed.AsSpan(0, 32), seed.AsSpan(32, 32), pk, sk);
            Assert.True(MlKem768.TryEncapsulate(seed.AsSpan(64), pk, ct, ss));
            Assert.True(MlKem768.TryDecapsulate(sk, ct, other));
            Assert.Equal(ss, other);
            Assert.True(MlKem768.TryDecapsulate(sk, random, other));
            sink.Absorb(pk);
            sink.Absorb(ct);
            sink.Absorb(ss);
            sink.Absorb(other);
        }

        sink.Squeeze(other);
        Assert.Equal(expected, Hex(other));
    }

    // One case of each kind of NIST's ACVP set.
    [Fact]
    public void AllOperations_AcvpVectors_GivePublishedValues()
    {
        var cases = Read("mlkem768-acvp.txt").ToDictionary(r => r["KIND"]);
        byte[] pk = new byte[1184], sk = new byte[2400], ct = new byte[1088], ss = new byte[32];
        var keyGen = cases["keyGen"];
        MlKem768.GenerateKeyPair(Hex(keyGen["D"]), Hex(keyGen["Z"]), pk, sk);
        Assert.Equal(keyGen["EK"], Hex(pk), ignoreCase: true);
        Assert.Equal(keyGen["SECRET"] + keyGen["EK"] + keyGen["HASH"] + keyGen["Z"], Hex(sk), ignoreCase: true);

        var encapsulation = cases["encapsulation"];
        Assert.True(MlKem768.TryEncapsulate(Hex(encapsulation["M"]), Hex(encapsulation["EK"]), ct, ss));
        Assert.Equal(encapsulation["C"], Hex(ct), ignoreCase: true);
        Assert.Equal(encapsulation["K"], Hex(ss), ignoreCase: true);

        var decapsulation = cases["decapsulation"];
        sk = Hex(decapsulation["SECRET"] + decapsulation["EK"] + decapsulation["HASH"] + decapsulation["Z"]);
        Assert.True(MlKem768.TryDecapsulate(sk, Hex(decapsulation["C"]), ss));
        Assert.Equal(decapsulation["K"], Hex(ss), ignoreCase: true);
        Assert.True(MlKem768.TryDecapsulate(sk, Hex(decapsulation["REJECTED_C"]), ss));
        Assert.Equal(decapsulation["REJECTED_K"], Hex(ss), ignoreCase: true);
    }

    // The SHA-256 of NIST's response file with its 100 cases, which liboqs publishes (tests/KATs/kem/kats.json, "ML-KEM-768").
    [Fact]
    public void AllOperations_NistResponseFile_HashesToThePublishedValue() =>
        Assert.Equal(
            "e5d6911117c708d8342702db222f66bef5ac5b0314fb8bc36eb22a536c9b34fb",
            NistDrbg.HashOfResponses(100, drbg =>
            {
                byte[] seed = new byte[64], m = new byte[32], pk = new byte[1184], sk = new byte[2400], ct = new byte[1088], ss = new byte[32];
                drbg.Fill(seed);
                MlKem768.GenerateKeyPair(seed.AsSpan(0, 32), seed.AsSpan(32), pk, sk);
                drbg.Fill(m);
                Assert.True(MlKem768.TryEncapsulate(m, pk, ct, ss));
                return (pk, sk, ct, ss);
            }));

    [Fact]
    public void AllOperations_RandomAndMutilatedInputs_AgreeWithNobleAndLiboqs()
    {
        var random = Seeded(203);
        var questions = new List<object>();
        var expected = new List<string?>();
        var liboqs = new List<object>();
        var shared = new List<string>();
        for (var i = 0; i < 20; i++)
        {
            byte[] seed = random.Bytes(64), m = random.Bytes(32), pk = new byte[1184], sk = new byte[2400], ct = new byte[1088], ss = new byte[32];
            MlKem768.GenerateKeyPair(seed.AsSpan(0, 32), seed.AsSpan(32), pk, sk);
            questions.Add(new { op = "mlKem768KeyGen", seed = Hex(seed) });
            expected.Add($$"""{"publicKey":"{{Hex(pk)}}","secretKey":"{{Hex(sk)}}"}""");
            Assert.True(MlKem768.TryEncapsulate(m, pk, ct, ss));
            questions.Add(new { op = "mlKem768Encapsulate", publicKey = Hex(pk), message = Hex(m) });
            expected.Add($$"""{"ciphertext":"{{Hex(ct)}}","shared":"{{Hex(ss)}}"}""");
            for (var j = 0; j < 4; j++)
            {
                Assert.True(MlKem768.TryDecapsulate(sk, ct, ss));
                questions.Add(new { op = "mlKem768Decapsulate", ciphertext = Hex(ct), secretKey = Hex(sk) });
                expected.Add($"\"{Hex(ss)}\"");
                liboqs.Add(new { kem = "ml-kem-768", op = "decapsulate", ciphertext = Hex(ct), secretKey = Hex(sk) });
                shared.Add(Hex(ss));
                ct[random.Next(ct.Length)] ^= (byte)(1 << random.Next(8));
            }
        }

        Assert.Equal(expected, NodePeer.Ask("crypto.mjs", questions).EnumerateArray().Select(a => a.GetRawText()));
        Assert.Equal(shared, NodePeer.Ask("kem.mjs", liboqs).EnumerateArray().Select(a => a.GetString()));
    }

    [Fact]
    public void TryDecapsulate_CiphertextsOfLiboqs_GivesItsSecret()
    {
        byte[] pk = new byte[1184], sk = new byte[2400], ss = new byte[32];
        MlKem768.GenerateKeyPair(pk, sk);
        var answers = NodePeer.Ask("kem.mjs", Enumerable.Range(0, 20).Select(_ => new { kem = "ml-kem-768", op = "encapsulate", publicKey = Hex(pk) }));
        foreach (var answer in answers.EnumerateArray())
        {
            Assert.True(MlKem768.TryDecapsulate(sk, Hex(answer.GetProperty("ciphertext").GetString()!), ss));
            Assert.Equal(answer.GetProperty("shared").GetString(), Hex(ss));
        }
    }

    // FIPS 203 section 7.2: every value from q to 4095 is refused, wherever it stands.
    [Fact]
    public void TryEncapsulate_CoefficientNotBelowQ_IsRefused()
    {
        byte[] pk = new byte[1184], sk = new byte[2400], ct = new byte[1088], ss = new byte[32];
        MlKem768.GenerateKeyPair(pk, sk);
        var random = Seeded(72);
        for (var value = 3329; value < 4096; value++)
        {
            var bad = (byte[])pk.Clone();
            var index = random.Next(768);
            var at = index / 2 * 3;
            if (index % 2 == 0)
            {
                bad[at] = (byte)value;
                bad[at + 1] = (byte)((bad[at + 1] & 0xf0) | (value >> 8));
            }
            else
            {
                bad[at + 1] = (byte)((bad[at + 1] & 0x0f) | (value << 4));
                bad[at + 2] = (byte)(value >> 4);
            }

            Assert.False(MlKem768.TryEncapsulate(bad, ct, ss));
            Assert.Equal(new byte[32], ss);
        }

        Assert.True(MlKem768.TryEncapsulate(pk, ct, ss));
        Assert.False(MlKem768.TryEncapsulate(pk.AsSpan(1), ct, ss));
    }

    [Fact]
    public void TryDecapsulate_DamagedPrivateKeyOrLength_IsRefused()
    {
        byte[] pk = new byte[1184], sk = new byte[2400], ct = new byte[1088], ss = new byte[32];
        MlKem768.GenerateKeyPair(pk, sk);
        Assert.True(MlKem768.TryEncapsulate(pk, ct, ss));
        Assert.False(MlKem768.TryDecapsulate(sk, ct.AsSpan(1), ss));
        Assert.False(MlKem768.TryDecapsulate(sk.AsSpan(1), ct, ss));
        sk[1152 + 700] ^= 1;
        Assert.False(MlKem768.TryDecapsulate(sk, ct, ss));
    }

    [Fact]
    public void Compression_EveryCoefficient_IsTheRoundedQuotient()
    {
        for (var x = 0; x < 3329; x++)
        {
            Assert.Equal((((x << 11) + 3329) / (2 * 3329)) % 1024, MlKemEncoding.Compress10(x));
            Assert.Equal((((x << 5) + 3329) / (2 * 3329)) % 16, MlKemEncoding.Compress4(x));
            Assert.Equal((((x << 2) + 3329) / (2 * 3329)) % 2, MlKemEncoding.Compress1(x));
        }
    }

    [Fact]
    public void Multiply_ThroughTheNtt_EqualsTheSchoolbookProduct()
    {
        var random = Seeded(9);
        for (var round = 0; round < 20; round++)
        {
            int[] a = Enumerable.Range(0, 256).Select(_ => random.Next(3329)).ToArray(), b = Enumerable.Range(0, 256).Select(_ => random.Next(3329)).ToArray(), product = new int[256];
            var expected = new long[256];
            for (var i = 0; i < 256; i++)
            {
                for (var j = 0; j < 256; j++)
                {
                    expected[(i + j) % 256] += i + j < 256 ? a[i] * b[j] : -(a[i] * b[j]);
                }
            }

            MlKemPolynomial.Ntt(a);
            MlKemPolynomial.Ntt(b);
            MlKemPolynomial.MultiplyAdd(a, b, 1, product);
            MlKemPolynomial.InverseNtt(product);
            MlKemPolynomial.Normalize(product);
            Assert.Equal(expected.Select(e => (int)(((e % 3329) + 3329) % 3329)), product);
        }
    }
}
