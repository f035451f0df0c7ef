using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using Shale.Ssh.Connection;
using Shale.Ssh.Keys;
using Shale.Ssh.Listening;
using Shale.Ssh.Transport;

namespace Shale.Ssh.Auth;

/// <summary>What became of an attempt to authenticate, for the penalties of its address.</summary>
internal enum AuthenticationOutcome
{
    /// <summary>No attempt was made.</summary>
    NotAttempted,

    /// <summary>Attempts failed.</summary>
    Failed,

    /// <summary>One succeeded.</summary>
    Succeeded,
}

/// <summary>
/// The server's side of user authentication (RFC 4252) by public key. Unknown users, unknown keys and bad signatures get the same reply after the same time; what is learned about a key in a
/// query is never used again, so that the key which verifies is the one that counts (CVE-2024-45337).
/// </summary>
internal sealed class UserAuthentication(SshTransport transport, SshServerOptions options, ConnectionInfo info, ILogger logger)
{
    /// <summary>
    /// Failed attempts are bounded by the options; queries that are answered with "yes" cost the peer nothing, so they are bounded here. An agent with this many keys is none that works elsewhere.
    /// </summary>
    private const int MaxRequests = 64;

    /// <summary>The least time that a refusal takes. Above what a look-up and a signature check take, so that which of them failed doesn't show.</summary>
    private static readonly TimeSpan MinRefusalTime = TimeSpan.FromMilliseconds(5);

    private static readonly string[] Methods = [PublicKeyFields.Method];
    private static readonly byte[] DelayKey = RandomNumberGenerator.GetBytes(32);

    private string? _userName;
    private int _failures;

    public AuthenticationOutcome Outcome { get; private set; }

    /// <summary>Serves the authentication service until the peer is authenticated or the connection is over.</summary>
    /// <returns>The authenticated peer, or <see langword="null"/> when the connection is over.</returns>
    public async ValueTask<AuthenticatedPeer?> RunAsync()
    {
        if (!await transport.ReceiveAsync())
        {
            return null;
        }

        if (!ServiceRequestMessage.TryRead(transport.Payload.Span, out var service) || service.Service != ServiceRequestMessage.UserAuth)
        {
            transport.Fail(DisconnectReason.ServiceNotAvailable, "Only ssh-userauth can be requested.");
            return null;
        }

        transport.Enter(Phase.Authentication);
        transport.Send(new ServiceAcceptMessage(service.Service));
        for (var requests = 0; requests < MaxRequests; requests++)
        {
            if (!await transport.ReceiveAsync())
            {
                return null;
            }

            var started = options.TimeProvider.GetTimestamp();
            if (!UserAuthRequestMessage.TryRead(transport.Payload, out var request))
            {
                transport.Fail(DisconnectReason.ProtocolError, "USERAUTH_REQUEST is malformed.");
                return null;
            }

            if (request.Service != ServiceRequestMessage.Connection)
            {
                transport.Fail(DisconnectReason.ServiceNotAvailable, "Only ssh-connection is served.");
                return null;
            }

            if (_userName is null)
            {
                _userName = request.UserName;
                if (options.Banner is { Length: > 0 } banner)
                {
                    transport.Send(new UserAuthBannerMessage(banner.ReplaceLineEndings("\r\n")), flush: false);
                }
            }
            else if (_userName != request.UserName)
            {
                transport.Fail(DisconnectReason.ProtocolError, "The user name must not change.");
                return null;
            }

            if (await AttemptAsync(request, started) is { } peer)
            {
                Outcome = AuthenticationOutcome.Succeeded;
                transport.Enter(Phase.Connection);
                transport.Send(new UserAuthSuccessMessage(), flush: false);
                return peer;
            }

            if (transport.IsClosing)
            {
                return null;
            }
        }

        transport.Fail(DisconnectReason.NoMoreAuthMethodsAvailable, "Too many authentication requests.");
        return null;
    }

    private async ValueTask<AuthenticatedPeer?> AttemptAsync(UserAuthRequestMessage request, long started)
    {
        if (request.Method == "none")
        {
            // How clients ask for the methods; it costs them no try.
            transport.Send(new UserAuthFailureMessage(Methods, PartialSuccess: false));
            return null;
        }

        Outcome = AuthenticationOutcome.Failed;
        var hostBound = request.Method == PublicKeyFields.HostBoundMethod;
        if (hostBound || request.Method == PublicKeyFields.Method)
        {
            if (!PublicKeyFields.TryRead(request.Fields.Span, hostBound, out var fields))
            {
                transport.Fail(DisconnectReason.ProtocolError, "USERAUTH_REQUEST is malformed.");
                return null;
            }

            var peer = await CheckAsync(request, fields);
            if (peer is not null && fields.Signature is null)
            {
                transport.Send(new UserAuthPkOkMessage(fields.Algorithm, fields.Key));
                return null;
            }

            if (peer is not null)
            {
                SshLog.Authenticated(logger, info.Id, request.UserName, peer.User.Name, fields.Algorithm, peer.Key.Fingerprint);
                return peer;
            }
        }

        await RefuseAsync(request, started);
        return null;
    }

    /// <summary>Looks the key up and, if the request is signed, checks the signature, whether or not the key was found.</summary>
    /// <returns>The peer, which is authenticated only if the request was signed; or <see langword="null"/>.</returns>
    private async ValueTask<AuthenticatedPeer?> CheckAsync(UserAuthRequestMessage request, PublicKeyFields fields)
    {
        if (PublicKeyAlgorithm.Find(fields.Algorithm) is not { } algorithm
            || !TryParse(fields.Key, algorithm, out var key, out var certificate)
            || (fields.HostKey is not null && !fields.HostKey.AsSpan().SequenceEqual(info.HostKey.Blob.Span))
            || !IsPlausible(request.UserName))
        {
            return null;
        }

        var source = (info.RemoteEndPoint as IPEndPoint)?.Address;
        var usable = certificate is null || certificate.Check(options.TimeProvider, source) == CertificateCheck.Ok;
        AuthenticatedUser? user;
        try
        {
            user = await options.Authenticator.AuthorizeAsync(request.UserName, key, certificate, info, transport.Closed);
        }
        catch (OperationCanceledException) when (transport.Closed.IsCancellationRequested)
        {
            return null;
        }

        if (user is not null && certificate is not null)
        {
            user = CertificateRights.Narrow(user, certificate);
        }

        // Checked for unknown users too: it takes most of the time.
        var policy = certificate?.SecurityKeyPolicy ?? user?.SecurityKeyPolicy ?? SecurityKeyPolicy.RequirePresence;
        var verified = fields.Signature is null
            || key.Verify(
                fields.SignedData(info.SessionId.Span, request.UserName, request.Service),
                fields.Signature,
                algorithm.SignatureAlgorithm,
                policy,
                out _) == SignatureCheck.Ok;
        return usable && verified && user is not null && !transport.IsClosing
            ? new AuthenticatedPeer(request.UserName, user, key, certificate)
            : null;
    }

    /// <summary>Parses a key, or a certificate, whose own type must be the one that the algorithm takes.</summary>
    private static bool TryParse(
        ReadOnlySpan<byte> blob, PublicKeyAlgorithm algorithm, [NotNullWhen(true)] out SshPublicKey? key, out SshCertificate? certificate)
    {
        key = null;
        certificate = null;
        if (algorithm.IsCertificate)
        {
            if (!SshCertificate.TryParse(blob, out certificate) || certificate.KeyType != algorithm.KeyType)
            {
                return false;
            }

            key = certificate.Key;
            return true;
        }

        return SshPublicKey.TryParse(blob, out key) && key.KeyType == algorithm.KeyType;
    }

    private async ValueTask RefuseAsync(UserAuthRequestMessage request, long started)
    {
        _failures++;
        await WaitForRefusalTimeAsync(request.UserName, started);
        if (_failures >= options.MaxAuthTries)
        {
            SshLog.TooManyFailures(logger, info.Id, PeerText.Clean(request.UserName), _failures);
            transport.Fail(DisconnectReason.NoMoreAuthMethodsAvailable, "Too many authentication failures.");
            return;
        }

        transport.Send(new UserAuthFailureMessage(Methods, PartialSuccess: false));
    }

    /// <summary>
    /// Waits until a time after the request that depends on the user name alone, 5 to 9 ms, doubled as often as the check took longer; as OpenSSH's auth2.c does.
    /// </summary>
    private async ValueTask WaitForRefusalTimeAsync(string userName, long started)
    {
        var hash = HMACSHA256.HashData(DelayKey, Encoding.UTF8.GetBytes(userName));
        var target = MinRefusalTime * (1 + (hash[0] / 256.0 * 0.8));
        var elapsed = options.TimeProvider.GetElapsedTime(started);
        while (target < elapsed)
        {
            target *= 2;
        }

        try
        {
            // Timers count in whole milliseconds and may fire before their time: never less than the target.
            for (; elapsed < target; elapsed = options.TimeProvider.GetElapsedTime(started))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(Math.Ceiling((target - elapsed).TotalMilliseconds)), options.TimeProvider, transport.Closed);
            }
        }
        catch (OperationCanceledException)
        {
            // The connection is over; what follows notices.
        }
    }

    private static bool IsPlausible(string userName)
    {
        foreach (var c in userName)
        {
            if (char.IsControl(c))
            {
                return false;
            }
        }

        return userName.Length > 0;
    }
}
