using System.Diagnostics;
using System.Text;

namespace Shale.Crypto.Tests;

public sealed class Blake2bTests
{
    // Python's hashlib is the reference implementation's C code.
    [Fact]
    public async Task Digest_OfEveryLengthAndManyMessages_IsPythons()
    {
        var random = new Random(7693);
        var lines = new StringBuilder();
        var expected = new List<string>();
        for (var i = 0; i < 400; i++)
        {
            var message = new byte[i < 300 ? i : random.Next(5000)];
            random.NextBytes(message);
            var digest = new byte[1 + (i % 64)];
            Blake2b.HashData(message, digest);
            lines.Append(digest.Length).Append(' ').AppendLine(Convert.ToHexStringLower(message));
            expected.Add(Convert.ToHexStringLower(digest));
        }

        var start = new ProcessStartInfo("python3") { RedirectStandardInput = true, RedirectStandardOutput = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add("import sys, hashlib\nfor l in sys.stdin:\n n, _, m = l.rstrip('\\n').partition(' ')\n print(hashlib.blake2b(bytes.fromhex(m), digest_size=int(n)).hexdigest())");
        using var python = Process.Start(start)!;
        var answers = python.StandardOutput.ReadToEndAsync();
        python.StandardInput.Write(lines);
        python.StandardInput.Close();
        Assert.Equal(expected, (await answers).Split('\n', StringSplitOptions.RemoveEmptyEntries));
        await python.WaitForExitAsync();
        Assert.Equal(0, python.ExitCode);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(65)]
    public void Digest_OfAnImpossibleLength_IsRefused(int length) => Assert.Throws<ArgumentOutOfRangeException>(() => Blake2b.HashData([], new byte[length]));
}
