using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Shale.Agent.Files;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Policy;

namespace Shale.Agent;

/// <summary>What an agent is made of.</summary>
public sealed record PaymentAgentOptions
{
    /// <summary>Where it keeps everything.</summary>
    public required AgentFolder Folder { get; init; }

    /// <summary>The payment key; the agent erases it when it ends.</summary>
    public required EdDsaPrivateKey Key { get; init; }

    /// <summary>The user's own ssh-agent (SSH_AUTH_SOCK); null for none.</summary>
    public string? IdentityAgent { get; init; }

    /// <summary>OpenSSH's client. Default: <c>ssh</c> from the path.</summary>
    public string Ssh { get; init; } = "ssh";

    /// <summary>For waits and for what is shown.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>What payment goes by; null: the machine's.</summary>
    public IAgentClock? Clock { get; init; }

    /// <summary>Where the agent says what it does.</summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;
}
