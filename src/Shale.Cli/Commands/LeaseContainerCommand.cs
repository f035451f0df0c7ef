using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Shale.Cli.Parsing;
using Shale.Gateway.Listening;
using Shale.Leases;

namespace Shale.Cli.Commands;

/// <summary><c>shale lease-container</c>: starts one container to lease, without a chain, and serves it over SSH.</summary>
internal static class LeaseContainerCommand
{
    private const int JupyterPort = 8888;

    public static Command Create() => Create("lease-container", hidden: false);

    /// <summary>The command's older name.</summary>
    public static Command CreateOlder() => Create("start-specific-container", hidden: true);

    private static Command Create(string name, bool hidden)
    {
        var lease = new LeaseOptions();
        var gateway = new GatewayCommandOptions();
        var price = new PriceOptions();
        var ports = new Option<string[]>("--publish", "-p") { Description = "Publish a port of the container: HOST:CONTAINER. May be given often." };
        var jupyter = new Option<bool>("--jupyter") { Description = "Run JupyterLab in the container, published on port 8888; its token is printed." };
        var record = new Option<bool>("--allow_recording", "--allow-recording") { Description = "The lease's terms allow terminal recording." };
        var results = new Option<string?>("--max_results", "--max-results") { Description = "What the lease's packed results may take on this machine together, for example 10Gi; 0: none. Default: 64Gi." };
        var agent = new Option<bool>("--allow_agent_forwarding", "--allow-agent-forwarding") { Description = "Let the user's own ssh-agent reach the container (the user must ask for it too)." };
        var detach = new Option<bool>("--detach", "-d") { Description = "Only add the lease; a gateway that runs on this state folder serves it." };
        var command = new Command(name, "Start one container to lease and serve it over SSH, without a chain") { Hidden = hidden };
        lease.AddTo(command);
        foreach (var option in new Option[] { ports, jupyter, results, record, agent, detach })
        {
            command.Options.Add(option);
        }

        price.AddTo(command);
        gateway.AddTo(command);
        lease.Image.Required = true;
        command.SetAction(async (parsed, cancellation) =>
        {
            var root = gateway.StateDirectory(parsed);
            var token = parsed.GetValue(jupyter) ? Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24)) : null;
            var terms = new LeaseRecord
            {
                Id = 0,
                AuthorizedKeys = LeaseOptions.ReadPublicKeys(parsed.GetValue(lease.PublicKey)),
                Container = Terms(parsed, lease, ports, token, text => Mount(text, gateway, parsed, parsed.GetValue(detach), cancellation)),
                Payment = price.Read(parsed),
                AllowAgentForwarding = parsed.GetValue(agent),
                AllowRecording = parsed.GetValue(record),
                MaxResultBytes = parsed.GetValue(results) switch { null => 64L << 30, "0" => 0, { } size => Quantity.Memory(size, "--max_results") },
                CreatedAt = DateTimeOffset.UtcNow,
            };
            return await ServeAsync(parsed, gateway, root, terms, token, parsed.GetValue(detach), cancellation).ConfigureAwait(false);
        });
        return command;
    }

    private static ContainerTerms Terms(ParseResult parsed, LeaseOptions lease, Option<string[]> ports, string? jupyterToken, Func<string, MountTerms> mount)
    {
        var published = (parsed.GetValue(ports) ?? []).ToList();
        if (jupyterToken is not null && !published.Any(p => p.EndsWith($":{JupyterPort}", StringComparison.Ordinal)))
        {
            published.Add($"{JupyterPort}:{JupyterPort}");
        }

        return new ContainerTerms
        {
            Image = parsed.GetValue(lease.Image)!,
            Cpus = parsed.GetValue(lease.Cpus),
            MemoryBytes = parsed.GetValue(lease.Memory) is { } memory ? Quantity.Memory(memory, "--num_rams") : 0,
            Gpus = parsed.GetValue(lease.Gpus) ?? "",
            BandwidthBytesPerSecond = parsed.GetValue(lease.Bandwidth) is { } bandwidth ? Quantity.Bandwidth(bandwidth, "--bandwidth") : 0,
            Mounts = [.. (parsed.GetValue(lease.Mounts) ?? []).Select(mount)],
            Ports = published,
            Service = jupyterToken is null
                ? []
                : Containers.Leases.LeaseService.Jupyter(JupyterPort, jupyterToken).Arguments,
        };
    }

    private static MountTerms Mount(string text, GatewayCommandOptions gateway, ParseResult parsed, bool detach, CancellationToken cancellation)
    {
        var split = text.LastIndexOf(":/", StringComparison.Ordinal);
        if (split <= 0)
        {
            throw new CliError($"--mnt={text} is not SOURCE:/path/in/container.", "For example --mnt=bafy...:/mnt/data.zip.", ExitCodes.Usage);
        }

        var (source, target) = (text[..split], text[(split + 1)..]);
        if (!source.StartsWith('/'))
        {
            // The gateway that serves the lease finds it in its own store and verifies it. Only a store that a running gateway need not know is looked into from here.
            var store = gateway.DataDirectory(parsed);
            if (detach && gateway.NamesStore(parsed))
            {
                return new MountTerms { Source = source, HostPath = DatasetCommand.ResolveMount(store, source, cancellation), Target = target };
            }

            DatasetCommand.CheckMount(detach ? null : store, source);
            return new MountTerms { Source = source, Target = target };
        }

        return File.Exists(source) || Directory.Exists(source)
            ? new MountTerms { Source = source, HostPath = source, Target = target }
            : throw new CliError($"{source} does not exist on this machine.", null, ExitCodes.NoInput);
    }

    private static async Task<int> ServeAsync(ParseResult parsed, GatewayCommandOptions gateway, string root, LeaseRecord lease, string? token, bool detach, CancellationToken cancellation)
    {
        GatewayHost? host = null;
        if (!detach)
        {
            // Started first: if the port is taken or the engine is gone, no lease was made.
            host = await gateway.StartAsync(parsed, cancellation).ConfigureAwait(false);
        }
        else if (!GatewayHost.IsServing(root))
        {
            throw new CliError($"No gateway serves {root}.", $"Start one with shale gateway --state_dir={root}, or leave out --detach.", ExitCodes.Unavailable);
        }

        try
        {
            var serving = host?.RunAsync(cancellation);
            lease = lease with { Id = FileLeaseDirectory.TakeId(root) };
            FileLeaseDirectory.Write(root, lease);
            try
            {
                await WaitUntilServedAsync(root, lease, cancellation).ConfigureAwait(false);
                Announce(host?.Endpoint ?? gateway.Listen(parsed), lease, token);
                if (serving is not null)
                {
                    Console.Error.WriteLine("shale: Ctrl-C ends the lease and removes its container");
                    await serving.ConfigureAwait(false);
                }

                return ExitCodes.Success;
            }
            catch
            {
                FileLeaseDirectory.Remove(root, lease.Id);
                throw;
            }
            finally
            {
                if (host is not null)
                {
                    FileLeaseDirectory.Remove(root, lease.Id);
                    await host.EndLeaseAsync(lease.Id).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            if (host is not null)
            {
                await host.DisposeAsync().ConfigureAwait(false);
            }
        }
    }

    private static async Task WaitUntilServedAsync(string root, LeaseRecord lease, CancellationToken cancellation)
    {
        var said = "";
        while (true)
        {
            var status = FileLeaseDirectory.ReadStatus(root, lease.Id);
            switch (status?.Service)
            {
                case ServiceState.Serving or ServiceState.Paused:
                    return;
                case ServiceState.Failed:
                    throw new CliError($"The container can't be started: {status.Message}", null, ExitCodes.Unavailable);
                case ServiceState.Starting when status.Message != said:
                    said = status.Message;
                    Console.Error.WriteLine("shale: " + said);
                    break;
            }

            await Task.Delay(100, cancellation).ConfigureAwait(false);
        }
    }

    private static void Announce(IPEndPoint endpoint, LeaseRecord lease, string? token)
    {
        var address = endpoint.Address.Equals(IPAddress.Any) || endpoint.Address.Equals(IPAddress.IPv6Any) ? "127.0.0.1" : endpoint.Address.ToString();
        var port = endpoint.Port == 22 ? "" : string.Create(CultureInfo.InvariantCulture, $"-p {endpoint.Port} ");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"ssh {port}{lease.Id}@{address}"));
        if (token is not null)
        {
            var published = lease.Container.Ports.First(p => p.EndsWith($":{JupyterPort}", StringComparison.Ordinal)).Split(':')[0];
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"http://{address}:{published}/lab?token={token}"));
        }
    }
}
