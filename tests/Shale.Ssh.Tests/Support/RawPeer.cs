using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Shale.Crypto;
using Shale.Ssh.Client;
using Shale.Ssh.Connection;
using Shale.Ssh.Listening;
using Shale.Ssh.Transport;
using Shale.Wire;
using Xunit;

namespace Shale.Ssh.Tests.Support;

/// <summary>A server in memory, and what it is made of.</summary>
internal sealed class MemoryServer
{
    public MemoryServer(Action<SshServerOptions>? configure = null, TimeProvider? time = null, IConnectionObserver? observer = null)
    {
        Options = new SshServerOptions
        {
            HostKeys = TestKeys.HostKeys,
            Authenticator = Authenticator,
            Sessions = Sessions,
            Observer = observer,
            SourcePenalties = null,
            TimeProvider = time ?? TimeProvider.System,
        };
        configure?.Invoke(Options);
        Handler = new SshConnectionHandler(Options);
    }

    public TestAuthenticator Authenticator { get; } = new();

    public ShellSessionHandler Sessions { get; } = new();

    public SshServerOptions Options { get; }

    public SshConnectionHandler Handler { get; }

    /// <summary>Makes a connection; the server serves it from now on.</summary>
    public (IDuplexPipe Pipe, Task Serving) Connect(EndPoint? remote = null)
    {
        var up = new Pipe(new PipeOptions(useSynchronizationContext: false));
        var down = new Pipe(new PipeOptions(useSynchronizationContext: false));
        var context = new DefaultConnectionContext(Guid.NewGuid().ToString("N")) { Transport = new Duplex(up.Reader, down.Writer), RemoteEndPoint = remote };
        return (new Duplex(down.Reader, up.Writer), ServeAsync(context));
    }

    private async Task ServeAsync(ConnectionContext context)
    {
        await Handler.OnConnectedAsync(context);

        // As Kestrel does.
        await context.Transport.Output.CompleteAsync();
        await context.Transport.Input.CompleteAsync();
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}

/// <summary>A client that sends whatever it likes.</summary>
internal sealed class RawPeer : IAsyncDisposable
{
    private readonly MemoryServer _server;

    public RawPeer(MemoryServer server, TransportOptions? options = null, EndPoint? remote = null)
    {
        _server = server;
        (var pipe, Serving) = server.Connect(remote);
        Transport = new SshTransport(pipe, Role.Client, options ?? Options());
    }

    public SshTransport Transport { get; }

    /// <summary>Completes when the server is done with the connection.</summary>
    public Task Serving { get; }

    public Ed25519PrivateKey Key { get; } = new(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));

    public ClientIdentity Identity => ClientIdentity.FromEd25519(Key);

    public static TransportOptions Options(string cipher = "aes128-gcm@openssh.com") => new()
    {
        SoftwareVersion = "Raw",
        VerifyHostKey = (_, _) => ValueTask.FromResult(true),
        HostKeyAlgorithms = ["ssh-ed25519"],
        KexAlgorithms = ["curve25519-sha256"],
        Ciphers = [cipher],
        Macs = ["hmac-sha2-256-etm@openssh.com"],
    };

    /// <summary>A peer with keys.</summary>
    public static async Task<RawPeer> OpenAsync(MemoryServer server, EndPoint? remote = null)
    {
        var peer = new RawPeer(server, remote: remote);
        Assert.True(await peer.Transport.OpenAsync());
        return peer;
    }

    /// <summary>A peer whose authentication service was granted.</summary>
    public static async Task<RawPeer> OpenServiceAsync(MemoryServer server)
    {
        var peer = await OpenAsync(server);
        peer.Transport.Send(new ServiceRequestMessage(ServiceRequestMessage.UserAuth));
        Assert.True(await peer.Transport.ReceiveAsync());
        peer.Transport.Enter(Phase.Authentication);
        return peer;
    }

    /// <summary>A peer that is authenticated.</summary>
    public static async Task<RawPeer> AuthenticateAsync(MemoryServer server)
    {
        var peer = await OpenAsync(server);
        server.Authenticator.Allow(peer.Identity.PublicKey.Fingerprint);
        Assert.True(await ClientAuthentication.RunAsync(peer.Transport, new SshClientOptions
        {
            UserName = "user",
            Identity = peer.Identity,
            VerifyHostKey = (_, _) => ValueTask.FromResult(true),
        }));

        // What the server says of itself first.
        Assert.Equal(MessageNumber.GlobalRequest, (await peer.ReceiveAsync())[0]);
        return peer;
    }

    public void Send(params ReadOnlySpan<byte> payload) => Transport.Writer.Send(payload);

    /// <summary>Sends a message with fields: uint is a uint32, string and byte[] are strings, bool and byte are bytes.</summary>
    public void SendMessage(byte number, params object[] fields)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new WireWriter(buffer);
        writer.WriteByte(number);
        foreach (var field in fields)
        {
            switch (field)
            {
                case uint u: writer.WriteUInt32(u); break;
                case string s: writer.WriteString(s); break;
                case byte[] b: writer.WriteString(b); break;
                case bool b: writer.WriteBoolean(b); break;
                case byte b: writer.WriteByte(b); break;
                default: throw new ArgumentException(field.ToString());
            }
        }

        Send(buffer.WrittenSpan);
    }

    public async Task<byte[]> ReceiveAsync()
    {
        Assert.True(await Transport.ReceiveAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(120)), Transport.Closing.ToString());
        return Transport.Payload.ToArray();
    }

    /// <summary>Receives until a message of a number comes.</summary>
    public async Task<byte[]> ReceiveAsync(byte number)
    {
        while (true)
        {
            var payload = await ReceiveAsync();
            if (payload[0] == number)
            {
                return payload;
            }
        }
    }

    /// <summary>Opens a session channel, as our number 7.</summary>
    /// <returns>The server's number.</returns>
    public async Task<uint> OpenSessionAsync(uint window = 1 << 20, uint number = 7)
    {
        SendMessage(MessageNumber.ChannelOpen, "session", number, window, 32768u);
        var confirmation = await ReceiveAsync(MessageNumber.ChannelOpenConfirmation);
        return BinaryPrimitives.ReadUInt32BigEndian(confirmation.AsSpan(5));
    }

    public async Task ExecAsync(uint channel, string command)
    {
        SendMessage(MessageNumber.ChannelRequest, channel, "exec", true, command);
        Assert.Equal(MessageNumber.ChannelSuccess, (await ReceiveAsync())[0]);
    }

    /// <summary>Reads on until the server disconnects, and waits until it is done.</summary>
    public async Task<ConnectionClosed> ExpectDisconnectAsync()
    {
        while (await Transport.ReceiveAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(120)))
        {
        }

        Assert.True(Transport.Closing.ByPeer, Transport.Closing.ToString());
        await Transport.DisposeAsync();
        await Serving.WaitAsync(TimeSpan.FromSeconds(120));
        return Transport.Closing;
    }

    public async ValueTask DisposeAsync()
    {
        await Transport.DisposeAsync();
        await Serving.WaitAsync(TimeSpan.FromSeconds(120));
        Key.Dispose();
    }
}

/// <summary>A client before its first keys: packets in clear, in any order.</summary>
internal sealed class ClearPeer
{
    private readonly PacketWriter _writer;
    private readonly PacketReader _reader;

    public ClearPeer(MemoryServer server, EndPoint? remote = null)
    {
        (Pipe, Serving) = server.Connect(remote);
        _writer = new PacketWriter(Pipe.Output, long.MaxValue, () => { }, () => true);
        _ = _writer.RunAsync();
        _reader = new PacketReader(Pipe.Input);
    }

    public IDuplexPipe Pipe { get; }

    public Task Serving { get; }

    public void Identify(string line = "SSH-2.0-Clear\r\n")
    {
        _writer.WriteRaw(Encoding.ASCII.GetBytes(line));
        _writer.Flush();
    }

    public void Send(params ReadOnlySpan<byte> payload) => _writer.Send(payload);

    public void SendKexInit(params string[] kex)
    {
        var buffer = new ArrayBufferWriter<byte>();
        KeyExchange.KexInit.Offer(kex, ["ssh-ed25519"], ["aes128-ctr"], ["hmac-sha2-256"]).Write(new WireWriter(buffer));
        Send(buffer.WrittenSpan);
    }

    /// <summary>Reads all that the server says until it closes: its line, then its messages.</summary>
    public async Task<(string Line, List<byte[]> Messages)> ReadToEndAsync()
    {
        var messages = new List<byte[]>();
        var (status, line) = await _reader.ReadLineAsync(1024).AsTask().WaitAsync(TimeSpan.FromSeconds(120));
        while (status == PacketStatus.Packet)
        {
            status = await _reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(120));
            if (status == PacketStatus.Packet)
            {
                messages.Add(_reader.Payload.ToArray());
            }
        }

        await Pipe.Input.CompleteAsync();
        await Pipe.Output.CompleteAsync();
        await Serving.WaitAsync(TimeSpan.FromSeconds(120));
        return (Encoding.ASCII.GetString(line), messages);
    }

    public async Task<byte[]?> ReadAsync()
    {
        var status = await _reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(120));
        return status == PacketStatus.Packet ? _reader.Payload.ToArray() : null;
    }

    public async Task<string> ReadLineAsync() =>
        Encoding.ASCII.GetString((await _reader.ReadLineAsync(1024).AsTask().WaitAsync(TimeSpan.FromSeconds(120))).Line);
}
