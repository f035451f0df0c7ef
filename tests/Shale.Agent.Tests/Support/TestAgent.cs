using Shale.Agent.Files;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Vouchers;

namespace Shale.Agent.Tests.Support;

/// <summary>An agent in a folder of its own, with its real sockets and files.</summary>
internal sealed class TestAgent : IAsyncDisposable
{
    public static readonly byte[] Seed = Enumerable.Range(7, 32).Select(i => (byte)i).ToArray();
    private PaymentAgent? _agent;

    public TestAgent()
    {
        // Short: sockets lie in it.
        Directory = System.IO.Directory.CreateTempSubdirectory("sa").FullName;
        Folder = new AgentFolder(Path.Combine(Directory, "a"));
        using var key = new EdDsaPrivateKey(Seed);
        PayerKey = key.PublicKey;
    }

    public string Directory { get; }

    public AgentFolder Folder { get; }

    public EdDsaPublicKey PayerKey { get; }

    public ManualClock Clock { get; } = new();

    public bool UsesRealClock { get; init; }

    public string? IdentityAgent { get; init; }

    public PaymentAgent Agent => _agent ?? throw new InvalidOperationException("Not started.");

    public LeaseFile Lease(GatewayDouble gateway, int port = 22, ulong id = GatewayDouble.LeaseId) => new()
    {
        Id = id,
        Host = "127.0.0.1",
        Port = port,
        Provider = GatewayDouble.Provider,
        HostKeys = [gateway.HostKey.PublicKey.ToString()],
        Payment = new LeasePrice
        {
            ChainId = GatewayDouble.ChainId,
            Contract = "0x" + Convert.ToHexStringLower(GatewayDouble.Contract),
            PayerKey = PayerKey.ToString(),
            PricePerSecond = GatewayDouble.Price.ToString(),
            Deposit = AttoFil.OneFil.ToString(),
        },
    };

    public async Task StartAsync(params LeaseFile[] leases)
    {
        foreach (LeaseFile lease in leases)
        {
            LeaseBook.Write(Folder, lease);
        }

        _agent = await PaymentAgent.StartAsync(
            new PaymentAgentOptions
            {
                Folder = Folder,
                Key = new EdDsaPrivateKey(Seed),
                Clock = UsesRealClock ? null : Clock,
                IdentityAgent = IdentityAgent,
            },
            CancellationToken.None);
    }

    public async Task StopAsync()
    {
        if (_agent is not null)
        {
            await _agent.DisposeAsync();
            _agent = null;
        }
    }

    public async Task SetPolicyAsync(Func<PolicyFile, PolicyFile> change)
    {
        await PolicyFile.UpdateAsync(Folder, change, CancellationToken.None);
        if (_agent is not null)
        {
            Assert.True(await new Control.AgentClient(Folder).ReloadAsync(CancellationToken.None));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        System.IO.Directory.Delete(Directory, recursive: true);
    }
}
