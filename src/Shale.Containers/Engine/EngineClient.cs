using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Shale.Containers.Engine;

/// <summary>
/// The part of the Docker Engine API that Shale uses, typed. Every call ends: with an answer, with an <see cref="EngineException"/>
/// that says what to do, or with cancellation. The API version is the newest that both sides know, asked for once at the first call.
/// </summary>
internal sealed class EngineClient : IAsyncDisposable
{
    /// <summary>The newest API version whose answers this code was written against.</summary>
    internal static readonly Version NewestVersion = new(1, 47);

    /// <summary>The oldest one: one-shot statistics came with 1.41 (Engine 20.10, Debian 12).</summary>
    internal static readonly Version OldestVersion = new(1, 41);

    /// <summary>An answer or a line of a stream that is longer than this is not the Engine's: an inspection is some tens of kilobytes.</summary>
    private const int MaxAnswer = 16 * 1024 * 1024;

    private readonly HttpClient _http;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _negotiation = new(1, 1);
    private string? _prefix;

    public EngineClient(EngineEndpoint endpoint, TimeSpan? timeout = null, TimeProvider? time = null)
    {
        Endpoint = endpoint;
        Timeout = timeout ?? TimeSpan.FromSeconds(30);
        _time = time ?? TimeProvider.System;
        _http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = (_, cancellation) => endpoint.ConnectAsync(cancellation),
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
        })
        {
            BaseAddress = new Uri("http://docker/"),
            Timeout = System.Threading.Timeout.InfiniteTimeSpan,
        };
    }

    public EngineEndpoint Endpoint { get; }

    /// <summary>How long one call may take; pulls and streams have their own.</summary>
    public TimeSpan Timeout { get; }

    public Version? ApiVersion { get; private set; }

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        _negotiation.Dispose();
        return ValueTask.CompletedTask;
    }

    public Task<EngineVersion> VersionAsync(CancellationToken cancellationToken) =>
        WithTimeout("asking for its version", Timeout, cancellation => ReadAnswer(HttpMethod.Get, "version", null, EngineJson.Default.EngineVersion, "version", cancellation), cancellationToken);

    public Task<ContainerInspect> InspectContainerAsync(string id, CancellationToken cancellationToken) =>
        Call(HttpMethod.Get, $"containers/{Escape(id)}/json", EngineJson.Default.ContainerInspect, $"inspecting container {id}", cancellationToken);

    public Task<ContainerSummary[]> ListContainersAsync(IEnumerable<string> labels, CancellationToken cancellationToken) =>
        Call(HttpMethod.Get, "containers/json?all=true&filters=" + Filters(("label", labels)), EngineJson.Default.ContainerSummaryArray, "listing containers", cancellationToken);

    public Task<IdAnswer> CreateContainerAsync(string name, CreateContainer body, CancellationToken cancellationToken) =>
        Call(HttpMethod.Post, "containers/create?name=" + Escape(name), Body(body, EngineJson.Default.CreateContainer), EngineJson.Default.IdAnswer, $"creating container {name}", cancellationToken);

    public Task StartContainerAsync(string id, CancellationToken cancellationToken) =>
        Call(HttpMethod.Post, $"containers/{Escape(id)}/start", $"starting container {id}", cancellationToken);

    public Task PauseContainerAsync(string id, CancellationToken cancellationToken) =>
        Call(HttpMethod.Post, $"containers/{Escape(id)}/pause", $"pausing container {id}", cancellationToken);

    public Task UnpauseContainerAsync(string id, CancellationToken cancellationToken) =>
        Call(HttpMethod.Post, $"containers/{Escape(id)}/unpause", $"resuming container {id}", cancellationToken);

    public Task KillContainerAsync(string id, string signal, CancellationToken cancellationToken) =>
        Call(HttpMethod.Post, $"containers/{Escape(id)}/kill?signal={Escape(signal)}", $"killing container {id}", cancellationToken);

    public Task RemoveContainerAsync(string id, CancellationToken cancellationToken) =>
        Call(HttpMethod.Delete, $"containers/{Escape(id)}?force=true&v=true", $"removing container {id}", cancellationToken);

    public Task<StatsAnswer> StatsAsync(string id, CancellationToken cancellationToken) =>
        Call(HttpMethod.Get, $"containers/{Escape(id)}/stats?stream=false&one-shot=true", EngineJson.Default.StatsAnswer, $"reading the statistics of container {id}", cancellationToken);

    public Task<ImageInspect> InspectImageAsync(string image, CancellationToken cancellationToken) =>
        Call(HttpMethod.Get, $"images/{EscapePath(image)}/json", EngineJson.Default.ImageInspect, $"looking up image {image}", cancellationToken);

    public Task<NetworkInspect> InspectNetworkAsync(string name, CancellationToken cancellationToken) =>
        Call(HttpMethod.Get, "networks/" + Escape(name), EngineJson.Default.NetworkInspect, $"inspecting network {name}", cancellationToken);

    public Task<IdAnswer> CreateNetworkAsync(CreateNetwork body, CancellationToken cancellationToken) =>
        Call(HttpMethod.Post, "networks/create", Body(body, EngineJson.Default.CreateNetwork), EngineJson.Default.IdAnswer, $"creating network {body.Name}", cancellationToken);

    public Task RemoveNetworkAsync(string name, CancellationToken cancellationToken) =>
        Call(HttpMethod.Delete, "networks/" + Escape(name), $"removing network {name}", cancellationToken);

    public Task<IdAnswer> CreateExecAsync(string container, CreateExec body, CancellationToken cancellationToken) =>
        Call(HttpMethod.Post, $"containers/{Escape(container)}/exec", Body(body, EngineJson.Default.CreateExec), EngineJson.Default.IdAnswer, $"preparing a command in container {container}", cancellationToken);

    public Task StartExecDetachedAsync(string exec, CancellationToken cancellationToken) =>
        Call(HttpMethod.Post, $"exec/{Escape(exec)}/start", Body(new StartExec(true, false), EngineJson.Default.StartExec), "starting a command", cancellationToken);

    public Task<ExecInspect> InspectExecAsync(string exec, CancellationToken cancellationToken) =>
        Call(HttpMethod.Get, $"exec/{Escape(exec)}/json", EngineJson.Default.ExecInspect, "asking for a command's state", cancellationToken);

    public Task ResizeExecAsync(string exec, uint columns, uint rows, CancellationToken cancellationToken) =>
        Call(HttpMethod.Post, string.Create(CultureInfo.InvariantCulture, $"exec/{Escape(exec)}/resize?h={rows}&w={columns}"), "resizing a terminal", cancellationToken);

    /// <summary>Unpacks a tar archive into the container's file tree; the container may be stopped.</summary>
    public async Task PutArchiveAsync(string container, string folder, ReadOnlyMemory<byte> tar, CancellationToken cancellationToken)
    {
        var prefix = await PrefixAsync(cancellationToken).ConfigureAwait(false);
        var content = new ReadOnlyMemoryContent(tar);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/x-tar");
        await WithTimeout(
            $"copying into container {container}",
            Timeout,
            async cancellation =>
            {
                using var _ = await SendAsync(HttpMethod.Put, $"{prefix}containers/{Escape(container)}/archive?path={Escape(folder)}", content, $"copying into container {container}", cancellation).ConfigureAwait(false);
                return true;
            },
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Whether a path is in the container's file tree.</summary>
    public async Task<bool> PathExistsAsync(string container, string path, CancellationToken cancellationToken)
    {
        try
        {
            await Call(HttpMethod.Head, $"containers/{Escape(container)}/archive?path={Escape(path)}", $"looking for {path} in container {container}", cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (EngineException e) when (e.Failure == EngineFailure.NotFound)
        {
            return false;
        }
    }

    /// <summary>
    /// Pulls an image; <paramref name="line"/> sees every line of progress. Fails when nothing comes for five minutes: registries stall.
    /// </summary>
    public async Task PullImageAsync(string image, Action<PullLine>? line, CancellationToken cancellationToken)
    {
        var (repository, tag) = SplitImage(image);
        var what = $"pulling image {image}";
        var path = $"images/create?fromImage={Escape(repository)}" + (tag.Length == 0 ? "" : "&tag=" + Escape(tag));
        await foreach (var text in StreamLines(HttpMethod.Post, path, what, TimeSpan.FromMinutes(5), cancellationToken).ConfigureAwait(false))
        {
            var read = Parse(text, EngineJson.Default.PullLine, what);
            if (read.Error is not null)
            {
                throw new EngineException(EngineFailure.Refused, $"The image {image} could not be pulled: {read.Error}");
            }

            line?.Invoke(read);
        }
    }

    /// <summary>
    /// The engine's events as they come. Ends with an <see cref="EngineException"/> when the connection is lost; the caller reconnects
    /// with <paramref name="since"/> (nanoseconds since 1970) to miss nothing.
    /// </summary>
    public async IAsyncEnumerable<EventLine> EventsAsync(IEnumerable<string> labels, IEnumerable<string> events, long since, Action? connected, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var path = "events?filters=" + Filters(("type", ["container"]), ("label", labels), ("event", events));
        if (since > 0)
        {
            path += string.Create(CultureInfo.InvariantCulture, $"&since={since / 1_000_000_000}.{since % 1_000_000_000:D9}");
        }

        await foreach (var text in StreamLines(HttpMethod.Get, path, "following events", null, cancellationToken, connected).ConfigureAwait(false))
        {
            yield return Parse(text, EngineJson.Default.EventLine, "following events");
        }

        throw new EngineException(EngineFailure.Unreachable, $"The Docker Engine at {Endpoint} closed its stream of events.");
    }

    /// <summary>Starts an exec and takes its streams over: the connection leaves HTTP (status 101) and belongs to the caller.</summary>
    public async Task<Stream> StartExecAttachedAsync(string exec, StartExec body, CancellationToken cancellationToken)
    {
        const string What = "starting a command";
        var prefix = await PrefixAsync(cancellationToken).ConfigureAwait(false);
        return await WithTimeout(
            What,
            Timeout,
            async cancellation =>
            {
                var stream = await Endpoint.ConnectAsync(cancellation).ConfigureAwait(false);
                try
                {
                    await HijackAsync(stream, $"/{prefix}exec/{Escape(exec)}/start", JsonSerializer.SerializeToUtf8Bytes(body, EngineJson.Default.StartExec), What, cancellation).ConfigureAwait(false);
                    return stream;
                }
                catch
                {
                    await stream.DisposeAsync().ConfigureAwait(false);
                    throw;
                }
            },
            cancellationToken).ConfigureAwait(false);
    }

    internal static (string Repository, string Tag) SplitImage(string image)
    {
        if (image.Contains('@', StringComparison.Ordinal))
        {
            return (image, "");
        }

        var colon = image.LastIndexOf(':');
        return colon > image.LastIndexOf('/') ? (image[..colon], image[(colon + 1)..]) : (image, "latest");
    }

    private static string Escape(string text) => Uri.EscapeDataString(text);

    private static string EscapePath(string image) => string.Join('/', image.Split('/').Select(Uri.EscapeDataString));

    private static string Filters(params (string Key, IEnumerable<string> Values)[] filters) =>
        Escape(JsonSerializer.Serialize(filters.ToDictionary(f => f.Key, f => f.Values.ToArray()), EngineJson.Default.DictionaryStringStringArray));

    private static ReadOnlyMemoryContent Body<T>(T value, JsonTypeInfo<T> type)
    {
        var content = new ReadOnlyMemoryContent(JsonSerializer.SerializeToUtf8Bytes(value, type));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return content;
    }

    private static T Parse<T>(ReadOnlySpan<byte> json, JsonTypeInfo<T> type, string what)
    {
        try
        {
            return JsonSerializer.Deserialize(json, type) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new EngineException(EngineFailure.Protocol, $"The Docker Engine's answer when {what} can't be read: {e.Message}", e);
        }
    }

    private static T Parse<T>(byte[] json, JsonTypeInfo<T> type, string what) => Parse((ReadOnlySpan<byte>)json, type, what);

    private Task<T> Call<T>(HttpMethod method, string path, JsonTypeInfo<T> type, string what, CancellationToken cancellationToken) =>
        Call(method, path, null, type, what, cancellationToken);

    private async Task<T> Call<T>(HttpMethod method, string path, HttpContent? body, JsonTypeInfo<T> type, string what, CancellationToken cancellationToken)
    {
        var prefix = await PrefixAsync(cancellationToken).ConfigureAwait(false);
        return await WithTimeout(what, Timeout, cancellation => ReadAnswer(method, prefix + path, body, type, what, cancellation), cancellationToken).ConfigureAwait(false);
    }

    private Task Call(HttpMethod method, string path, string what, CancellationToken cancellationToken) => Call(method, path, null, what, cancellationToken);

    private async Task Call(HttpMethod method, string path, HttpContent? body, string what, CancellationToken cancellationToken)
    {
        var prefix = await PrefixAsync(cancellationToken).ConfigureAwait(false);
        await WithTimeout(
            what,
            Timeout,
            async cancellation =>
            {
                using var answer = await SendAsync(method, prefix + path, body, what, cancellation).ConfigureAwait(false);
                await ReadBounded(answer, cancellation).ConfigureAwait(false);
                return true;
            },
            cancellationToken).ConfigureAwait(false);
    }

    private async Task<T> ReadAnswer<T>(HttpMethod method, string path, HttpContent? body, JsonTypeInfo<T> type, string what, CancellationToken cancellationToken)
    {
        using var answer = await SendAsync(method, path, body, what, cancellationToken).ConfigureAwait(false);
        return Parse(await ReadBounded(answer, cancellationToken).ConfigureAwait(false), type, what);
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? body, string what, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body };
        HttpResponseMessage answer;
        try
        {
            answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            throw e.InnerException as EngineException ?? Endpoint.Unreachable(e.InnerException ?? e);
        }

        if (answer.IsSuccessStatusCode || answer.StatusCode == HttpStatusCode.NotModified)
        {
            return answer;
        }

        using (answer)
        {
            throw Failure(what, (int)answer.StatusCode, await ReadBounded(answer, cancellationToken).ConfigureAwait(false));
        }
    }

    private EngineException Failure(string what, int status, byte[] body)
    {
        string? message = null;
        try
        {
            message = JsonSerializer.Deserialize(body, EngineJson.Default.EngineMessageWire)?.Message;
        }
        catch (JsonException)
        {
            message = Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(body.Length, 500)));
        }

        return new EngineException(
            status switch { 404 => EngineFailure.NotFound, 409 => EngineFailure.Conflict, >= 500 => EngineFailure.Failed, _ => EngineFailure.Refused },
            $"The Docker Engine at {Endpoint} failed when {what}: {message?.Trim()} (HTTP {status})")
        {
            Status = status,
        };
    }

    private static async Task<byte[]> ReadBounded(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        try
        {
            using var buffer = new MemoryStream();
            var stream = await answer.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            var chunk = ArrayPool<byte>.Shared.Rent(16384);
            try
            {
                int read;
                while ((read = await stream.ReadAsync(chunk, cancellationToken).ConfigureAwait(false)) > 0)
                {
                    if (buffer.Length + read > MaxAnswer)
                    {
                        throw new EngineException(EngineFailure.Protocol, "The Docker Engine's answer is longer than 16 MiB.");
                    }

                    buffer.Write(chunk, 0, read);
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(chunk);
            }

            return buffer.ToArray();
        }
        catch (Exception e) when (e is IOException and not EngineException or HttpRequestException)
        {
            throw new EngineException(EngineFailure.Unreachable, $"The connection to the Docker Engine broke: {e.Message}", e);
        }
    }

    private async ValueTask<string> PrefixAsync(CancellationToken cancellationToken)
    {
        if (_prefix is not null)
        {
            return _prefix;
        }

        await _negotiation.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_prefix is null)
            {
                var version = await VersionAsync(cancellationToken).ConfigureAwait(false);
                if (!Version.TryParse(version.ApiVersion, out var newest) || newest < OldestVersion)
                {
                    throw new EngineException(EngineFailure.Refused, $"The Docker Engine at {Endpoint} speaks API {version.ApiVersion}; Shale needs {OldestVersion} (Engine 20.10) or newer.");
                }

                ApiVersion = newest < NewestVersion ? newest : NewestVersion;
                if (Version.TryParse(version.MinAPIVersion, out var oldest) && oldest > ApiVersion)
                {
                    ApiVersion = oldest;
                }

                _prefix = $"v{ApiVersion}/";
            }

            return _prefix;
        }
        finally
        {
            _negotiation.Release();
        }
    }

    private async Task<T> WithTimeout<T>(string what, TimeSpan timeout, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(timeout, _time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timer.Token);
        try
        {
            return await call(linked.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new EngineException(
                EngineFailure.TimedOut,
                $"The Docker Engine at {Endpoint} did not answer within {timeout.TotalSeconds:0.#} s when {what}. It may be hung: see its log (journalctl -u docker) and restart it.",
                e);
        }
    }

    /// <summary>Lines of JSON as they come; <paramref name="stall"/> bounds the wait for the next one.</summary>
    private async IAsyncEnumerable<byte[]> StreamLines(HttpMethod method, string path, string what, TimeSpan? stall, [EnumeratorCancellation] CancellationToken cancellationToken, Action? connected = null)
    {
        var prefix = await PrefixAsync(cancellationToken).ConfigureAwait(false);
        // The headers of a pull come with its first line: they wait for the registry.
        using var answer = await WithTimeout(what, stall ?? Timeout, c => SendAsync(method, prefix + path, null, what, c), cancellationToken).ConfigureAwait(false);
        connected?.Invoke();
        var stream = await answer.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        var buffer = new byte[64 * 1024];
        var filled = 0;
        while (true)
        {
            int read;
            try
            {
                read = stall is null
                    ? await stream.ReadAsync(buffer.AsMemory(filled), cancellationToken).ConfigureAwait(false)
                    : await WithTimeout(what, stall.Value, async c => await stream.ReadAsync(buffer.AsMemory(filled), c).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException and not EngineException or HttpRequestException)
            {
                throw new EngineException(EngineFailure.Unreachable, $"The connection to the Docker Engine at {Endpoint} broke when {what}: {e.Message}", e);
            }

            if (read == 0)
            {
                yield break;
            }

            filled += read;
            int end;
            while ((end = buffer.AsSpan(0, filled).IndexOf((byte)'\n')) >= 0)
            {
                var line = buffer.AsSpan(0, end).Trim("\r "u8).ToArray();
                buffer.AsSpan(end + 1, filled - end - 1).CopyTo(buffer);
                filled -= end + 1;
                if (line.Length > 0)
                {
                    yield return line;
                }
            }

            if (filled == buffer.Length)
            {
                if (buffer.Length >= MaxAnswer)
                {
                    throw new EngineException(EngineFailure.Protocol, $"The Docker Engine sent a line longer than 16 MiB when {what}.");
                }

                Array.Resize(ref buffer, buffer.Length * 2);
            }
        }
    }

    /// <summary>One HTTP/1.1 exchange by hand: HttpClient can't half-close the connection afterwards, and stdin's end is a half-close.</summary>
    private async Task HijackAsync(Stream stream, string path, byte[] body, string what, CancellationToken cancellationToken)
    {
        var head = Encoding.ASCII.GetBytes(
            $"POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {body.Length}\r\n\r\n");
        try
        {
            await stream.WriteAsync((byte[])[.. head, .. body], cancellationToken).ConfigureAwait(false);

            // Byte by byte, because what follows the head belongs to the container's process.
            var answer = new byte[8192];
            var length = 0;
            while (!answer.AsSpan(0, length).EndsWith("\r\n\r\n"u8))
            {
                if (length == answer.Length || await stream.ReadAsync(answer.AsMemory(length, 1), cancellationToken).ConfigureAwait(false) == 0)
                {
                    throw new EngineException(EngineFailure.Protocol, $"The Docker Engine at {Endpoint} gave no complete answer when {what}.");
                }

                length++;
            }

            var text = Encoding.ASCII.GetString(answer, 0, length);
            var status = text.Length > 12 && int.TryParse(text.AsSpan(9, 3), NumberStyles.None, CultureInfo.InvariantCulture, out var parsed) ? parsed : 0;
            if (status is not (101 or 200))
            {
                // The error's text follows; the connection is closed by us, so what is there at once has to do.
                var rest = new byte[4096];
                var read = await stream.ReadAsync(rest, cancellationToken).ConfigureAwait(false);
                throw Failure(what, status, rest[..read]);
            }
        }
        catch (Exception e) when (e is SocketException || (e is IOException and not EngineException))
        {
            throw Endpoint.Unreachable(e);
        }
    }
}
