using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>A lease that is paid, then not, then again: what goes on, what waits, what is refused and how it says so.</summary>
public sealed class PausedLeaseTests : IAsyncLifetime
{
    private const string Echo =
        "import socket\n" +
        "s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', 7777)); s.listen(8); print('ready', flush=True)\n" +
        "while True:\n" +
        "  c=s.accept()[0]\n" +
        "  d=c.recv(65536)\n" +
        "  while d: c.sendall(d.upper()); d=c.recv(65536)\n";

    private readonly List<Process> _processes = [];
    private GatewayProcess _gateway = null!;
    private ulong _lease;

    private Dictionary<string, string> Client => new() { ["SHALE_HOME"] = Path.Combine(_gateway.Folder, "client"), ["SSH_AUTH_SOCK"] = Path.Combine(_gateway.Folder, "agent") };

    public async Task InitializeAsync()
    {
        _gateway = await GatewayProcess.StartAsync();
        _processes.Add(Process.Start(new ProcessStartInfo("ssh-agent", ["-D", "-a", Path.Combine(_gateway.Folder, "agent")]) { RedirectStandardOutput = true })!);
        await Wait.ForSocketAsync(Path.Combine(_gateway.Folder, "agent"));
        await MustAsync("ssh-add", "-q", Path.Combine(_gateway.Folder, "id"));
        await MustAsync(Cli.Shale, "agent", "init", "--insecure-no-passphrase");
        var payer = (await MustAsync(Cli.Shale, "agent", "key")).Output.Trim();
        _lease = await _gateway.LeaseAsync("--image=shale/debian:12", "--price=0.01fil/min", $"--payer={payer}", "--interval=1", "--window=6", "--grace=6", "--allow_agent_forwarding");
        await MustAsync(
            Cli.Shale, "agent", "add-lease", $"--lease={_lease}", "--host=127.0.0.1", $"--port={_gateway.Port}", $"--host_key={_gateway.Folder}/state/hostkeys/ssh_host_ed25519_key.pub", "--price=0.01fil/min", "--deposit=1fil");
    }

    public async Task DisposeAsync()
    {
        await Cli.RunAsync(Cli.Shale, ["agent", "quit"], environment: Client);
        foreach (var process in _processes)
        {
            process.Kill(entireProcessTree: true);
            process.Dispose();
        }

        await _gateway.DisposeAsync();
    }

    [Fact]
    public async Task Lease_PausedAndResumed_ServesNothingNewSaysWhyAndKeepsItsConnections()
    {
        // Nobody pays yet.
        var refused = await Cli.RunAsync("ssh", Options("true"));
        Assert.Equal(255, refused.ExitCode);
        Assert.Contains($"shale: lease-{_lease} is not paid: connect with", refused.Error, StringComparison.Ordinal);

        Start(Cli.Shale, "agent", "keep", $"{_lease}");
        await Wait.UntilAsync(async () => (await Cli.RunAsync("ssh", Options("true"))).ExitCode == 0, "the lease is paid");

        // One connection with a server, a forward to it that is in use, and an SFTP session beside it.
        var control = Path.Combine(_gateway.Folder, "master");
        var port = Ports.Free();
        Start("ssh", [.. _gateway.SshOptions(), "-M", "-N", "-S", control, "-L", $"{port}:127.0.0.1:7777", $"{_lease}@127.0.0.1"]);
        await Wait.ForSocketAsync(control);
        var server = Start("ssh", [.. _gateway.SshOptions(), "-S", control, $"{_lease}@127.0.0.1", "python3 -c \"" + Echo + "\""]);
        Assert.Equal("ready", await server.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(180)));
        using var forwarded = new TcpClient();
        await forwarded.ConnectAsync(IPAddress.Loopback, port);
        Assert.Equal("BEFORE", await AskAsync(forwarded, "before"));
        var sftp = Start("sftp", [.. _gateway.SshOptions("-P"), "-b", "-", $"{_lease}@127.0.0.1"]);
        await sftp.StandardInput.WriteLineAsync("pwd");
        await ReadUntilAsync(sftp, "Remote working directory: /root");

        await MustAsync(Cli.Shale, "agent", "stop", $"{_lease}");
        await Wait.UntilAsync(() => Task.FromResult(Status().Contains("\"Paused\"", StringComparison.Ordinal)), "the lease is paused");

        // What is new is refused, with the reason.
        refused = await Cli.RunAsync("ssh", Options("true"));
        Assert.Equal(255, refused.ExitCode);
        Assert.Contains($"shale: lease-{_lease} is not paid", refused.Error, StringComparison.Ordinal);
        refused = await Cli.RunAsync("scp", [.. _gateway.SshOptions("-P"), $"{_lease}@127.0.0.1:/etc/passwd", Path.Combine(_gateway.Folder, "passwd")]);
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("is not paid", refused.Error, StringComparison.Ordinal);
        refused = await Cli.RunAsync("scp", ["-O", .. _gateway.SshOptions("-P"), $"{_lease}@127.0.0.1:/etc/passwd", Path.Combine(_gateway.Folder, "passwd")]);
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("is not paid", refused.Error, StringComparison.Ordinal);
        refused = await Cli.RunAsync("ssh", [.. _gateway.SshOptions(log: "INFO"), "-W", "127.0.0.1:7777", $"{_lease}@127.0.0.1"]);
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("is not paid", refused.Error, StringComparison.Ordinal);
        refused = await Cli.RunAsync("ssh", [.. _gateway.SshOptions(log: "INFO"), "-N", "-o", "ExitOnForwardFailure=yes", "-R", "7778:127.0.0.1:1", $"{_lease}@127.0.0.1"]);
        Assert.NotEqual(0, refused.ExitCode);

        // What is open waits: the answer of the frozen server, and the SFTP session.
        var answer = AskAsync(forwarded, "while paused");
        await sftp.StandardInput.WriteLineAsync("mkdir /root/while-paused");
        await sftp.StandardInput.WriteLineAsync("cd /root/while-paused\npwd");
        var listing = ReadUntilAsync(sftp, "Remote working directory: /root/while-paused");
        await Task.Delay(TimeSpan.FromSeconds(3));
        Assert.False(answer.IsCompleted);
        Assert.False(listing.IsCompleted);
        Assert.Equal(0, (await Cli.RunAsync("ssh", [.. _gateway.SshOptions(), "-S", control, "-O", "check", $"{_lease}@127.0.0.1"])).ExitCode);
        Assert.False(server.HasExited);

        // Paid again, all of it goes on where it was.
        await MustAsync(Cli.Shale, "agent", "resume", $"{_lease}");
        Assert.Equal("WHILE PAUSED", await answer.WaitAsync(TimeSpan.FromSeconds(180)));
        await listing.WaitAsync(TimeSpan.FromSeconds(180));
        Assert.False(server.HasExited);
        Assert.Equal(0, (await Cli.RunAsync("ssh", Options("test -d /root/while-paused"))).ExitCode);
    }

    [Fact]
    public async Task PaymentAgent_ForwardedByTheClientsConfiguration_IsNeverOfferedToTheContainer()
    {
        // Paid through the very channel that would lead to an agent's identities.
        var paid = await Cli.RunAsync(Cli.Shale, ["ssh", $"{_lease}", "echo \"[$SSH_AUTH_SOCK]\"; ls -d /tmp/ssh-* 2>/dev/null"], environment: Client);
        Assert.True(paid.Output == "[]\n", paid.Output + paid.Error);

        // Here it is the user's own agent that is forwarded, and the lease allows that; it is paid by another connection then.
        Start(Cli.Shale, "agent", "keep", $"{_lease}");
        await Wait.UntilAsync(async () => (await Cli.RunAsync("ssh", Options("true"))).ExitCode == 0, "the lease is paid");
        var own = await Cli.RunAsync(Cli.Shale, ["ssh", $"{_lease}", "-o", "ForwardAgent=$SSH_AUTH_SOCK", AgentForwardingTests.ListIdentities], environment: Client);
        var key = (await File.ReadAllTextAsync(Path.Combine(_gateway.Folder, "id.pub"))).Split(' ')[1];
        Assert.True(own.Output.Trim() == key, own.Output + own.Error);
    }

    private string[] Options(string command) => [.. _gateway.SshOptions(), $"{_lease}@127.0.0.1", command];

    private string Status() => File.ReadAllText(Path.Combine(_gateway.Folder, "state", "status", _lease.ToString(CultureInfo.InvariantCulture) + ".json"));

    private async Task<Outcome> MustAsync(string program, params string[] arguments)
    {
        var outcome = await Cli.RunAsync(program, arguments, environment: Client);
        Assert.True(outcome.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {outcome.Error}");
        return outcome;
    }

    private Process Start(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var (name, value) in Client)
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start)!;
        _processes.Add(process);
        return process;
    }

    private static async Task ReadUntilAsync(Process process, string line)
    {
        while (await process.StandardOutput.ReadLineAsync() is { } read)
        {
            if (read == line)
            {
                return;
            }
        }

        throw new EndOfStreamException($"'{line}' did not come.");
    }

    private static async Task<string> AskAsync(TcpClient client, string question)
    {
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(question));
        var answer = new byte[question.Length];
        await client.GetStream().ReadExactlyAsync(answer);
        return Encoding.ASCII.GetString(answer);
    }
}
