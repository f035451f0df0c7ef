using System.Net;
using System.Net.Sockets;
using Shale.Gateway.Listening;
using Shale.Gateway.Tests.Payments;
using Shale.Leases;
using Xunit;

namespace Shale.Gateway.Tests.Admin;

public sealed class AdminPageTests : IAsyncLifetime, IDisposable
{
    private const string Status = """
        {"at":"2026-11-21T12:00:00+00:00","provider":7,"epoch":120,"final_epoch":118,"is_draining":true,"open":{"Serving":2,"Ending":1},
         "unsettled":"1500000000000000000","settled":"250000000000000000","settling":[0],"alarms":["lease 3 can't be settled: <b>WrongSignature</b>"]}
        """;

    private readonly string _state = Directory.CreateTempSubdirectory("shale-admin-").FullName;
    private readonly HttpClient _http = new();
    private readonly CancellationTokenSource _stop = new();
    private GatewayHost? _host;
    private Task _running = Task.CompletedTask;
    private Uri? _address;

    public async Task InitializeAsync()
    {
        var admin = new IPEndPoint(IPAddress.Loopback, Ports.Free());
        _address = new Uri($"http://{admin}/");
        _host = await GatewayHost.StartAsync(
            new GatewayOptions
            {
                StateDirectory = _state,
                Listen = new IPEndPoint(IPAddress.Loopback, 0),
                Admin = admin,
                Containers = engine => new ContainerDoubles(engine, TimeProvider.System, _ => false),
            },
            CancellationToken.None);
        _running = _host.RunAsync(_stop.Token);
    }

    public async Task DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        await _host!.DisposeAsync();
        Directory.Delete(_state, recursive: true);
    }

    public void Dispose()
    {
        _http.Dispose();
        _stop.Dispose();
    }

    [Fact]
    public async Task Page_WithAnOperatorAtWork_ShowsLeasesAndMoneyAndEscapesAll()
    {
        Directory.CreateDirectory(Path.Combine(_state, "operator"));
        await File.WriteAllTextAsync(Path.Combine(_state, "operator", "status.json"), Status);
        FileLeaseDirectory.Write(_state, new LeaseRecord { Id = 42, AuthorizedKeys = [], Container = new ContainerTerms { Image = "<script>alert(1)</script>" } });
        var html = "";
        for (var i = 0; i < 1800 && !html.Contains("<td>42<td>", StringComparison.Ordinal); i++)
        {
            await Task.Delay(100);
            html = await _http.GetStringAsync(_address);
        }

        Assert.Contains("<td>42<td>", html, StringComparison.Ordinal);
        Assert.Contains("1.5 FIL", html, StringComparison.Ordinal);
        Assert.Contains("declined: draining", html, StringComparison.Ordinal);
        Assert.Contains("&lt;b&gt;WrongSignature", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", html, StringComparison.Ordinal);
        var metrics = await _http.GetStringAsync(new Uri(_address!, "metrics"));
        Assert.Contains("shale_operator_unsettled_fil 1.5\n", metrics, StringComparison.Ordinal);
        Assert.Contains("shale_operator_open_leases 3\n", metrics, StringComparison.Ordinal);
        Assert.Contains("shale_operator_alarms 1\n", metrics, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("{")]
    [InlineData("""{"at":1}""")]
    public async Task Page_WithoutAnOperatorOrWithAForeignFile_SaysSoAndStands(string? status)
    {
        if (status is not null)
        {
            Directory.CreateDirectory(Path.Combine(_state, "operator"));
            await File.WriteAllTextAsync(Path.Combine(_state, "operator", "status.json"), status);
        }

        Assert.Contains("No operator works on this folder", await _http.GetStringAsync(_address), StringComparison.Ordinal);
        Assert.DoesNotContain("shale_operator", await _http.GetStringAsync(new Uri(_address!, "metrics")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Page_IsReadOnly()
    {
        using var content = new StringContent("");
        foreach (var path in new[] { "", "metrics", "leases" })
        {
            using var answer = await _http.PostAsync(new Uri(_address!, path), content);
            Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
        }
    }
}
