using System.Text;
using Shale.Data.Cids;

namespace Shale.Fuzz.Data;

/// <summary>CIDs as text: what is accepted prints back as it was, in its base.</summary>
public sealed class CidTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "cid";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds =>
        new[]
        {
            "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
            "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR",
            "zdj7Wb59AJh4tAfLk6QjGRqW86qgu7yxFJHdzTsoKMNUQMepP",
            "f015500050102030405",
            "bafkzcibcaapao7s73y24kcutaosvacpdjgfe5pw76ooefnyqw4ynr3d2y6x2mpq",
        }.Select(Encoding.UTF8.GetBytes);

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        var text = Encoding.Latin1.GetString(input);
        if (Cid.TryParse(text, out var cid).IsError)
        {
            return;
        }

        var printed = cid!.Version == 0 ? cid.ToString() : cid.ToString((Multibase)text[0]);
        if (printed != text || Cid.TryRead(cid.Bytes, out var again, out var consumed).IsError || again != cid || consumed != cid.Bytes.Length)
        {
            throw new InvalidOperationException($"{text} prints as {printed}");
        }
    }
}
