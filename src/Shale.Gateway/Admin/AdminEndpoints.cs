using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Shale.Gateway.Leases;

namespace Shale.Gateway.Admin;

/// <summary>What the admin port answers: a page for people, metrics, and the leases as a table for scripts; all read-only.</summary>
internal static class AdminEndpoints
{
    public static void Map(IEndpointRouteBuilder routes, PrometheusText prometheus, AdminPage page, LeaseManager leases)
    {
        routes.MapGet("/", async (HttpContext context) =>
        {
            // Everything on it is this page's own: whatever a lease's message might smuggle in has nothing to run with.
            context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
            context.Response.Headers.CacheControl = "no-store";
            context.Response.ContentType = "text/html; charset=utf-8";
            await context.Response.WriteAsync(page.Html(), context.RequestAborted).ConfigureAwait(false);
        });
        routes.MapGet("/metrics", async (HttpContext context) =>
        {
            context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
            await context.Response.WriteAsync(prometheus.Write() + page.OperatorMetrics(), context.RequestAborted).ConfigureAwait(false);
        });
        routes.MapGet("/leases", async (HttpContext context) =>
        {
            context.Response.ContentType = "text/plain; charset=utf-8";
            await context.Response.WriteAsync("lease\tstate\tconnections\timage\tmessage\n", context.RequestAborted).ConfigureAwait(false);
            foreach (var lease in leases.Services.OrderBy(l => l.Id))
            {
                await context.Response.WriteAsync(
                    $"{lease.Id}\t{lease.State}\t{lease.Connections.Count}\t{lease.Record.Container.Image}\t{lease.Message.ReplaceLineEndings(" ")}\n",
                    context.RequestAborted).ConfigureAwait(false);
            }
        });
    }
}
