using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Shale.Containers.Engine;

namespace Shale.Containers.Tests;

/// <summary>A Unix socket that answers each HTTP request as a test wants.</summary>
internal sealed class FakeEngine : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly string _path;

    public FakeEngine(string folder, Func<NetworkStream, string, Task> answer)
    {
        _path = Path.Combine(folder, Guid.NewGuid().ToString("N")[..6]);
        _listener.Bind(new UnixDomainSocketEndPoint(_path));
        _listener.Listen();
        Endpoint = EngineEndpoint.Parse("unix://" + _path);
        _ = Task.Run(async () =>
        {
            while (true)
            {
                var socket = await _listener.AcceptAsync();
                _ = Task.Run(async () =>
                {
                    try
                    {
                        await using var stream = new NetworkStream(socket, true);
                        using var reader = new StreamReader(stream, Encoding.ASCII, false, 1, true);
                        var request = await reader.ReadLineAsync() ?? "";
                        while (await reader.ReadLineAsync() is { Length: > 0 })
                        {
                        }

                        await answer(stream, request);
                    }
                    catch (Exception e) when (e is IOException or OperationCanceledException)
                    {
                        // The client gave up, as it should.
                    }
                });
            }
        });
    }

    public EngineEndpoint Endpoint { get; }

    public static async Task AnswerAsync(NetworkStream stream, int status, string body) =>
        await stream.WriteAsync(Encoding.UTF8.GetBytes($"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\nConnection: close\r\n\r\n{body}"));

    public void Dispose()
    {
        _listener.Dispose();
        File.Delete(_path);
    }
}

/// <summary>Passes connections on to the machine's engine, over a Unix socket (always the same one of a folder) or over TCP, until it is disposed.</summary>
internal sealed class EngineProxy : IDisposable
{
    private readonly Socket _listener;
    private readonly List<IDisposable> _open = [];
    private readonly string? _path;

    public EngineProxy(string? folder, X509Certificate2? certificate = null, X509Certificate2? clients = null)
    {
        if (folder is null)
        {
            _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            Address = $"tcp://localhost:{((IPEndPoint)_listener.LocalEndPoint!).Port}";
            Endpoint = EngineEndpoint.Parse(Address);
        }
        else
        {
            _path = Path.Combine(folder, "proxy");
            File.Delete(_path);
            _listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            _listener.Bind(new UnixDomainSocketEndPoint(_path));
            Endpoint = EngineEndpoint.Parse("unix://" + _path);
        }

        _listener.Listen();
        _ = Task.Run(async () =>
        {
            while (true)
            {
                var here = await _listener.AcceptAsync();
                var there = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await there.ConnectAsync(new UnixDomainSocketEndPoint(EngineEndpoint.DefaultSocket));
                lock (_open)
                {
                    _open.AddRange([here, there]);
                }

                Stream stream = new NetworkStream(here, true);
                if (certificate is not null)
                {
                    var tls = new SslStream(stream);
                    try
                    {
                        await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
                        {
                            ServerCertificate = certificate,
                            ClientCertificateRequired = true,
                            RemoteCertificateValidationCallback = (_, shown, _, _) => shown?.Issuer == clients!.Subject,
                        });
                    }
                    catch (Exception e) when (e is IOException or AuthenticationException)
                    {
                        stream.Dispose();
                        there.Dispose();
                        continue;
                    }

                    stream = tls;
                }

                var engine = new NetworkStream(there, true);
                _ = CopyAsync(stream, engine);
                _ = CopyAsync(engine, stream);
            }
        });
    }

    public EngineEndpoint Endpoint { get; }

    public string? Address { get; }

    public void Dispose()
    {
        _listener.Dispose();
        lock (_open)
        {
            _open.ForEach(s => s.Dispose());
        }

        if (_path is not null)
        {
            File.Delete(_path);
        }
    }

    private static async Task CopyAsync(Stream from, Stream to)
    {
        var buffer = new byte[65536];
        try
        {
            int read;
            while ((read = await from.ReadAsync(buffer)) > 0)
            {
                await to.WriteAsync(buffer.AsMemory(0, read));
            }

            if (to is SslStream tls)
            {
                await tls.ShutdownAsync();
            }
            else
            {
                ((NetworkStream)to).Socket.Shutdown(SocketShutdown.Send);
            }
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException or InvalidOperationException)
        {
            // One side is gone.
        }
    }
}
