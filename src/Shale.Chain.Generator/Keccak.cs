using System.Text;
using Shale.Crypto.Keccak;

namespace Shale.Chain.Generator;

/// <summary>Selectors and topics, computed when the code is made.</summary>
internal static class Keccak
{
    /// <summary>The first four bytes of the signature's hash, as digits.</summary>
    internal static string Selector(string signature) => Convert.ToHexStringLower(Hash(signature).AsSpan(0, 4));

    internal static string SelectorBytes(string signature) => List(Hash(signature).AsSpan(0, 4));

    internal static string HashBytes(string signature) => List(Hash(signature));

    private static string List(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder();
        foreach (var b in bytes)
        {
            text.Append(text.Length == 0 ? "0x" : ", 0x").Append(b.ToString("x2", System.Globalization.CultureInfo.InvariantCulture));
        }

        return text.ToString();
    }

    private static byte[] Hash(string signature)
    {
        // Keccak-256 with Ethereum's padding, as Shale.Crypto's Keccak256 has it; its sponge is compiled into this assembly, because the compiler loads a generator without references.
        var sponge = new KeccakSponge(136, 0x01);
        sponge.Absorb(Encoding.UTF8.GetBytes(signature));
        var hash = new byte[32];
        sponge.Squeeze(hash);
        return hash;
    }
}
