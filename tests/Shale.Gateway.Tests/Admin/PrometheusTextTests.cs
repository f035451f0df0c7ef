using Shale.Gateway.Admin;
using Xunit;

namespace Shale.Gateway.Tests.Admin;

public sealed class PrometheusTextTests
{
    [Fact]
    public void Instruments_AfterMeasurements_ReadAsTheFormatAsks()
    {
        using var text = new PrometheusText();
        using var metrics = new GatewayMetrics();
        metrics.ConnectionOpened();
        metrics.ConnectionOpened();
        metrics.ConnectionClosed();
        using (metrics.CountSession("exec"))
        {
            metrics.ProcessStarted(0.02);
        }

        using var open = metrics.CountSession("exec");
        metrics.ProcessStarted(0.3);
        metrics.Transferred("out", 1000);
        metrics.Refused("a \"reason\"\n");
        var lines = text.Write().Split('\n');

        Assert.Contains("# TYPE shale_gateway_connections_total counter", lines);
        Assert.Contains("shale_gateway_connections_total 2", lines);
        Assert.Contains("# TYPE shale_gateway_connections_open gauge", lines);
        Assert.Contains("shale_gateway_connections_open 1", lines);
        Assert.Contains("shale_gateway_sessions_total{kind=\"exec\"} 2", lines);
        Assert.Contains("shale_gateway_sessions_open 1", lines);
        Assert.Contains("# TYPE shale_gateway_exec_start_seconds histogram", lines);
        // Buckets are cumulative, and the last one holds everything.
        Assert.Contains("shale_gateway_exec_start_seconds_bucket{le=\"0.01\"} 0", lines);
        Assert.Contains("shale_gateway_exec_start_seconds_bucket{le=\"0.025\"} 1", lines);
        Assert.Contains("shale_gateway_exec_start_seconds_bucket{le=\"0.5\"} 2", lines);
        Assert.Contains("shale_gateway_exec_start_seconds_bucket{le=\"+Inf\"} 2", lines);
        Assert.Contains("shale_gateway_exec_start_seconds_count 2", lines);
        Assert.Contains("shale_gateway_bytes_total{direction=\"out\"} 1000", lines);
        Assert.Contains("shale_gateway_refusals_total{reason=\"a \\\"reason\\\"\\n\"} 1", lines);
    }
}
