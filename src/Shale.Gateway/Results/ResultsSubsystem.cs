using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Logging;
using Shale.Containers.Exec;
using Shale.Data;
using Shale.Data.Cids;
using Shale.Data.Store;
using Shale.Data.UnixFs;
using Shale.Gateway.Admin;
using Shale.Gateway.Leases;
using Shale.Gateway.Sessions;
using Shale.Ssh.Session;

namespace Shale.Gateway.Results;

/// <summary>
/// The subsystem <c>results@shaleprotocol.com</c>: packs a path of the lease's container on this machine, and sends packed results
/// (docs/DATASETS.md section 5). Errors are a line on standard error and exit status 1, so that stock ssh shows them.
/// </summary>
internal sealed class ResultsSubsystem(LeaseResults results, GatewayMetrics metrics, TimeProvider time, ILogger logger) : ISubsystem
{
    // A path has at most 4096 bytes; written as \\u00XX each byte of it has six.
    private const int MaxRequest = 32 * 1024;
    private const int SendBlock = 128 * 1024;

    private static readonly TimeSpan RequestPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(500);

    public string Name => "results@shaleprotocol.com";

    public async Task<int> ServeAsync(LeaseService lease, SshSession session, CancellationToken cancellation)
    {
        if (await ReadRequestAsync(session.Input, cancellation).ConfigureAwait(false) is not { } request)
        {
            return await RefuseAsync(session, "the request is not a line of JSON with pack or get", cancellation).ConfigureAwait(false);
        }

        return request switch
        {
            { Pack: { Length: > 0 } path, Get: null } => await PackAsync(lease, session, path, request.Preset, cancellation).ConfigureAwait(false),
            { Get: { } cid, Pack: null } => await GetAsync(lease, session, cid, cancellation).ConfigureAwait(false),
            _ => await RefuseAsync(session, "a request has either pack or get", cancellation).ConfigureAwait(false),
        };
    }

    private async Task<int> PackAsync(LeaseService lease, SshSession session, string path, string? presetName, CancellationToken cancellation)
    {
        var preset = presetName is null ? ImportPreset.UnixFsV1 : ImportPreset.Find(presetName);
        if (preset is null)
        {
            return await RefuseAsync(session, $"there is no preset {presetName}", cancellation).ConfigureAwait(false);
        }

        var (tree, bandwidth) = await lease.UseAsync(
            session.Connection, async c => (await c.OpenFilesAsync(cancellation).ConfigureAwait(false), c.Bandwidth), cancellation).ConfigureAwait(false);
        await using var files = tree;
        var metered = new MeteredSession(lease, session, bandwidth, metrics);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var latest = new Latest();
        var packing = results.PackAsync(files, path, lease.Record, () => WaitForService(lease, ended.Token), preset, latest, ended.Token);
        DataResult<ResultManifest> packed;
        try
        {
            await TellAsync(metered, packing, latest, cancellation).ConfigureAwait(false);
            packed = await packing.ConfigureAwait(false);
        }
        catch (Exception error) when (packing.IsFaulted && ReferenceEquals(packing.Exception!.InnerException, error) && error is IOException or UnauthorizedAccessException)
        {
            return await RefuseAsync(session, $"{path} can't be packed: {error.Message}", cancellation).ConfigureAwait(false);
        }
        finally
        {
            // Who leaves ends the packing, and nothing stays; the container's files are in use until it has ended.
            await ended.CancelAsync().ConfigureAwait(false);
            await ((Task)packing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (!packed.Ok)
        {
            return await RefuseAsync(session, $"{path} can't be packed: {packed.Error.Detail}", cancellation).ConfigureAwait(false);
        }

        GatewayLog.ResultPacked(logger, lease.Id, packed.Value.PayloadCid, packed.Value.CarSize);

        // Where it lies here is the provider's business.
        await metered.WriteAsync(Line(new ResultsAnswer { Manifest = packed.Value with { CarPath = "result.car" } }), cancellation).ConfigureAwait(false);
        return 0;
    }

    private async Task TellAsync(MeteredSession metered, Task packing, Latest latest, CancellationToken cancellation)
    {
        var told = default(AddProgress);
        while (await Task.WhenAny(packing, Task.Delay(ProgressInterval, time, cancellation)).ConfigureAwait(false) != packing)
        {
            cancellation.ThrowIfCancellationRequested();
            if (latest.Value is var now && now != told)
            {
                told = now;
                await metered.WriteAsync(Line(new ResultsAnswer { Stage = now.Stage, Bytes = now.Bytes }), cancellation).ConfigureAwait(false);
            }
        }
    }

    private async Task<int> GetAsync(LeaseService lease, SshSession session, string text, CancellationToken cancellation)
    {
        var error = Cid.TryParse(text, out var cid);
        if (error.IsError)
        {
            return await RefuseAsync(session, $"that is not a CID: {error.Detail}", cancellation).ConfigureAwait(false);
        }

        var opened = results.Open(lease.Id, cid!);
        if (!opened.Ok)
        {
            return await RefuseAsync(session, opened.Error.Detail, cancellation).ConfigureAwait(false);
        }

        using var car = opened.Value;
        var metered = new MeteredSession(lease, session, await lease.UseAsync(session.Connection, c => Task.FromResult(c.Bandwidth), cancellation).ConfigureAwait(false), metrics);
        var block = ArrayPool<byte>.Shared.Rent(SendBlock);
        try
        {
            long at = 0;
            int n;
            while ((n = await RandomAccess.ReadAsync(car.SafeFileHandle, block.AsMemory(0, SendBlock), at, cancellation).ConfigureAwait(false)) > 0)
            {
                await lease.WaitWhilePausedAsync(cancellation).ConfigureAwait(false);
                await metered.WriteAsync(block.AsMemory(0, n), cancellation).ConfigureAwait(false);
                at += n;
            }

            return 0;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }
    }

    /// <summary>What is not paid is not worked for: packing stands still with the container and goes on with it.</summary>
    private static void WaitForService(LeaseService lease, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var served = lease.WaitWhilePausedAsync(cancellation);
        if (!served.IsCompletedSuccessfully)
        {
            served.AsTask().GetAwaiter().GetResult();
        }
    }

    private async Task<ResultsRequest?> ReadRequestAsync(PipeReader input, CancellationToken cancellation)
    {
        using var patience = new CancellationTokenSource(RequestPatience, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellation, patience.Token);
        try
        {
            while (true)
            {
                var read = await input.ReadAsync(both.Token).ConfigureAwait(false);
                if (read.Buffer.PositionOf((byte)'\n') is { } end)
                {
                    var line = read.Buffer.Slice(0, end).ToArray();
                    input.AdvanceTo(read.Buffer.GetPosition(1, end));
                    return line.Length <= MaxRequest ? JsonSerializer.Deserialize(line, ResultsJson.Default.ResultsRequest) : null;
                }

                input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                if (read.IsCompleted || read.Buffer.Length > MaxRequest)
                {
                    return null;
                }
            }
        }
        catch (JsonException)
        {
            return null;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return null;
        }
    }

    private static byte[] Line(ResultsAnswer answer) => [.. JsonSerializer.SerializeToUtf8Bytes(answer, ResultsJson.Default.ResultsAnswer), (byte)'\n'];

    private static async Task<int> RefuseAsync(SshSession session, string problem, CancellationToken cancellation)
    {
        // One line, and nothing in it that a terminal obeys: parts of it are the container's.
        var line = string.Concat(problem.Select(c => char.IsControl(c) ? '?' : c));
        await session.WriteErrorAsync(Encoding.UTF8.GetBytes($"shale: {line}.\n"), cancellation).ConfigureAwait(false);
        return 1;
    }

    /// <summary>The newest report, for whoever looks twice a second.</summary>
    private sealed class Latest : IProgress<AddProgress>
    {
        private readonly Lock _gate = new();
        private AddProgress _value = new("waiting", 0);

        public AddProgress Value
        {
            get
            {
                lock (_gate)
                {
                    return _value;
                }
            }
        }

        public void Report(AddProgress value)
        {
            lock (_gate)
            {
                _value = value;
            }
        }
    }
}

/// <summary>What a client asks: one line of JSON.</summary>
internal sealed record ResultsRequest
{
    /// <summary>The path to pack.</summary>
    public string? Pack { get; init; }

    /// <summary>How files become blocks; null for the default.</summary>
    public string? Preset { get; init; }

    /// <summary>The result to send.</summary>
    public string? Get { get; init; }
}

/// <summary>What packing tells: a line of JSON each; the last one has the manifest.</summary>
internal sealed record ResultsAnswer
{
    /// <summary>What is under way.</summary>
    public string? Stage { get; init; }

    /// <summary>Bytes done in this stage.</summary>
    public long? Bytes { get; init; }

    /// <summary>The packed result.</summary>
    public ResultManifest? Manifest { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(ResultsRequest))]
[JsonSerializable(typeof(ResultsAnswer))]
internal sealed partial class ResultsJson : JsonSerializerContext;
