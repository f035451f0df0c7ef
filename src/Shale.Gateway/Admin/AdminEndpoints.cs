using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Shale.Gateway.Leases;

namespace Shale.Gateway.Admin;

/// <summary>What the admin port answers: metrics and a read-only view of the leases.</summary>
internal static class AdminEndpoints
{
    public static void Map(IEndpointRouteBuilder routes, PrometheusText prometheus, LeaseManager leases)
    {
        routes.MapGet("/metrics", async (HttpContext context) =>
        {
            context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
            await context.Response.WriteAsync(prometheus.Write(), context.RequestAborted).ConfigureAwait(false);
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
