using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Shale.Gateway.Listening;

namespace Shale.Gateway.Payments;

/// <summary>
/// Serves a voucher log's checkpoint, tiles and bundles, and nothing else of its folder, at the paths of C2SP tlog-tiles. A server of its own: what
/// strangers reach shares no port with the metrics.
/// </summary>
internal sealed partial class LogServer : IAsyncDisposable
{
    // Mirrors and auditors are few; past this many a connection is closed at once.
    private const int MaxConnections = 256;

    // A full tile never changes; a checkpoint is replaced about once a second.
    private const string Forever = "public, max-age=31536000, immutable";
    private const string Briefly = "public, max-age=1";

    private readonly WebApplication _web;

    private LogServer(WebApplication web) => _web = web;

    /// <summary>Where it is served, with the port that the system chose where 0 was asked for.</summary>
    public string Address => _web.Urls.First();

    /// <summary>Begins to serve.</summary>
    /// <exception cref="GatewayStartException">The address can't be had.</exception>
    public static async Task<LogServer> StartAsync(IPEndPoint listen, string folder, CancellationToken cancellation)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { Args = [], ContentRootPath = folder });
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = MaxConnections;
            kestrel.Limits.MaxRequestBodySize = 0;
            kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(30);
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
            kestrel.Listen(listen);
        });
        var web = builder.Build();
        web.Run(context => AnswerAsync(context, folder));
        try
        {
            await web.StartAsync(cancellation).ConfigureAwait(false);
            return new LogServer(web);
        }
        catch (Exception cause) when (cause is SocketException || (cause is IOException && cause.InnerException is AddressInUseException or SocketException))
        {
            await web.DisposeAsync().ConfigureAwait(false);
            throw new GatewayStartException($"The voucher log can't be served on {listen}: {cause.Message}", "Choose another address and port with --log_listen.", cause);
        }
    }

    public async ValueTask DisposeAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await _web.StopAsync(limit.Token).ConfigureAwait(false);
        await _web.DisposeAsync().ConfigureAwait(false);
    }

    private static async Task AnswerAsync(HttpContext context, string folder)
    {
        var path = context.Request.Path.Value?.TrimStart('/') ?? "";
        if (!HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method))
        {
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            context.Response.Headers.Allow = "GET, HEAD";
            return;
        }

        // Only what the specification names can leave the folder: the journal and the lock can't, nor anything beside it.
        var isCheckpoint = path == "checkpoint";
        if (!isCheckpoint && !Tile().IsMatch(path))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        byte[] bytes;
        try
        {
            // At most 16 MiB (256 entries of 64 KiB), in practice some 100 kB; a partial tile may go away while it is read.
            bytes = await File.ReadAllBytesAsync(Path.Combine(folder, path), context.RequestAborted).ConfigureAwait(false);
        }
        catch (Exception gone) when (gone is FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        context.Response.ContentType = isCheckpoint ? "text/plain; charset=utf-8" : "application/octet-stream";
        context.Response.Headers.CacheControl = isCheckpoint || path.Contains(".p/", StringComparison.Ordinal) ? Briefly : Forever;
        context.Response.ContentLength = bytes.Length;
        if (HttpMethods.IsGet(context.Request.Method))
        {
            await context.Response.Body.WriteAsync(bytes, context.RequestAborted).ConfigureAwait(false);
        }
    }

    [GeneratedRegex(@"^tile/(entries|[0-7])/(x[0-9]{3}/){0,6}[0-9]{3}(\.p/[0-9]{1,3})?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Tile();
}
