using System.Diagnostics;
using System.Text.Json;
using Xunit;

namespace Shale.Cli.Tests;

/// <summary>The agent's commands as a user runs them, each a process of its own.</summary>
public sealed class AgentCliTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sc").FullName;

    public void Dispose()
    {
        if (File.Exists(Path.Combine(_folder, "a", "control.sock")))
        {
            Run("agent", "quit");
        }

        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Agent_FromInitToQuit_StartsByItselfAndHoldsToItsPolicy()
    {
        string passphrase = Path.Combine(_folder, "passphrase");
        File.WriteAllText(passphrase, "correct horse\n");
        var init = Run("agent", "init", "--passphrase_file=" + passphrase);
        Assert.Equal(0, init.ExitCode);
        Assert.Matches("^[0-9a-f]{64}\n$", init.Output);
        Assert.Equal(init.Output, Run("agent", "key").Output);
        Assert.Equal(64, Run("agent", "init", "--passphrase_file=" + passphrase).ExitCode);
        Assert.DoesNotContain("correct", File.ReadAllText(Path.Combine(_folder, "a", "payment-key.json")));

        string hostKey = Path.Combine(_folder, "host");
        using (var keygen = Process.Start("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", hostKey]))
        {
            keygen.WaitForExit();
        }

        Assert.Equal(0, Run("agent", "add-lease", "--lease=42", "--host=127.0.0.1", "--port=1", "--host_key=" + hostKey + ".pub", "--price=0.01fil/min", "--deposit=1fil").ExitCode);
        Assert.Equal(0, Run("agent", "policy", "--max-price=0.02fil/min", "--day_budget=1fil", "--prepay=30s").ExitCode);
        Assert.Contains("Host lease-42\n", Run("ssh-config").Output);
        Assert.Equal(1, Run("agent", "status").ExitCode);

        // Encrypted and no terminal: it says so and starts nothing.
        var locked = Run("session", "42", "--once");
        Assert.Equal(77, locked.ExitCode);
        Assert.Contains("--passphrase_file", locked.Error);

        var session = Run("session", "42", "--once", "--passphrase_file=" + passphrase);
        Assert.True(session.ExitCode == 0, session.Error);
        Assert.Equal("0:00:00  Spent 0 FIL  lease 42  ssh lease-42  idle  0.01 FIL/min\n", session.Output);
        JsonElement status = JsonDocument.Parse(Run("agent", "status", "--json").Output).RootElement;
        int agent = status.GetProperty("pid").GetInt32();
        Assert.Equal(init.Output.Trim(), status.GetProperty("payment_key").GetString());

        // A session of its own, so that no terminal's end ends it (proc(5): the sixth field is the session).
        Assert.Equal(agent.ToString(), File.ReadAllText($"/proc/{agent}/stat").Split(") ")[1].Split(' ')[3]);
        Assert.Equal(0, Run("agent", "stop", "42").ExitCode);
        Assert.Equal("Stopped", JsonDocument.Parse(Run("session", "lease-42", "--once", "--json").Output).RootElement.GetProperty("state").GetString());
        Assert.Equal(0, Run("agent", "quit").ExitCode);
    }

    /// <summary>Two commands that both find no agent start one; neither fails.</summary>
    [Fact]
    public async Task Agent_StartedByTwoCommandsAtOnce_RunsOnce()
    {
        Assert.Equal(0, Run("agent", "init", "--insecure-no-passphrase").ExitCode);
        Assert.Equal(0, Run("agent", "add-lease", "--lease=7", "--host=localhost", "--host_key=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl", "--price=1attofil/s", "--deposit=1fil").ExitCode);
        var both = await Task.WhenAll(Task.Run(() => Run("session", "7", "--once")), Task.Run(() => Run("session", "7", "--once")));
        Assert.All(both, r => Assert.True(r.ExitCode == 0, r.Error));
        Assert.Equal(both[0].Output, both[1].Output);
    }

    /// <summary>What stands behind the lease is ssh's, options included, in their order: ssh itself shows what it made of it.</summary>
    [Fact]
    public void Ssh_WithOptionsBehindTheLease_HandsThemOn()
    {
        Assert.Equal(0, Run("agent", "add-lease", "--lease=7", "--host=sp.example", "--port=2222", "--host_key=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl").ExitCode);
        var shown = Run("ssh", "7", "-G", "-L", "8080:localhost:80", "-o", "SendEnv=LANG");
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
    public void Command_WithAnArgumentThatIsNone_IsAUsageError(params string[] arguments) => Assert.Equal(64, Run(arguments).ExitCode);

    [Theory]
    [InlineData("ssh", "5")]
    [InlineData("session", "5", "--once")]
    [InlineData("agent", "keep", "5")]
    [InlineData("agent", "remove-lease", "5")]
    public void Command_OnALeaseThatIsNotKnown_SaysSo(params string[] arguments)
    {
        var result = Run(arguments);
        Assert.Equal(66, result.ExitCode);
        Assert.Contains("Lease 5 is not known here", result.Error);
    }

    private (int ExitCode, string Output, string Error) Run(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "shale.dll"));
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["SHALE_HOME"] = Path.Combine(_folder, "a");
        start.Environment.Remove("SHALE_PASSPHRASE_FILE");
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        Assert.True(process.WaitForExit(TimeSpan.FromSeconds(60)), string.Join(' ', arguments));
        return (process.ExitCode, output.Result, error.Result);
    }
}
