using System.Diagnostics.CodeAnalysis;
using Shale.Ssh.Ciphers;

namespace Shale.Ssh.KeyExchange;

/// <summary>What two KEXINIT messages come to: of each list the first name of the client's that the server has too (RFC 4253 section 7.1).</summary>
/// <param name="Kex">The key exchange method.</param>
/// <param name="HostKey">The host key's signature algorithm.</param>
/// <param name="ClientToServer">The client's cipher and MAC.</param>
/// <param name="ServerToClient">The server's cipher and MAC.</param>
/// <param name="GuessWasWrong">Whether the two sides would have guessed differently, so that a guessed first packet is to be ignored.</param>
internal sealed record Negotiation(string Kex, string HostKey, CipherSuite ClientToServer, CipherSuite ServerToClient, bool GuessWasWrong)
{
    public const string StrictClient = "kex-strict-c-v00@openssh.com";
    public const string StrictServer = "kex-strict-s-v00@openssh.com";
    public const string ExtInfoClient = "ext-info-c";

    /// <summary>Negotiates.</summary>
    /// <param name="client">The client's offer.</param>
    /// <param name="server">The server's offer.</param>
    /// <param name="result">The outcome.</param>
    /// <param name="failure">What they have not in common, for both operators.</param>
    /// <returns>Whether everything was agreed.</returns>
    public static bool TryNegotiate(
        KexInit client, KexInit server, [NotNullWhen(true)] out Negotiation? result, [NotNullWhen(false)] out string? failure)
    {
        result = null;
        var kex = First(client.KexAlgorithms, server.KexAlgorithms, KeyAgreement.IsKnown);
        var hostKey = First(client.HostKeyAlgorithms, server.HostKeyAlgorithms);
        var up = Suite(client.CiphersClientToServer, server.CiphersClientToServer, client.MacsClientToServer, server.MacsClientToServer);
        var down = Suite(client.CiphersServerToClient, server.CiphersServerToClient, client.MacsServerToClient, server.MacsServerToClient);
        failure = kex is null ? Mismatch("key exchange method", client.KexAlgorithms)
            : hostKey is null ? Mismatch("host key algorithm", client.HostKeyAlgorithms)
            : up is null || down is null ? Mismatch("cipher or MAC", [.. client.CiphersClientToServer, .. client.MacsClientToServer])
            : First(client.CompressionClientToServer, server.CompressionClientToServer) is null
                || First(client.CompressionServerToClient, server.CompressionServerToClient) is null
                ? Mismatch("compression", client.CompressionClientToServer)
            : null;
        if (failure is not null)
        {
            return false;
        }

        var guessWasWrong = client.KexAlgorithms.FirstOrDefault() != server.KexAlgorithms.FirstOrDefault()
            || client.HostKeyAlgorithms.FirstOrDefault() != server.HostKeyAlgorithms.FirstOrDefault();
        result = new Negotiation(kex!, hostKey!, up!, down!, guessWasWrong);
        return true;
    }

    private static CipherSuite? Suite(string[] clientCiphers, string[] serverCiphers, string[] clientMacs, string[] serverMacs)
    {
        if (First(clientCiphers, serverCiphers, CipherSuite.CipherNames.Contains) is not { } cipher)
        {
            return null;
        }

        if (CipherSuite.IsAead(cipher))
        {
            return new CipherSuite(cipher, null);
        }

        return First(clientMacs, serverMacs, CipherSuite.MacNames.Contains) is { } mac ? new CipherSuite(cipher, mac) : null;
    }

    private static string? First(string[] client, string[] server, Func<string, bool>? known = null) =>
        Array.Find(client, name => server.Contains(name) && (known is null || known(name)));

    private static string Mismatch(string what, string[] offered)
    {
        var text = string.Join(',', offered);
        return $"no {what} in common; the client offers {(text.Length > 512 ? text[..512] + "…" : text)}";
    }
}
