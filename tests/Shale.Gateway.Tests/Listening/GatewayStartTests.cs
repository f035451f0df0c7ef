using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Shale.Crypto;
using Shale.Gateway.Listening;
using Shale.Gateway.Tests.Payments;
using Shale.Leases;
using Shale.Ssh.Client;
using Xunit;

namespace Shale.Gateway.Tests.Listening;

/// <summary>What holds from the moment on that a gateway listens: clients come back at once after a restart, and a refusal would be held against their addresses.</summary>
public sealed class GatewayStartTests : IAsyncLifetime, IDisposable
{
    private readonly string _state = Directory.CreateTempSubdirectory("shale-start-").FullName;
    private readonly Ed25519PrivateKey _key = new(RandomNumberGenerator.GetBytes(Ed25519.SeedSize));
    private readonly CancellationTokenSource _stop = new();
    private GatewayHost? _host;
    private Task _running = Task.CompletedTask;

    public async Task InitializeAsync()
    {
        var line = "ssh-ed25519 " + Convert.ToBase64String(ClientIdentity.FromEd25519(_key).PublicKey.Blob.Span);
        FileLeaseDirectory.Write(_state, new LeaseRecord { Id = 7, AuthorizedKeys = [line], Container = new ContainerTerms { Image = "shale/busybox:1" } });
        _host = await GatewayHost.StartAsync(
            new GatewayOptions { StateDirectory = _state, Listen = new IPEndPoint(IPAddress.Loopback, 0), Containers = engine => new ContainerDoubles(engine, TimeProvider.System, _ => false) },
            CancellationToken.None);
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
        _key.Dispose();
        _stop.Dispose();
    }

    [Fact]
    public async Task Lease_OfTheDirectory_IsKnownToWhoeverConnectsFirst()
    {
        await using var client = await ConnectAsync();
        Assert.NotNull(client);
    }

    [Fact]
    public async Task Lease_ThatIsRemovedBeforeItIsServed_IsOver()
    {
        FileLeaseDirectory.Remove(_state, 7);
        _running = _host!.RunAsync(_stop.Token);
        await Wait.UntilAsync(
            async () =>
            {
                await using var client = await ConnectAsync();
                return client is null;
            },
            "the lease to be over",
            milliseconds: 1000);
    }

    private async Task<SshClient?> ConnectAsync()
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(_host!.Endpoint);
        var options = new SshClientOptions { UserName = "7", Identity = ClientIdentity.FromEd25519(_key), VerifyHostKey = (_, _) => ValueTask.FromResult(true), KeyExchangeAlgorithms = ["curve25519-sha256"] };
        return (await SshClient.ConnectAsync(socket, options, CancellationToken.None)).Client;
    }
}
