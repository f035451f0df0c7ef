using System.CommandLine;
using System.Net;
using Microsoft.Extensions.Logging;
using Shale.Gateway.Listening;

namespace Shale.Cli.Commands;

/// <summary><c>shale gateway</c>: the provider's server; holds no wallet key.</summary>
internal static class GatewayCommand
{
    /// <summary>Where a provider's state lies when nothing else is said.</summary>
    public const string DefaultState = "/var/lib/shale";

    public static Command Create()
    {
        var options = new GatewayCommandOptions();
        var command = new Command("gateway", "Serve the leases of a lease directory over SSH");
        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            using var end = DaemonCommand.EndWithDaemon(cancellation);
            await using var host = await options.StartAsync(parsed, end.Token).ConfigureAwait(false);
            Console.Error.WriteLine($"shale: serving SSH on {host.Endpoint}, leases in {host.StateDirectory}");
            await host.RunAsync(end.Token).ConfigureAwait(false);
            return ExitCodes.Success;
        });
        return command;
    }
}

/// <summary>The options of everything that starts a gateway.</summary>
internal sealed class GatewayCommandOptions
{
    private readonly Option<string> _state = new("--state_dir", "--state-dir") { Description = "Folder of leases, host keys and the voucher log.", DefaultValueFactory = _ => GatewayCommand.DefaultState };
    private readonly Option<string> _listen = new("--listen", "--external_ip", "--external-ip") { Description = "Address and port to serve SSH on.", DefaultValueFactory = _ => "0.0.0.0:22" };
    private readonly Option<string?> _admin = new("--admin") { Description = "Address and port on this machine for metrics and status, for example 127.0.0.1:9422. Default: none." };
    private readonly Option<string?> _log = new("--log_listen", "--log-listen") { Description = "Address and port to serve the voucher log on, read-only, in plain HTTP, for shale audit URL. Default: none." };
    private readonly Option<string?> _recordings = new("--record") { Description = "Folder for terminal recordings (asciicast), of leases whose terms allow it. Default: none." };
    private readonly Option<string?> _banner = new("--banner") { Description = "A line shown before login." };
    private readonly Option<string?> _cache = new("--cache_dir", "--cache-dir", "--store") { Description = "The data set store, for mounts by CID. Default: STATE/data." };
    private readonly Option<bool> _verbose = new("--verbose", "-v") { Description = "Log every connection." };

    public IReadOnlyList<Option> Options => [_state, _listen, _admin, _log, _recordings, _banner, _cache, _verbose];

    public void AddTo(Command command)
    {
        foreach (var option in Options)
        {
            command.Options.Add(option);
        }
    }

    public string StateDirectory(ParseResult parsed) => Path.GetFullPath(parsed.GetValue(_state)!);

    /// <summary>The store of the gateway that these options start.</summary>
    public string DataDirectory(ParseResult parsed) => Path.GetFullPath(parsed.GetValue(_cache) ?? Path.Combine(StateDirectory(parsed), "data"));

    public bool NamesStore(ParseResult parsed) => parsed.GetValue(_cache) is not null;

    public IPEndPoint Listen(ParseResult parsed) => EndPoint(parsed.GetValue(_listen)!, "--listen", 22);

    public async Task<GatewayHost> StartAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var options = new GatewayOptions
        {
            StateDirectory = StateDirectory(parsed),
            Listen = Listen(parsed),
            Admin = parsed.GetValue(_admin) is { } admin ? EndPoint(admin, "--admin", 9422) : null,
            LogListen = parsed.GetValue(_log) is { } log ? EndPoint(log, "--log_listen", 9423) : null,
            RecordingDirectory = parsed.GetValue(_recordings),
            Banner = parsed.GetValue(_banner) is { } banner ? banner + "\n" : null,
            DataDirectory = DataDirectory(parsed),
            LogLevel = parsed.GetValue(_verbose) ? LogLevel.Information : LogLevel.Warning,
        };
        try
        {
            return await GatewayHost.StartAsync(options, cancellation).ConfigureAwait(false);
        }
        catch (GatewayStartException error)
        {
            throw new CliError(error.Message, error.Hint, ExitCodes.Unavailable);
        }
    }

    private static IPEndPoint EndPoint(string text, string option, int defaultPort)
    {
        // A bare port, an address, or both.
        if (int.TryParse(text, out var port) && port is >= 0 and <= 65535)
        {
            return new IPEndPoint(IPAddress.Any, port);
        }

        if (IPAddress.TryParse(text, out var address))
        {
            return new IPEndPoint(address, defaultPort);
        }

        return IPEndPoint.TryParse(text, out var endpoint)
            ? endpoint
            : throw new CliError($"{option}={text} is not an address and port.", $"Write for example {option}=0.0.0.0:{defaultPort}.", ExitCodes.Usage);
    }
}
