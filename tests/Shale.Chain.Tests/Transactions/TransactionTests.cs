using Shale.Chain.Tests.Doubles;
using Shale.Chain.Transactions;
using Xunit;

namespace Shale.Chain.Tests.Transactions;

public sealed class TransactionTests
{
    // EIP-155, "Example"
    private const string Eip155 = "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83";

    private static readonly KeyAccount Account = new(string.Concat(Enumerable.Repeat("46", 32)));

    private static readonly Transaction Example = new(
        1, 9, new GasPrice(20_000_000_000, 20_000_000_000, true), 21_000, Address.Parse("0x3535353535353535353535353535353535353535"), 1_000_000_000_000_000_000, ReadOnlyMemory<byte>.Empty);

    [Fact]
    public void Legacy_OfTheEipsExample_SignsAndReadsAsGiven()
    {
        Assert.Equal("0xdaf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53", Example.SigningHash().ToString());
        var signed = Example.Sign(Account);
        Assert.Equal(Eip155, Convert.ToHexStringLower(signed.Raw.Span));
        Assert.True(Transaction.TryDecode(signed.Raw.Span, out var read));
        Assert.Equal(Account.Address, read.From);
        Assert.Equal(signed.Hash, read.Hash);
        Assert.Equal(Example with { Data = read.Transaction.Data }, read.Transaction);
    }

    [Fact]
    public void Decoding_OfEveryCutAndEveryFlippedBit_NeverThrowsAndNeverGivesTheSameTransaction()
    {
        var transaction = Example with { Price = new GasPrice(30, 2, false), Data = new byte[100] };
        foreach (var signed in new[] { Example.Sign(Account), transaction.Sign(Account) })
        {
            var raw = signed.Raw.ToArray();
            for (var length = 0; length < raw.Length; length++)
            {
                Assert.False(Transaction.TryDecode(raw.AsSpan(0, length), out _));
            }

            Assert.False(Transaction.TryDecode([.. raw, 0], out _));
            for (var bit = 0; bit < 8 * raw.Length; bit++)
            {
                raw[bit / 8] ^= (byte)(1 << (bit % 8));
                if (Transaction.TryDecode(raw, out var other))
                {
                    Assert.NotEqual(signed.Hash, other.Hash);
                    Assert.NotEqual(signed.From, other.From);
                }

                raw[bit / 8] ^= (byte)(1 << (bit % 8));
            }
        }
    }

    [Fact]
    public void Signing_WithAKeyOfAnotherAddress_IsRefused() =>
        Assert.Throws<InvalidOperationException>(() => Example.Sign(new Impostor()));

    [Fact]
    public void ContractAddress_OfAnvilsFirstAccountsFirstTransaction_IsTheKnownOne() =>
        Assert.Equal("0x5FbDB2315678afecb367f032d93F642f64180aa3", Transaction.ContractAddress(Address.Parse("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"), 0).ToString());

    private sealed class Impostor : IAccount
    {
        public Address Address => Address.Zero;

        public byte[] SignHash(ReadOnlySpan<byte> hash) => Account.SignHash(hash);
    }
}
