using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Shale.Gateway.Leases;
using Shale.Ssh.Auth;
using Shale.Ssh.Connection;
using Shale.Ssh.Keys;

namespace Shale.Gateway.Listening;

/// <summary>
/// Finds the lease that a key belongs to. The user name is the lease's number (<c>42</c> or <c>lease-42</c>); any other name (<c>root</c>, <c>ubuntu</c>) stands for the
/// only lease that the key has.
/// </summary>
internal sealed class LeaseAuthenticator(LeaseManager leases, TimeProvider time, ILogger logger) : IUserAuthenticator
{
    private readonly ConditionalWeakTable<LeaseRecord, IReadOnlyList<AuthorizedKey>> _keys = [];

    public ValueTask<AuthenticatedUser?> AuthorizeAsync(
        string userName, SshPublicKey key, SshCertificate? certificate, ConnectionInfo connection, CancellationToken cancellationToken)
    {
        // Every key of every lease is looked at whatever the name: an unknown user, an unknown key and a key of another lease cost the same.
        var matches = new List<(LeaseService Lease, AuthorizedKey Options)>();
        foreach (var lease in leases.Services)
        {
            foreach (var authorized in Keys(lease.Record))
            {
                if (Matches(authorized, key, certificate, lease.Record, userName, connection))
                {
                    matches.Add((lease, authorized));
                    break;
                }
            }
        }

        var named = LeaseNumber(userName);
        var found = matches.FindAll(m => named is null || m.Lease.Id == named);
        return ValueTask.FromResult(found.Count == 1 ? User(found[0].Lease, found[0].Options) : null);
    }

    private static AuthenticatedUser User(LeaseService lease, AuthorizedKey options) => new(lease.Record.Name, lease)
    {
        ForcedCommand = options.Command,
        PermitPty = options.PermitPty,
        PermitPortForwarding = options.PermitPortForwarding,
        // For a lease that is paid the agent may be what pays; where neither that nor the user's own agent is wanted, ssh -A is refused outright.
        PermitAgentForwarding = options.PermitAgentForwarding && (lease.Record.Payment is not null || lease.Record.AllowAgentForwarding),
        ValidUntil = Earlier(lease.Record.EndsAt, options.ExpiryTime),
    };

    private static DateTimeOffset? Earlier(DateTimeOffset? a, DateTimeOffset? b) => a is null ? b : b is null || a < b ? a : b;

    private static ulong? LeaseNumber(string userName)
    {
        var digits = userName.StartsWith("lease-", StringComparison.Ordinal) ? userName.AsSpan(6) : userName;
        return ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : null;
    }

    private bool Matches(AuthorizedKey authorized, SshPublicKey key, SshCertificate? certificate, LeaseRecord lease, string userName, ConnectionInfo connection)
    {
        if (authorized.ExpiryTime <= time.GetUtcNow() || (authorized.From is { } from && !(connection.RemoteEndPoint is IPEndPoint remote && from.Matches(remote.Address))))
        {
            return false;
        }

        if (!authorized.IsCertificateAuthority)
        {
            return certificate is null && authorized.Key.Blob.Span.SequenceEqual(key.Blob.Span);
        }

        // As in sshd: the principals that the line names, else the user name that was asked for, here also in the lease's own spelling.
        return certificate is not null && authorized.Key.Blob.Span.SequenceEqual(certificate.Authority.Blob.Span) &&
            (authorized.Principals is { } principals ? principals.Any(certificate.HasPrincipal) : certificate.HasPrincipal(userName) || certificate.HasPrincipal(lease.Name));
    }

    private IReadOnlyList<AuthorizedKey> Keys(LeaseRecord lease) => _keys.GetValue(lease, record =>
    {
        var keys = new List<AuthorizedKey>();
        foreach (var line in record.AuthorizedKeys)
        {
            if (SshPublicKey.TryParseAuthorizedKey(line, out var key))
            {
                keys.Add(key);
            }
            else
            {
                GatewayLog.KeyLineRefused(logger, record.Id, line.Length > 60 ? line[..60] + "…" : line);
            }
        }

        return keys;
    });
}
