using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using Shale.Crypto;
using Shale.Ssh.Auth;
using Shale.Ssh.Client;
using Shale.Ssh.Connection;
using Shale.Ssh.Keys;
using Shale.Ssh.Listening;
using Shale.Ssh.Session;
using Shale.Ssh.Transport;
using Shale.Wire;

namespace Shale.Fuzz.Ssh;

/// <summary>
/// A whole connection: key exchange, login, then what the input says, step by step: channels opened, used, closed and misused, requests, new keys, raw messages of the connection protocol.
/// Whatever comes, the server logs no error and is done with the connection soon after its end.
/// </summary>
public sealed class SshConnectionTarget : IFuzzTarget
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly Ed25519PrivateKey Key = new(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));

    private readonly SshConnectionHandler _handler;
    private string? _error;

    /// <summary>Makes the server that all inputs go to.</summary>
    public SshConnectionTarget() => _handler = new SshConnectionHandler(new SshServerOptions
    {
        HostKeys = [Ed25519HostKey.Generate()],
        Authenticator = new Everybody(),
        Sessions = new EchoSessions(),
        SourcePenalties = null,
        LoggerFactory = new Log(error => _error ??= error),
    });

    /// <inheritdoc/>
    public string Name => "ssh-connection";

    /// <summary>A run takes two key exchanges' time and more.</summary>
    public long BoundedRuns => 1_500;

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds =>
    [
        [0, 1, 0, 3, 0, 20, 4, 0, 5, 0],
        [0, 0, 6, 0, 7, 0, 8, 0, 3, 0, 200, 3, 1, 9, 0, 5, 0, 5, 1],
        [10, 0, 11, 12, 0, 1, 0, 11, 3, 0, 255, 2, 0, 100, 4, 0],
        [13, 7, 98, 0, 0, 0, 0, 0, 0, 14, 15, 16, 0, 12, 3],
        [0, 8, 0, 9, 0, 1, 0, 2, 0, 255, 3, 0, 90, 5, 0, 0, 1, 0],
    ];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        var steps = input.ToArray();
        if (!Task.Run(() => RunAsync(steps)).Wait(Patience))
        {
            throw new TimeoutException("The connection did not come to its end.");
        }

        if (_error is { } error)
        {
            _error = null;
            throw new InvalidOperationException("The server logged an error: " + error);
        }
    }

    private async Task RunAsync(byte[] steps)
    {
        var (up, down) = (new Pipe(), new Pipe());
        var context = new DefaultConnectionContext("fuzz") { Transport = new Duplex(up.Reader, down.Writer) };
        var serving = ServeAsync(context);
        await using (var transport = new SshTransport(new Duplex(down.Reader, up.Writer), Role.Client, new TransportOptions
        {
            SoftwareVersion = "Fuzz",
            VerifyHostKey = (_, _) => ValueTask.FromResult(true),
            HostKeyAlgorithms = ["ssh-ed25519"],
            KexAlgorithms = ["curve25519-sha256"],
            Ciphers = ["aes128-gcm@openssh.com"],
        }))
        {
            var login = new SshClientOptions { UserName = "user", Identity = ClientIdentity.FromEd25519(Key), VerifyHostKey = (_, _) => ValueTask.FromResult(true) };
            if (!await transport.OpenAsync() || !await ClientAuthentication.RunAsync(transport, login))
            {
                throw new InvalidOperationException("No login: " + transport.Closing.Description);
            }

            var draining = DrainAsync(transport);
            new Script(transport, steps).Run();
            transport.Writer.Flush();

            // Some of it is still being worked on when the peer goes, as in life.
            await Task.WhenAny(draining, Task.Delay(steps.Length % 3));
            transport.Fail(DisconnectReason.ByApplication, "done");
            await draining;
        }

        await serving;
    }

    private async Task ServeAsync(DefaultConnectionContext context)
    {
        await _handler.OnConnectedAsync(context);
        await context.Transport.Output.CompleteAsync();
        await context.Transport.Input.CompleteAsync();
    }

    private static async Task DrainAsync(SshTransport transport)
    {
        while (await transport.ReceiveAsync())
        {
        }
    }

    /// <summary>Turns bytes into steps.</summary>
    private sealed class Script(SshTransport transport, byte[] steps)
    {
        private static readonly string[] GlobalNames = ["keepalive@openssh.com", "tcpip-forward", "cancel-tcpip-forward", "hostkeys-prove-00@openssh.com", "no-more-sessions@openssh.com", "streamlocal-forward@openssh.com", "?"];
        private static readonly string[] ChannelTypes = ["session", "direct-tcpip", "x11", "direct-streamlocal@openssh.com", "auth-agent@openssh.com", "forwarded-tcpip"];

        private int _at;
        private uint _opened;

        public void Run()
        {
            while (_at < steps.Length)
            {
                Step();
            }
        }

        private byte Next() => _at < steps.Length ? steps[_at++] : (byte)0;

        private void Step()
        {
            switch (Next() % 17)
            {
                case 0: Send(MessageNumber.ChannelOpen, "session", _opened++, 1u << 20, 32768u); break;
                case 1: Request(SessionRequests.Exec, "echo"); break;
                case 2: Send(MessageNumber.ChannelWindowAdjust, (uint)Next(), (uint)Next() << Next() % 32); break;
                case 3: Send(MessageNumber.ChannelData, (uint)Next(), new byte[Next() * 100]); break;
                case 4: Send(MessageNumber.ChannelEof, (uint)Next()); break;
                case 5: Send(MessageNumber.ChannelClose, (uint)Next()); break;
                case 6: Request(SessionRequests.PtyReq, "xterm", 80u, 24u, 0u, 0u, new byte[Next() % 20]); break;
                case 7: Request(SessionRequests.Env, "LANG", "C"); break;
                case 8: Request(SessionRequests.Shell); break;
                case 9: Request(SessionRequests.Signal, "TERM"); break;
                case 10: Send(MessageNumber.GlobalRequest, GlobalNames[Next() % GlobalNames.Length], Next() % 2 == 0, "localhost", (uint)Next()); break;
                case 11: transport.Exchanger.Start(); break;
                case 12: Send(MessageNumber.ChannelOpen, ChannelTypes[Next() % ChannelTypes.Length], _opened++, (uint)Next(), (uint)Next() << 8, "host", 80u, "", 0u); break;
                case 13:
                    var raw = new byte[1 + (Next() % 64)];
                    for (var i = 0; i < raw.Length; i++)
                    {
                        raw[i] = Next();
                    }

                    // Numbers of the connection protocol, or unknown ones: what others do is the other targets' matter.
                    raw[0] = raw[0] < 80 ? (byte)(80 + (raw[0] % 48)) : raw[0];
                    transport.Writer.Send(raw);
                    break;
                case 14: Request(SessionRequests.WindowChange, (uint)Next(), (uint)Next(), 0u, 0u); break;
                case 15: Send(MessageNumber.Ping, new byte[Next()]); break;
                case 16: Send(MessageNumber.ChannelExtendedData, (uint)Next(), (uint)Next(), new byte[Next()]); break;
            }
        }

        private void Request(string type, params object[] fields) => Send(MessageNumber.ChannelRequest, [(uint)Next(), type, true, .. fields]);

        private void Send(byte number, params object[] fields) => transport.Writer.Send(SshMessageTarget.Fields(w =>
        {
            w.WriteByte(number);
            foreach (var field in fields)
            {
                switch (field)
                {
                    case uint u: w.WriteUInt32(u); break;
                    case bool b: w.WriteBoolean(b); break;
                    case string s: w.WriteString(s); break;
                    case byte[] b: w.WriteString(b); break;
                }
            }
        }));
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    private sealed class Everybody : IUserAuthenticator
    {
        public ValueTask<AuthenticatedUser?> AuthorizeAsync(string userName, SshPublicKey key, SshCertificate? certificate, ConnectionInfo connection, CancellationToken cancellationToken) =>
            ValueTask.FromResult<AuthenticatedUser?>(new AuthenticatedUser(userName, this));
    }

    private sealed class EchoSessions : ISessionHandler
    {
        public bool AcceptsEnvironment(SshServerConnection connection, string name, string value) => name.Length % 2 == 0;

        public bool Accepts(SshSession session) => session.Kind != SessionKind.Subsystem;

        public async ValueTask HandleSessionAsync(SshSession session, CancellationToken cancellationToken)
        {
            while (true)
            {
                var read = await session.Input.ReadAsync(cancellationToken);
                foreach (var segment in read.Buffer)
                {
                    await session.WriteOutputAsync(segment, cancellationToken);
                }

                session.Input.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                {
                    await session.ExitAsync(0, cancellationToken);
                    return;
                }
            }
        }
    }

    /// <summary>Hears what errors the server logs.</summary>
    private sealed class Log(Action<string> onError) : ILoggerFactory, ILogger
    {
        public void AddProvider(ILoggerProvider provider)
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public ILogger CreateLogger(string categoryName) => this;

        public void Dispose()
        {
        }

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        void ILogger.Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel >= LogLevel.Error)
            {
                onError(formatter(state, exception) + exception);
            }
        }
    }
}
