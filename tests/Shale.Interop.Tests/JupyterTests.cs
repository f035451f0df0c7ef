using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>Debian's Jupyter Server in a lease: started with --jupyter or by the user, at its published port or through ssh -L, up to what a kernel answers.</summary>
public sealed class JupyterTests
{
    [Fact]
    public async Task Jupyter_InAnImageThatHasIt_AnswersAtThePrintedAddressThroughAForwardAndAfterAKill()
    {
        await using var gateway = await GatewayProcess.StartAsync();
        var port = Ports.Free();
        var outcome = await Cli.RunAsync(
            Cli.Shale,
            ["lease-container", "--detach", $"--state_dir={gateway.State}", $"--listen=127.0.0.1:{gateway.Port}", $"--ssh_pubkey={gateway.Key}.pub", "--image=shale/jupyter:12", "--jupyter", $"--publish={port}:8888"]);
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        var printed = outcome.Output.Trim().Split('\n')[1];
        Assert.Matches($@"^http://127\.0\.0\.1:{port}/lab\?token=[0-9a-f]{{48}}$", printed);
        var token = printed[(printed.IndexOf('=', StringComparison.Ordinal) + 1)..];
        Assert.Equal(HttpStatusCode.OK, await KernelsAsync(port, token));
        Assert.Equal(HttpStatusCode.Forbidden, await KernelsAsync(port, new string('0', 48)));

        var lease = ulong.Parse(outcome.Output.Split('@')[0].Split(' ')[^1], CultureInfo.InvariantCulture);
        var forwarded = Ports.Free();
        using (var ssh = Process.Start(new ProcessStartInfo("ssh", [.. gateway.SshOptions(), "-N", "-o", "ExitOnForwardFailure=yes", "-L", $"127.0.0.1:{forwarded}:localhost:8888", $"{lease}@127.0.0.1"]))!)
        {
            Assert.Equal("42", await RunInKernelAsync(forwarded, token, "6*7"));
            ssh.Kill();
        }

        // Nobody logs in, and it is there again all the same.
        await Cli.RunAsync("docker", ["kill", await gateway.ContainerAsync(lease)]);
        Assert.Equal(HttpStatusCode.OK, await KernelsAsync(port, token));
    }

    [Fact]
    public async Task Jupyter_StartedByTheUserOnLocalhost_IsReachedThroughTheSameSsh()
    {
        await using var gateway = await GatewayProcess.StartAsync();
        var lease = await gateway.LeaseAsync("--image=shale/jupyter:12");
        var port = Ports.Free();
        const string Command = "exec jupyter-server --ip=localhost --port=8888 --no-browser --allow-root --ServerApp.token=secret 2>&1";
        using var ssh = Process.Start(new ProcessStartInfo("ssh", [.. gateway.SshOptions(), "-o", "ExitOnForwardFailure=yes", "-L", $"127.0.0.1:{port}:localhost:8888", $"{lease}@127.0.0.1", Command]) { RedirectStandardOutput = true })!;
        _ = ssh.StandardOutput.ReadToEndAsync();
        Assert.Equal("b'" + new string('x', 2_000_000) + "'", await RunInKernelAsync(port, "secret", "b'x' * 2_000_000"));
        ssh.Kill();
    }

    [Fact]
    public async Task Jupyter_InAnImageWithoutIt_FailsTheLeaseWithASentence()
    {
        await using var gateway = await GatewayProcess.StartAsync();
        var outcome = await Cli.RunAsync(
            Cli.Shale, ["lease-container", "--detach", $"--state_dir={gateway.State}", $"--ssh_pubkey={gateway.Key}.pub", "--image=shale/debian:12", "--jupyter", $"--publish={Ports.Free()}:8888"]);
        Assert.Equal(69, outcome.ExitCode);
        Assert.Contains("the image may lack jupyter-lab", outcome.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.Combine(gateway.State, "leases")));
    }

    /// <summary>Asks for the list of kernels, which needs the token, as soon as anything answers.</summary>
    private static async Task<HttpStatusCode> KernelsAsync(int port, string token)
    {
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
        HttpStatusCode status = default;
        await Wait.UntilAsync(
            async () =>
            {
                try
                {
                    using var response = await client.GetAsync($"http://127.0.0.1:{port}/api/kernels?token={token}");
                    status = response.StatusCode;
                    return true;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            "Jupyter to answer");
        return status;
    }

    /// <summary>Starts a kernel, sends it an expression over its websocket as a notebook's page does, and returns what it evaluates to (Jupyter's messaging protocol 5.3).</summary>
    private static async Task<string> RunInKernelAsync(int port, string token, string expression)
    {
        Assert.Equal(HttpStatusCode.OK, await KernelsAsync(port, token));
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}/") };
        using var started = await client.PostAsJsonAsync($"api/kernels?token={token}", new { name = "python3" }, limit.Token);
        Assert.Equal(HttpStatusCode.Created, started.StatusCode);
        var kernel = (await started.Content.ReadFromJsonAsync<JsonElement>(limit.Token)).GetProperty("id").GetString();
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{port}/api/kernels/{kernel}/channels?token={token}"), limit.Token);
        var request = new
        {
            channel = "shell",
            header = new { msg_id = "1", msg_type = "execute_request", session = "test", username = "", version = "5.3" },
            parent_header = new { },
            metadata = new { },
            content = new { code = expression, silent = false, store_history = false, user_expressions = new { }, allow_stdin = false, stop_on_error = true },
        };
        await socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(request), WebSocketMessageType.Text, endOfMessage: true, limit.Token);
        var buffer = new byte[1 << 16];
        while (true)
        {
            using var message = new MemoryStream();
            ValueWebSocketReceiveResult part;
            do
            {
                part = await socket.ReceiveAsync(buffer.AsMemory(), limit.Token);
                message.Write(buffer, 0, part.Count);
            }
            while (!part.EndOfMessage);
            Assert.Equal(WebSocketMessageType.Text, part.MessageType);
            var answer = JsonDocument.Parse(message.ToArray()).RootElement;
            switch (answer.GetProperty("msg_type").GetString())
            {
                case "execute_result":
                    return answer.GetProperty("content").GetProperty("data").GetProperty("text/plain").GetString()!;
                case "error":
                    throw new InvalidOperationException(Encoding.UTF8.GetString(message.ToArray()));
            }
        }
    }
}
