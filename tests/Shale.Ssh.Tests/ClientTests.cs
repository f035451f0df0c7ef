using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Shale.Crypto;
using Shale.Ssh.Ciphers;
using Shale.Ssh.Client;
using Shale.Ssh.Connection;
using Shale.Ssh.KeyExchange;
using Shale.Ssh.Session;
using Shale.Ssh.Tests.Support;
using Shale.Testing;
using Xunit;

namespace Shale.Ssh.Tests;

/// <summary>Our client against our server, and against OpenSSH's.</summary>
public sealed class ClientTests
{
    [Fact]
    public async Task Pair_WithEachKexCipherAndMac_CarriesACommand()
    {
        // mlkem768x25519-sha256 among them, which OpenSSH 9.2 has not.
        var suites = CipherSuite.CipherNames.SelectMany(c => CipherSuite.IsAead(c) ? [(c, "hmac-sha2-256")] : CipherSuite.MacNames.Select(m => (c, m))).ToArray();
        for (var i = 0; i < Math.Max(suites.Length, KeyAgreement.Names.Length); i++)
        {
            var kex = KeyAgreement.Names[i % KeyAgreement.Names.Length];
            var (cipher, mac) = suites[i % suites.Length];
            await using var pair = await ClientPair.CreateAsync(options: identity => new SshClientOptions
            {
                UserName = "user",
                Identity = identity,
                VerifyHostKey = (_, _) => ValueTask.FromResult(true),
                KeyExchangeAlgorithms = [kex],
                Ciphers = [cipher],
                Macs = [mac],
            });
            Assert.Equal(100_000, (await RunAsync(pair.Client, "shale-zeros 100000")).Length);
            pair.Client.StartKeyExchange();
            Assert.Equal(100_000, (await RunAsync(pair.Client, "shale-zeros 100000")).Length);
        }
    }

    [Fact]
    public async Task Pair_RekeyingAllTheTimeBothWays_LosesNothing()
    {
        await using var pair = await ClientPair.CreateAsync(new MemoryServer(o => o.RekeyAfterBytes = 1 << 20), identity => new SshClientOptions
        {
            UserName = "user",
            Identity = identity,
            VerifyHostKey = (_, _) => ValueTask.FromResult(true),
            RekeyAfterBytes = 1 << 19,
        });
        var runs = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => RunAsync(pair.Client, "shale-zeros 5000000")));
        Assert.All(runs, r => Assert.Equal(5_000_000, r.Length));
    }

    [Fact]
    public async Task Pair_TerminalSignalsAndResizes_ReachTheSessionInOrder()
    {
        await using var pair = await ClientPair.CreateAsync();
        await using var session = await pair.Client.OpenSessionAsync(default);
        Assert.NotNull(session);
        var modes = new[] { new TerminalMode(TerminalModeOpcode.VIntr, 3), new TerminalMode(TerminalModeOpcode.OutputSpeed, 38400) };
        Assert.True(await session.RequestTerminalAsync(new PseudoTerminal("vt100", new TerminalSize(80, 24, 0, 0), modes), default));
        Assert.True(await session.SetEnvironmentAsync("LC_X", "1", default));
        Assert.False(await session.SetEnvironmentAsync("PATH", "/tmp", default));
        Assert.True(await session.ExecAsync("shale-events", default));
        session.Resize(new TerminalSize(132, 50, 1, 2));
        session.Signal("TERM");
        session.Signal("KILL");
        var text = Encoding.UTF8.GetString(await ReadAllAsync(session.Output));
        Assert.Equal(
            "ready\nWindowChanged { Size = TerminalSize { Columns = 132, Rows = 50, PixelWidth = 1, PixelHeight = 2 } }\n"
            + "SignalReceived { Name = TERM }\nSignalReceived { Name = KILL }\n",
            text);
        Assert.Equal(new SessionExit(0, null), await session.Exit.WaitAsync(TimeSpan.FromSeconds(120)));
        Assert.True(pair.Server.Sessions.Sessions.TryPeek(out var served));
        Assert.Equal(modes, served.Terminal!.Modes);
    }

    [Fact]
    public async Task Pair_AgentChannel_OpensOnlyAfterItWasAskedFor()
    {
        var server = new MemoryServer();
        var agent = new EchoHandler("auth-agent@openssh.com");
        server.Sessions.Custom = async (session, token) =>
        {
            var opened = await session.Connection.OpenChannelAsync("auth-agent@openssh.com", default, token);
            if (!opened.IsOpen)
            {
                await session.ExitAsync((int)opened.Failure, token);
                return;
            }

            await opened.Channel.WriteAsync("ping"u8.ToArray(), token);
            await opened.Channel.SendEofAsync(token);
            await session.WriteOutputAsync(await ReadAllAsync(opened.Channel.Input), token);
            await opened.Channel.DisposeAsync();
            await session.ExitAsync(0, token);
        };
        await using var pair = await ClientPair.CreateAsync(server, identity => new SshClientOptions
        {
            UserName = "user",
            Identity = identity,
            VerifyHostKey = (_, _) => ValueTask.FromResult(true),
            ChannelTypes = [agent],
        });
        await using (var without = await pair.Client.OpenSessionAsync(default))
        {
            Assert.True(await without!.ShellAsync(default));
            Assert.Equal((int)ChannelOpenFailure.AdministrativelyProhibited, (await without.Exit).Status);
        }

        await using var session = await pair.Client.OpenSessionAsync(default);
        Assert.True(await session!.RequestAgentForwardingAsync(default));
        Assert.True(await session.ShellAsync(default));
        Assert.Equal("ping", Encoding.UTF8.GetString(await ReadAllAsync(session.Output)));
        Assert.Equal(0, (await session.Exit).Status);
    }

    [Fact]
    public async Task Pair_ChannelOfAnOwnType_IsServedAndItsHelloSigned()
    {
        var server = new MemoryServer(o => o.ChannelTypes.Add(new PayHandler()));
        await using var pair = await ClientPair.CreateAsync(server);
        var opened = await pair.Client.OpenChannelAsync("pay@shaleprotocol.com", "nonce"u8.ToArray(), default);
        Assert.True(opened.IsOpen);
        var signature = await ReadAllAsync(opened.Channel.Input);
        Assert.Equal(Shale.Ssh.Keys.SignatureCheck.Ok, pair.Client.HostKey.Verify([.. "hello"u8, .. pair.Client.SessionId.Span], signature, "ssh-ed25519"));
        Assert.Equal(ChannelOpenFailure.AdministrativelyProhibited, (await pair.Client.OpenChannelAsync("pay@shaleprotocol.com", default, default)).Failure);
        Assert.Equal(ChannelOpenFailure.UnknownChannelType, (await pair.Client.OpenChannelAsync("x11", default, default)).Failure);
    }

    [Fact]
    public async Task Pair_Observer_IsToldInOrder()
    {
        var told = new System.Collections.Concurrent.ConcurrentQueue<string>();
        var pair = await ClientPair.CreateAsync(new MemoryServer(observer: new Observer(told)));
        await RunAsync(pair.Client, "shale-zeros 1");
        await pair.DisposeAsync();
        Assert.Equal(["opened user", "ending 0", "closed True ByApplication disconnected by user"], told);
    }

    [Fact]
    public async Task Client_WithAnotherHostKeyThanExpected_SendsNothingUnderIt()
    {
        var server = new MemoryServer();
        var (pipe, serving) = server.Connect();
        using var key = new Ed25519PrivateKey(new byte[32]);
        var result = await SshClient.ConnectAsync(
            pipe,
            null,
            new SshClientOptions { UserName = "user", Identity = ClientIdentity.FromEd25519(key), VerifyHostKey = (_, _) => ValueTask.FromResult(false) },
            CancellationToken.None);
        Assert.False(result.IsConnected);
        Assert.Equal(DisconnectReason.HostKeyNotVerifiable, result.Closed.Reason);
        await serving;
        Assert.Empty(server.Authenticator.Asked);
    }

    [Fact]
    public async Task Connect_ToAServerThatSaysNothing_TimesOut()
    {
        var time = new ManualTimeProvider();
        var pipe = new Pipe();
        using var key = new Ed25519PrivateKey(new byte[32]);
        var connecting = SshClient.ConnectAsync(
            new Silent(pipe.Reader, new Pipe().Writer),
            null,
            new SshClientOptions { UserName = "user", Identity = ClientIdentity.FromEd25519(key), VerifyHostKey = (_, _) => ValueTask.FromResult(true), TimeProvider = time },
            CancellationToken.None).AsTask();
        time.Advance(TimeSpan.FromSeconds(29));
        Assert.False(connecting.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(DisconnectReason.ConnectionLost, (await connecting.WaitAsync(TimeSpan.FromSeconds(120))).Closed.Reason);
    }

    [Fact]
    public async Task Client_AgainstOpenSshsServer_RunsCommandsUnderEachCipher()
    {
        using var sshd = new OpenSshServer();
        foreach (var cipher in CipherSuite.CipherNames)
        {
            var options = new SshClientOptions
            {
                UserName = Environment.UserName,
                Identity = sshd.Identity,
                VerifyHostKey = (key, _) => ValueTask.FromResult(key.Fingerprint == sshd.HostKeyFingerprint),
                Ciphers = [cipher],
                RekeyAfterBytes = 1 << 20,
            };
            var result = await SshClient.ConnectAsync(await sshd.ConnectAsync(), options, CancellationToken.None);
            Assert.True(result.IsConnected, cipher + " " + result.Closed);
            await using var client = result.Client;
            await using var session = await client.OpenSessionAsync(default);
            Assert.True(await session!.ExecAsync("cat; echo err >&2; exit 7", default));
            var data = new byte[3_000_000];
            new Random(3).NextBytes(data);
            var writing = Task.Run(async () =>
            {
                await session.WriteAsync(data, default);
                await session.SendEofAsync(default);
            });
            var error = ReadAllAsync(session.Error);
            Assert.True((await ReadAllAsync(session.Output)).AsSpan().SequenceEqual(data));
            await writing;
            Assert.Equal("err\n", Encoding.UTF8.GetString(await error));
            Assert.Equal(new SessionExit(7, null), await session.Exit);
        }
    }

    [Fact]
    public async Task Client_AgainstOpenSshsServer_ForwardsAndAsksForSubsystems()
    {
        using var sshd = new OpenSshServer();
        var options = ClientPair.Options(sshd.Identity);
        var result = await SshClient.ConnectAsync(
            await sshd.ConnectAsync(),
            new SshClientOptions { UserName = Environment.UserName, Identity = options.Identity, VerifyHostKey = options.VerifyHostKey },
            CancellationToken.None);
        Assert.True(result.IsConnected, result.Closed.ToString());
        await using var client = result.Client;
        await using var sftp = await client.OpenSessionAsync(default);
        Assert.False(await sftp!.SubsystemAsync("nothing", default));
        Assert.True(await sftp.SubsystemAsync("sftp", default));

        // SSH_FXP_INIT, version 3; the answer is SSH_FXP_VERSION.
        await sftp.WriteAsync(new byte[] { 0, 0, 0, 5, 1, 0, 0, 0, 3 }, default);
        var answer = await sftp.Output.ReadAtLeastAsync(9);
        Assert.Equal(2, answer.Buffer.Slice(4, 1).FirstSpan[0]);
        sftp.Output.AdvanceTo(answer.Buffer.End);
        Assert.Null(await client.RequestAsync("unheard@of", default, default));
        Assert.Equal(ChannelOpenFailure.ConnectFailed, (await client.OpenChannelAsync("unheard@of", default, default)).Failure); // sshd's own choice of reason
    }

    private static async Task<byte[]> RunAsync(SshClient client, string command)
    {
        await using var session = await client.OpenSessionAsync(default);
        Assert.NotNull(session);
        Assert.True(await session.ExecAsync(command, default));
        var output = await ReadAllAsync(session.Output);
        Assert.Equal(0, (await session.Exit).Status);
        return output;
    }

    private static async Task<byte[]> ReadAllAsync(PipeReader reader)
    {
        var all = new MemoryStream();
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        while (true)
        {
            var result = await reader.ReadAsync(timeout.Token);
            foreach (var segment in result.Buffer)
            {
                all.Write(segment.Span);
            }

            reader.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
            {
                return all.ToArray();
            }
        }
    }

    private sealed record Silent(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    private sealed class EchoHandler(string type) : IClientChannelHandler
    {
        public string ChannelType => type;

        public async ValueTask HandleChannelAsync(SshChannel channel, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
        {
            await channel.WriteAsync(await ReadAllAsync(channel.Input), cancellationToken);
            await channel.SendEofAsync(cancellationToken);
        }
    }

    private sealed class PayHandler : IChannelTypeHandler
    {
        public string ChannelType => "pay@shaleprotocol.com";

        public ChannelOpenFailure Accept(SshServerConnection connection, ReadOnlySpan<byte> payload) =>
            payload.IsEmpty ? ChannelOpenFailure.AdministrativelyProhibited : ChannelOpenFailure.None;

        public ValueTask HandleChannelAsync(SshServerConnection connection, SshChannel channel, CancellationToken cancellationToken) =>
            channel.WriteAsync(connection.SignWithHostKey([.. "hello"u8, .. connection.Info.SessionId.Span]), cancellationToken);
    }

    private sealed class Observer(System.Collections.Concurrent.ConcurrentQueue<string> told) : IConnectionObserver
    {
        public ValueTask OnOpenedAsync(SshServerConnection connection, CancellationToken cancellationToken)
        {
            told.Enqueue("opened " + connection.User.Name);
            return ValueTask.CompletedTask;
        }

        public ValueTask OnSessionEndingAsync(SshSession session, int remainingSessions, CancellationToken cancellationToken)
        {
            told.Enqueue("ending " + remainingSessions);
            return ValueTask.CompletedTask;
        }

        public void OnClosed(SshServerConnection connection, ConnectionClosed closed) =>
            told.Enqueue($"closed {closed.ByPeer} {closed.Reason} {closed.Description}");
    }
}
