using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Shale.Ssh.Ciphers;
using Shale.Ssh.Connection;
using Shale.Ssh.KeyExchange;
using Shale.Ssh.Keys;

namespace Shale.Ssh.Client;

/// <summary>What a client connects with.</summary>
public sealed class SshClientOptions
{
    /// <summary>The user to log in as.</summary>
    public required string UserName { get; init; }

    /// <summary>The key to log in with.</summary>
    public required ClientIdentity Identity { get; init; }

    /// <summary>Decides whether the server's host key is the expected one, before anything is sent under the keys that it vouches for. There is no default.</summary>
    public required Func<SshPublicKey, CancellationToken, ValueTask<bool>> VerifyHostKey { get; init; }

    /// <summary>Serves channels that the server opens, by type ("auth-agent@openssh.com", "forwarded-tcpip"); others are refused.</summary>
    public IReadOnlyList<IClientChannelHandler> ChannelTypes { get; init; } = [];

    /// <summary>Key exchange methods to offer, best first. Default: all.</summary>
    public IReadOnlyList<string> KeyExchangeAlgorithms { get; init; } = KeyAgreement.Names;

    /// <summary>Host key algorithms to offer, best first.</summary>
    public IReadOnlyList<string> HostKeyAlgorithms { get; init; } = ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"];

    /// <summary>Ciphers to offer, best first. Default: all.</summary>
    public IReadOnlyList<string> Ciphers { get; init; } = CipherSuite.CipherNames;

    /// <summary>MACs to offer, best first. Default: all.</summary>
    public IReadOnlyList<string> Macs { get; init; } = CipherSuite.MacNames;

    /// <summary>How long connecting and authenticating may take. Default 30 seconds.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>After how many bytes in one direction keys are exchanged again. Default 1 GiB.</summary>
    public long RekeyAfterBytes { get; init; } = 1L << 30;

    /// <summary>How many channels there may be at once. Default 256.</summary>
    public int MaxChannels { get; init; } = 256;

    /// <summary>Where time comes from.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Where logs go.</summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;
}

/// <summary>Serves channels of one type that a server opens to its client.</summary>
public interface IClientChannelHandler
{
    /// <summary>The channel type it serves.</summary>
    string ChannelType { get; }

    /// <summary>Serves a channel, which is closed when this returns.</summary>
    /// <param name="channel">The channel.</param>
    /// <param name="payload">The type's own bytes of SSH_MSG_CHANNEL_OPEN.</param>
    /// <param name="cancellationToken">Set when the channel or the connection is closed.</param>
    /// <returns>Done when the channel may be closed.</returns>
    ValueTask HandleChannelAsync(SshChannel channel, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken);
}
