using System.Net;
using System.Net.Sockets;

namespace Shale.Interop.Tests.Payments;

/// <summary>A network between client and gateway that is slow, or carries nothing for a while: the kernel here has no netem. TCP connections stay, as they do when a cable is pulled.</summary>
internal sealed class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly int _to;
    private volatile TaskCompletionSource? _cut;

    public TcpProxy(int to)
    {
        _to = to;
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _ = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>How long each piece takes on its way.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>Nothing arrives any more, either way, until <see cref="Heal"/>.</summary>
    public void Cut() => _cut = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Heal()
    {
        var cut = _cut;
        _cut = null;
        cut?.SetResult();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync(_stop.Token);
                var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await server.ConnectAsync(IPAddress.Loopback, _to, _stop.Token);
                client.NoDelay = server.NoDelay = true;
                _ = RelayAsync(client, server);
                _ = RelayAsync(server, client);
            }
        }
        catch (Exception end) when (end is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over, or the gateway is.
        }
    }

    private async Task RelayAsync(Socket from, Socket to)
    {
        var buffer = new byte[32 * 1024];
        try
        {
            int read;
            while ((read = await from.ReceiveAsync(buffer, _stop.Token)) > 0)
            {
                await Task.Delay(Delay, _stop.Token);
                if (_cut is { } cut)
                {
                    await cut.Task.WaitAsync(_stop.Token);
                }

                for (var sent = 0; sent < read;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, read - sent), _stop.Token);
                }
            }
        }
        catch (Exception end) when (end is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // One side is gone.
        }

        from.Dispose();
        to.Dispose();
    }
}
