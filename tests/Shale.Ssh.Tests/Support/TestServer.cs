using System.Net;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shale.Ssh.Connection;
using Shale.Ssh.Forwarding;
using Shale.Ssh.Keys;
using Shale.Ssh.Listening;

namespace Shale.Ssh.Tests.Support;

/// <summary>A server on a port of the loopback interface, hosted by Kestrel as the product's is.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly IReadOnlyList<HostKey> _hostKeys;

    private TestServer(WebApplication application, IReadOnlyList<HostKey> hostKeys, TestAuthenticator authenticator, ShellSessionHandler sessions, SshConnectionHandler handler, int port)
    {
        _application = application;
        _hostKeys = hostKeys;
        Authenticator = authenticator;
        Sessions = sessions;
        Handler = handler;
        Port = port;
    }

    public TestAuthenticator Authenticator { get; }

    public ShellSessionHandler Sessions { get; }

    public SshConnectionHandler Handler { get; }

    public IReadOnlyList<HostKey> HostKeys => _hostKeys;

    public int Port { get; }

    public static async Task<TestServer> StartAsync(
        Action<SshServerOptions>? configure = null, IConnectionObserver? observer = null, IForwardingHandler? forwarding = null, TimeProvider? time = null)
    {
        var hostKeys = TestKeys.HostKeys;
        var authenticator = new TestAuthenticator();
        var sessions = new ShellSessionHandler();
        var log = Environment.GetEnvironmentVariable("SHALE_TEST_LOG") is not null;
        var options = new SshServerOptions
        {
            HostKeys = hostKeys,
            Authenticator = authenticator,
            Sessions = sessions,
            Observer = observer,
            Forwarding = forwarding,
            SourcePenalties = null,
            TimeProvider = time ?? TimeProvider.System,
            LoggerFactory = log ? LoggerFactory.Create(b => b.AddSimpleConsole().SetMinimumLevel(LogLevel.Debug)) : Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance,
        };
        configure?.Invoke(options);
        var handler = new SshConnectionHandler(options);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Run(handler.OnConnectedAsync)));
        var application = builder.Build();
        await application.StartAsync();
        return new TestServer(application, hostKeys, authenticator, sessions, handler, new Uri(application.Urls.First()).Port);
    }

    public async ValueTask DisposeAsync()
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await _application.StopAsync(timeout.Token);
        await _application.DisposeAsync();
    }
}
