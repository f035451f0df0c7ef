using System.Net.Sockets;
using System.Security.Cryptography;
using Shale.Chain;
using Shale.Crypto;
using Shale.Ssh.Client;
using Shale.Ssh.Keys;

namespace Shale.Agent.Market;

/// <summary>
/// Gets the host keys whose hashes the chain names: known_hosts wants whole keys. Key exchanges only, nothing is logged in to; a key whose hash the chain
/// does not name is nobody's.
/// </summary>
public static class HostKeyScan
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    /// <summary>A gateway refuses addresses for a while that failed to log in; half a minute is what a client's own waiting for its container can have cost it.</summary>
    private const int Tries = 7;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    /// <summary>One key exchange for each kind of key that a server may have.</summary>
    private static readonly string[][] Kinds = [["ssh-ed25519"], ["ecdsa-sha2-nistp256"], ["rsa-sha2-512", "rsa-sha2-256"]];

    /// <summary>Asks a server for its keys.</summary>
    /// <param name="host">Name or address.</param>
    /// <param name="port">Port.</param>
    /// <param name="hashes">SHA-256 of the keys that the chain names.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>The keys that the chain names; none where the server has others.</returns>
    /// <exception cref="AgentException">The server can't be reached, or shows no key at all.</exception>
    public static async Task<IReadOnlyList<SshPublicKey>> ReadAsync(string host, int port, IReadOnlyCollection<Bytes32> hashes, CancellationToken cancellation)
    {
        for (int i = 0; i < Tries; i++)
        {
            if (await TryReadAsync(host, port, hashes, cancellation).ConfigureAwait(false) is { } found)
            {
                return found;
            }

            await Task.Delay(Pause, cancellation).ConfigureAwait(false);
        }

        throw new AgentException($"{host}:{port} hangs up before it shows a host key.", "It may refuse your address for some minutes, after logins that failed; or it is no SSH server. Go on later with shale give-me-container --resume.");
    }

    /// <summary>One pass; null where the server showed no key of any kind.</summary>
    private static async Task<IReadOnlyList<SshPublicKey>?> TryReadAsync(string host, int port, IReadOnlyCollection<Bytes32> hashes, CancellationToken cancellation)
    {
        var (found, any) = (new List<SshPublicKey>(), false);
        foreach (string[] kind in Kinds)
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            limit.CancelAfter(ConnectTimeout);
            try
            {
                await socket.ConnectAsync(host, port, limit.Token).ConfigureAwait(false);
            }
            catch (Exception cause) when (cause is SocketException || (cause is OperationCanceledException && !cancellation.IsCancellationRequested))
            {
                throw new AgentException($"{host}:{port} can't be reached: {cause.Message}", "The provider's gateway may be down; try again, or take another provider.");
            }

            byte[] seed = RandomNumberGenerator.GetBytes(Ed25519.SeedSize);
            using var key = new Ed25519PrivateKey(seed);
            SshPublicKey? offered = null;
            SshConnectResult result = await SshClient.ConnectAsync(
                socket,
                new SshClientOptions
                {
                    UserName = "scan",
                    Identity = ClientIdentity.FromEd25519(key),
                    HostKeyAlgorithms = kind,
                    ConnectTimeout = ConnectTimeout,
                    VerifyHostKey = (shown, _) =>
                    {
                        // Proven by its signature when this is asked; refused, so that nothing follows.
                        offered = shown;
                        return ValueTask.FromResult(false);
                    },
                },
                cancellation).ConfigureAwait(false);
            if (result.Client is { } client)
            {
                await client.DisposeAsync().ConfigureAwait(false);
            }

            any |= offered is not null;
            if (offered is not null && hashes.Contains(new Bytes32(SHA256.HashData(offered.Blob.Span))) && found.All(k => !k.Blob.Span.SequenceEqual(offered.Blob.Span)))
            {
                found.Add(offered);
            }

            // A connection that does not log in counts against its address: no more of them than it takes.
            if (found.Count == hashes.Count)
            {
                break;
            }
        }

        return any ? found : null;
    }
}
