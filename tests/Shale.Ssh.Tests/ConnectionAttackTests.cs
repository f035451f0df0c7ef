using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using Shale.Ssh.Auth;
using Shale.Ssh.Client;
using Shale.Ssh.Connection;
using Shale.Ssh.Tests.Support;
using Shale.Ssh.Transport;
using Shale.Wire;
using Xunit;

namespace Shale.Ssh.Tests;

/// <summary>How servers of this kind were broken in authentication and above.</summary>
public sealed class ConnectionAttackTests
{
    [Fact]
    public async Task KeyConfusion_OfferOneKeySignWithAnother_IdentityIsTheOneThatSigned()
    {
        // CVE-2024-45337.
        var server = new MemoryServer();
        await using var peer = await RawPeer.OpenServiceAsync(server);
        using var other = new Shale.Crypto.Ed25519PrivateKey(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));
        var otherIdentity = ClientIdentity.FromEd25519(other);
        server.Authenticator.Allow(peer.Identity.PublicKey.Fingerprint);

        // The allowed key is asked about, and would do.
        Ask(peer, peer.Identity);
        Assert.Equal(MessageNumber.UserAuthPkOk, (await peer.ReceiveAsync())[0]);

        // A signature by the other key under the allowed key's name, and under its own.
        Sign(peer, "user", peer.Identity, otherIdentity);
        Assert.Equal(MessageNumber.UserAuthFailure, (await peer.ReceiveAsync())[0]);
        Sign(peer, "user", otherIdentity, otherIdentity);
        Assert.Equal(MessageNumber.UserAuthFailure, (await peer.ReceiveAsync())[0]);

        // Both are allowed, one is asked about last, the other signs: that one it is.
        server.Authenticator.Allow(otherIdentity.PublicKey.Fingerprint);
        SshServerConnection? opened = null;
        server.Sessions.Custom = (session, _) =>
        {
            opened = session.Connection;
            return ValueTask.CompletedTask;
        };
        Ask(peer, peer.Identity);
        Assert.Equal(MessageNumber.UserAuthPkOk, (await peer.ReceiveAsync())[0]);
        Sign(peer, "user", otherIdentity, otherIdentity);
        Assert.Equal(MessageNumber.UserAuthSuccess, (await peer.ReceiveAsync())[0]);
        peer.Transport.Enter(Phase.Connection);
        await peer.ExecAsync(await peer.OpenSessionAsync(), "x");
        await peer.ReceiveAsync(MessageNumber.ChannelClose);
        Assert.Equal(otherIdentity.PublicKey.Fingerprint, opened!.Key.Fingerprint);
        Assert.Equal(otherIdentity.PublicKey.Fingerprint, opened.User.Identity);
    }

    [Fact]
    public async Task Signature_OverAnotherSessionUserOrService_IsRefused()
    {
        var server = new MemoryServer();
        await using var peer = await RawPeer.OpenServiceAsync(server);
        server.Authenticator.Allow(peer.Identity.PublicKey.Fingerprint);
        var fields = new PublicKeyFields("ssh-ed25519", peer.Identity.PublicKey.Blob.ToArray(), null, null);
        var session = peer.Transport.Exchanger.SessionId;
        foreach (var signed in new[]
        {
            fields.SignedData(new byte[session.Length], "user", "ssh-connection"),
            fields.SignedData(session, "root", "ssh-connection"),
            fields.SignedData(session, "user", "ssh-userauth"),
            [],
        })
        {
            SendSigned(peer, "user", fields, peer.Identity.Sign(signed));
            Assert.Equal(MessageNumber.UserAuthFailure, (await peer.ReceiveAsync())[0]);
        }

        SendSigned(peer, "user", fields, peer.Identity.Sign(fields.SignedData(session, "user", "ssh-connection")));
        Assert.Equal(MessageNumber.UserAuthSuccess, (await peer.ReceiveAsync())[0]);
    }

    [Fact]
    public async Task UserName_ChangedMidway_Disconnects()
    {
        await using var peer = await RawPeer.OpenServiceAsync(new MemoryServer());
        peer.SendMessage(MessageNumber.UserAuthRequest, "one", "ssh-connection", "none");
        Assert.Equal(MessageNumber.UserAuthFailure, (await peer.ReceiveAsync())[0]);
        peer.SendMessage(MessageNumber.UserAuthRequest, "two", "ssh-connection", "none");
        Assert.Equal(DisconnectReason.ProtocolError, (await peer.ExpectDisconnectAsync()).Reason);
    }

    [Fact]
    public async Task Users_KnownUnknownAndImpossible_GetTheSameAnswersAfterTheSameTime()
    {
        var server = new MemoryServer(o => o.MaxAuthTries = 100);
        var answers = new List<byte[]>();
        var shortest = new List<double>();
        foreach (var user in new[] { "user", "nobody", "", "root\n", new string('x', 255) })
        {
            await using var peer = await RawPeer.OpenServiceAsync(server);
            var times = new List<double>();
            for (var i = 0; i < 6; i++)
            {
                var started = Stopwatch.GetTimestamp();
                Sign(peer, user, peer.Identity, peer.Identity);
                answers.Add(await peer.ReceiveAsync());
                times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            }

            shortest.Add(times.Min());
        }

        Assert.All(answers, a => Assert.Equal(answers[0], a));
        Assert.All(shortest, t => Assert.InRange(t, 5, 60_000));
    }

    [Fact]
    public async Task Requests_MoreThanTheTriesAllow_Disconnect()
    {
        await using var peer = await RawPeer.OpenServiceAsync(new MemoryServer());
        for (var i = 0; i < 6; i++)
        {
            peer.SendMessage(MessageNumber.UserAuthRequest, "user", "ssh-connection", "password", false, "secret");
        }

        Assert.Equal(DisconnectReason.NoMoreAuthMethodsAvailable, (await peer.ExpectDisconnectAsync()).Reason);
    }

    [Fact]
    public async Task Queries_WithoutEnd_Disconnect()
    {
        var server = new MemoryServer();
        await using var peer = await RawPeer.OpenServiceAsync(server);
        server.Authenticator.Allow(peer.Identity.PublicKey.Fingerprint);
        for (var i = 0; i < 70; i++)
        {
            Ask(peer, peer.Identity);
        }

        Assert.Equal(DisconnectReason.NoMoreAuthMethodsAvailable, (await peer.ExpectDisconnectAsync()).Reason);
    }

    [Theory]
    [InlineData(MessageNumber.RequestSuccess)]
    [InlineData(MessageNumber.RequestFailure)]
    [InlineData(MessageNumber.ChannelSuccess)]
    [InlineData(MessageNumber.ChannelFailure)]
    [InlineData(MessageNumber.ChannelOpenConfirmation)]
    [InlineData(MessageNumber.ChannelOpenFailure)]
    public async Task Answers_ToWhatWasNotAsked_Disconnect(byte number)
    {
        await using var peer = await RawPeer.AuthenticateAsync(new MemoryServer());
        var channel = await peer.OpenSessionAsync();
        peer.SendMessage(number, channel, number == MessageNumber.ChannelOpenConfirmation ? 1u : 2u, 1024u, 1024u);
        Assert.Equal(DisconnectReason.ProtocolError, (await peer.ExpectDisconnectAsync()).Reason);
    }

    [Theory]
    [InlineData(MessageNumber.ChannelData)]
    [InlineData(MessageNumber.ChannelWindowAdjust)]
    [InlineData(MessageNumber.ChannelEof)]
    [InlineData(MessageNumber.ChannelClose)]
    [InlineData(MessageNumber.ChannelRequest)]
    public async Task Messages_ToAChannelThatIsNotThere_Disconnect(byte number)
    {
        await using var peer = await RawPeer.AuthenticateAsync(new MemoryServer());
        if (number == MessageNumber.ChannelRequest)
        {
            peer.SendMessage(number, 99u, "shell", true);
        }
        else if (number == MessageNumber.ChannelData)
        {
            peer.SendMessage(number, 99u, "x");
        }
        else if (number == MessageNumber.ChannelWindowAdjust)
        {
            peer.SendMessage(number, 99u, 1u);
        }
        else
        {
            peer.SendMessage(number, 99u);
        }

        Assert.Equal(DisconnectReason.ProtocolError, (await peer.ExpectDisconnectAsync()).Reason);
    }

    [Fact]
    public async Task Close_WhileTheSessionEndsByItself_IsTheLastWordOnItsChannel()
    {
        // PuTTY's tools close as soon as they have what they want, and end the connection over anything that still comes for the channel.
        await using var peer = await RawPeer.AuthenticateAsync(new MemoryServer(o => o.MaxSessions = o.MaxChannels = 1000));
        for (var i = 0u; i < 300; i++)
        {
            var channel = await peer.OpenSessionAsync(number: i);
            await peer.ExecAsync(channel, "true");
            if (i % 2 == 0)
            {
                await Task.Delay(1 + (int)(i % 7));
            }

            peer.SendMessage(MessageNumber.ChannelClose, channel);
            await peer.ReceiveAsync(MessageNumber.ChannelClose);
            peer.SendMessage(MessageNumber.GlobalRequest, "keepalive@openssh.com", true);
            Assert.Equal(MessageNumber.RequestFailure, (await peer.ReceiveAsync())[0]);
        }
    }

    [Fact]
    public async Task Close_Twice_Disconnects()
    {
        await using var peer = await RawPeer.AuthenticateAsync(new MemoryServer());
        var channel = await peer.OpenSessionAsync();
        peer.SendMessage(MessageNumber.ChannelClose, channel);
        Assert.Equal(MessageNumber.ChannelClose, (await peer.ReceiveAsync())[0]);
        peer.SendMessage(MessageNumber.ChannelClose, channel);
        Assert.Equal(DisconnectReason.ProtocolError, (await peer.ExpectDisconnectAsync()).Reason);
    }

    [Fact]
    public async Task Data_OverTheWindow_Disconnects()
    {
        var server = new MemoryServer();
        server.Sessions.Custom = async (_, token) => await Task.Delay(Timeout.Infinite, token);
        await using var peer = await RawPeer.AuthenticateAsync(server);
        var channel = await peer.OpenSessionAsync();
        await peer.ExecAsync(channel, "never reads");
        var data = new byte[32 * 1024];
        for (var i = 0; i < ReceiveWindow.DefaultSize / data.Length; i++)
        {
            peer.SendMessage(MessageNumber.ChannelData, channel, data);
        }

        // Up to here it was allowed.
        peer.SendMessage(MessageNumber.GlobalRequest, "still-there", true);
        await peer.ReceiveAsync(MessageNumber.RequestFailure);
        peer.SendMessage(MessageNumber.ChannelData, channel, new byte[1]);
        Assert.Equal(DisconnectReason.ProtocolError, (await peer.ExpectDisconnectAsync()).Reason);
    }

    [Fact]
    public async Task Data_LongerThanAPacketMayBeOrAfterEof_Disconnects()
    {
        var server = new MemoryServer();
        server.Sessions.Custom = async (_, token) => await Task.Delay(Timeout.Infinite, token);
        await using (var peer = await RawPeer.AuthenticateAsync(server))
        {
            peer.SendMessage(MessageNumber.ChannelData, await peer.OpenSessionAsync(), new byte[ReceiveWindow.MaxPacket + 1]);
            Assert.Equal(DisconnectReason.ProtocolError, (await peer.ExpectDisconnectAsync()).Reason);
        }

        await using (var peer = await RawPeer.AuthenticateAsync(server))
        {
            var channel = await peer.OpenSessionAsync();
            peer.SendMessage(MessageNumber.ChannelEof, channel);
            peer.SendMessage(MessageNumber.ChannelData, channel, new byte[1]);
            Assert.Equal(DisconnectReason.ProtocolError, (await peer.ExpectDisconnectAsync()).Reason);
        }
    }

    [Fact]
    public async Task Window_GrownPastItsWidth_Disconnects()
    {
        await using var peer = await RawPeer.AuthenticateAsync(new MemoryServer());
        var channel = await peer.OpenSessionAsync(window: 1);
        peer.SendMessage(MessageNumber.ChannelWindowAdjust, channel, uint.MaxValue - 1);
        peer.SendMessage(MessageNumber.ChannelWindowAdjust, channel, 1u);
        Assert.Equal(DisconnectReason.ProtocolError, (await peer.ExpectDisconnectAsync()).Reason);
    }

    [Fact]
    public async Task Window_OfZero_HoldsOneSessionAndNothingElse()
    {
        var server = new MemoryServer();
        await using var peer = await RawPeer.AuthenticateAsync(server);
        var stuck = await peer.OpenSessionAsync(window: 0, number: 1);
        await peer.ExecAsync(stuck, "shale-zeros 1000");

        // Another session runs to its end meanwhile.
        var other = await peer.OpenSessionAsync(number: 2);
        await peer.ExecAsync(other, "shale-zeros 10");
        Assert.Equal(10, (await peer.ReceiveAsync(MessageNumber.ChannelData)).Length - 9);
        await peer.ReceiveAsync(MessageNumber.ChannelClose);
        peer.SendMessage(MessageNumber.ChannelClose, other);

        // Opened byte by byte it goes on byte by byte.
        peer.SendMessage(MessageNumber.ChannelWindowAdjust, stuck, 1u);
        Assert.Equal(1, (await peer.ReceiveAsync(MessageNumber.ChannelData)).Length - 9);
        peer.SendMessage(MessageNumber.ChannelWindowAdjust, stuck, 5000u);
        Assert.Equal(999, (await peer.ReceiveAsync(MessageNumber.ChannelData)).Length - 9);
        await peer.ReceiveAsync(MessageNumber.ChannelClose);
    }

    [Fact]
    public async Task Window_OfZeroForever_IsFreedWithItsChannel()
    {
        var server = new MemoryServer();
        var ended = new TaskCompletionSource<Exception?>();
        server.Sessions.Custom = async (session, token) =>
        {
            try
            {
                await session.WriteOutputAsync(new byte[10], token);
                ended.SetResult(null);
            }
            catch (Exception e)
            {
                ended.SetResult(e);
            }
        };
        await using var peer = await RawPeer.AuthenticateAsync(server);
        var stuck = await peer.OpenSessionAsync(window: 0);
        await peer.ExecAsync(stuck, "x");
        peer.SendMessage(MessageNumber.ChannelClose, stuck);
        var error = await ended.Task.WaitAsync(TimeSpan.FromSeconds(120));
        Assert.True(error is IOException or OperationCanceledException, error?.ToString());
    }

    [Fact]
    public async Task Channels_UpToTheirLimit_AreOpenedAndNoMore()
    {
        await using var peer = await RawPeer.AuthenticateAsync(new MemoryServer(o => o.MaxSessions = 3));
        for (var round = 0; round < 2; round++)
        {
            var channels = new List<uint>();
            for (var i = 0; i < 3; i++)
            {
                channels.Add(await peer.OpenSessionAsync());
            }

            peer.SendMessage(MessageNumber.ChannelOpen, "session", 5u, 1024u, 1024u);
            var refusal = await peer.ReceiveAsync();
            Assert.Equal(MessageNumber.ChannelOpenFailure, refusal[0]);
            Assert.Equal((uint)ChannelOpenFailure.ResourceShortage, BinaryPrimitives.ReadUInt32BigEndian(refusal.AsSpan(5)));
            foreach (var channel in channels)
            {
                peer.SendMessage(MessageNumber.ChannelClose, channel);
                await peer.ReceiveAsync(MessageNumber.ChannelClose);
            }
        }
    }

    [Fact]
    public async Task NoMoreSessions_OnceSaid_IsHeldTo()
    {
        await using var peer = await RawPeer.AuthenticateAsync(new MemoryServer());
        var first = await peer.OpenSessionAsync();
        peer.SendMessage(MessageNumber.GlobalRequest, "no-more-sessions@openssh.com", false);
        peer.SendMessage(MessageNumber.ChannelOpen, "session", 5u, 1024u, 1024u);
        Assert.Equal(MessageNumber.ChannelOpenFailure, (await peer.ReceiveAsync())[0]);
        await peer.ExecAsync(first, "shale-zeros 1");
    }

    [Theory]
    [InlineData("env", "LC_\0X", "1")]
    [InlineData("env", "LC_X=", "1")]
    [InlineData("env", "", "1")]
    [InlineData("env", "LC_X", "a\0b")]
    [InlineData("env", "LD_PRELOAD", "/tmp/evil.so")]
    [InlineData("exec", "true\0; id", null)]
    [InlineData("subsystem", "", null)]
    [InlineData("x11-req", "", null)]
    [InlineData("unheard@of", "", null)]
    public async Task SessionRequests_ThatMustNotPass_AreRefusedAndTheSessionGoesOn(string type, string first, string? second)
    {
        await using var peer = await RawPeer.AuthenticateAsync(new MemoryServer());
        var channel = await peer.OpenSessionAsync();
        peer.SendMessage(MessageNumber.ChannelRequest, second is null ? [channel, type, true, first] : [channel, type, true, first, second]);
        Assert.Equal(MessageNumber.ChannelFailure, (await peer.ReceiveAsync())[0]);
        await peer.ExecAsync(channel, "shale-info");
        Assert.DoesNotContain("LD_", Encoding.UTF8.GetString(await peer.ReceiveAsync(MessageNumber.ChannelData)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Session_StartedTwice_RunsOnce()
    {
        var server = new MemoryServer();
        await using var peer = await RawPeer.AuthenticateAsync(server);
        var channel = await peer.OpenSessionAsync();
        await peer.ExecAsync(channel, "shale-wait");
        peer.SendMessage(MessageNumber.ChannelRequest, channel, "shell", true);
        Assert.Equal(MessageNumber.ChannelFailure, (await peer.ReceiveAsync())[0]);
        Assert.Single(server.Sessions.Sessions);
    }

    [Fact]
    public async Task Handler_ThatCompletesItsInputOrLeavesAReadBehind_StillEndsItsSession()
    {
        var server = new MemoryServer();
        server.Sessions.Custom = async (session, token) =>
        {
            await session.Input.ReadAsync(token);
            if (session.Command.Length == 1)
            {
                await session.Input.CompleteAsync();
            }

            await session.ExitAsync(4, token);
        };
        await using var peer = await RawPeer.AuthenticateAsync(server);
        foreach (var command in (string[])["1", "22"])
        {
            var channel = await peer.OpenSessionAsync();
            await peer.ExecAsync(channel, command);
            peer.SendMessage(MessageNumber.ChannelData, channel, "x");
            var exit = await peer.ReceiveAsync(MessageNumber.ChannelRequest);
            Assert.Equal(4, exit[^1]);
            await peer.ReceiveAsync(MessageNumber.ChannelClose);
            peer.SendMessage(MessageNumber.ChannelClose, channel);
        }
    }

    [Fact]
    public async Task Handler_ThatThrows_EndsItsSessionAlone()
    {
        var server = new MemoryServer();
        server.Sessions.Custom = (_, _) => throw new InvalidOperationException("a bug");
        await using var peer = await RawPeer.AuthenticateAsync(server);
        await peer.ExecAsync(await peer.OpenSessionAsync(number: 1), "x");
        await peer.ReceiveAsync(MessageNumber.ChannelClose);
        server.Sessions.Custom = null;
        await peer.ExecAsync(await peer.OpenSessionAsync(number: 2), "shale-zeros 1");
        await peer.ReceiveAsync(MessageNumber.ChannelClose);
    }

    [Theory]
    [InlineData(new byte[] { MessageNumber.ChannelOpen })]
    [InlineData(new byte[] { MessageNumber.ChannelOpen, 0, 0, 0, 7, (byte)'s' })]
    [InlineData(new byte[] { MessageNumber.ChannelData, 0, 0 })]
    [InlineData(new byte[] { MessageNumber.ChannelClose, 0, 0, 0, 0, 0 })]
    [InlineData(new byte[] { MessageNumber.GlobalRequest, 0xFF, 0xFF, 0xFF, 0xFF })]
    [InlineData(new byte[] { MessageNumber.ChannelRequest, 0, 0, 0, 0 })]
    [InlineData(new byte[] { MessageNumber.KexInit, 1, 2, 3 })]
    [InlineData(new byte[] { MessageNumber.Ping, 0, 0, 0, 9 })]
    public async Task Messages_Malformed_Disconnect(byte[] payload)
    {
        await using var peer = await RawPeer.AuthenticateAsync(new MemoryServer());
        peer.Send(payload);
        Assert.Equal(DisconnectReason.ProtocolError, (await peer.ExpectDisconnectAsync()).Reason);
    }

    private static void Ask(RawPeer peer, ClientIdentity identity) =>
        peer.SendMessage(
            MessageNumber.UserAuthRequest, "user", "ssh-connection", "publickey", false, identity.SignatureAlgorithm, identity.PublicKey.Blob.ToArray());

    private static void Sign(RawPeer peer, string user, ClientIdentity named, ClientIdentity signer)
    {
        var fields = new PublicKeyFields("ssh-ed25519", named.PublicKey.Blob.ToArray(), null, null);
        SendSigned(peer, user, fields, signer.Sign(fields.SignedData(peer.Transport.Exchanger.SessionId, user, "ssh-connection")));
    }

    private static void SendSigned(RawPeer peer, string user, PublicKeyFields fields, byte[] signature)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new WireWriter(buffer);
        fields.WriteUnsigned(writer, user, "ssh-connection");
        writer.WriteString(signature);
        peer.Send(buffer.WrittenSpan);
    }
}
