using System.Diagnostics;
using System.Text.Json;
using Xunit;

namespace Shale.Cli.Tests;

/// <summary>The agent's commands as a user runs them, each a process of its own.</summary>
public sealed class AgentCliTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sc").FullName;
    private readonly ShaleProcess _shale;

    public AgentCliTests() => _shale = new ShaleProcess(Path.Combine(_folder, "a"));

    public void Dispose()
    {
        if (File.Exists(Path.Combine(_folder, "a", "control.sock")))
        {
            _shale.Run("agent", "quit");
        }

        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Agent_FromInitToQuit_StartsByItselfAndHoldsToItsPolicy()
    {
        string passphrase = Path.Combine(_folder, "passphrase");
        File.WriteAllText(passphrase, "correct horse\n");
        var init = _shale.Run("agent", "init", "--passphrase_file=" + passphrase);
        Assert.Equal(0, init.ExitCode);
        Assert.Matches("^[0-9a-f]{64}\n$", init.Output);
        Assert.Equal(init.Output, _shale.Run("agent", "key").Output);
        Assert.Equal(64, _shale.Run("agent", "init", "--passphrase_file=" + passphrase).ExitCode);
        Assert.DoesNotContain("correct", File.ReadAllText(Path.Combine(_folder, "a", "payment-key.json")));

        string hostKey = Path.Combine(_folder, "host");
        using (var keygen = Process.Start("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", hostKey]))
        {
            keygen.WaitForExit();
        }

        Assert.Equal(0, _shale.Run("agent", "add-lease", "--lease=42", "--host=127.0.0.1", "--port=1", "--host_key=" + hostKey + ".pub", "--price=0.01fil/min", "--deposit=1fil").ExitCode);
        Assert.Equal(0, _shale.Run("agent", "policy", "--max-price=0.02fil/min", "--day_budget=1fil", "--prepay=30s").ExitCode);
        Assert.Contains("Host lease-42\n", _shale.Run("ssh-config").Output);
        Assert.Equal(1, _shale.Run("agent", "status").ExitCode);

        // Encrypted and no terminal: it says so and starts nothing.
        var locked = _shale.Run("session", "42", "--once");
        Assert.Equal(77, locked.ExitCode);
        Assert.Contains("--passphrase_file", locked.Error);

        var session = _shale.Run("session", "42", "--once", "--passphrase_file=" + passphrase);
        Assert.True(session.ExitCode == 0, session.Error);
        Assert.Equal("0:00:00  Spent 0 FIL  lease 42  ssh lease-42  idle  0.01 FIL/min\n", session.Output);
        JsonElement status = JsonDocument.Parse(_shale.Run("agent", "status", "--json").Output).RootElement;
        int agent = status.GetProperty("pid").GetInt32();
        Assert.Equal(init.Output.Trim(), status.GetProperty("payment_key").GetString());

        // A session of its own, so that no terminal's end ends it (proc(5): the sixth field is the session).
        Assert.Equal(agent.ToString(), File.ReadAllText($"/proc/{agent}/stat").Split(") ")[1].Split(' ')[3]);
        Assert.Equal(0, _shale.Run("agent", "stop", "42").ExitCode);
        Assert.Equal("Stopped", JsonDocument.Parse(_shale.Run("session", "lease-42", "--once", "--json").Output).RootElement.GetProperty("state").GetString());
        Assert.Equal(0, _shale.Run("agent", "quit").ExitCode);
    }

    /// <summary>docs/AGENT.md: what the commands leave in the policy's file, and the control socket's requests as any program may make them.</summary>
    [Fact]
    public async Task Agent_ByItsDocument_KeepsItsFilesAndAnswersItsControlSocket()
    {
        Assert.Equal(0, _shale.Run("agent", "init", "--insecure-no-passphrase").ExitCode);
        Assert.Equal(0, _shale.Run("agent", "add-lease", "--lease=7", "--host=localhost", "--port=1", "--host_key=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl", "--price=1attofil/s", "--deposit=1fil").ExitCode);
        Assert.Equal(0, _shale.Run("agent", "policy", "--lease_budget=0.5fil", "--leases=7,8", "--allow_unbound=7").ExitCode);
        Assert.Equal(0, _shale.Run("agent", "stop", "--all").ExitCode);
        Assert.Equal(0, _shale.Run("agent", "keep", "7").ExitCode);
        JsonElement policy = Policy();
        Assert.Equal("500000000000000000", policy.GetProperty("lease_budget").GetString());
        Assert.Equal([7, 8], policy.GetProperty("leases").EnumerateArray().Select(l => l.GetInt32()));
        Assert.Equal([7], policy.GetProperty("allow_unbound").EnumerateArray().Select(l => l.GetInt32()));
        Assert.Equal([7], policy.GetProperty("keep").EnumerateArray().Select(l => l.GetInt32()));
        Assert.True(policy.GetProperty("stop_all").GetBoolean());

        Assert.Equal(7, (await AskAsync("{\"command\":\"status\"}")).GetProperty("status").GetProperty("leases")[0].GetProperty("lease").GetInt32());
        Assert.Equal("Stopped", (await AskAsync("{\"command\":\"watch\",\"lease\":7}")).GetProperty("status").GetProperty("leases")[0].GetProperty("state").GetString());
        Assert.Equal(JsonValueKind.Undefined, Error(await AskAsync("{\"command\":\"reload\"}")));
        Assert.Equal(JsonValueKind.Undefined, Error(await AskAsync("{\"command\":\"identity\",\"path\":\"/nowhere\"}")));
        Assert.Equal(JsonValueKind.String, Error(await AskAsync("{\"command\":\"spend\"}")));
        Assert.Equal(JsonValueKind.String, Error(await AskAsync("spend")));

        Assert.Equal(0, _shale.Run("agent", "keep", "7", "--off").ExitCode);
        Assert.Equal(0, _shale.Run("agent", "resume", "--all").ExitCode);
        policy = Policy();
        Assert.False(policy.TryGetProperty("stop_all", out JsonElement all) && all.GetBoolean());
        Assert.True(!policy.TryGetProperty("keep", out JsonElement keep) || keep.GetArrayLength() == 0);
        Assert.Equal(0, _shale.Run("agent", "remove-lease", "7").ExitCode);
        Assert.Equal(0, (await AskAsync("{\"command\":\"status\"}")).GetProperty("status").GetProperty("leases").GetArrayLength());
        Assert.Equal(JsonValueKind.Undefined, Error(await AskAsync("{\"command\":\"quit\"}")));

        JsonElement Policy() => JsonDocument.Parse(File.ReadAllText(Path.Combine(_folder, "a", "policy.json"))).RootElement;

        static JsonValueKind Error(JsonElement reply) => reply.TryGetProperty("error", out JsonElement error) && error.ValueKind != JsonValueKind.Null ? error.ValueKind : JsonValueKind.Undefined;

        async Task<JsonElement> AskAsync(string request)
        {
            using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
            await socket.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint(Path.Combine(_folder, "a", "control.sock")));
            await using var stream = new System.Net.Sockets.NetworkStream(socket);
            await stream.WriteAsync(System.Text.Encoding.UTF8.GetBytes(request + "\n"));
            using var reader = new StreamReader(stream);
            return JsonDocument.Parse((await reader.ReadLineAsync())!).RootElement;
        }
    }

    /// <summary>Two commands that both find no agent start one; neither fails.</summary>
    [Fact]
    public async Task Agent_StartedByTwoCommandsAtOnce_RunsOnce()
    {
        Assert.Equal(0, _shale.Run("agent", "init", "--insecure-no-passphrase").ExitCode);
        Assert.Equal(0, _shale.Run("agent", "add-lease", "--lease=7", "--host=localhost", "--host_key=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl", "--price=1attofil/s", "--deposit=1fil").ExitCode);
        var both = await Task.WhenAll(Task.Run(() => _shale.Run("session", "7", "--once")), Task.Run(() => _shale.Run("session", "7", "--once")));
        Assert.All(both, r => Assert.True(r.ExitCode == 0, r.Error));
        Assert.Equal(both[0].Output, both[1].Output);
    }

    /// <summary>What stands behind the lease is ssh's, options included, in their order: ssh itself shows what it made of it.</summary>
    [Fact]
    public void Ssh_WithOptionsBehindTheLease_HandsThemOn()
    {
        Assert.Equal(0, _shale.Run("agent", "add-lease", "--lease=7", "--host=sp.example", "--port=2222", "--host_key=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl").ExitCode);
        var shown = _shale.Run("ssh", "7", "-G", "-L", "8080:localhost:80", "-o", "SendEnv=LANG");
        Assert.True(shown.ExitCode == 0, shown.Error);
        string[] lines = shown.Output.Split('\n');
        Assert.Contains("hostname sp.example", lines);
        Assert.Contains("port 2222", lines);
        Assert.Contains("user 7", lines);
        Assert.Contains("localforward 8080 [localhost]:80", lines);
        Assert.Contains("sendenv LANG", lines);
        Assert.Contains("stricthostkeychecking true", lines);
    }

    [Theory]
    [InlineData("agent", "policy", "--max_price=0.02")]
    [InlineData("agent", "policy", "--day_budget=1")]
    [InlineData("agent", "stop")]
    [InlineData("agent", "add-lease", "--lease=x", "--host=a", "--host_key=b")]
    [InlineData("agent", "add-lease", "--lease=1", "--host=a", "--host_key=/nowhere")]
    public void Command_WithAnArgumentThatIsNone_IsAUsageError(params string[] arguments) => Assert.Equal(64, _shale.Run(arguments).ExitCode);

    [Theory]
    [InlineData("ssh", "5")]
    [InlineData("session", "5", "--once")]
    [InlineData("agent", "keep", "5")]
    [InlineData("agent", "remove-lease", "5")]
    public void Command_OnALeaseThatIsNotKnown_SaysSo(params string[] arguments)
    {
        var result = _shale.Run(arguments);
        Assert.Equal(66, result.ExitCode);
        Assert.Contains("Lease 5 is not known here", result.Error);
    }

    /// <summary>In a terminal, driven by expect: asked for twice, never shown, forgiven once, and the panel that follows is drawn in place.</summary>
    [Fact]
    public async Task Passphrase_TypedInATerminal_IsNeverShown()
    {
        string script = Path.Combine(_folder, "script");
        string shale = $"dotnet {Path.Combine(AppContext.BaseDirectory, "shale.dll")}";
        await File.WriteAllTextAsync(script, $$"""
            set timeout 120
            spawn {{shale}} agent init
            expect "New passphrase: "; send "hunter2\r"
            expect "Again: "; send "hunter2\r"
            expect eof
            spawn {{shale}} agent add-lease --lease=42 --host=127.0.0.1 --port=1 "--host_key=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl" --price=0.01fil/min --deposit=1fil
            expect eof
            spawn {{shale}} session 42
            expect "Passphrase of the payment key: "; send "hunter3\r"
            expect "not its passphrase"
            expect "Passphrase of the payment key: "; send "hunterX\1772\r"
            expect -re "ssh lease-42.*ssh lease-42"
            send "\x03"
            expect eof
            """);
        var start = new ProcessStartInfo("expect") { ArgumentList = { script }, RedirectStandardOutput = true, RedirectStandardInput = true };
        start.Environment["SHALE_HOME"] = Path.Combine(_folder, "a");
        start.Environment["TERM"] = "xterm";
        start.Environment.Remove("SHALE_PASSPHRASE_FILE");
        using var expect = Process.Start(start)!;
        string seen = await expect.StandardOutput.ReadToEndAsync();
        await expect.WaitForExitAsync();
        Assert.True(expect.ExitCode == 0, seen);
        Assert.DoesNotContain("hunter", seen);
        Assert.Contains("0:00:00  Spent 0 FIL  lease 42  ssh lease-42", seen);
        Assert.Contains("\u001b[2A", seen);
    }
}
