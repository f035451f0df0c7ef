using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Shale.EndToEnd.Tests.Worlds;
using Xunit;

namespace Shale.EndToEnd.Tests;

/// <summary>
/// What the documents tell people to type. Boxes marked <c>bash</c> are run as they stand, all in one world: one devnet, one provider, one client. In
/// boxes marked <c>sh</c>, or not marked, stands what can't be run here (other networks, other machines, forms with brackets): each command and option in
/// them has to be one that the executable knows. Boxes of DATASETS.md and CEREMONY.md are run by DatasetDocumentTests and CeremonyTests.
/// </summary>
public sealed partial class DocumentedCommandsTests : IDisposable
{
    /// <summary>The order in which the boxes make sense: a document, the beginning of a heading (empty: all that are left), a box's own mark.</summary>
    private static readonly (string Document, string Heading)[] Order =
    [
        ("docs/guides/provider.md", "1."), ("docs/guides/provider.md", "2."), ("docs/guides/provider.md", "3."), ("docs/guides/provider.md", "4."),
        ("docs/CHAIN.md", "Devnet"),
        ("docs/guides/client.md", "1."), ("docs/guides/client.md", "2."), ("docs/guides/client.md", "3."), ("docs/guides/client.md", "4."),
        ("docs/guides/provider.md", "5."),
        ("docs/examples/README.md", "Examples"),
        ("docs/guides/client.md", "5."), ("docs/guides/client.md", "6."),
        ("docs/guides/provider.md", "6."),
        ("docs/guides/auditor.md", "1."),
        ("docs/guides/client.md", "7."),
        ("docs/guides/auditor.md", "2."), ("docs/guides/auditor.md", "3."), ("docs/guides/auditor.md", "4."),
        ("docs/OPERATIONS.md", ""),
        ("docs/guides/provider.md", "7."), ("docs/guides/provider.md", "Without a chain"),
        ("docs/guides/client.md", "The provider is gone"),
    ];

    /// <summary>Documents whose boxes other tests run.</summary>
    private static readonly string[] Elsewhere = ["docs/DATASETS.md", "docs/CEREMONY.md"];

    private static readonly string Root = Programs.Root;

    private readonly string _folder = Directory.CreateTempSubdirectory("sd").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Commands_OfTheDocuments_RunInOneWorld()
    {
        var boxes = Documents().SelectMany(Boxes).Where(b => b.IsRun && !Elsewhere.Contains(b.Document)).ToList();
        var script = new StringBuilder(Prelude());
        var ordered = new List<Box>();
        foreach (var (document, heading) in Order)
        {
            var found = boxes.Where(b => b.Document == document && b.Heading.StartsWith(heading, StringComparison.Ordinal)).ToList();
            Assert.True(found.Count > 0, $"{document} has no box to run under '{heading}'");
            ordered.AddRange(found);
            if (heading == "The provider is gone")
            {
                // What that chapter is about: an open lease, and nobody who serves it. The order is the guide's own, once more.
                script.AppendLine("echo '== another lease, and its provider goes'").AppendLine(boxes.Single(b => b.Document == document && b.Heading.StartsWith("3.", StringComparison.Ordinal)).Text)
                    .AppendLine("kill $DAEMON; wait $DAEMON || true");
            }

            foreach (var box in found)
            {
                script.AppendLine($"echo '== {box.Document}: {box.Heading.Replace("'", "", StringComparison.Ordinal)}'").AppendLine(box.Text);
            }
        }

        Assert.Empty(boxes.Except(ordered).Select(b => $"{b.Document}: {b.Heading}"));
        var output = await Script.RunAsync("bash", ["-c", Here(script.ToString())], TimeSpan.FromMinutes(15));

        // What those who typed it would have seen.
        Assert.Matches(@"f01946720 \(unconfirmed\)\s+offer 1\s+baf\w+\s+0.01 FIL/MINUTE", output);
        Assert.Contains("\n42\n", output, StringComparison.Ordinal);
        Assert.Contains("664579 primes up to 10000000\nand here: 168 primes up to 1000\n", output, StringComparison.Ordinal);
        Assert.Matches(@"1[5-9]\d of 200 right; the first is: ankle boot", output);
        Assert.Matches(@"page 0: collects 0\.\d+ FIL of 1 leases for \d+ gas", output);
        Assert.Matches(@"Lease 1 is closed: 0\.\d+ FIL paid\. 0\.\d+ FIL came back", output);
        Assert.Matches(@"verdict\s+all as it must be", output);
        Assert.Contains("\nLinux\n", output, StringComparison.Ordinal);
        // Deposit and bond, to the attoFIL: nothing was signed.
        Assert.Contains("Lease 2 is over: 0 FIL paid. 0.51 FIL came back", output, StringComparison.Ordinal);

        // The pipeline's result, under the CID that was signed, as npm's ipfs-car has it.
        var signed = Regex.Match(output, @"CID (baf\w+), piece baga\w+").Groups[1].Value;
        var peer = await Script.RunAsync("node", [Path.Combine(Root, "tests/npm/node_modules/ipfs-car/bin.js"), "pack", Path.Combine(_folder, "summary"), "--output", Path.Combine(_folder, "peer.car")], TimeSpan.FromMinutes(2));
        Assert.Equal(signed, peer.Trim());
        Assert.Equal(10, File.ReadLines(Path.Combine(_folder, "summary/counts.csv")).Count(l => l.Contains(",6000,", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Commands_ThatAreNotRun_AreKnownWithTheirOptions()
    {
        var help = new Dictionary<string, string>();
        var unknown = new List<string>();
        var seen = 0;
        foreach (var box in Documents().SelectMany(Boxes).Where(b => !b.IsRun))
        {
            foreach (var words in CommandLines(box.Text))
            {
                seen++;
                var command = "";
                var text = await HelpAsync(help, command);
                foreach (var word in words)
                {
                    if (Regex.IsMatch(text, $@"^  {Regex.Escape(word)}( |$)", RegexOptions.Multiline) && Regex.IsMatch(word, "^[a-z]"))
                    {
                        command = $"{command} {word}".Trim();
                        text = await HelpAsync(help, command);
                    }
                    else if (word.StartsWith('-') && word is not "--" && !Regex.IsMatch(text, $@"(^|[ ,]){Regex.Escape(word.Split('=')[0])}([ ,]|$)", RegexOptions.Multiline))
                    {
                        unknown.Add($"{box.Document}: shale {command} {word}");
                    }
                    else if (word == "--")
                    {
                        break;
                    }
                }

                if (command.Length == 0 && words is not ["demo" or "test" or "setup" or "--help", ..])
                {
                    unknown.Add($"{box.Document}: shale {string.Join(' ', words)}");
                }
            }
        }

        Assert.Empty(unknown);
        Assert.True(seen > 10, $"only {seen} commands were found");
    }

    /// <summary>A test that SECURITY.md and attacks.md name has to be there under that name.</summary>
    [Fact]
    public void Tests_NamedInTheDocuments_Exist()
    {
        var sources = new[] { "tests", "contracts/test" }.SelectMany(f => Directory.EnumerateFiles(Path.Combine(Root, f), "*", SearchOption.AllDirectories))
            .Where(f => (f.EndsWith("Tests.cs", StringComparison.Ordinal) || f.EndsWith(".t.sol", StringComparison.Ordinal)) && !f.Contains("/node_modules/", StringComparison.Ordinal) && !f.Contains("/obj/", StringComparison.Ordinal));
        var names = sources.SelectMany(f => TestName().Matches(File.ReadAllText(f)).Select(m => m.Groups[1].Value).Append(Path.GetFileName(f)).Append(Path.GetFileNameWithoutExtension(f))).ToHashSet(StringComparer.Ordinal);
        string[] named = [.. new[] { "docs/SECURITY.md", "docs/attacks.md" }.SelectMany(d => NamedTest().Matches(File.ReadAllText(Path.Combine(Root, d)))).Select(m => m.Groups[1].Value)];
        Assert.True(named.Length > 50, $"only {named.Length} were found");
        Assert.Empty(named.Except(names));
    }

    [Fact]
    public void Links_OfTheDocuments_LeadSomewhere()
    {
        var dead = new List<string>();
        foreach (var document in Documents().Concat(Directory.EnumerateFiles(Path.Combine(Root, "docs/decisions"), "*.md").Select(f => Path.GetRelativePath(Root, f))).Append("contracts/README.md"))
        {
            var text = File.ReadAllText(Path.Combine(Root, document));
            foreach (Match link in Link().Matches(text))
            {
                var parts = link.Groups[1].Value.Split('#');
                var target = parts[0].Length == 0 ? Path.Combine(Root, document) : Path.GetFullPath(Path.Combine(Root, Path.GetDirectoryName(document)!, parts[0]));
                if (!File.Exists(target) && !Directory.Exists(target))
                {
                    dead.Add($"{document}: {link.Groups[1].Value}");
                }
                else if (parts.Length > 1 && !Heading().Matches(File.ReadAllText(target)).Any(h => Anchor(h.Groups[1].Value) == parts[1]))
                {
                    dead.Add($"{document}: {link.Groups[1].Value}");
                }
            }
        }

        Assert.Empty(dead);
    }

    private static string Anchor(string heading) => Regex.Replace(heading.ToLowerInvariant(), "[^a-z0-9 -]", "").Replace(' ', '-');

    /// <summary>A home of its own, stock programs, and an end that leaves nothing behind. OpenSSH takes the home of the password database, not $HOME: so the wrappers.</summary>
    private string Prelude() => $$"""
        set -euo pipefail
        exec </dev/null
        cd {{_folder}}
        export HOME={{_folder}}/home SHALE_ROOT={{Root}} EXAMPLES={{Root}}/docs/examples PORT=18000
        unset SHALE_HOME SHALE_NETWORK SHALE_WALLET SHALE_PASSPHRASE_FILE SHALE_WALLET_PASSPHRASE_FILE SSH_AUTH_SOCK
        mkdir -p home bin
        ln -s {{Programs.Shale}} bin/shale
        for program in ssh scp; do
          printf '#!/bin/sh\nif [ -f "$HOME/.ssh/config" ]; then exec /usr/bin/%s -F "$HOME/.ssh/config" "$@"; fi\nexec /usr/bin/%s "$@"\n' $program $program >bin/$program
          chmod +x bin/$program
        done
        export PATH={{_folder}}/bin:$PATH
        leave() {
          status=$?
          set +eux
          [ $status = 0 ] || tail -n 30 daemon.log alone.log >&2
          leave_quietly >/dev/null 2>&1
          exit $status
        }
        leave_quietly() {
          kill $DAEMON $ALONE 2>/dev/null; wait
          shale agent quit
          shale devnet stop
          for name in state/instance alone/instance; do
            [ -f $name ] && docker ps -aq --filter "name=$(cat $name)" | xargs -r docker rm -f
          done
        }
        trap leave EXIT
        set -x

        """;

    /// <summary>The same on ports that nobody else on this machine holds.</summary>
    private static string Here(string script)
    {
        var text = Regex.Replace(script, @"^shale devnet --detach$", $"shale devnet --detach --port={Ports.Free()}", RegexOptions.Multiline);
        foreach (var port in new[] { "2222", "2223", "2224", "9422", "9423", "18000" })
        {
            text = Regex.Replace(text, $@"\b{port}\b", Ports.Free().ToString(CultureInfo.InvariantCulture));
        }

        return text;
    }

    private static IEnumerable<string> Documents() =>
        new[] { "README.md" }.Concat(new[] { "docs", "docs/guides", "docs/examples" }.SelectMany(f => Directory.EnumerateFiles(Path.Combine(Root, f), "*.md")).Select(f => Path.GetRelativePath(Root, f)).Order(StringComparer.Ordinal));

    private static IEnumerable<Box> Boxes(string document)
    {
        var (heading, mark, text) = ("", (string?)null, new StringBuilder());
        foreach (var line in File.ReadLines(Path.Combine(Root, document)))
        {
            if (mark is null && line.StartsWith("```", StringComparison.Ordinal))
            {
                (mark, text) = (line[3..].Split(' ')[0], new StringBuilder());
            }
            else if (mark is not null && line == "```")
            {
                yield return new Box(document, heading, mark, text.ToString());
                mark = null;
            }
            else if (mark is not null)
            {
                text.AppendLine(line);
            }
            else if (line.StartsWith('#'))
            {
                heading = line.TrimStart('#').Trim();
            }
        }
    }

    /// <summary>The words after <c>shale</c> of each line that begins with it, without comments, brackets and what stands for other forms.</summary>
    private static IEnumerable<string[]> CommandLines(string box) =>
        from line in box.Replace("\\\n", " ", StringComparison.Ordinal).Split('\n')
        let match = Regex.Match(line, @"^\s*(?:\./)?shale\s+([^#|]*)")
        where match.Success && !line.StartsWith("shale-", StringComparison.Ordinal)
        select match.Groups[1].Value.Replace('[', ' ').Replace(']', ' ').Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static async Task<string> HelpAsync(Dictionary<string, string> known, string command)
    {
        if (!known.TryGetValue(command, out var text))
        {
            known[command] = text = await Script.RunAsync(Programs.Shale, [.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"], TimeSpan.FromMinutes(1));
        }

        return text;
    }

    [GeneratedRegex(@"\]\((?!https?:)([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"(?:void|Task|function) (\w+)\(")]
    private static partial Regex TestName();

    [GeneratedRegex(@"`((?:test\w*|[A-Z][a-z0-9]\w*)_\w+|\w+\.t\.sol|\w+Tests)`")]
    private static partial Regex NamedTest();

    [GeneratedRegex("^#+ (.*)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    /// <summary>A fenced box of a document.</summary>
    private sealed record Box(string Document, string Heading, string Mark, string Text)
    {
        public bool IsRun => Mark == "bash";
    }
}
