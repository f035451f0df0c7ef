using System.Buffers;
using System.Net.Sockets;
using Shale.Payments.Channel;
using Shale.Wire;

namespace Shale.Agent.Tests.Support;

/// <summary>The bytes at the agent's end of a forwarded channel, as ssh and a gateway send them.</summary>
internal sealed class AgentSocket : IAsyncDisposable
{
    private readonly FrameConnection _connection;

    private AgentSocket(FrameConnection connection) => _connection = connection;

    /// <summary>Only what waits for something that does not come reaches it, on the busiest machine too.</summary>
    public static TimeSpan AtOnce => TimeSpan.FromSeconds(60);

    public static async Task<Socket> RawAsync(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        return socket;
    }

    public static async Task<AgentSocket> ConnectAsync(string path) =>
        new(FrameConnection.Over(new NetworkStream(await RawAsync(path), ownsSocket: true)));

    public static byte[] Bind(ReadOnlySpan<byte> hostKey, ReadOnlySpan<byte> sessionId, ReadOnlySpan<byte> signature, bool forwarding)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new WireWriter(buffer);
        writer.WriteByte(27);
        writer.WriteString("session-bind@openssh.com");
        writer.WriteString(hostKey);
        writer.WriteString(sessionId);
        writer.WriteString(signature);
        writer.WriteBoolean(forwarding);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Asks; null where the agent closed the connection.</summary>
    public async Task<byte[]?> AskAsync(byte[] message)
    {
        using var timeout = new CancellationTokenSource(AtOnce);
        if (!await _connection.WriteAsync(message, timeout.Token))
        {
            return null;
        }

        (FrameStatus status, byte[] answer) = await _connection.ReadAsync(256 * 1024, timeout.Token);
        return status == FrameStatus.Frame ? answer : null;
    }

    public async Task BindAsync(byte[] bind) => Assert.Equal([6], await AskAsync(bind));

    public Task<PayAnswer> HelloAsync(HelloMessage hello) => PayAsync(hello.Write);

    public Task<PayAnswer> ChargeAsync(ChargeMessage charge) => PayAsync(charge.Write);

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private async Task<PayAnswer> PayAsync(Action<IBufferWriter<byte>> write)
    {
        var body = new ArrayBufferWriter<byte>();
        write(body);
        byte[]? answer = await AskAsync(AgentProtocol.WrapRequest(body.WrittenSpan));
        Assert.NotNull(answer);
        Assert.Equal(AgentProtocol.Success, answer[0]);
        ReadOnlySpan<byte> content = answer.AsSpan(1);
        return new PayAnswer(
            WelcomeMessage.TryRead(content, out WelcomeMessage welcome) ? welcome : null,
            PaymentMessage.TryRead(content, out PaymentMessage payment) ? payment : null,
            RefusalMessage.TryRead(content, out RefusalMessage refusal) ? refusal : null);
    }

    internal sealed record PayAnswer(WelcomeMessage? Welcome, PaymentMessage? Payment, RefusalMessage? Refusal)
    {
        public RefusalReason? Reason => Refusal?.Reason;
    }
}
