using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Shale.Ssh.Ciphers;
using Shale.Ssh.KeyExchange;
using Shale.Ssh.Keys;

namespace Shale.Ssh.Transport;

/// <summary>What the transport layer needs to know, for either role.</summary>
internal sealed class TransportOptions
{
    public required string SoftwareVersion { get; init; }

    /// <summary>Server: the host keys.</summary>
    public IReadOnlyList<HostKey> HostKeys { get; init; } = [];

    /// <summary>Client: decides about the server's host key.</summary>
    public Func<SshPublicKey, CancellationToken, ValueTask<bool>>? VerifyHostKey { get; init; }

    public string[] KexAlgorithms { get; init; } = KeyAgreement.Names;

    /// <summary>Client: the host key algorithms to offer.</summary>
    public string[] HostKeyAlgorithms { get; init; } = [];

    public string[] Ciphers { get; init; } = CipherSuite.CipherNames;

    public string[] Macs { get; init; } = CipherSuite.MacNames;

    /// <summary>Server: what to say in EXT_INFO once keys are there.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Extensions { get; init; } = [];

    public long RekeyAfterBytes { get; init; } = 1L << 30;

    public TimeSpan RekeyAfter { get; init; } = TimeSpan.FromHours(1);

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    public ILogger Logger { get; init; } = NullLogger.Instance;

    /// <summary>Bounds the computations of key exchanges that run at once; shared by all connections of a server.</summary>
    public KexGate KexGate { get; init; } = KexGate.Shared;
}
