using System.Text;

namespace Shale.Containers.Exec;

/// <summary>Splits a command into words where there is no shell to do it, by the quoting rules of the POSIX shell (XCU 2.2).</summary>
public static class CommandLine
{
    /// <summary>Splits a command.</summary>
    /// <param name="command">The command's bytes.</param>
    /// <param name="words">Its words, without their quotes.</param>
    /// <returns>False: a quote is open, there is no word, or it needs a real shell (pipes, redirections, variables, several commands).</returns>
    public static bool TrySplit(ReadOnlySpan<byte> command, out List<byte[]> words)
    {
        words = [];
        using var word = new MemoryStream();
        var inWord = false;
        for (var i = 0; i < command.Length; i++)
        {
            var c = command[i];
            switch (c)
            {
                case (byte)' ' or (byte)'\t' or (byte)'\n':
                    if (inWord)
                    {
                        words.Add(word.ToArray());
                        word.SetLength(0);
                        inWord = false;
                    }

                    continue;
                case (byte)'\'':
                    var end = command[(i + 1)..].IndexOf((byte)'\'');
                    if (end < 0)
                    {
                        return false;
                    }

                    word.Write(command.Slice(i + 1, end));
                    i += end + 1;
                    break;
                case (byte)'"':
                    for (i++; ; i++)
                    {
                        if (i >= command.Length || command[i] is (byte)'$' or (byte)'`')
                        {
                            return false;
                        }

                        if (command[i] == (byte)'"')
                        {
                            break;
                        }

                        if (command[i] == (byte)'\\' && i + 1 < command.Length && "$`\"\\"u8.Contains(command[i + 1]))
                        {
                            i++;
                        }

                        word.WriteByte(command[i]);
                    }

                    break;
                case (byte)'\\':
                    if (++i >= command.Length)
                    {
                        return false;
                    }

                    word.WriteByte(command[i]);
                    break;
                default:
                    if ("|&;<>()$`"u8.Contains(c))
                    {
                        return false;
                    }

                    word.WriteByte(c);
                    break;
            }

            inWord = true;
        }

        if (inWord)
        {
            words.Add(word.ToArray());
        }

        return words.Count > 0;
    }

    /// <summary>For messages and for Docker's own exec, whose API takes text.</summary>
    internal static string Text(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes);
}
