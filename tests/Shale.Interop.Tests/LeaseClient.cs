using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>A client's machine: an agent folder that knows leases of a gateway, and an ssh-agent with the key that they let in.</summary>
internal sealed class LeaseClient : IAsyncDisposable
{
    private readonly string _folder;
    private readonly Process _identities;

    private LeaseClient(string folder, Process identities) => (_folder, _identities) = (folder, identities);

    /// <summary>Where the client's own files go.</summary>
    public string Files => _folder;

    private string Home => Path.Combine(_folder, "a");

    private Dictionary<string, string> Environment => new() { ["SHALE_HOME"] = Home, ["SSH_AUTH_SOCK"] = Path.Combine(_folder, "s") };

    public static async Task<LeaseClient> StartAsync(GatewayProcess gateway)
    {
        // Short: sockets lie in it.
        var folder = Directory.CreateTempSubdirectory("sl").FullName;
        var socket = Path.Combine(folder, "s");
        var client = new LeaseClient(folder, Process.Start(new ProcessStartInfo("ssh-agent", ["-D", "-a", socket]) { RedirectStandardOutput = true })!);
        await Wait.ForSocketAsync(socket);
        var added = await Cli.RunAsync("ssh-add", ["-q", Path.Combine(gateway.Folder, "id")], environment: client.Environment);
        Assert.True(added.ExitCode == 0, added.Error);
        return client;
    }

    /// <summary>Tells the client of a lease; with a price also its deposit.</summary>
    public Task<Outcome> AddAsync(GatewayProcess gateway, ulong lease, params string[] options) =>
        MustAsync(["agent", "add-lease", $"--lease={lease}", "--host=127.0.0.1", $"--port={gateway.Port}", $"--host_key={gateway.Folder}/state/hostkeys/ssh_host_ed25519_key.pub", .. options]);

    public Task<Outcome> ShaleAsync(params string[] arguments) => Cli.RunAsync(Cli.Shale, arguments, seconds: 240, environment: Environment);

    public async Task<Outcome> MustAsync(params string[] arguments)
    {
        var outcome = await ShaleAsync(arguments);
        Assert.True(outcome.ExitCode == 0, $"shale {string.Join(' ', arguments)}: {outcome.ExitCode} {outcome.Output}{outcome.Error}");
        return outcome;
    }

    /// <summary>A command that the test ends, or that ends later.</summary>
    public Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(Cli.Shale, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in Environment)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    public async ValueTask DisposeAsync()
    {
        if (File.Exists(Path.Combine(Home, "control.sock")))
        {
            await ShaleAsync("agent", "quit");
        }

        _identities.Kill();
        await _identities.WaitForExitAsync();
        _identities.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
