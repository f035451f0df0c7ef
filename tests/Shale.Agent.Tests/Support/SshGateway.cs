using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Shale.Payments.Channel;
using Shale.Payments.Metering;
using Shale.Ssh.Auth;
using Shale.Ssh.Connection;
using Shale.Ssh.Keys;
using Shale.Ssh.Listening;
using Shale.Ssh.Session;

namespace Shale.Agent.Tests.Support;

/// <summary>
/// A gateway on the real SSH server, as small as it can be: it charges by its meter over whichever carrier the client brings, and
/// runs "commands" that wait until so many charges were paid.
/// </summary>
internal sealed class SshGateway : IUserAuthenticator, ISessionHandler, IConnectionObserver, IAsyncDisposable
{
    private readonly GatewayDouble _gateway;
    private readonly WebApplication _application;
    private int _charging;
    private int _paid;

    private SshGateway(GatewayDouble gateway)
    {
        _gateway = gateway;
        var options = new SshServerOptions
        {
            HostKeys = [gateway.HostKey],
            Authenticator = this,
            Sessions = this,
            Observer = this,
            SourcePenalties = null,
        };
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var handler = new SshConnectionHandler(options);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Run(handler.OnConnectedAsync)));
        _application = builder.Build();
    }

    public int Port { get; private set; }

    /// <summary>Charges that were paid.</summary>
    public int Paid => Volatile.Read(ref _paid);

    /// <summary>Connections that are charged over the subsystem now.</summary>
    public int Charging => Volatile.Read(ref _charging);

    /// <summary>Connections that paid over the subsystem.</summary>
    public int Subsystems { get; private set; }

    public string LastOutcome { get; private set; } = "";

    /// <summary>Asked of agents before the hello: what a malicious gateway would like to have.</summary>
    public List<byte[]> IdentityAnswers { get; } = [];

    public static async Task<SshGateway> StartAsync(GatewayDouble gateway)
    {
        var server = new SshGateway(gateway);
        await server._application.StartAsync();
        server.Port = new Uri(server._application.Urls.First()).Port;
        return server;
    }

    public ValueTask<AuthenticatedUser?> AuthorizeAsync(string userName, SshPublicKey key, SshCertificate? certificate, ConnectionInfo connection, CancellationToken cancellationToken) =>
        ValueTask.FromResult<AuthenticatedUser?>(new AuthenticatedUser(userName, key));

    public bool AcceptsEnvironment(SshServerConnection connection, string name, string value) => false;

    public bool Accepts(SshSession session) => session.Kind != SessionKind.Subsystem || session.Subsystem == PaymentProtocol.Name;

    public async ValueTask HandleSessionAsync(SshSession session, CancellationToken cancellationToken)
    {
        if (session.Kind == SessionKind.Subsystem)
        {
            Subsystems++;
            await using FrameConnection frames = new(session.Input, session.WriteOutputAsync, () => ValueTask.CompletedTask);
            await using PayerClient payer = PayerClient.OverSubsystem(frames, new Signer(_gateway.HostKey), TimeProvider.System);
            Interlocked.Increment(ref _charging);
            try
            {
                await ChargeAsync(payer, cancellationToken);
            }
            finally
            {
                Interlocked.Decrement(ref _charging);
            }

            return;
        }

        SshChannel? channel = null;
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task charging = Task.CompletedTask;
        if (session.AgentForwardingGranted)
        {
            ChannelOpenResult opened = await session.Connection.OpenChannelAsync("auth-agent@openssh.com", default, cancellationToken);
            channel = opened.Channel;
            if (channel is not null)
            {
                charging = ChargeOverAgentAsync(channel, done.Token);
            }
        }

        // "pay N": runs until N charges were paid, as a shell would while they are.
        int wanted = Paid + int.Parse(System.Text.Encoding.UTF8.GetString(session.Command.Span).Split(' ')[1]);
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (Paid < wanted && !patience.IsCancellationRequested && !cancellationToken.IsCancellationRequested && !charging.IsCompleted)
        {
            await Task.Delay(20, CancellationToken.None);
        }

        await done.CancelAsync();
        await charging;
        if (channel is not null)
        {
            await channel.DisposeAsync();
        }

        await session.WriteOutputAsync(System.Text.Encoding.UTF8.GetBytes(LastOutcome + "\n"), CancellationToken.None);
        await session.ExitAsync(Paid >= wanted ? 0 : 75, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _application.StopAsync(timeout.Token);
        await _application.DisposeAsync();
    }

    private async Task ChargeOverAgentAsync(SshChannel channel, CancellationToken cancellation)
    {
        await using FrameConnection frames = new(channel.Input, channel.WriteAsync, () => ValueTask.CompletedTask);
        try
        {
            foreach (byte[] wish in new byte[][] { [11], [13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [17], [19] })
            {
                await frames.WriteAsync(wish, cancellation);
                IdentityAnswers.Add((await frames.ReadAsync(1024, cancellation)).Body);
            }

            await ChargeAsync(PayerClient.OverAgentChannel(frames, TimeProvider.System), cancellation);
        }
        catch (OperationCanceledException)
        {
            // The command is done.
        }
    }

    private async Task ChargeAsync(PayerClient payer, CancellationToken cancellation)
    {
        var round = new ChargeRound(_gateway.Meter, payer, _gateway, _payerKey!, _gateway.Domain);
        try
        {
            RoundOutcome outcome = await round.GreetAsync(_gateway.Hello(), cancellation);
            LastOutcome = outcome.Text;
            while (outcome.Status is not (RoundStatus.Unpaid or RoundStatus.Disagreement) && !payer.IsBroken)
            {
                _gateway.Meter.Tick();
                outcome = await round.ChargeAsync(new MeterReadings(), isFinal: false, cancellation);
                LastOutcome = outcome.Text;
                if (outcome.Status is RoundStatus.Paid or RoundStatus.Resumed)
                {
                    Interlocked.Increment(ref _paid);
                }

                await Task.Delay(20, cancellation);
            }
        }
        catch (OperationCanceledException)
        {
            // The connection is over.
        }
    }

    private Bn254.BabyJubjub.EdDsaPublicKey? _payerKey;

    public SshGateway For(Bn254.BabyJubjub.EdDsaPublicKey payer)
    {
        _payerKey = payer;
        return this;
    }

    private sealed class Signer(HostKey key) : IHostKeySigner
    {
        public ReadOnlyMemory<byte> HostKey => key.PublicKey.Blob;

        public byte[] Sign(ReadOnlySpan<byte> data) => key.Sign(key.SignatureAlgorithms[0], data);
    }
}
