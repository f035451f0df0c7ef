using System.Text.Json;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Payments.Vouchers;
using Shale.TestPeers;
using Xunit;

namespace Shale.Payments.Tests.Vouchers;

public sealed class VoucherTests
{
    private static readonly byte[] Contract = [.. Enumerable.Range(1, 20).Select(i => (byte)i)];
    private readonly Random _random = new(52);

    [Fact]
    public void Domain_ChainsAndContracts_AgreesWithAnIndependentReading()
    {
        (ulong Chain, byte[] Contract)[] cases = [(314, Contract), (314159, Contract), (31337, Bytes(20)), (ulong.MaxValue, Bytes(20)), (0, new byte[20])];
        JsonElement answers = NodePeer.Ask("voucher.mjs", cases.Select(c => new { op = "domain", chainId = c.Chain.ToString(), contract = Hex(c.Contract) }));
        for (int i = 0; i < cases.Length; i++)
        {
            Assert.Equal(answers[i].GetString(), VoucherDomain.Create(cases[i].Chain, cases[i].Contract).Element.ToString());
        }

        Assert.Throws<ArgumentException>(() => VoucherDomain.Create(314, new byte[19]));
    }

    [Fact]
    public void Signature_RandomVouchers_VerifiesAtCircomlibjsAndIsTheSameAsTheirs()
    {
        var cases = Enumerable.Range(0, 60).Select(i =>
        {
            byte[] seed = Bytes(32);
            using var key = new EdDsaPrivateKey(seed);
            var voucher = new Voucher((ulong)_random.NextInt64(), i == 0 ? AttoFil.MaxValue : AttoFil.Create((ulong)_random.NextInt64()), new StatementDigest(i == 1 ? Enumerable.Repeat((byte)0xFF, 31).ToArray() : Bytes(31)));
            SignedVoucher signed = voucher.Sign(key, VoucherDomain.Create(314, Contract));
            return (Seed: seed, Voucher: voucher, Signed: signed, Payer: key.PublicKey);
        }).ToArray();
        object[] questions = [.. cases.Select((c, i) => (object)(i < 30
            ? new { op = "verify", chainId = "314", contract = Hex(Contract), voucher = Hex(c.Signed.Bytes.ToArray()), payer = Hex(c.Payer.ToBytes()) }
            : new { op = "sign", chainId = "314", contract = Hex(Contract), voucher = Hex(c.Signed.Bytes[..Voucher.Size].ToArray()), key = Hex(c.Seed) }))];
        JsonElement answers = NodePeer.Ask("voucher.mjs", questions);
        for (int i = 0; i < cases.Length; i++)
        {
            Assert.True(cases[i].Signed.Verify(cases[i].Payer, VoucherDomain.Create(314, Contract)));
            if (i < 30)
            {
                Assert.True(answers[i].GetBoolean());
            }
            else
            {
                Assert.Equal(answers[i].GetString(), Hex(cases[i].Signed.Bytes.ToArray()));
            }
        }
    }

    [Fact]
    public void Verify_AnyByteChanged_Refuses()
    {
        using EdDsaPrivateKey key = EdDsaPrivateKey.Generate();
        VoucherDomain domain = VoucherDomain.Create(314, Contract);
        byte[] bytes = Sign(key, 1, 100, domain).Bytes.ToArray();
        for (int i = 0; i < bytes.Length; i++)
        {
            byte[] changed = [.. bytes];
            changed[i] ^= (byte)(1 << _random.Next(8));
            Assert.True(SignedVoucher.TryRead(changed, out SignedVoucher? voucher));
            Assert.False(voucher.Verify(key.PublicKey, domain), $"byte {i}");
        }
    }

    [Fact]
    public void Verify_OtherChainContractOrKey_Refuses()
    {
        using EdDsaPrivateKey key = EdDsaPrivateKey.Generate(), other = EdDsaPrivateKey.Generate();
        SignedVoucher voucher = Sign(key, 1, 100, VoucherDomain.Create(314, Contract));
        Assert.False(voucher.Verify(key.PublicKey, VoucherDomain.Create(314159, Contract)));
        Assert.False(voucher.Verify(key.PublicKey, VoucherDomain.Create(314, Bytes(20))));
        Assert.False(voucher.Verify(other.PublicKey, VoucherDomain.Create(314, Contract)));
    }

    [Fact]
    public void TryRead_OtherLength_IsRefused()
    {
        for (int length = 0; length < 200; length++)
        {
            Assert.Equal(length == SignedVoucher.Size, SignedVoucher.TryRead(new byte[length], out _));
            Assert.Equal(length == Voucher.Size, Voucher.TryRead(new byte[length], out _));
        }
    }

    [Fact]
    public void FindInvalid_BadOnesOfSeveralKinds_NamesExactlyThose()
    {
        VoucherDomain domain = VoucherDomain.Create(314, Contract);
        EdDsaPrivateKey[] keys = [.. Enumerable.Range(0, 7).Select(_ => new EdDsaPrivateKey(Bytes(32)))];
        VoucherCheck[] checks = [.. Enumerable.Range(0, 100).Select(i => new VoucherCheck(Sign(keys[i % 7], (ulong)(i % 7), (ulong)i, domain), keys[i % 7].PublicKey, domain))];
        Assert.True(VoucherBatch.Verify(checks));
        Assert.Empty(VoucherBatch.FindInvalid(checks));

        checks[3] = checks[3] with { Payer = keys[0].PublicKey };
        checks[50] = checks[50] with { Domain = VoucherDomain.Create(1, Contract) };
        byte[] bytes = checks[51].Voucher.Bytes.ToArray();
        bytes.AsSpan(Voucher.Size).Fill(0xFF); // neither R8 nor S can be read
        Assert.True(SignedVoucher.TryRead(bytes, out SignedVoucher? unreadable));
        checks[51] = checks[51] with { Voucher = unreadable };
        checks[99] = checks[99] with { Voucher = checks[92].Voucher, Payer = keys[2].PublicKey };
        Assert.False(VoucherBatch.Verify(checks));
        Assert.Equal([3, 50, 51, 99], VoucherBatch.FindInvalid(checks));
    }

    [Fact]
    public void Verifier_GoodAndBadBatchesInTurn_JudgesEachByItself()
    {
        VoucherDomain domain = VoucherDomain.Create(314, Contract);
        EdDsaPrivateKey[] keys = [.. Enumerable.Range(0, 3).Select(_ => new EdDsaPrivateKey(Bytes(32)))];
        VoucherCheck[] good = [.. Enumerable.Range(0, 530).Select(i => new VoucherCheck(Sign(keys[i % 3], (ulong)(i % 3), (ulong)i, domain), keys[i % 3].PublicKey, domain))];
        var verifier = new VoucherVerifier(good.Length);
        byte[] unreadable = good[0].Voucher.Bytes.ToArray();
        unreadable.AsSpan(Voucher.Size).Fill(0xFF);
        Assert.True(SignedVoucher.TryRead(unreadable, out SignedVoucher? noPoint));
        foreach (int at in new[] { 0, 255, 256, 511, 512, 529 })
        {
            // At either end of a block: a wrong key, which the sum finds, and an R8 that is no point, which ends the batch early.
            foreach (VoucherCheck bad in new[] { good[at] with { Payer = keys[(at + 1) % 3].PublicKey }, good[at] with { Voucher = noPoint } })
            {
                VoucherCheck[] batch = [.. good];
                batch[at] = bad;
                Assert.False(verifier.Verify(batch));
                Assert.Equal([at], VoucherBatch.FindInvalid(batch));
            }

            Assert.True(verifier.Verify(good.AsSpan(0, at + 1)));
        }

        Assert.True(verifier.Verify([]));
        Assert.Throws<ArgumentException>(() => new VoucherVerifier(10).Verify(good.AsSpan(0, 11)));
    }

    private static SignedVoucher Sign(EdDsaPrivateKey key, ulong lease, ulong amount, VoucherDomain domain) =>
        new Voucher(lease, AttoFil.Create(amount), StatementDigest.Of([1, 2, 3])).Sign(key, domain);

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);

    private byte[] Bytes(int length)
    {
        byte[] bytes = new byte[length];
        _random.NextBytes(bytes);
        return bytes;
    }
}
