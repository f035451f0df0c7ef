using Xunit;

namespace Shale.Interop.Tests;

/// <summary>One gateway with a lease of each kind of image, shared by the tests that leave them as they were.</summary>
public sealed class GatewayFixture : IAsyncLifetime
{
    internal GatewayProcess Gateway { get; private set; } = null!;

    internal ulong Debian { get; private set; }

    internal ulong Busybox { get; private set; }

    internal ulong Static { get; private set; }

    public async Task InitializeAsync()
    {
        Gateway = await GatewayProcess.StartAsync();
        Debian = await Gateway.LeaseAsync("--image=shale/debian:12", "--num_cpus=2", "--num_rams=1g");
        Busybox = await Gateway.LeaseAsync("--image=shale/busybox:1", "--num-rams=256m");
        Static = await Gateway.LeaseAsync("--image=shale/static:1");
    }

    public async Task DisposeAsync() => await Gateway.DisposeAsync();
}

[CollectionDefinition(nameof(GatewayCollection))]
public sealed class GatewayCollection : ICollectionFixture<GatewayFixture>;
