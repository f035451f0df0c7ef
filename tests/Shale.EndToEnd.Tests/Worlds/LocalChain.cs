using System.Globalization;
using System.Net.Http.Json;
using System.Numerics;
using System.Text.Json;

namespace Shale.EndToEnd.Tests.Worlds;

/// <summary>A <c>shale devnet</c>, driven by its commands and asked over JSON-RPC.</summary>
internal sealed class LocalChain : IAsyncDisposable
{
    private const int BlocksInARequest = 500;

    private static readonly SemaphoreSlim KeyTurn = new(1, 1);
    private static string? _key;

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromMinutes(2) };
    private readonly int _port = Ports.Free();
    private readonly Dictionary<string, BigInteger> _gas = new(StringComparer.OrdinalIgnoreCase);
    private long _scanned = -1;

    private LocalChain(string folder) => Folder = folder;

    public string Folder { get; }

    public string NetworkFile => Path.Combine(Folder, "network.json");

    public static async Task<LocalChain> StartAsync(string folder)
    {
        var chain = new LocalChain(folder);
        await KeyTurn.WaitAsync();
        try
        {
            // The proving key is the same for every devnet (development keys come from a fixed seed): made once in a run of the tests.
            var keys = Directory.CreateDirectory(Path.Combine(folder, "keys"));
            var mine = Path.Combine(keys.FullName, "settlement-8.dev.zkey");
            if (_key is not null)
            {
                File.CreateSymbolicLink(mine, _key);
            }

            await chain.LaunchAsync();
            if (_key is null)
            {
                var shared = Directory.CreateTempSubdirectory("shale-e2e-key-");
                AppDomain.CurrentDomain.ProcessExit += (_, _) => shared.Delete(recursive: true);
                _key = Path.Combine(shared.FullName, Path.GetFileName(mine));
                File.Copy(mine, _key);
            }
        }
        finally
        {
            KeyTurn.Release();
        }

        return chain;
    }

    /// <summary>Starts it, or starts it again where it was stopped.</summary>
    public Task<Outcome> LaunchAsync() =>
        Programs.MustAsync(Programs.Shale, ["devnet", $"--folder={Folder}", string.Create(CultureInfo.InvariantCulture, $"--port={_port}"), "--block_time=0.2", "--detach"]);

    public async Task StopAsync()
    {
        // A node that was started again may not give receipts of before.
        await ScanAsync();
        await Programs.MustAsync(Programs.Shale, ["devnet", "stop", $"--folder={Folder}"]);
    }

    public async Task MineAsync(int blocks) => await Programs.MustAsync(Programs.Shale, ["devnet", "mine", blocks.ToString(CultureInfo.InvariantCulture), $"--folder={Folder}"]);

    /// <summary>The address of a wallet of the devnet.</summary>
    public async Task<string> AddressAsync(string wallet) =>
        (await Programs.MustAsync(Programs.Shale, ["wallet", "address", wallet, $"--network={NetworkFile}"])).Output.Trim();

    public string Market()
    {
        using var network = JsonDocument.Parse(File.ReadAllBytes(NetworkFile));
        return network.RootElement.GetProperty("market").GetString()!;
    }

    public async Task<BigInteger> BalanceAsync(string address) => Number((await RpcAsync(("eth_getBalance", [address, "latest"])))[0].GetString()!);

    /// <summary>What an address has spent on gas since the chain began: from the receipts of all transactions.</summary>
    public async Task<BigInteger> GasAsync(string address)
    {
        await ScanAsync();
        return _gas.GetValueOrDefault(address);
    }

    /// <summary>For whoever waited in vain: whether blocks are mined, and what waits for one.</summary>
    public async Task<string> DescribeAsync()
    {
        try
        {
            var before = await RpcAsync(("eth_blockNumber", []));
            await Task.Delay(TimeSpan.FromSeconds(3));
            var after = await RpcAsync(("eth_blockNumber", []), ("txpool_status", []), ("txpool_inspect", []));
            return $"head {Number(before[0].GetString()!)}, three seconds later {Number(after[0].GetString()!)}; waiting {after[1]} {after[2]}";
        }
        catch (Exception silent) when (silent is HttpRequestException or TaskCanceledException or IOException or JsonException)
        {
            return silent.Message;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Programs.RunAsync(Programs.Shale, ["devnet", "stop", $"--folder={Folder}"]);
        _http.Dispose();
    }

    private static BigInteger Number(string hex) => BigInteger.Parse("0" + hex[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private static string Hex(long number) => "0x" + number.ToString("x", CultureInfo.InvariantCulture);

    private async Task ScanAsync()
    {
        var head = (long)Number((await RpcAsync(("eth_blockNumber", [])))[0].GetString()!);
        while (_scanned < head)
        {
            var count = (int)Math.Min(BlocksInARequest, head - _scanned);
            var blocks = await RpcAsync([.. Enumerable.Range(1, count).Select(i => ("eth_getBlockByNumber", new object[] { Hex(_scanned + i), false }))]);
            foreach (var hash in blocks.SelectMany(b => b.GetProperty("transactions").EnumerateArray()).Select(t => t.GetString()!))
            {
                var receipt = (await RpcAsync(("eth_getTransactionReceipt", [hash])))[0];
                var from = receipt.GetProperty("from").GetString()!;
                _gas[from] = _gas.GetValueOrDefault(from) + (Number(receipt.GetProperty("gasUsed").GetString()!) * Number(receipt.GetProperty("effectiveGasPrice").GetString()!));
            }

            _scanned += count;
        }
    }

    private async Task<IReadOnlyList<JsonElement>> RpcAsync(params (string Method, object[] Arguments)[] calls)
    {
        var requests = calls.Select((c, i) => new { jsonrpc = "2.0", id = i, method = c.Method, @params = c.Arguments });
        using var response = await _http.PostAsJsonAsync(new Uri($"http://127.0.0.1:{_port}"), requests);
        var answers = await response.Content.ReadFromJsonAsync<JsonElement>();
        return [.. answers.EnumerateArray().OrderBy(a => a.GetProperty("id").GetInt32()).Select(a => a.GetProperty("result"))];
    }
}
