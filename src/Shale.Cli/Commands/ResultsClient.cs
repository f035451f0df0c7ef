using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Shale.Data;
using Shale.Data.Cids;
using Shale.Data.Store;
using Shale.Data.UnixFs;

namespace Shale.Cli.Commands;

/// <summary>The client's side of the subsystem <c>results@shaleprotocol.com</c> (docs/DATASETS.md section 5), over stock ssh, which says on standard error what is wrong.</summary>
internal static class ResultsClient
{
    private const string Subsystem = "results@shaleprotocol.com";

    // A manifest has some 700 bytes and a path of at most 4096.
    private const int MaxLine = 64 * 1024;

    private static readonly JsonSerializerOptions Web = new(JsonSerializerDefaults.Web);

    public static async Task<ResultManifest> PackAsync(string[] ssh, string path, string preset, IProgress<AddProgress> progress, CancellationToken cancellation)
    {
        using var process = Start(ssh);
        try
        {
            await RequestAsync(process, new { pack = path, preset }, cancellation).ConfigureAwait(false);
            ResultManifest? manifest = null;
            await foreach (var line in LinesAsync(process.StandardOutput.BaseStream, cancellation).ConfigureAwait(false))
            {
                var answer = Parse(line);
                if (answer.Stage is { } stage)
                {
                    progress.Report(new AddProgress(Printable(stage), answer.Bytes ?? 0));
                }

                manifest ??= answer.Manifest;
            }

            await EndAsync(process, cancellation).ConfigureAwait(false);
            return manifest ?? throw new CliError("The gateway ended without a manifest.", null, ExitCodes.IoError);
        }
        finally
        {
            Kill(process);
        }
    }

    public static async Task<ExtractProgress> GetAsync(string[] ssh, Cid cid, string destination, long maxBytes, IProgress<AddProgress> progress, CancellationToken cancellation)
    {
        using var process = Start(ssh);
        try
        {
            await RequestAsync(process, new { get = cid.ToString() }, cancellation).ConfigureAwait(false);
            var got = await Task.Run(() => ResultFetcher.Get(process.StandardOutput.BaseStream, cid, destination, maxBytes, progress, cancellation), cancellation).ConfigureAwait(false);
            if (got.Error.Fault is not (DataFault.TooLarge or DataFault.InUse))
            {
                // All was read: a stream that ended early has its reason in ssh's exit, not in the CAR.
                await EndAsync(process, cancellation).ConfigureAwait(false);
            }

            return DatasetCommand.Value(got);
        }
        finally
        {
            Kill(process);
        }
    }

    private static Process Start(string[] ssh)
    {
        try
        {
            return Process.Start(new ProcessStartInfo("ssh", [.. ssh[..^1], "-s", ssh[^1], Subsystem]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new CliError("ssh can't be started.", "Install OpenSSH's client: apt-get install openssh-client", ExitCodes.Unavailable);
        }
    }

    private static async Task RequestAsync<T>(Process process, T request, CancellationToken cancellation)
    {
        try
        {
            var input = process.StandardInput.BaseStream;
            await input.WriteAsync((byte[])[.. JsonSerializer.SerializeToUtf8Bytes(request), (byte)'\n'], cancellation).ConfigureAwait(false);
            await input.FlushAsync(cancellation).ConfigureAwait(false);
        }
        catch (IOException)
        {
            // ssh ended; its exit says so.
        }
    }

    private static async Task EndAsync(Process process, CancellationToken cancellation)
    {
        await process.WaitForExitAsync(cancellation).ConfigureAwait(false);
        switch (process.ExitCode)
        {
            case 0:
                return;
            case 255:
                throw new CliError("The lease can't be reached.", "shale ssh LEASE shows whether it serves; its gateway may be older than this command.", ExitCodes.Unavailable);
            default:
                throw new CliError("The gateway refused; the line above says why.");
        }
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It ended by itself.
        }
    }

    private static Answer Parse(byte[] line)
    {
        try
        {
            return JsonSerializer.Deserialize<Answer>(line, Web) ?? new Answer(null, null, null);
        }
        catch (JsonException)
        {
            throw new CliError("The gateway answers what this command can't read.", "It may be newer than this command.", ExitCodes.IoError);
        }
    }

    private static async IAsyncEnumerable<byte[]> LinesAsync(Stream stream, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        var line = new byte[MaxLine];
        var length = 0;
        while (await stream.ReadAsync(line.AsMemory(length), cancellation).ConfigureAwait(false) is > 0 and var n)
        {
            length += n;
            int end;
            while ((end = line.AsSpan(0, length).IndexOf((byte)'\n')) >= 0)
            {
                yield return line[..end];
                line.AsSpan(end + 1, length - end - 1).CopyTo(line);
                length -= end + 1;
            }

            if (length == MaxLine)
            {
                throw new CliError("The gateway answers with a line that is too long.", null, ExitCodes.IoError);
            }
        }
    }

    private static string Printable(string text) => new(text.Take(40).Where(c => !char.IsControl(c)).ToArray());

    private sealed record Answer(string? Stage, long? Bytes, ResultManifest? Manifest);
}
