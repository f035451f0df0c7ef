using System.Diagnostics;
using System.Text;
using Shale.Containers.Exec;
using Xunit;

namespace Shale.Containers.Tests;

/// <summary>What is read from clients and containers: any bytes may come.</summary>
public sealed class ParserTests
{
    [Fact]
    public async Task CommandLine_OfRandomWordsAndQuotes_SplitsAsBashDoes()
    {
        var random = new Random(11);
        const string Alphabet = "ab \t'\"\\x-/=.,:@%+";
        var cases = new List<(string Text, List<byte[]> Words)>();
        while (cases.Count < 1500)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(1, 14)).Select(_ => Alphabet[random.Next(Alphabet.Length)]));
            if (CommandLine.TrySplit(Encoding.UTF8.GetBytes(text), out var words))
            {
                cases.Add((text, words));
            }
        }

        using var bash = Process.Start(new ProcessStartInfo("bash", ["-f"]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        var output = bash.StandardOutput.ReadToEndAsync();
        foreach (var (text, _) in cases)
        {
            await bash.StandardInput.WriteAsync($"printf '<%s>' {text}\nprintf '\\n'\n");
        }

        bash.StandardInput.Close();
        var lines = (await output).Split('\n');
        for (var i = 0; i < cases.Count; i++)
        {
            Assert.Equal(lines[i], string.Concat(cases[i].Words.Select(w => $"<{Encoding.UTF8.GetString(w)}>")));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("a 'b")]
    [InlineData("a \"b")]
    [InlineData("a \\")]
    [InlineData("a | b")]
    [InlineData("a; b")]
    [InlineData("$HOME")]
    [InlineData("\"$HOME\"")]
    [InlineData("`id`")]
    [InlineData("a > b")]
    public void CommandLine_ThatNeedsAShell_IsRefused(string text) => Assert.False(CommandLine.TrySplit(Encoding.UTF8.GetBytes(text), out _));

    [Theory]
    [InlineData(null, 0u, 0u, "/root", "/bin/bash", "0,27")]
    [InlineData("alice", 1000u, 1001u, "/home/alice", "/bin/zsh", "1001,27,50")]
    [InlineData("1000", 1000u, 1001u, "/home/alice", "/bin/zsh", "1001,27,50")]
    [InlineData("alice:sudo", 1000u, 27u, "/home/alice", "/bin/zsh", "27")]
    [InlineData("alice:77", 1000u, 77u, "/home/alice", "/bin/zsh", "77")]
    [InlineData("4000", 4000u, 0u, "/", "", "0")]
    [InlineData("nohome", 5u, 5u, "/", "", "5")]
    public void User_OfPasswdAndGroup_ResolvesAsDockerDoes(string? user, uint uid, uint gid, string home, string shell, string groups)
    {
        // passwd(5) and group(5), with lines that are broken, commented, too short or out of range.
        var passwd = "# comment\n:::\nroot:x:0:0:root:/root:/bin/bash\nbad:x:99999999999:0::/x:/x\nalice:x:1000:1001:A,,,:/home/alice:/bin/zsh\r\nnohome:x:5:5::relative:\nalice:x:1:1::/second:/second\nmax:x:4294967295:0::/:/x\n"u8.ToArray();
        var group = "root:x:0:\nsudo:x:27:root,alice\ntty:x:7:\nteam:x:50:bob,alice\nbad\nalice:x:1001:\n"u8.ToArray();
        var found = ContainerUser.TryResolve(passwd, group, user)!;
        Assert.Equal((uid, gid, home, shell, groups, 7u), (found.Uid, found.Gid, found.Home, found.Shell, string.Join(',', found.Groups), found.TerminalGroup));
    }

    [Theory]
    [InlineData("nobody-here")]
    [InlineData("max")]
    [InlineData("4294967295")]
    [InlineData("-1")]
    [InlineData("root:nogroup-here")]
    public void User_ThatIsNone_IsNotFound(string user) =>
        Assert.Null(ContainerUser.TryResolve("root:x:0:0::/:/x\nmax:x:4294967295:0::/:/x\n"u8.ToArray(), null, user));

    [Fact]
    public void User_InFilesOfRandomBytes_IsHarmless()
    {
        var random = new Random(5);
        for (var i = 0; i < 3000; i++)
        {
            var file = new byte[random.Next(200)];
            for (var j = 0; j < file.Length; j++)
            {
                file[j] = random.Next(3) == 0 ? (byte)":\n,\0"[random.Next(4)] : (byte)random.Next(256);
            }

            ContainerUser.TryResolve(file, file, random.Next(2) == 0 ? "root" : "0:0");
        }
    }

    [Fact]
    public unsafe void TerminalModes_OfRandomBytes_StayInTheirFields()
    {
        var random = new Random(9);
        var memory = new byte[36 + 16];
        for (var i = 0; i < 20_000; i++)
        {
            var modes = new byte[random.Next(80)];
            random.NextBytes(modes);
            Array.Fill(memory, (byte)0xee);
            fixed (byte* termios = &memory[8])
            {
                TerminalModes.Apply(modes, (uint*)termios, termios + 17);
            }

            // Before struct termios, its c_line, and behind its 19 characters.
            Assert.Equal(memory[..8].Append(memory[8 + 16]).Concat(memory[(8 + 36)..]), Enumerable.Repeat((byte)0xee, 17));
        }
    }
}
