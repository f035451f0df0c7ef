using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using Shale.Ssh.Auth;
using Shale.Ssh.Connection;
using Shale.Ssh.Transport;

namespace Shale.Ssh.Listening;

/// <summary>
/// The server, as Kestrel hosts it: <c>kestrel.ListenAnyIP(22, listen => listen.UseConnectionHandler&lt;SshConnectionHandler&gt;())</c> with the handler registered as a singleton, since limits and penalties are
/// counted over all of its connections.
/// </summary>
public sealed class SshConnectionHandler : ConnectionHandler
{
    private readonly SshServerOptions _options;
    private readonly StartupLimiter _startups;
    private readonly SourcePenalties? _penalties;
    private readonly ILogger _logger;
    private readonly TransportOptions _transportOptions;

    /// <summary>Makes a server.</summary>
    /// <param name="options">What it is made of; not to be changed afterwards.</param>
    public SshConnectionHandler(SshServerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _startups = new StartupLimiter(options.MaxStartups, RandomNumberGenerator.GetInt32);
        _penalties = options.SourcePenalties is { } penalties ? new SourcePenalties(penalties, options.TimeProvider) : null;
        _logger = options.LoggerFactory.CreateLogger("Shale.Ssh");
        _transportOptions = new TransportOptions
        {
            SoftwareVersion = options.SoftwareVersion,
            HostKeys = options.HostKeys,
            Extensions =
            [
                new(ExtInfoMessage.ServerSigAlgs, PublicKeyAlgorithm.ServerSigAlgs),
                new("publickey-hostbound@openssh.com", "0"),
                new("ping@openssh.com", "0"),
            ],
            RekeyAfterBytes = options.RekeyAfterBytes,
            RekeyAfter = options.RekeyAfter,
            TimeProvider = options.TimeProvider,
            Logger = _logger,
        };
    }

    /// <summary>How many connections are not authenticated now.</summary>
    public int UnauthenticatedCount => _startups.Count;

    /// <inheritdoc/>
    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        ArgumentNullException.ThrowIfNull(connection);
        if (_penalties is not null && _penalties.IsRefused(connection.RemoteEndPoint))
        {
            await RefuseAsync(connection, "Not allowed at this time", "its address has penalties");
            return;
        }

        using var startup = _startups.TryEnter(connection.RemoteEndPoint);
        if (startup is null)
        {
            await RefuseAsync(connection, "Exceeded MaxStartups", "there are too many unauthenticated connections");
            return;
        }

        try
        {
            await ServeAsync(connection, startup);
        }
#pragma warning disable CA1031 // One connection's trouble is not the server's.
        catch (Exception e)
#pragma warning restore CA1031
        {
            SshLog.Crashed(_logger, e, connection.ConnectionId);
        }
    }

    private static async Task RefuseLineAsync(ConnectionContext connection, string line)
    {
        try
        {
            await connection.Transport.Output.WriteAsync(Encoding.ASCII.GetBytes(line + "\r\n"), connection.ConnectionClosed);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException)
        {
            // It has gone by itself.
        }
    }

    private async Task RefuseAsync(ConnectionContext connection, string line, string why)
    {
        SshLog.Refused(_logger, connection.RemoteEndPoint, why);
        await RefuseLineAsync(connection, line);
    }

    private async Task ServeAsync(ConnectionContext connection, StartupPlace startup)
    {
        var time = _options.TimeProvider;
        var started = time.GetTimestamp();
        SshLog.Accepted(_logger, connection.ConnectionId, connection.RemoteEndPoint);
        var inline = connection.Features.Get<IInlineReadsFeature>();
        var transport = inline is null
            ? new SshTransport(connection.Transport, Role.Server, _transportOptions)
            : new SshTransport(connection.Transport, Role.Server, _transportOptions) { IsSharedThread = () => inline.IsSharedThread, TryLeaveSharedThread = inline.TryLeaveSharedThread };
        var attempt = AuthenticationOutcome.NotAttempted;
        var graceExceeded = false;
        ServerConnection? served = null;
        try
        {
            await using var evicted = startup.Evicted.Register(() => transport.Fail(DisconnectReason.TooManyConnections, "Too many connections of your address are not authenticated."));

            // Set off the transport's own end when the grace time is over; told apart from other ends for the penalty.
            await using (time.CreateTimer(
                _ =>
                {
                    graceExceeded = true;
                    transport.Fail(DisconnectReason.ByApplication, "Authentication took too long.");
                },
                null,
                _options.LoginGraceTime,
                Timeout.InfiniteTimeSpan))
            {
                if (await transport.OpenAsync())
                {
                    var info = Describe(connection, transport);
                    var authentication = new UserAuthentication(transport, _options, info, _logger);
                    var peer = await authentication.RunAsync();
                    attempt = authentication.Outcome;
                    served = peer is null ? null : new ServerConnection(transport, _options, peer, info, _logger);
                }
            }

            if (served is not null)
            {
                startup.Dispose();
                inline?.IsEnabled = true;
                await served.RunAsync();

                // What ended it may have come on the shared thread.
                await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            }
        }
        finally
        {
            transport.Fail(DisconnectReason.ByApplication, "closed");
            var closing = transport.Closing;
            if (served is null)
            {
                Penalize(connection, closing, attempt, graceExceeded);
            }
            else
            {
                Tell(served, closing);
                await served.DisposeAsync();
            }

            await transport.DisposeAsync();
            SshLog.Closed(_logger, connection.ConnectionId, time.GetElapsedTime(started), closing.ByPeer, closing.Reason, closing.Description);
        }
    }

    private ConnectionInfo Describe(ConnectionContext connection, SshTransport transport) => new(
        connection.ConnectionId,
        connection.RemoteEndPoint,
        connection.LocalEndPoint,
        transport.PeerVersion,
        transport.Exchanger.SessionId,
        transport.Exchanger.HostPublicKey!,
        transport.Exchanger.Method,
        _options.TimeProvider.GetUtcNow());

    private void Penalize(ConnectionContext connection, ConnectionClosed closing, AuthenticationOutcome attempt, bool graceExceeded)
    {
        if (_penalties is null || _options.SourcePenalties is not { } penalties)
        {
            return;
        }

        var brokeProtocol = !closing.ByPeer && closing.Reason is DisconnectReason.ProtocolError or DisconnectReason.MacError;
        _penalties.Add(
            connection.RemoteEndPoint,
            graceExceeded ? penalties.GraceExceeded
            : brokeProtocol ? penalties.Crash
            : attempt == AuthenticationOutcome.Failed ? penalties.AuthFailed
            : penalties.NoAuth);
    }

    private void Tell(ServerConnection served, ConnectionClosed closing)
    {
        try
        {
            _options.Observer?.OnClosed(served, closing);
        }
#pragma warning disable CA1031 // An observer's bug must not keep a connection's memory.
        catch (Exception e)
#pragma warning restore CA1031
        {
            SshLog.ObserverFailed(_logger, e, served.Info.Id);
        }
    }
}
