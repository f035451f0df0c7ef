namespace Shale.Data.Cids;

/// <summary>The text encodings that a CID comes in; the value is the multibase prefix.</summary>
public enum Multibase
{
    /// <summary>Hexadecimal in lower case (RFC 4648).</summary>
    Base16 = 'f',

    /// <summary>Hexadecimal in upper case.</summary>
    Base16Upper = 'F',

    /// <summary>Base32 in lower case without padding (RFC 4648): the usual one for CID version 1.</summary>
    Base32 = 'b',

    /// <summary>Base32 in upper case without padding.</summary>
    Base32Upper = 'B',

    /// <summary>Base36 in lower case.</summary>
    Base36 = 'k',

    /// <summary>Base36 in upper case.</summary>
    Base36Upper = 'K',

    /// <summary>Base58 with Bitcoin's alphabet: the usual one for CID version 0, there without prefix.</summary>
    Base58Btc = 'z',

    /// <summary>Base64 with the URL alphabet, without padding (RFC 4648).</summary>
    Base64Url = 'u',
}

/// <summary>
/// Strict encodings (https://github.com/multiformats/multibase): a decoder accepts exactly what the encoder writes, and
/// names the character where it does not (decision 0070 says why these are our own).
/// </summary>
internal static class BaseEncoding
{
    private const string Digits36 = "0123456789abcdefghijklmnopqrstuvwxyz";
    private const string Digits58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    private const string Digits32 = "abcdefghijklmnopqrstuvwxyz234567";
    private const string Digits64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    public static bool IsSupported(char prefix) => "fFbBkKzu".Contains(prefix, StringComparison.Ordinal);

    public static string Encode(Multibase multibase, ReadOnlySpan<byte> bytes) => multibase switch
    {
        Multibase.Base16 => Convert.ToHexStringLower(bytes),
        Multibase.Base16Upper => Convert.ToHexString(bytes),
        Multibase.Base32 => EncodeBits(bytes, Digits32, 5),
        Multibase.Base32Upper => EncodeBits(bytes, Digits32, 5).ToUpperInvariant(),
        Multibase.Base36 => EncodeNumber(bytes, Digits36),
        Multibase.Base36Upper => EncodeNumber(bytes, Digits36).ToUpperInvariant(),
        Multibase.Base58Btc => EncodeNumber(bytes, Digits58),
        Multibase.Base64Url => EncodeBits(bytes, Digits64, 6),
        _ => throw new ArgumentOutOfRangeException(nameof(multibase)),
    };

    /// <summary>Decodes; places in errors count from the start of <paramref name="text"/>.</summary>
    public static DataError TryDecode(Multibase multibase, ReadOnlySpan<char> text, out byte[] bytes)
    {
        switch (multibase)
        {
            case Multibase.Base16:
                return DecodeBits(text, Digits36[..16], 4, upper: false, out bytes);
            case Multibase.Base16Upper:
                return DecodeBits(text, Digits36[..16], 4, upper: true, out bytes);
            case Multibase.Base32:
                return DecodeBits(text, Digits32, 5, upper: false, out bytes);
            case Multibase.Base32Upper:
                return DecodeBits(text, Digits32, 5, upper: true, out bytes);
            case Multibase.Base36:
                return DecodeNumber(text, Digits36, upper: false, out bytes);
            case Multibase.Base36Upper:
                return DecodeNumber(text, Digits36, upper: true, out bytes);
            case Multibase.Base58Btc:
                return DecodeNumber(text, Digits58, upper: false, out bytes);
            case Multibase.Base64Url:
                return DecodeBits(text, Digits64, 6, upper: false, out bytes);
            default:
                throw new ArgumentOutOfRangeException(nameof(multibase));
        }
    }

    private static string EncodeBits(ReadOnlySpan<byte> bytes, string digits, int width)
    {
        var text = new char[((bytes.Length * 8) + width - 1) / width];
        int pending = 0, bits = 0, at = 0;
        foreach (var b in bytes)
        {
            pending = (pending << 8) | b;
            bits += 8;
            while (bits >= width)
            {
                bits -= width;
                text[at++] = digits[(pending >> bits) & ((1 << width) - 1)];
            }

            pending &= (1 << bits) - 1;
        }

        if (bits > 0)
        {
            text[at] = digits[(pending << (width - bits)) & ((1 << width) - 1)];
        }

        return new string(text);
    }

    private static int Digit(char c, string digits, bool upper)
    {
        if (upper)
        {
            if (char.IsAsciiLetterLower(c))
            {
                return -1;
            }

            c = char.ToLowerInvariant(c);
        }

        return digits.IndexOf(c, StringComparison.Ordinal);
    }

    private static DataError BadCharacter(char c, int at) =>
        new(DataFault.CidCharacter, $"character '{(char.IsControl(c) || char.IsSurrogate(c) ? $"\\u{(int)c:x4}" : c.ToString())}' is not in the alphabet", at);

    private static DataError DecodeBits(ReadOnlySpan<char> text, string digits, int width, bool upper, out byte[] bytes)
    {
        bytes = new byte[text.Length * width / 8];
        int pending = 0, bits = 0, at = 0;
        for (var i = 0; i < text.Length; i++)
        {
            var digit = Digit(text[i], digits, upper);
            if (digit < 0)
            {
                return BadCharacter(text[i], i);
            }

            pending = (pending << width) | digit;
            bits += width;
            if (bits >= 8)
            {
                bits -= 8;
                bytes[at++] = (byte)(pending >> bits);
            }

            pending &= (1 << bits) - 1;
        }

        if (bits >= width)
        {
            return new DataError(DataFault.CidLength, $"no number of bytes has {text.Length} characters in this base", text.Length);
        }

        return pending == 0
            ? DataError.None
            : new DataError(DataFault.CidTrailingBits, "the last character has bits that belong to no byte", text.Length - 1);
    }

    // A number in one base as a number in the other; leading zero digits stand for leading zero bytes. Quadratic, so the
    // caller bounds the text (Cid.MaxTextLength).
    private static string EncodeNumber(ReadOnlySpan<byte> bytes, string digits)
    {
        var zeros = bytes.IndexOfAnyExcept((byte)0) is var z && z < 0 ? bytes.Length : z;
        Span<byte> number = stackalloc byte[(bytes.Length * 2) + 1];
        var length = 0;
        foreach (var b in bytes[zeros..])
        {
            int carry = b;
            for (var i = 0; i < length || carry > 0; i++)
            {
                if (i == length)
                {
                    number[length++] = 0;
                }

                carry += number[i] << 8;
                number[i] = (byte)(carry % digits.Length);
                carry /= digits.Length;
            }
        }

        var text = new char[zeros + length];
        text.AsSpan(0, zeros).Fill(digits[0]);
        for (var i = 0; i < length; i++)
        {
            text[zeros + i] = digits[number[length - 1 - i]];
        }

        return new string(text);
    }

    private static DataError DecodeNumber(ReadOnlySpan<char> text, string digits, bool upper, out byte[] bytes)
    {
        bytes = [];
        Span<byte> number = stackalloc byte[text.Length + 1];
        int length = 0, zeros = 0;
        var leading = true;
        for (var at = 0; at < text.Length; at++)
        {
            var carry = Digit(text[at], digits, upper);
            if (carry < 0)
            {
                return BadCharacter(text[at], at);
            }

            leading &= carry == 0;
            if (leading)
            {
                zeros++;
                continue;
            }

            for (var i = 0; i < length || carry > 0; i++)
            {
                if (i == length)
                {
                    number[length++] = 0;
                }

                carry += number[i] * digits.Length;
                number[i] = (byte)carry;
                carry >>= 8;
            }
        }

        bytes = new byte[zeros + length];
        for (var i = 0; i < length; i++)
        {
            bytes[zeros + i] = number[length - 1 - i];
        }

        return DataError.None;
    }
}
