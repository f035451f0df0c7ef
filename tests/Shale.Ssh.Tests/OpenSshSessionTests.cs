using System.Diagnostics;
using System.Text;
using Shale.Ssh.Tests.Support;
using Xunit;

namespace Shale.Ssh.Tests;

/// <summary>Sessions as OpenSSH's own client runs them.</summary>
public sealed class OpenSshSessionTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private OpenSshClient _client = null!;

    public async Task InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _client = new OpenSshClient(_server);
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData("true", 0)]
    [InlineData("exit 1", 1)]
    [InlineData("exit 42", 42)]
    [InlineData("exit 255", 255)]
    public async Task Exec_ExitCode_ReachesTheClient(string command, int expected)
    {
        var result = await _client.SshAsync([], [command]);
        Assert.Equal(expected, result.ExitCode);
        Assert.Equal("", result.Error);
    }

    [Fact]
    public async Task Exec_EndBySignal_ReachesTheClient()
    {
        // OpenSSH's client knows no other number for it than 255.
        var result = await _client.SshAsync(["-v"], ["shale-signal KILL"]);
        Assert.Equal(255, result.ExitCode);
        Assert.Contains("client_input_channel_req: channel 0 rtype exit-signal", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Exec_OutputAndError_ComeApart()
    {
        var result = await _client.SshAsync([], ["echo out; echo err >&2; cat"], new MemoryStream("in\n"u8.ToArray()));
        Assert.Equal("out\nin\n", result.Text);
        Assert.Equal("err\n", result.Error);
        Assert.Equal(0, result.ExitCode);
    }

    [Fact]
    public async Task Exec_MuchDataEachWay_ArrivesWhole()
    {
        var data = new byte[20_000_000];
        new Random(2).NextBytes(data);
        var result = await _client.SshAsync([], ["cat"], new MemoryStream(data));
        Assert.True(result.Output.AsSpan().SequenceEqual(data));
        Assert.Equal(0, result.ExitCode);
        Assert.Equal("20000000\n", (await _client.SshAsync([], ["shale-sink"], new MemoryStream(data))).Text);
    }

    [Fact]
    public async Task Exec_ClientStopsReading_WriterIsTold()
    {
        // head ends after a line; ssh sends eow@openssh.com, and yes must get its broken pipe.
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardOutput = true, RedirectStandardInput = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add("ssh " + string.Join(' ', _client.Options) + " user@127.0.0.1 yes | head -n 1");
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        Assert.Equal("y\n", await process.StandardOutput.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(120)));
    }

    [Fact]
    public async Task Exec_InputThatNobodyReads_DoesNotKeepTheExitBack()
    {
        var result = await _client.SshAsync([], ["exit 3"], new MemoryStream(new byte[5_000_000]));
        Assert.Equal(3, result.ExitCode);
    }

    [Fact]
    public async Task Environment_AllowedByTheHandler_ArrivesAndNothingElse()
    {
        var result = await OpenSshClient.RunProgramAsync(
            "ssh",
            ["-o", "SendEnv=LC_SHALE LD_PRELOAD_X", .. _client.Options, "user@127.0.0.1", "shale-info"],
            null,
            TimeSpan.FromSeconds(120),
            new Dictionary<string, string> { ["LC_SHALE"] = "\u20ac uro", ["LD_PRELOAD_X"] = "x" });
        Assert.Contains("LC_SHALE=\u20ac uro\n", result.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("LD_PRELOAD_X", result.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Terminal_AskedFor_ComesWithItsModes()
    {
        // script gives ssh a terminal of its own, whose modes it then sends.
        var result = await OpenSshClient.RunProgramAsync(
            "script",
            ["-qec", "stty intr ^X rows 33 cols 111; exec ssh -tt " + string.Join(' ', _client.Options) + " user@127.0.0.1 shale-info", "/dev/null"],
            null,
            TimeSpan.FromSeconds(120),
            new Dictionary<string, string> { ["TERM"] = "xterm-256color" });
        Assert.Contains("term=xterm-256color TerminalSize { Columns = 111, Rows = 33, PixelWidth = 0, PixelHeight = 0 }", result.Text, StringComparison.Ordinal);
        Assert.Contains("intr=24", result.Text, StringComparison.Ordinal);
        Assert.Equal(0, result.ExitCode);
    }

    [Fact]
    public async Task Terminal_Resized_TellsTheSession()
    {
        var script = $"""
            spawn ssh -tt {string.Join(' ', _client.Options)} user@127.0.0.1 shale-events
            expect ready
            stty rows 40 cols 120 < $spawn_out(slave,name)
            expect "Columns = 120, Rows = 40"
            puts DONE
            """;
        var file = Path.Combine(_client.Folder, "resize.exp");
        await File.WriteAllTextAsync(file, "set timeout 110\n" + script);
        var result = await OpenSshClient.RunProgramAsync("expect", [file], null, TimeSpan.FromSeconds(120));
        Assert.Contains("WindowChanged", result.Text, StringComparison.Ordinal);
        Assert.Contains("DONE", result.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Subsystem_KnownAndUnknown_RunsAndIsRefused()
    {
        var known = await _client.SshAsync(["-s"], ["echo"], new MemoryStream("abc"u8.ToArray()));
        Assert.Equal("abc", known.Text);
        var unknown = await _client.SshAsync(["-s"], ["nothing"]);
        Assert.Equal(255, unknown.ExitCode);
        Assert.Contains("subsystem request failed", unknown.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ControlMaster_ManySessions_ShareOneConnection()
    {
        var socket = Path.Combine(_client.Folder, "mux");
        using var master = _client.Start(["-N", "-M", "-S", socket], []);
        try
        {
            await OpenSshClient.WaitForSocketAsync(socket);
            var runs = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => _client.SshAsync(["-S", socket], [$"echo {i}; exit {i}"])));
            for (var i = 0; i < runs.Length; i++)
            {
                Assert.Equal($"{i}\n", runs[i].Text);
                Assert.Equal(i, runs[i].ExitCode);
            }

            Assert.Single(_server.Sessions.Sessions.Select(s => s.Connection.Info.Id).Distinct());

            // One session more than allowed is refused, and the others live on.
            var many = Enumerable.Range(0, 10).Select(_ => _client.Start(["-S", socket], ["shale-events"])).ToList();
            foreach (var process in many)
            {
                Assert.Equal("ready", await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(120)));
            }

            // Straight over the master: ssh would otherwise connect by itself.
            var refused = await _client.SshAsync(["-S", socket, "-o", "ProxyCommand=false"], ["true"]);
            Assert.NotEqual(0, refused.ExitCode);
            many.ForEach(p => p.Kill());
            many.ForEach(p => p.Dispose());
        }
        finally
        {
            master.Kill();
        }
    }

    [Fact]
    public async Task Client_Killed_EndsItsSession()
    {
        using var ssh = _client.Start([], ["shale-events"]);
        Assert.Equal("ready", await ssh.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(120)));
        Assert.True(_server.Sessions.Sessions.TryPeek(out var session));
        ssh.Kill();
        await Task.Delay(Timeout.Infinite, session.Connection.Closed).ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(TimeSpan.FromSeconds(120));
        Assert.True(session.Connection.Closed.IsCancellationRequested);
    }

    [Fact]
    public async Task Connections_FiftyAtOnce_AreAllServed()
    {
        await using var server = await TestServer.StartAsync(o => o.MaxStartups = new(60, 100, 60));
        using var client = new OpenSshClient(server);
        var runs = await Task.WhenAll(Enumerable.Range(0, 50).Select(i =>
            client.SshAsync(["-o", "KexAlgorithms=curve25519-sha256"], [$"head -c 100000 /dev/zero; exit {i}"], timeoutSeconds: 120)));
        for (var i = 0; i < runs.Length; i++)
        {
            Assert.True(runs[i].ExitCode == i && runs[i].Output.Length == 100_000, runs[i].Error);
        }

        Assert.Equal(0, server.Handler.UnauthenticatedCount);
    }
}
