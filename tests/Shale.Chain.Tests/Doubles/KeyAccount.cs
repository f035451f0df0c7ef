using Shale.Crypto;

namespace Shale.Chain.Tests.Doubles;

/// <summary>An account whose key the test has.</summary>
internal sealed class KeyAccount : IAccount
{
    private readonly byte[] key;

    internal KeyAccount(string hex)
    {
        key = Convert.FromHexString(hex);
        var publicKey = new byte[65];
        Assert(Secp256k1.TryDerivePublicKey(key, publicKey));
        Address = Address.FromPublicKey(publicKey);
    }

    public Address Address { get; }

    internal int Signatures { get; private set; }

    public byte[] SignHash(ReadOnlySpan<byte> hash)
    {
        Signatures++;
        var signature = new byte[65];
        Secp256k1.SignRecoverable(key, hash, signature.AsSpan(0, 64), out var recovery);
        signature[64] = (byte)recovery;
        return signature;
    }

    private static void Assert(bool holds)
    {
        if (!holds)
        {
            throw new ArgumentException("That is no private key.");
        }
    }
}
