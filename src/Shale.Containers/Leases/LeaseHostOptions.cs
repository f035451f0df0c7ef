using Shale.Containers.Engine;

namespace Shale.Containers.Leases;

/// <summary>How a machine hosts leases.</summary>
public sealed record LeaseHostOptions
{
    /// <summary>The Docker Engine; default: as the docker command finds it.</summary>
    public EngineEndpoint Engine { get; init; } = EngineEndpoint.FromEnvironment();

    /// <summary>
    /// Where each lease has its folder (the helper and its socket), mounted read-only in its container. It has to be on a file system that
    /// allows execution (Debian's /run does not) and survive a restart; paths in it must stay under 108 bytes. Default /var/lib/shale/leases.
    /// </summary>
    public string StateDirectory { get; init; } = "/var/lib/shale/leases";

    /// <summary>The Docker network of leases that name none; made when missing, as a bridge whose containers can't reach each other. Default "shale".</summary>
    public string Network { get; init; } = "shale";

    /// <summary>A call to the engine fails after this long. Default 30 s.</summary>
    public TimeSpan EngineTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Only Docker's own attach is used, never pipes beside it. For tests and for engines whose processes are not this machine's.</summary>
    public bool AttachOnly { get; init; }

    /// <summary>
    /// For a process beside the one that serves the leases: it looks at containers and their files, starts no helper in them and leaves the
    /// limits of their network alone.
    /// </summary>
    public bool Beside { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
