using System.Buffers.Binary;
using System.Text;
using Shale.Ssh.Connection;
using Shale.Ssh.KeyExchange;
using Shale.Ssh.Tests.Support;
using Shale.Ssh.Transport;
using Shale.Testing;
using Xunit;

namespace Shale.Ssh.Tests;

/// <summary>How servers of this kind were broken below authentication.</summary>
public sealed class TransportAttackTests
{
    private const string Strict = Negotiation.StrictClient;

    [Theory]
    [InlineData(MessageNumber.Ignore)]
    [InlineData(MessageNumber.Debug)]
    [InlineData(MessageNumber.Unimplemented)]
    [InlineData((byte)200)]
    public async Task StrictExchange_AnythingElseWithin_Disconnects(byte number)
    {
        // Terrapin (CVE-2023-48795), after KEXINIT.
        var peer = new ClearPeer(new MemoryServer());
        peer.Identify();
        peer.SendKexInit("curve25519-sha256", Strict);
        peer.Send(number, 0, 0, 0, 0);
        var (_, messages) = await peer.ReadToEndAsync();
        Assert.Equal(MessageNumber.Disconnect, messages[^1][0]);
        Assert.Equal((byte)DisconnectReason.ProtocolError, messages[^1][4]);
    }

    [Fact]
    public async Task StrictExchange_IgnoreBeforeKexInit_Disconnects()
    {
        // Terrapin, before KEXINIT: what shifts the sequence numbers.
        var peer = new ClearPeer(new MemoryServer());
        peer.Identify();
        peer.Send(MessageNumber.Ignore, 0, 0, 0, 0);
        peer.SendKexInit("curve25519-sha256", Strict);
        var (_, messages) = await peer.ReadToEndAsync();
        Assert.Equal(MessageNumber.Disconnect, messages[^1][0]);
    }

    [Fact]
    public async Task ExchangeThatIsNotStrict_IgnoreWithin_GoesOn()
    {
        var peer = new ClearPeer(new MemoryServer());
        peer.Identify();
        await peer.ReadLineAsync();
        peer.Send(MessageNumber.Ignore, 0, 0, 0, 0);
        peer.SendKexInit("curve25519-sha256");
        peer.Send(MessageNumber.Ignore, 0, 0, 0, 0);
        var value = new byte[37];
        value[0] = MessageNumber.KexExchangeInit;
        value[4] = 32;
        value[5] = 9;
        peer.Send(value);
        Assert.Equal(MessageNumber.KexInit, (await peer.ReadAsync())![0]);
        Assert.Equal(MessageNumber.KexExchangeReply, (await peer.ReadAsync())![0]);
    }

    [Theory]
    [InlineData("curve25519-sha256", 0, 32)] // the point of order 1: a secret of zeros
    [InlineData("curve25519-sha256", 9, 31)]
    [InlineData("curve25519-sha256", 9, 33)]
    [InlineData("ecdh-sha2-nistp256", 4, 65)] // not on the curve
    [InlineData("ecdh-sha2-nistp256", 0, 1)] // the point at infinity
    [InlineData("ecdh-sha2-nistp521", 2, 67)] // compressed
    [InlineData("mlkem768x25519-sha256", 0xFF, 1216)] // coefficients above q (FIPS 203 section 7.2)
    [InlineData("sntrup761x25519-sha512", 0, 1189)]
    public async Task ExchangeValue_ThatCannotBe_Disconnects(string kex, byte fill, int length)
    {
        var peer = new ClearPeer(new MemoryServer());
        peer.Identify();
        peer.SendKexInit(kex, Strict);
        var message = new byte[5 + length];
        message.AsSpan().Fill(fill);
        message[0] = MessageNumber.KexExchangeInit;
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), length);
        peer.Send(message);
        var (_, messages) = await peer.ReadToEndAsync();
        Assert.Equal(MessageNumber.Disconnect, messages[^1][0]);
        Assert.Equal((byte)DisconnectReason.KeyExchangeFailed, messages[^1][4]);
    }

    [Theory]
    [InlineData("diffie-hellman-group14-sha256", 0)]
    [InlineData("diffie-hellman-group14-sha256", 1)]
    [InlineData("diffie-hellman-group16-sha512", 1)]
    [InlineData("diffie-hellman-group18-sha512", 1)]
    [InlineData("diffie-hellman-group14-sha256", -1)] // p - 1
    [InlineData("diffie-hellman-group14-sha256", -2)] // p
    public async Task DhValue_OutsideTheGroup_Disconnects(string kex, int value)
    {
        var prime = kex.Contains("14", StringComparison.Ordinal) ? ModpGroup.Group14.Prime : ModpGroup.Group16.Prime;
        byte[] magnitude = value switch { 0 => [], 1 => [1], -1 => [0, .. prime[..^1], (byte)(prime[^1] - 1)], _ => [0, .. prime] };
        var peer = new ClearPeer(new MemoryServer());
        peer.Identify();
        peer.SendKexInit(kex, Strict);
        var message = new byte[5 + magnitude.Length];
        message[0] = MessageNumber.KexExchangeInit;
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), magnitude.Length);
        magnitude.CopyTo(message, 5);
        peer.Send(message);
        var (_, messages) = await peer.ReadToEndAsync();
        Assert.Equal(MessageNumber.Disconnect, messages[^1][0]);
        Assert.Equal((byte)DisconnectReason.KeyExchangeFailed, messages[^1][4]);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n")]
    [InlineData("\r\n")]
    [InlineData("SSH-1.5-Old\r\n")]
    [InlineData("SSH-2.0-\u0001\r\n")]
    [InlineData("hello\nSSH-2.0-Late\r\n")]
    public async Task Identification_ThatCannotBe_IsRefusedInWords(string line)
    {
        var peer = new ClearPeer(new MemoryServer());
        peer.Identify(line);
        await peer.Pipe.Output.FlushAsync();
        var text = await ReadTextAsync(peer);
        Assert.Matches("(Invalid SSH identification string|Protocol major versions differ)\\.\r\n$", text);
    }

    [Fact]
    public async Task Identification_WithoutEnd_IsCutOff()
    {
        var peer = new ClearPeer(new MemoryServer());
        peer.Identify(new string('S', 300));
        Assert.Contains("Invalid SSH identification string", await ReadTextAsync(peer), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(5u)]
    [InlineData(13u)]
    [InlineData(35_004u)]
    [InlineData(0x7FFF_FFFCu)]
    [InlineData(0xFFFF_FFFCu)]
    public async Task PacketLength_OutOfBounds_DisconnectsBeforeItsBytesCome(uint length)
    {
        var peer = new ClearPeer(new MemoryServer());
        peer.Identify();
        var head = new byte[8];
        BinaryPrimitives.WriteUInt32BigEndian(head, length);
        await peer.Pipe.Output.WriteAsync(head);
        var (_, messages) = await peer.ReadToEndAsync();
        Assert.Equal(MessageNumber.Disconnect, messages[^1][0]);
    }

    [Fact]
    public async Task Packet_WithOneBitTurned_DisconnectsWithMacError()
    {
        foreach (var cipher in Ciphers.CipherSuite.CipherNames)
        {
            var server = new MemoryServer();
            var (pipe, serving) = server.Connect();
            var transport = new SshTransport(new TurningPipe(pipe), Role.Client, RawPeer.Options(cipher));
            Assert.True(await transport.OpenAsync());
            TurningPipe.TurnNext = true;
            transport.Send(new ServiceRequestMessage(ServiceRequestMessage.UserAuth));
            Assert.False(await transport.ReceiveAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(120)));
            Assert.Equal(DisconnectReason.MacError, transport.Closing.Reason);
            await transport.DisposeAsync();
            await serving;
        }
    }

    [Fact]
    public async Task Messages_OfTheConnectionProtocolBeforeAuthentication_AllDisconnect()
    {
        // CVE-2025-32433.
        for (var number = 80; number < 256; number++)
        {
            await using var beforeService = await RawPeer.OpenAsync(new MemoryServer());
            beforeService.SendMessage((byte)number, "session", 0u, 0u, 0u);
            Assert.Equal(DisconnectReason.ProtocolError, (await beforeService.ExpectDisconnectAsync()).Reason);
            if (number is >= 80 and <= 100)
            {
                await using var beforeSuccess = await RawPeer.OpenServiceAsync(new MemoryServer());
                beforeSuccess.SendMessage((byte)number, "session", 0u, 0u, 0u);
                Assert.Equal(DisconnectReason.ProtocolError, (await beforeSuccess.ExpectDisconnectAsync()).Reason);
            }
        }
    }

    [Theory]
    [InlineData(MessageNumber.UserAuthSuccess)] // CVE-2018-10933
    [InlineData(MessageNumber.UserAuthFailure)]
    [InlineData(MessageNumber.UserAuthBanner)]
    [InlineData(MessageNumber.UserAuthPkOk)]
    [InlineData(MessageNumber.ServiceAccept)]
    [InlineData(MessageNumber.NewKeys)]
    [InlineData(MessageNumber.KexExchangeInit)]
    [InlineData((byte)61)]
    public async Task Messages_ThatOnlyServersSendOrOutOfPlace_Disconnect(byte number)
    {
        await using var peer = await RawPeer.OpenServiceAsync(new MemoryServer());
        peer.Send(number);
        Assert.Equal(DisconnectReason.ProtocolError, (await peer.ExpectDisconnectAsync()).Reason);
    }

    [Fact]
    public async Task Message_Unknown_IsAnsweredUnimplemented()
    {
        var server = new MemoryServer();
        await using var peer = await RawPeer.AuthenticateAsync(server);
        peer.Send(201);
        peer.SendMessage(MessageNumber.GlobalRequest, "unheard@of", true);
        Assert.Equal(MessageNumber.RequestFailure, (await peer.ReceiveAsync(MessageNumber.RequestFailure))[0]);
        Assert.False(peer.Transport.IsClosing);
    }

    [Fact]
    public async Task Ping_IsAnsweredWithItsData()
    {
        var reader = await RawPeer.AuthenticateAsync(new MemoryServer());
        await using (reader)
        {
            // The client's transport swallows PONG, so count what the server sent for it.
            var before = reader.Transport.BytesReceived;
            reader.SendMessage(MessageNumber.Ping, new byte[1000]);
            reader.SendMessage(MessageNumber.GlobalRequest, "x", true);
            await reader.ReceiveAsync(MessageNumber.RequestFailure);
            Assert.InRange(reader.Transport.BytesReceived - before, 1000, 1200);
        }
    }

    [Fact]
    public async Task PingFlood_OfAPeerThatDoesNotRead_StopsAtABound()
    {
        var server = new MemoryServer();
        await using var peer = await RawPeer.AuthenticateAsync(server);
        var ping = new byte[1 + 4 + 16_000];
        ping[0] = MessageNumber.Ping;
        BinaryPrimitives.WriteInt32BigEndian(ping.AsSpan(1), 16_000);
        long sent = 0;

        // Nothing is read, so the server's answers pile up, in its pipe (64 KiB) and its buffer (256 KiB), until it stops reading.
        for (var i = 0; i < 10_000 && !peer.Transport.Writer.NeedsDraining; i++)
        {
            peer.Send(ping);
            sent += ping.Length;
            await Task.Delay(i % 20 == 19 ? 5 : 0);
        }

        Assert.True(peer.Transport.Writer.NeedsDraining);
        Assert.InRange(sent, 100_000, 4_000_000);
    }

    [Fact]
    public async Task KexInit_NotAnsweredWhileRequestsGoOn_EndsTheConnection()
    {
        // The server owes answers that it may not send during an exchange; they must not pile up.
        var server = new MemoryServer(o => o.RekeyAfterBytes = 1 << 16);
        await using var peer = await RawPeer.AuthenticateAsync(server);
        for (var i = 0; i < 200_000 && !peer.Transport.IsClosing; i++)
        {
            // Straight into the transport: our own KEXINIT is never sent, since nothing is read.
            peer.SendMessage(MessageNumber.GlobalRequest, "x@y", true);
            if (i % 500 == 0)
            {
                await Task.Delay(1);
            }

            if (peer.Serving.IsCompleted)
            {
                break;
            }
        }

        await peer.Serving.WaitAsync(TimeSpan.FromSeconds(120));
    }

    [Fact]
    public async Task Rekeys_WithoutEnd_AreSlowedDown()
    {
        var time = new ManualTimeProvider();
        var budget = new RekeyBudget(time);
        for (var i = 0; i < 64; i++)
        {
            Assert.True(budget.TakeAsync(default).AsTask().IsCompleted);
        }

        var next = budget.TakeAsync(default).AsTask();
        Assert.False(next.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.False(next.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.True(await next.WaitAsync(TimeSpan.FromSeconds(120)));
    }

    [Fact]
    public async Task KeyExchanges_ManyAtOnce_ComputeNoMoreThanTheGateLets()
    {
        // DHEat (CVE-2002-20001): many exchanges wait, few compute.
        using var gate = new KexGate(2);
        var (running, most) = (0, 0);
        await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => gate.RunAsync(
            () =>
            {
                most = Math.Max(most, Interlocked.Increment(ref running));
                Thread.Sleep(5);
                return Interlocked.Decrement(ref running);
            },
            CancellationToken.None)));
        Assert.InRange(most, 1, 2);
    }

    [Fact]
    public void Offer_OfTheServer_HasNoCompression()
    {
        var offer = KexInit.Offer(["x"], ["x"], ["x"], ["x"]);
        Assert.Equal(["none"], offer.CompressionClientToServer);
        Assert.Equal(["none"], offer.CompressionServerToClient);
    }

    private static async Task<string> ReadTextAsync(ClearPeer peer)
    {
        var text = new StringBuilder();
        while (true)
        {
            var result = await peer.Pipe.Input.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(120));
            text.Append(Encoding.Latin1.GetString(System.Buffers.BuffersExtensions.ToArray(result.Buffer)));
            peer.Pipe.Input.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
            {
                return text.ToString();
            }
        }
    }
}
