using Shale.TestPeers;

namespace Shale.Crypto.Tests;

/// <summary>Reads vector files of tests/vectors/crypto and converts hexadecimal.</summary>
internal static class Vectors
{
    internal static byte[] Hex(string text) => Convert.FromHexString(text.Replace(" ", "", StringComparison.Ordinal));

    internal static string Hex(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(bytes);

    internal static string PathOf(string name) => Path.Combine(NodePeer.Folder, "..", "vectors", "crypto", name);

    /// <summary>The records of a file in NIST's form: lines "NAME = value", records apart by an empty line.</summary>
    internal static List<Dictionary<string, string>> Read(string name)
    {
        var records = new List<Dictionary<string, string>>();
        var record = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var line in File.ReadLines(PathOf(name)).Append(""))
        {
            var at = line.IndexOf('=', StringComparison.Ordinal);
            if (at > 0 && line[0] is not ('#' or '['))
            {
                record[line[..at].Trim()] = line[(at + 1)..].Trim();
            }
            else if (line.Length == 0 && record.Count > 0)
            {
                records.Add(record);
                record = new(StringComparer.OrdinalIgnoreCase);
            }
        }

        Assert.NotEmpty(records);
        return records;
    }

    /// <summary>A reproducible stream of test inputs; never a source of keys.</summary>
    internal static Random Seeded(int seed) => new(seed);

    internal static byte[] Bytes(this Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }
}
