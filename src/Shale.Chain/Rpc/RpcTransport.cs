using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace Shale.Chain.Rpc;

/// <summary>Posts requests to one endpoint. What went wrong on the way is a failure, not an exception.</summary>
internal sealed class RpcTransport : IDisposable
{
    // 10,000 logs, which is what public nodes give at most, of 2 KiB each on average in hexadecimal digits.
    internal const int LargestResponse = 64 << 20;

    private static readonly TimeSpan LongestRetryAfter = TimeSpan.FromSeconds(30);

    private readonly RpcEndpoint _endpoint;
    private readonly HttpClient _http;
    private readonly TimeProvider _time;
    private long _lastId;

    internal RpcTransport(RpcEndpoint endpoint, TimeProvider time)
    {
        _endpoint = endpoint;
        _time = time;

        // Redirects are not followed: a token in the address would go to whoever it leads to.
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = !endpoint.Uri.IsLoopback,
            AutomaticDecompression = DecompressionMethods.GZip,
            ConnectTimeout = TimeSpan.FromSeconds(10),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        };
        _http = new HttpClient(handler, disposeHandler: true) { Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("shale", null));
        if (endpoint.Authorization is { } credentials)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", credentials);
        }
    }

    /// <summary>Sends one call alone, or several as a batch.</summary>
    internal async Task<(RpcAnswer[]? Answers, RpcFailure? Whole)> PostAsync(IReadOnlyList<RpcCall> calls, TimeSpan timeout, CancellationToken cancel)
    {
        var firstId = Interlocked.Add(ref _lastId, calls.Count) - calls.Count + 1;
        using var limit = new CancellationTokenSource(timeout, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, _endpoint.Uri) { Content = new ByteArrayContent(Write(calls, firstId)) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, both.Token).ConfigureAwait(false);
            var body = await ReadBodyAsync(response, both.Token).ConfigureAwait(false);
            if (body is null)
            {
                return (null, new RpcFailure(ChainErrorKind.TooMuch, false, $"the answer is larger than {LargestResponse >> 20} MiB"));
            }

            // Some nodes send JSON-RPC errors with 4xx and 5xx: those say more than the status.
            var answers = RpcResponse.Read(body, calls, firstId, _endpoint.Redact, out var whole);
            if (!response.IsSuccessStatusCode && (answers is null || Array.TrueForAll(answers, a => a.Failure is null or { Kind: ChainErrorKind.Malformed })))
            {
                return (null, whole is { Kind: not ChainErrorKind.Malformed } && response.StatusCode != HttpStatusCode.TooManyRequests ? whole : Status(response));
            }

            return (answers, whole);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return (null, new RpcFailure(ChainErrorKind.Unreachable, true, string.Create(CultureInfo.InvariantCulture, $"no answer within {timeout.TotalSeconds:0.#} s")));
        }
        catch (Exception e) when (e is HttpRequestException or IOException or InvalidDataException)
        {
            return (null, new RpcFailure(ChainErrorKind.Unreachable, true, _endpoint.Redact(Explain(e))));
        }
    }

    public void Dispose() => _http.Dispose();

    private static string Explain(Exception e) => e is HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } ? "its name is not known" : e.GetBaseException().Message;

    private static byte[] Write(IReadOnlyList<RpcCall> calls, long firstId)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            if (calls.Count > 1)
            {
                json.WriteStartArray();
            }

            for (var i = 0; i < calls.Count; i++)
            {
                json.WriteStartObject();
                json.WriteString("jsonrpc", "2.0");
                json.WriteNumber("id", firstId + i);
                json.WriteString("method", calls[i].Method);
                json.WritePropertyName("params");
                calls[i].Parameters.WriteTo(json);
                json.WriteEndObject();
            }

            if (calls.Count > 1)
            {
                json.WriteEndArray();
            }
        }

        return stream.ToArray();
    }

    private static async Task<byte[]?> ReadBodyAsync(HttpResponseMessage response, CancellationToken cancel)
    {
        if (response.Content.Headers.ContentLength > LargestResponse)
        {
            return null;
        }

        using var stream = await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
        using var body = new MemoryStream();
        var buffer = new byte[32 << 10];
        for (int read; (read = await stream.ReadAsync(buffer, cancel).ConfigureAwait(false)) > 0;)
        {
            if (body.Length + read > LargestResponse)
            {
                return null;
            }

            body.Write(buffer, 0, read);
        }

        return body.ToArray();
    }

    private RpcFailure Status(HttpResponseMessage response)
    {
        var status = (int)response.StatusCode;
        var reason = status switch
        {
            401 or 403 => $"HTTP {status}: it does not accept our access token",
            429 => "HTTP 429: asked too often",
            >= 300 and < 400 => $"HTTP {status}: it redirects, which is not followed",
            _ => $"HTTP {status}",
        };
        var after = response.Headers.RetryAfter is { } header ? header.Delta ?? (header.Date - _time.GetUtcNow()) : null;

        // 4xx (but for "too often" and "took too long") will be the same next time; another endpoint may do better.
        return new RpcFailure(ChainErrorKind.Unreachable, status is 408 or 425 or 429 or >= 500, reason)
        {
            RetryAfter = after is { } wait && wait > TimeSpan.Zero ? (wait < LongestRetryAfter ? wait : LongestRetryAfter) : null,
        };
    }
}
