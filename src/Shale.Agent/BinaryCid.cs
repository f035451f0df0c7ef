using System.Text;

namespace Shale.Agent;

/// <summary>CIDs as meter statements have them, for people. A statement's bytes are the gateway's word: whatever they are gives letters and digits.</summary>
internal static class BinaryCid
{
    // RFC 4648 section 6 in lower case and without padding, under multibase prefix "b".
    private const string Alphabet = "abcdefghijklmnopqrstuvwxyz234567";

    public static string ToText(ReadOnlySpan<byte> cid)
    {
        var text = new StringBuilder("b", 2 + (cid.Length * 8 / 5));
        int bits = 0, count = 0;
        foreach (byte b in cid)
        {
            bits = (bits << 8) | b;
            for (count += 8; count >= 5; count -= 5)
            {
                text.Append(Alphabet[(bits >> (count - 5)) & 31]);
            }

            bits &= (1 << count) - 1;
        }

        return count > 0 ? text.Append(Alphabet[(bits << (5 - count)) & 31]).ToString() : text.ToString();
    }
}
