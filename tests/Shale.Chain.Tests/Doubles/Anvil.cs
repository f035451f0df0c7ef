using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Shale.Chain.Rpc;

namespace Shale.Chain.Tests.Doubles;

/// <summary>A real node of an EVM chain of its own: Foundry's anvil, from tests/npm.</summary>
internal sealed class Anvil : IAsyncDisposable
{
    internal const ulong DefaultChainId = 31337;

    // anvil's first accounts; their keys are printed at its start and known to everybody.
    internal static readonly string[] Keys =
    [
        "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
        "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
        "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    ];

    private readonly Process process;
    private readonly HttpClient http = new();

    private Anvil(Process process, int port, ulong chainId)
    {
        this.process = process;
        ChainId = chainId;
        Url = $"http://127.0.0.1:{port}";
    }

    internal string Url { get; }

    internal ulong ChainId { get; }

    internal ChainOptions Options => new() { Endpoints = [new RpcEndpoint(Url)], ChainId = ChainId };

    internal static async Task<Anvil> StartAsync(ulong chainId = DefaultChainId, params string[] arguments)
    {
        var port = Ports.Free();
        var processor = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? "amd64" : "arm64";
        var program = Path.Combine(Repository.Root, "tests", "npm", "node_modules", "@foundry-rs", $"anvil-linux-{processor}", "bin", "anvil");
        if (!File.Exists(program))
        {
            throw new InvalidOperationException("anvil is missing: run 'npm ci' in tests/npm, or './shale setup'.");
        }

        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])["--port", port.ToString(), "--chain-id", chainId.ToString(), "--silent", .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        var process = Process.Start(start)!;
        process.OutputDataReceived += static (_, _) => { };
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        var anvil = new Anvil(process, port, chainId);
        var deadline = DateTime.UtcNow.AddSeconds(120);
        while (true)
        {
            try
            {
                await anvil.RpcAsync("eth_chainId");
                return anvil;
            }
            catch (HttpRequestException) when (DateTime.UtcNow < deadline && !process.HasExited)
            {
                await Task.Delay(50);
            }
        }
    }

    /// <summary>Asks the node directly, past the code under test.</summary>
    internal async Task<JsonElement> RpcAsync(string method, params JsonNode?[] parameters)
    {
        var request = new JsonObject { ["jsonrpc"] = "2.0", ["id"] = 1, ["method"] = method, ["params"] = new JsonArray(parameters) };
        using var content = new StringContent(request.ToJsonString(), Encoding.UTF8, "application/json");
        using var response = await http.PostAsync(Url, content);
        using var document = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return document.RootElement.TryGetProperty("error", out var error)
            ? throw new InvalidOperationException($"{method}: {error}")
            : document.RootElement.GetProperty("result").Clone();
    }

    internal Task MineAsync(int blocks = 1) => RpcAsync("anvil_mine", "0x" + blocks.ToString("x"));

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
        {
            process.Kill();
            await process.WaitForExitAsync();
        }

        process.Dispose();
        http.Dispose();
    }
}
