using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Shale.Containers.Engine;

/// <summary>
/// Where a Docker Engine listens: <c>unix:///var/run/docker.sock</c>, or <c>tcp://host:2376</c> with TLS client certificates
/// (plain TCP, port 2375 by convention, only when no certificates are given: whoever reaches it owns that machine).
/// </summary>
public sealed class EngineEndpoint
{
    /// <summary>Path of the engine's socket on a stock Linux machine.</summary>
    public const string DefaultSocket = "/var/run/docker.sock";

    private readonly string? _host;
    private readonly int _port;

    private EngineEndpoint(string? socketPath, string? host, int port)
    {
        SocketPath = socketPath;
        _host = host;
        _port = port;
    }

    /// <summary>The Unix socket's path; null for TCP.</summary>
    public string? SocketPath { get; }

    /// <summary>Whether the engine shares this machine's files and processes: true for a Unix socket.</summary>
    public bool IsLocal => SocketPath is not null;

    /// <summary>The certificate this side shows, with its private key; TLS is used when it is set.</summary>
    public X509Certificate2? ClientCertificate { get; init; }

    /// <summary>The authority that must have signed the engine's certificate; null: the machine's trust store.</summary>
    public X509Certificate2? CertificateAuthority { get; init; }

    /// <summary>The endpoint of <c>DOCKER_HOST</c> with <c>DOCKER_CERT_PATH</c> (ca.pem, cert.pem, key.pem), else the stock socket.</summary>
    /// <exception cref="EngineException">The variable or a certificate file can't be used.</exception>
    public static EngineEndpoint FromEnvironment()
    {
        var address = Environment.GetEnvironmentVariable("DOCKER_HOST");
        var certificates = Environment.GetEnvironmentVariable("DOCKER_CERT_PATH");
        return Parse(string.IsNullOrEmpty(address) ? "unix://" + DefaultSocket : address, string.IsNullOrEmpty(certificates) ? null : certificates);
    }

    /// <summary>Reads an address as docker's <c>-H</c> takes it.</summary>
    /// <param name="address"><c>unix:///path</c> or <c>tcp://host[:port]</c>.</param>
    /// <param name="certificateFolder">A folder with ca.pem, cert.pem and key.pem for TLS; null for none.</param>
    /// <exception cref="EngineException">It is neither, or a certificate file can't be read.</exception>
    public static EngineEndpoint Parse(string address, string? certificateFolder = null)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (address.StartsWith("unix://", StringComparison.Ordinal) && address.Length > 8 && address[7] == '/')
        {
            return new EngineEndpoint(address[7..], null, 0);
        }

        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Scheme != "tcp" || uri.Host.Length == 0)
        {
            throw new EngineException(EngineFailure.Refused, $"'{address}' is not a Docker Engine address; write unix:///path/to/docker.sock or tcp://host:port.");
        }

        if (certificateFolder is null)
        {
            return new EngineEndpoint(null, uri.Host, uri.Port > 0 ? uri.Port : 2375);
        }

        try
        {
            return new EngineEndpoint(null, uri.Host, uri.Port > 0 ? uri.Port : 2376)
            {
                ClientCertificate = X509Certificate2.CreateFromPemFile(Path.Combine(certificateFolder, "cert.pem"), Path.Combine(certificateFolder, "key.pem")),
                CertificateAuthority = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(certificateFolder, "ca.pem")),
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException)
        {
            throw new EngineException(EngineFailure.Refused, $"The TLS certificates in {certificateFolder} (ca.pem, cert.pem, key.pem) can't be read: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public override string ToString() => SocketPath is not null ? "unix://" + SocketPath : $"tcp://{_host}:{_port}";

    /// <summary>A connected stream, encrypted where certificates are set.</summary>
    internal async ValueTask<Stream> ConnectAsync(CancellationToken cancellationToken)
    {
        var socket = SocketPath is not null
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        Stream? stream = null;
        try
        {
            await socket.ConnectAsync(SocketPath is not null ? new UnixDomainSocketEndPoint(SocketPath) : new DnsEndPoint(_host!, _port), cancellationToken).ConfigureAwait(false);
            stream = new NetworkStream(socket, ownsSocket: true);
            if (ClientCertificate is null)
            {
                return stream;
            }

            var tls = new SslStream(stream);
            stream = tls;
            var options = new SslClientAuthenticationOptions
            {
                TargetHost = _host,
                ClientCertificates = [ClientCertificate],
                EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            };
            if (CertificateAuthority is not null)
            {
                options.CertificateChainPolicy = new X509ChainPolicy
                {
                    TrustMode = X509ChainTrustMode.CustomRootTrust,
                    RevocationMode = X509RevocationMode.NoCheck,
                };
                options.CertificateChainPolicy.CustomTrustStore.Add(CertificateAuthority);
            }

            await tls.AuthenticateAsClientAsync(options, cancellationToken).ConfigureAwait(false);
            return tls;
        }
        catch (Exception e)
        {
            if (stream is not null)
            {
                await stream.DisposeAsync().ConfigureAwait(false);
            }

            socket.Dispose();
            if (e is SocketException or AuthenticationException)
            {
                throw Unreachable(e);
            }

            throw;
        }
    }

    internal EngineException Unreachable(Exception cause) => new(
        EngineFailure.Unreachable,
        cause is AuthenticationException
            ? $"The Docker Engine at {this} and this machine do not accept each other's TLS certificates: {cause.Message}"
            : $"The Docker Engine at {this} does not answer ({cause.Message}). Is it running (systemctl status docker), and may this user open it?",
        cause);
}
