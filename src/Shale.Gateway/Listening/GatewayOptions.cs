using System.Net;
using Microsoft.Extensions.Logging;
using Shale.Gateway.Leases;

namespace Shale.Gateway.Listening;

/// <summary>What a gateway is made of. Values are checked when it starts.</summary>
public sealed record GatewayOptions
{
    /// <summary>The folder that holds everything of this gateway: the lease directory, <c>hostkeys/</c>, <c>log/</c>.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>Where SSH is served. Default: all addresses, port 22.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Any, 22);

    /// <summary>Where metrics and status are served in plain HTTP, for this machine only; null: nowhere.</summary>
    public IPEndPoint? Admin { get; init; }

    /// <summary>Where the voucher log is served read-only in plain HTTP, to everyone who can reach it (what it reveals: docs/VOUCHERLOG.md, section 5); null: nowhere.</summary>
    public IPEndPoint? LogListen { get; init; }

    /// <summary>Where terminal sessions are recorded when their lease allows it; null: nowhere.</summary>
    public string? RecordingDirectory { get; init; }

    /// <summary>Words shown before authentication; null: none.</summary>
    public string? Banner { get; init; }

    /// <summary>From which level on the gateway logs to its standard error. Default: warnings.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Warning;

    /// <summary>The Docker Engine, as DOCKER_HOST has it; null: as the docker command finds it.</summary>
    public string? Engine { get; init; }

    /// <summary>The store of the data sets that leases mount by CID (docs/DATASETS.md). Default: <c>data/</c> below <see cref="StateDirectory"/>.</summary>
    public string? DataDirectory { get; init; }

    /// <summary>Where each lease's helper and socket lie; see the containers library. Default: <c>run/</c> below <see cref="StateDirectory"/>.</summary>
    public string? ContainerDirectory { get; init; }

    /// <summary>The clock of leases and payment; tests bring their own.</summary>
    internal TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Stands between the gateway and the engine's containers; tests put their own in place of some.</summary>
    internal Func<ILeaseContainers, ILeaseContainers> Containers { get; init; } = containers => containers;
}
