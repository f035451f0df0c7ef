using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace Shale.Chain.Tests.Doubles;

/// <summary>A node that answers as the test says: by method, or below JSON-RPC with any status and bytes, or not at all. It may stand in front of a real node.</summary>
internal sealed class RpcDouble : IAsyncDisposable
{
    private readonly HttpListener listener;
    private readonly CancellationTokenSource stop = new();
    private readonly ConcurrentDictionary<string, Func<JsonArray, JsonNode?>> answers = new();
    private readonly HttpClient http = new();
    private readonly Task loop;

    internal RpcDouble(ulong chainId = 314)
    {
        // Ports are taken by others too: tried until one is free.
        for (var attempt = 0; ; attempt++)
        {
            var port = Random.Shared.Next(20_000, 60_000);
            Url = $"http://127.0.0.1:{port}/";

            // A listener that could not start is of no more use.
            listener = new HttpListener();
            listener.Prefixes.Add(Url);
            try
            {
                listener.Start();
                break;
            }
            catch (Exception e) when (attempt < 50 && e is HttpListenerException or System.Net.Sockets.SocketException)
            {
            }
        }

        On("eth_chainId", _ => $"0x{chainId:x}");
        On("eth_blockNumber", _ => "0x64");
        loop = Task.Run(LoopAsync);
    }

    internal string Url { get; }

    /// <summary>Every method that was asked, in order; a batch counts one by one.</summary>
    internal ConcurrentQueue<string> Asked { get; } = new();

    /// <summary>How many HTTP requests came.</summary>
    internal int Posts;

    /// <summary>Answers a request below JSON-RPC; true if it did. The number counts from 1.</summary>
    internal Func<HttpListenerContext, int, Task<bool>>? Intercept { get; set; }

    /// <summary>A real node that answers what has no answer here.</summary>
    internal string? Upstream { get; set; }

    /// <summary>Whether a batch gets its answers in reverse.</summary>
    internal bool Reverses { get; set; }

    internal RpcDouble On(string method, Func<JsonArray, JsonNode?> answer)
    {
        answers[method] = answer;
        return this;
    }

    /// <summary>The answer to the n-th question, counted from 1.</summary>
    internal RpcDouble OnCount(string method, Func<int, JsonNode?> answer)
    {
        var count = 0;
        return On(method, _ => answer(Interlocked.Increment(ref count)));
    }

    internal int Count(string method) => Asked.Count(m => m == method);

    internal static async Task RespondAsync(HttpListenerContext context, int status, string body, string? header = null, string? value = null)
    {
        context.Response.StatusCode = status;
        if (header is not null)
        {
            context.Response.Headers[header] = value;
        }

        await context.Response.OutputStream.WriteAsync(Encoding.UTF8.GetBytes(body));
        context.Response.Close();
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Close();
        await loop;
        http.Dispose();
        stop.Dispose();
    }

    private async Task LoopAsync()
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var context = await listener.GetContextAsync();
                _ = Task.Run(() => ServeAsync(context));
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(HttpListenerContext context)
    {
        try
        {
            var number = Interlocked.Increment(ref Posts);
            using var reader = new StreamReader(context.Request.InputStream);
            var request = JsonNode.Parse(await reader.ReadToEndAsync())!;
            foreach (var call in request as JsonArray ?? [request.DeepClone()])
            {
                Asked.Enqueue(call!["method"]!.GetValue<string>());
            }

            if (Intercept is not null && await Intercept(context, number))
            {
                return;
            }

            JsonNode response;
            if (request is JsonArray batch)
            {
                var list = new List<JsonNode>();
                foreach (var call in batch)
                {
                    list.Add(await AnswerAsync(call!));
                }

                if (Reverses)
                {
                    list.Reverse();
                }

                response = new JsonArray([.. list]);
            }
            else
            {
                response = await AnswerAsync(request);
            }

            await RespondAsync(context, 200, response.ToJsonString());
        }
        catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or IOException or InvalidOperationException)
        {
            // The client went away, or the double ends.
        }
    }

    private async Task<JsonNode> AnswerAsync(JsonNode call)
    {
        var response = new JsonObject { ["jsonrpc"] = "2.0", ["id"] = call["id"]!.DeepClone() };
        if (!answers.TryGetValue(call["method"]!.GetValue<string>(), out var answer))
        {
            if (Upstream is null)
            {
                response["error"] = new JsonObject { ["code"] = -32601, ["message"] = "method not found" };
                return response;
            }

            using var content = new StringContent(call.ToJsonString());
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var reply = await http.PostAsync(Upstream, content);
            return JsonNode.Parse(await reply.Content.ReadAsStringAsync())!;
        }

        try
        {
            response["result"] = answer((JsonArray)call["params"]!);
        }
        catch (RpcError e)
        {
            response["error"] = new JsonObject { ["code"] = e.Code, ["message"] = e.Message, ["data"] = e.ErrorData };
        }

        return response;
    }
}

/// <summary>An error that a double answers with.</summary>
internal sealed class RpcError(int code, string message, string? data = null) : Exception(message)
{
    internal int Code { get; } = code;

    internal string? ErrorData { get; } = data;
}
