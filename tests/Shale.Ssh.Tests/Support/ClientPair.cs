using System.Net;
using Shale.Crypto;
using Shale.Ssh.Client;
using Xunit;

namespace Shale.Ssh.Tests.Support;

/// <summary>Our own client and server, in memory.</summary>
internal sealed class ClientPair : IAsyncDisposable
{
    private readonly Ed25519PrivateKey _key;
    private readonly Task _serving;

    private ClientPair(MemoryServer server, SshClient client, Ed25519PrivateKey key, Task serving)
    {
        Server = server;
        Client = client;
        _key = key;
        _serving = serving;
    }

    public MemoryServer Server { get; }

    public SshClient Client { get; }

    public static async Task<ClientPair> CreateAsync(MemoryServer? server = null, Func<ClientIdentity, SshClientOptions>? options = null)
    {
        server ??= new MemoryServer();
        var key = new Ed25519PrivateKey(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));
        var identity = ClientIdentity.FromEd25519(key);
        server.Authenticator.Allow(identity.PublicKey.Fingerprint);
        var (pipe, serving) = server.Connect(new IPEndPoint(IPAddress.Loopback, 1));
        var result = await SshClient.ConnectAsync(pipe, null, options?.Invoke(identity) ?? Options(identity), CancellationToken.None);
        Assert.True(result.IsConnected, result.Closed.ToString());
        return new ClientPair(server, result.Client, key, serving);
    }

    public static SshClientOptions Options(ClientIdentity identity) => new()
    {
        UserName = "user",
        Identity = identity,
        VerifyHostKey = (_, _) => ValueTask.FromResult(true),
    };

    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
        await _serving.WaitAsync(TimeSpan.FromSeconds(120));
        _key.Dispose();
    }
}
