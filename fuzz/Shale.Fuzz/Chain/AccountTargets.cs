using System.Text;
using Shale.Chain;
using Shale.Chain.Accounts;
using Shale.Chain.Market;

namespace Shale.Fuzz.Chain;

/// <summary>Filecoin addresses, as text and as bytes: whatever is taken is written back as it came.</summary>
public sealed class FilecoinAddressTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "filecoin-address";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds =>
    [
        "f01729"u8.ToArray(),
        "t15ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7pdrq"u8.ToArray(),
        "f3vvmn62lofvhjd2ugzca6sof2j2ubwok6cj4xxbfzz4yuxfkgobpihhd2thlanmsh3w2ptld2gqkn2jvlss4a"u8.ToArray(),
        "f410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy"u8.ToArray(),
        Convert.FromHexString("00bf843d"),
        Convert.FromHexString("040ad388ab098ed3e84c0d808776440b48f685198498"),
    ];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        var text = Encoding.Latin1.GetString(input);
        if (FilecoinAddress.TryParse(text, out var parsed, out var testnet))
        {
            Require(parsed.ToString(testnet) == text);
            Require(FilecoinAddress.TryRead(parsed.ToArray(), out var again) && again.Equals(parsed));
            Require(!parsed.TryToEvm(out var address) || FilecoinAddress.FromEvm(address).Equals(parsed));
        }

        if (FilecoinAddress.TryRead(input, out var read))
        {
            Require(read.ToArray().AsSpan().SequenceEqual(input));
            Require(FilecoinAddress.TryParse(read.ToString(), out var again, out _) && again.Equals(read));
        }

        _ = Address.TryParse(text, out _);
    }

    private static void Require(bool holds)
    {
        if (!holds)
        {
            throw new InvalidOperationException("The address is not written as it was read.");
        }
    }
}

/// <summary>Key files and cursors: no input makes a reader throw what it does not say. Nothing is decrypted here, which would cost what the file says.</summary>
public sealed class KeystoreTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "keystore";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds =>
    [
        Keystore.Encrypt(Enumerable.Repeat((byte)7, 32).ToArray(), "x", new KeystoreCost(2, 1, 1)),
        """{"version":3,"crypto":{"cipher":"aes-128-ctr","ciphertext":"00","cipherparams":{"iv":"00"},"kdf":"pbkdf2","kdfparams":{"c":1,"dklen":32,"prf":"hmac-sha256","salt":""},"mac":"00"}}"""u8.ToArray(),
        Encoding.UTF8.GetBytes(new EventCursor(314, default, 7, 9, default).ToJson()),
    ];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        _ = Keystore.TryReadAddress(input, out _);
        _ = KeyAccount.FromHex(Encoding.Latin1.GetString(input))?.ToString();
        try
        {
            var cursor = EventCursor.Parse(Encoding.UTF8.GetString(input));
            if (EventCursor.Parse(cursor.ToJson()) != cursor)
            {
                throw new InvalidOperationException("The cursor is not written as it was read.");
            }
        }
        catch (FormatException)
        {
            // What a text that is no cursor gives.
        }
    }
}
