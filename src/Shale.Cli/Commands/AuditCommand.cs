using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Shale.Agent.Files;
using Shale.Cli.Parsing;
using Shale.Data.Cids;
using Shale.Payments.Audit;
using Shale.Payments.Log;
using Shale.Payments.Policy;
using Shale.Payments.Vouchers;
using Shale.Settlement.Audit;

namespace Shale.Cli.Commands;

/// <summary><c>shale audit</c>: checks a voucher log.</summary>
internal static class AuditCommand
{
    private const int MaxNoteFile = 64 * 1024;

    public static Command Create()
    {
        var options = new AgentCommandOptions();
        var log = new Argument<string>("log") { Description = "The log: a folder, or the URL that serves it." };
        var key = new Option<string?>("--key") { Description = "The provider's log key (name+hash+base64), or a file with it. Default: the key that this machine's agent was shown for that log." };
        var earlier = new Option<string?>("--earlier") { Description = "File with an earlier checkpoint of this log: it must be a prefix." };
        var chain = new Option<bool>("--chain") { Description = "Compare every settlement with the chain (--network), and check its proof again." };
        var network = new ChainCommandOptions();
        var json = new Option<bool>("--json") { Description = "Print JSON; amounts are attoFIL." };
        var command = new Command("audit", "Check a voucher log: tree, signatures, amounts, times, settlements");
        options.AddTo(command);
        command.Arguments.Add(log);
        foreach (var option in new Option[] { key, earlier, chain, json })
        {
            command.Options.Add(option);
        }

        network.AddTo(command, signs: false);
        command.SetAction(async (parsed, cancellation) =>
        {
            using var http = new HttpClient { Timeout = TimeSpan.FromMinutes(1) };
            ILogSource source = Source(parsed.GetValue(log)!, http);
            NoteVerifier verifier = parsed.GetValue(key) is { } text
                ? ParseKey(text)
                : await KnownKeyAsync(source, options.Folder(parsed), cancellation).ConfigureAwait(false);
            var market = parsed.GetValue(chain) ? network.Network(parsed) : null;
            using var client = market?.Connect();
            var settings = new AuditOptions
            {
                EarlierCheckpoint = parsed.GetValue(earlier) is { } file ? ReadSmall(file) : null,
                Chain = market is null ? null : new ChainAudit(client!, market),
            };
            var watch = Stopwatch.StartNew();
            bool plain = parsed.GetValue(json);
            var progress = plain || Console.IsErrorRedirected ? null : new Progress();
            AuditReport report = await LogAuditor.RunAsync(source, verifier, settings, progress, cancellation).ConfigureAwait(false);
            progress?.End();
            if (plain)
            {
                Console.WriteLine(Json(report, verifier));
            }
            else
            {
                Tell(report, verifier, watch.Elapsed);
            }

            return report.IsClean ? ExitCodes.Success : ExitCodes.Failure;
        });
        return command;
    }

    private static ILogSource Source(string text, HttpClient http)
    {
        if (Uri.TryCreate(text, UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https")
        {
            return new HttpLogSource(http, address);
        }

        return Directory.Exists(text) ? new FolderLogSource(text) : throw new CliError($"{text} is neither a folder nor an http or https URL.", null, ExitCodes.NoInput);
    }

    private static NoteVerifier ParseKey(string text)
    {
        string line = File.Exists(text) ? ReadSmall(text).Trim() : text;
        return NoteVerifier.TryParse(line, out NoteVerifier? verifier)
            ? verifier
            : throw new CliError($"{text} is not a log key.", "It reads name+01234567+base64; the provider publishes it, and registers it on chain.", ExitCodes.Usage);
    }

    /// <summary>The key that a gateway named when this machine's agent paid it: a witness that doesn't come from the log itself.</summary>
    private static async Task<NoteVerifier> KnownKeyAsync(ILogSource source, AgentFolder folder, CancellationToken cancellation)
    {
        byte[] note = await LogSource.ReadCheckpointAsync(source, cancellation).ConfigureAwait(false)
            ?? throw new CliError("There is no checkpoint: this is not a voucher log, or it was never published.", null, ExitCodes.NoInput);
        string origin = Encoding.UTF8.GetString(note).Split('\n')[0];
        if (Directory.Exists(folder.Vouchers))
        {
            foreach (string path in Directory.EnumerateFiles(folder.Vouchers, "lease-*.000000.vouchers"))
            {
                if (ulong.TryParse(Path.GetFileName(path).Split('-', '.')[1], NumberStyles.None, CultureInfo.InvariantCulture, out ulong lease) &&
                    VoucherJournal.ReadAll(folder.Vouchers, lease).LastOrDefault() is { } record &&
                    NoteVerifier.TryParse(record.LogVerifier, out NoteVerifier? verifier) && verifier.Name == origin)
                {
                    return verifier;
                }
            }
        }

        throw new CliError("The log's key must come from elsewhere than the log: whoever rewrote the one could have rewritten the other.", "Name it with --key=NAME+HASH+BASE64.", ExitCodes.Usage);
    }

    private static string ReadSmall(string file)
    {
        if (!File.Exists(file))
        {
            throw new CliError($"{file} does not exist.", null, ExitCodes.NoInput);
        }

        return new FileInfo(file).Length <= MaxNoteFile ? File.ReadAllText(file) : throw new CliError($"{file} is larger than any checkpoint or key.", null, ExitCodes.Usage);
    }

    private static void Tell(AuditReport report, NoteVerifier verifier, TimeSpan time)
    {
        if (report.Checkpoint is { } checkpoint)
        {
            Console.WriteLine($"log       {checkpoint.Origin}");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"entries   {checkpoint.Size}, root {checkpoint.Root}"));
        }
        else
        {
            Console.WriteLine($"log       {verifier.Name}, no checkpoint that its key signed");
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"vouchers  {report.Vouchers} of {report.Leases} leases, checked in {time.TotalSeconds:0.0} s"));
        Console.WriteLine($"signed    {Fil(report.Authorised)} FIL");
        Console.WriteLine($"settled   {Fil(report.Settled)} FIL");
        foreach (AuditedResult result in report.Results)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"result    lease {result.Lease}: {CidText(result.Cid.Span)}"));
        }

        if (report.ResultCount > report.Results.Count)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"result    and {report.ResultCount - report.Results.Count} more"));
        }

        if (report.ChainSettlements > 0)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"chain     {report.ChainSettlements} settlements compared, proofs checked again"));
        }

        foreach (AuditFinding finding in report.Findings)
        {
            string where = finding.Entry is { } entry ? string.Create(CultureInfo.InvariantCulture, $"entry {entry}") : "log";
            string lease = finding.Lease is { } id ? string.Create(CultureInfo.InvariantCulture, $", lease {id}") : "";
            Console.WriteLine($"FINDING   {where}{lease}: {finding.Message} [{finding.Code}]");
        }

        if (report.FindingCount > report.Findings.Count)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"FINDING   and {report.FindingCount - report.Findings.Count} more"));
        }

        if (report.UncheckedRoots > 0)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"note      {report.UncheckedRoots} statements name checkpoints too far back to be compared in one pass"));
        }

        Console.WriteLine(report.IsClean ? "verdict   all as it must be" : string.Create(CultureInfo.InvariantCulture, $"verdict   {report.FindingCount} findings"));
    }

    private static string Fil(UInt128 atto) => AttoFil.TryCreate(atto, out AttoFil amount) ? amount.ToFilString() : atto.ToString(CultureInfo.InvariantCulture) + " atto";

    /// <summary>A statement's CID as text; bytes that are none in hexadecimal.</summary>
    private static string CidText(ReadOnlySpan<byte> cid) =>
        !Cid.TryRead(cid, out Cid? parsed, out int consumed).IsError && consumed == cid.Length ? parsed!.ToString() : "0x" + Convert.ToHexStringLower(cid);

    private static string Json(AuditReport report, NoteVerifier verifier)
    {
        using var output = new MemoryStream();
        using (var writer = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteBoolean("clean", report.IsClean);
            writer.WriteString("log", verifier.Name);
            if (report.Checkpoint is { } checkpoint)
            {
                writer.WriteNumber("entries", checkpoint.Size);
                writer.WriteString("root", checkpoint.Root.ToString());
            }

            writer.WriteNumber("leases", report.Leases);
            writer.WriteNumber("vouchers", report.Vouchers);
            writer.WriteString("authorised", report.Authorised.ToString(CultureInfo.InvariantCulture));
            writer.WriteString("settled", report.Settled.ToString(CultureInfo.InvariantCulture));
            writer.WriteNumber("chain_settlements", report.ChainSettlements);
            writer.WriteNumber("unchecked_roots", report.UncheckedRoots);
            writer.WriteNumber("result_count", report.ResultCount);
            writer.WriteStartArray("results");
            foreach (AuditedResult result in report.Results)
            {
                writer.WriteStartObject();
                writer.WriteNumber("lease", result.Lease);
                writer.WriteString("cid", CidText(result.Cid.Span));
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteNumber("finding_count", report.FindingCount);
            writer.WriteStartArray("findings");
            foreach (AuditFinding finding in report.Findings)
            {
                writer.WriteStartObject();
                writer.WriteString("code", finding.Code);
                if (finding.Entry is { } entry)
                {
                    writer.WriteNumber("entry", entry);
                }

                if (finding.Lease is { } lease)
                {
                    writer.WriteNumber("lease", lease);
                }

                writer.WriteString("message", finding.Message);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(output.ToArray());
    }

    /// <summary>A count on the terminal, a few times a second at most.</summary>
    private sealed class Progress : IProgress<long>
    {
        private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

        private readonly Stopwatch _watch = Stopwatch.StartNew();
        private TimeSpan _last;

        public void Report(long value)
        {
            if (_watch.Elapsed - _last >= Interval)
            {
                _last = _watch.Elapsed;
                Console.Error.Write(string.Create(CultureInfo.InvariantCulture, $"\r{value} entries"));
            }
        }

        public void End()
        {
            if (_last > TimeSpan.Zero)
            {
                Console.Error.Write("\r\x1b[K");
            }
        }
    }
}
