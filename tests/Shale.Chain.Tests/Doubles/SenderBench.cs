using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Shale.Chain.Rpc;
using Shale.Chain.Transactions;

namespace Shale.Chain.Tests.Doubles;

/// <summary>A node, an account with money, and a sender with short waits.</summary>
internal sealed class SenderBench : IAsyncDisposable
{
    // Generous: only a hanging test reaches it.
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private SenderBench(Anvil anvil, string folder)
    {
        Anvil = anvil;
        Folder = folder;
        Client = new ChainClient(anvil.Options);
    }

    internal Anvil Anvil { get; }

    internal string Folder { get; }

    internal ChainClient Client { get; }

    internal KeyAccount Account { get; } = new(Anvil.Keys[0]);

    internal Address Other { get; } = new KeyAccount(Anvil.Keys[1]).Address;

    internal ConcurrentQueue<TransactionProgress> Steps { get; } = new();

    internal IProgress<TransactionProgress> Progress => new Recorder(Steps.Enqueue);

    internal TransactionOptions Options => new()
    {
        Folder = Folder,
        PollInterval = TimeSpan.FromMilliseconds(30),
        StuckAfter = TimeSpan.FromHours(1),
        SendAgainAfter = TimeSpan.FromMilliseconds(200),
        ReplacedAfter = TimeSpan.FromMilliseconds(300),
        GiveUpAfter = Patience,
    };

    internal static async Task<SenderBench> StartAsync(params string[] arguments)
    {
        var anvil = await Anvil.StartAsync(Anvil.DefaultChainId, arguments);
        return new SenderBench(anvil, Directory.CreateTempSubdirectory("shale-sender-").FullName);
    }

    internal TransactionSender Sender(TransactionOptions? options = null, IAccount? account = null) => new(Client, account ?? Account, options ?? Options);

    internal string[] Files => Directory.GetFiles(Folder, "*.json", SearchOption.AllDirectories);

    /// <summary>Waits until a step was reported.</summary>
    internal async Task<TransactionProgress> StepAsync(TransactionStage stage)
    {
        await UntilAsync(() => Task.FromResult(Steps.Any(s => s.Stage == stage)), stage.ToString());
        return Steps.First(s => s.Stage == stage);
    }

    internal static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var deadline = DateTime.UtcNow + Patience;
        while (!await condition())
        {
            if (DateTime.UtcNow > deadline)
            {
                throw new TimeoutException($"It never came to this: {what}.");
            }

            await Task.Delay(20);
        }
    }

    internal Task SetBalanceAsync(Address account, UInt128 balance) => Anvil.RpcAsync("anvil_setBalance", account.ToString(), JsonValue.Create("0x" + balance.ToString("x")));

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Anvil.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>Reports at once and on the caller's thread, unlike Progress{T}; what it throws ends the caller, as a crash would.</summary>
    internal sealed class Recorder(Action<TransactionProgress> action) : IProgress<TransactionProgress>
    {
        public void Report(TransactionProgress value) => action(value);
    }
}
