using System.Text;
using Shale.Containers.Exec;

namespace Shale.Gateway.Scp;

/// <summary>
/// The command that the old scp protocol starts on the server (scp -O, pscp -scp, dropbear's scp): <c>scp [-rpdvq] -t|-f [--] PATH…</c>.
/// </summary>
internal sealed record ScpCommand(bool IsSink, bool Recursive, bool PreserveTimes, bool TargetIsFolder, IReadOnlyList<byte[]> Paths)
{
    /// <summary>More paths than a command line of a person has.</summary>
    private const int MaxPaths = 1024;

    /// <summary>Reads a command; false where it is another, or needs a shell.</summary>
    public static bool TryParse(ReadOnlySpan<byte> command, out ScpCommand parsed)
    {
        parsed = new ScpCommand(false, false, false, false, []);
        if (!command.StartsWith("scp "u8) || !CommandLine.TrySplit(command, out var words))
        {
            return false;
        }

        var (to, from) = (false, false);
        var at = 1;
        for (; at < words.Count && words[at] is [(byte)'-', _, ..]; at++)
        {
            var options = Encoding.Latin1.GetString(words[at].AsSpan(1));
            if (options == "-")
            {
                at++;
                break;
            }

            foreach (var option in options)
            {
                switch (option)
                {
                    case 't': to = true; break;
                    case 'f': from = true; break;
                    case 'r': parsed = parsed with { Recursive = true }; break;
                    case 'p': parsed = parsed with { PreserveTimes = true }; break;
                    case 'd': parsed = parsed with { TargetIsFolder = true }; break;
                    case 'v' or 'q': break;
                    default: return false;
                }
            }
        }

        // The shell's word for an empty path is none: scp host: names the home folder.
        var paths = words[at..];
        if (to == from || paths.Count > MaxPaths || (to && paths.Count > 1) || (from && paths.Count == 0) || paths.Exists(p => p.AsSpan().Contains((byte)0)))
        {
            return false;
        }

        parsed = parsed with { IsSink = to, Paths = paths.Count == 0 ? ["."u8.ToArray()] : paths };
        return true;
    }
}
