using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Shale.Chain.Networks;

/// <summary>What an <see cref="AnvilNode"/> is started with.</summary>
public sealed record AnvilOptions
{
    /// <summary>The program.</summary>
    public required string Program { get; init; }

    /// <summary>The folder of the chain's state and log; made if it isn't there.</summary>
    public required string Folder { get; init; }

    /// <summary>The port on 127.0.0.1.</summary>
    public required int Port { get; init; }

    /// <summary>EIP-155 chain ID.</summary>
    public ulong ChainId { get; init; } = 31337;

    /// <summary>Seconds between two blocks; 0: a block for every transaction and none without.</summary>
    public double BlockSeconds { get; init; } = 1;
}

/// <summary>
/// A local chain: foundry's anvil as a child process, its state in a folder. A block is <c>finalized</c> two blocks later. The state is written every few seconds and when the
/// node is stopped, so that a later start goes on where it ended; blocks, receipts and logs survive, states of old blocks do not.
/// </summary>
public sealed partial class AnvilNode : IAsyncDisposable
{
    /// <summary>Blocks from head to <c>finalized</c> with --slots-in-an-epoch 1.</summary>
    public const int FinalizedDepth = 2;

    private const string StateFile = "state.json";
    private const string LogFile = "anvil.log";
    private const string ProcessFile = "anvil.pid";

    /// <summary>States of so many blocks can be asked for; each takes some hundred bytes for every block of the chain.</summary>
    private const int KeptStates = 256;

    private const int StateIntervalSeconds = 5;
    private const int Sigterm = 15;

    private static readonly TimeSpan RequestLimit = TimeSpan.FromMinutes(2);

    /// <summary>A state of a day's blocks loads within a few seconds.</summary>
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);

    /// <summary>Writing the state takes about a second for a day's blocks.</summary>
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly HttpClient _http;
    private readonly AnvilOptions _options;
    private readonly Task _log;
    private readonly CancellationTokenSource _stopping = new();
    private Task _mining = Task.CompletedTask;
    private int _requests;

    private AnvilNode(AnvilOptions options, Process process)
    {
        (_options, _process) = (options, process);
        Endpoint = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{options.Port}"));
        _http = new HttpClient { BaseAddress = Endpoint, Timeout = RequestLimit };
        _log = CopyLogAsync(process, Path.Combine(options.Folder, LogFile));
    }

    /// <summary>Where it answers.</summary>
    public Uri Endpoint { get; }

    /// <summary>Its process ID.</summary>
    public int ProcessId => _process.Id;

    /// <summary>Ends when the process ends, whoever ends it.</summary>
    public Task Ended => _process.WaitForExitAsync(CancellationToken.None);

    /// <summary>Finds anvil: SHALE_ANVIL, else the npm package of contracts/ below the given folder, else the PATH.</summary>
    /// <param name="root">The folder that contracts/ lies in; null where that is not known.</param>
    /// <exception cref="NetworkException">There is none.</exception>
    public static string FindProgram(string? root) => FindProgram(root, Environment.GetEnvironmentVariable("SHALE_ANVIL"), Environment.GetEnvironmentVariable("PATH") ?? "");

    internal static string FindProgram(string? root, string? named, string path)
    {
        var processor = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? "amd64" : "arm64";
        string?[] places =
        [
            named,
            root is null ? null : Path.Combine(root, "contracts", "node_modules", "@foundry-rs", $"anvil-linux-{processor}", "bin", "anvil"),
            .. path.Split(':', StringSplitOptions.RemoveEmptyEntries).Select(p => Path.Combine(p, "anvil")),
        ];
        return places.FirstOrDefault(p => !string.IsNullOrEmpty(p) && File.Exists(p))
            ?? throw new NetworkException("anvil, the local chain's node, is not installed.", "Run npm ci in contracts/ (./shale setup does), or name the program: SHALE_ANVIL=/path/of/anvil");
    }

    /// <summary>Starts the node and waits until it answers.</summary>
    /// <param name="options">What to start it with.</param>
    /// <param name="cancellation">Ends the wait and the process.</param>
    /// <exception cref="NetworkException">It ended, answers with another chain, or doesn't answer.</exception>
    public static async Task<AnvilNode> StartAsync(AnvilOptions options, CancellationToken cancellation)
    {
        Directory.CreateDirectory(options.Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var start = new ProcessStartInfo(options.Program) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, WorkingDirectory = options.Folder };
        string[] arguments =
        [
            "--host", "127.0.0.1",
            "--port", options.Port.ToString(CultureInfo.InvariantCulture),
            "--chain-id", options.ChainId.ToString(CultureInfo.InvariantCulture),
            "--accounts", "1",
            "--slots-in-an-epoch", "1",
            "--state", Path.Combine(options.Folder, StateFile),
            "--state-interval", StateIntervalSeconds.ToString(CultureInfo.InvariantCulture),
            "--prune-history", KeptStates.ToString(CultureInfo.InvariantCulture),
            "--no-cors",

            // Blocks are asked for from here: with a --block-time of seconds anvil keeps 1,500 states whatever --prune-history says, gigabytes after some thousand blocks.
            .. options.BlockSeconds > 0 ? new[] { "--no-mining" } : [],
        ];
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception cause)
        {
            throw new NetworkException($"anvil could not be started: {cause.Message}", null, cause);
        }

        process.StandardInput.Close();
        await File.WriteAllTextAsync(Path.Combine(options.Folder, ProcessFile), process.Id.ToString(CultureInfo.InvariantCulture), CancellationToken.None).ConfigureAwait(false);
        var node = new AnvilNode(options, process);
        try
        {
            await node.WaitUntilAnswersAsync(cancellation).ConfigureAwait(false);
            if (options.BlockSeconds > 0)
            {
                node._mining = node.MineByTheClockAsync();
            }

            return node;
        }
        catch
        {
            await node.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Stops a node that was left behind when the process that started it was killed. Only a process that works on this very folder's state is touched.</summary>
    /// <param name="folder">The folder of the chain's state.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <returns>Whether there was one.</returns>
    public static async Task<bool> StopOrphanAsync(string folder, CancellationToken cancellation)
    {
        var file = Path.Combine(folder, ProcessFile);
        if (!File.Exists(file) || !int.TryParse(await File.ReadAllTextAsync(file, cancellation).ConfigureAwait(false), NumberStyles.None, CultureInfo.InvariantCulture, out var id))
        {
            return false;
        }

        var arguments = $"/proc/{id.ToString(CultureInfo.InvariantCulture)}/cmdline";
        try
        {
            if (!(await File.ReadAllTextAsync(arguments, cancellation).ConfigureAwait(false)).Split('\0').Contains(Path.Combine(folder, StateFile)))
            {
                return false;
            }

            _ = Kill(id, Sigterm);
            for (var waited = TimeSpan.Zero; File.Exists(arguments) && waited < StopLimit; waited += TimeSpan.FromMilliseconds(50))
            {
                await Task.Delay(50, cancellation).ConfigureAwait(false);
            }

            return true;
        }
        catch (Exception gone) when (gone is FileNotFoundException or DirectoryNotFoundException or IOException)
        {
            return false;
        }
    }

    /// <summary>Gives an address a balance.</summary>
    /// <param name="address">The address.</param>
    /// <param name="attoFil">The balance that it has then.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public Task SetBalanceAsync(Address address, UInt128 attoFil, CancellationToken cancellation) =>
        RequestAsync("anvil_setBalance", cancellation, address.ToString(), "0x" + attoFil.ToString("x", CultureInfo.InvariantCulture));

    /// <summary>Mines blocks at once, as if their time had passed.</summary>
    /// <param name="blocks">How many.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public Task MineAsync(ulong blocks, CancellationToken cancellation) => MineAsync(_http, Interlocked.Increment(ref _requests), blocks, _options.BlockSeconds, cancellation);

    /// <summary>Mines blocks on a local chain that another process started.</summary>
    /// <param name="endpoint">Where it answers.</param>
    /// <param name="blocks">How many.</param>
    /// <param name="secondsApart">Seconds between their timestamps.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="NetworkException">It is no anvil, or doesn't answer.</exception>
    public static async Task MineAsync(Uri endpoint, ulong blocks, double secondsApart, CancellationToken cancellation)
    {
        using var http = new HttpClient { BaseAddress = endpoint, Timeout = RequestLimit };
        await MineAsync(http, 1, blocks, secondsApart, cancellation).ConfigureAwait(false);
    }

    /// <summary>Sends any request that anvil knows.</summary>
    /// <param name="method">The method.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <param name="parameters">Its parameters.</param>
    public Task<JsonElement> RequestAsync(string method, CancellationToken cancellation, params object[] parameters) =>
        RequestAsync(_http, Interlocked.Increment(ref _requests), method, parameters, cancellation);

    /// <summary>Stops the node: SIGTERM, upon which it writes its state, and SIGKILL after half a minute.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _mining.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!_process.HasExited)
        {
            _ = Kill(_process.Id, Sigterm);
            using var limit = new CancellationTokenSource(StopLimit);
            try
            {
                await _process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                _process.Kill(entireProcessTree: true);
                await _process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
            }
        }

        await _log.ConfigureAwait(false);
        _http.Dispose();
        _stopping.Dispose();
        _process.Dispose();
    }

    private async Task MineByTheClockAsync()
    {
        using var clock = new PeriodicTimer(TimeSpan.FromSeconds(_options.BlockSeconds));
        while (await clock.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false) && !_process.HasExited)
        {
            try
            {
                _ = await RequestAsync("evm_mine", _stopping.Token).ConfigureAwait(false);
            }
#pragma warning disable CA1031 // whatever it is: without the next tick nobody's transaction is mined, and nothing says so
            catch (Exception) when (!_stopping.IsCancellationRequested)
#pragma warning restore CA1031
            {
                // It mines a thousand blocks, or ends, or cuts an answer off; who follows the chain sees any of them.
            }
        }
    }

    /// <summary>A few hundred blocks at once: a busy machine takes long for thousands, and a request ends after two minutes.</summary>
    private static async Task MineAsync(HttpClient http, int id, ulong blocks, double secondsApart, CancellationToken cancellation)
    {
        const ulong Most = 256;
        var apart = "0x" + ((ulong)Math.Max(1, secondsApart)).ToString("x", CultureInfo.InvariantCulture);
        for (ulong mined = 0; mined < blocks; mined += Most)
        {
            var count = "0x" + Math.Min(Most, blocks - mined).ToString("x", CultureInfo.InvariantCulture);
            _ = await RequestAsync(http, id, "anvil_mine", [count, apart], cancellation).ConfigureAwait(false);
        }
    }

    private static async Task<JsonElement> RequestAsync(HttpClient http, int id, string method, object[] parameters, CancellationToken cancellation)
    {
        try
        {
            using var answer = await http.PostAsJsonAsync((Uri?)null, new { jsonrpc = "2.0", id, method, @params = parameters }, cancellation).ConfigureAwait(false);
            var body = await answer.Content.ReadFromJsonAsync<JsonElement>(cancellation).ConfigureAwait(false);
            return body.TryGetProperty("result", out var result) ? result : throw new NetworkException($"The local chain refused {method}: {body.GetProperty("error").GetProperty("message").GetString()}");
        }
        catch (Exception cause) when (cause is HttpRequestException or IOException)
        {
            throw new NetworkException($"The local chain at {http.BaseAddress} does not answer: {cause.Message}", "Start it: shale devnet", cause);
        }
        catch (OperationCanceledException cause) when (!cancellation.IsCancellationRequested)
        {
            throw new NetworkException($"The local chain at {http.BaseAddress} does not answer {method} within {RequestLimit.TotalMinutes:0} minutes.", null, cause);
        }
        catch (JsonException cause)
        {
            throw new NetworkException($"What answers at {http.BaseAddress} is no Ethereum node.", null, cause);
        }
    }

    private async Task WaitUntilAnswersAsync(CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(StartLimit);
        var answering = AskUntilAnsweredAsync(limit.Token);
        if (await Task.WhenAny(answering, Ended).ConfigureAwait(false) != answering)
        {
            await limit.CancelAsync().ConfigureAwait(false);
            await Task.WhenAny(answering).ConfigureAwait(false);
            throw await FailureAsync().ConfigureAwait(false);
        }

        try
        {
            await answering.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new NetworkException($"The local chain does not answer within {StartLimit.TotalSeconds:0} seconds.", $"Its log is {Path.Combine(_options.Folder, LogFile)}.");
        }
    }

    private async Task AskUntilAnsweredAsync(CancellationToken cancellation)
    {
        JsonElement chain;
        while (true)
        {
            try
            {
                chain = await RequestAsync("eth_chainId", cancellation).ConfigureAwait(false);
                break;
            }
            catch (NetworkException)
            {
                await Task.Delay(50, cancellation).ConfigureAwait(false);
            }
        }

        // Somebody else may answer at that port, for as long as the node needs to find out.
        if (chain.GetString() != "0x" + _options.ChainId.ToString("x", CultureInfo.InvariantCulture))
        {
            throw new NetworkException($"What answers on port {_options.Port} is another chain than {_options.ChainId}.", "Choose another port with --port, or stop what listens there.");
        }

        // After a start from a file, states of blocks before it are gone; `finalized` has to lie behind it.
        await MineAsync(FinalizedDepth + 1, cancellation).ConfigureAwait(false);
    }

    private async Task<NetworkException> FailureAsync()
    {
        await _log.ConfigureAwait(false);
        var log = Path.Combine(_options.Folder, LogFile);
        var last = File.ReadLines(log).LastOrDefault(l => l.Length > 0) ?? "it gave no reason";
        return new NetworkException(
            $"The local chain's node ended: {last}", last.Contains("in use", StringComparison.OrdinalIgnoreCase) ? $"Something listens on port {_options.Port} already: choose another with --port." : $"Its log is {log}.");
    }

    /// <summary>Anvil prints a line for every block and request: the log is started anew where it gets long.</summary>
    private static async Task CopyLogAsync(Process process, string path)
    {
        const long MaxLog = 16 << 20;
        await using var log = new StreamWriter(new FileStream(path, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Share = FileShare.Read, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite })) { AutoFlush = true };
        using var turn = new SemaphoreSlim(1);
        async Task CopyAsync(StreamReader reader)
        {
            while (await reader.ReadLineAsync().ConfigureAwait(false) is { } line)
            {
                await turn.WaitAsync().ConfigureAwait(false);
                if (log.BaseStream.Position > MaxLog)
                {
                    log.BaseStream.SetLength(0);
                }

                await log.WriteLineAsync(line).ConfigureAwait(false);
                turn.Release();
            }
        }

        await Task.WhenAll(CopyAsync(process.StandardOutput), CopyAsync(process.StandardError)).ConfigureAwait(false);
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
