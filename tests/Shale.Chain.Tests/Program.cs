using Shale.Chain.Rpc;
using Shale.Chain.Tests.Doubles;
using Shale.Chain.Transactions;

namespace Shale.Chain.Tests;

/// <summary>
/// What runs when a test starts this assembly as a process of its own: <c>URL FOLDER RECEIVER COUNT STAGE</c> sends COUNT payments of 1 attoFIL and prints their hashes; at STAGE
/// (or never, for "-") it prints the stage and stands still until it is killed.
/// </summary>
internal static class Program
{
    internal static async Task<int> Main(string[] args)
    {
        using var client = new ChainClient(new ChainOptions { Endpoints = [new RpcEndpoint(args[0])], ChainId = Anvil.DefaultChainId });
        var options = new TransactionOptions { Folder = args[1], PollInterval = TimeSpan.FromMilliseconds(50), GiveUpAfter = SenderBench.Patience };
        var sender = new TransactionSender(client, new KeyAccount(Anvil.Keys[0]), options);
        var progress = new SenderBench.Recorder(p =>
        {
            if (p.Stage.ToString() == args[4])
            {
                Console.WriteLine($"{p.Stage} {p.Hash}");
                Thread.Sleep(Timeout.Infinite);
            }
        });
        for (var i = 0; i < int.Parse(args[3]); i++)
        {
            Console.WriteLine((await sender.SendAsync(Address.Parse(args[2]), 1, null, "pay", Wait.Mined, progress)).TransactionHash);
        }

        return 0;
    }

    /// <summary>Starts such a process.</summary>
    internal static System.Diagnostics.Process Start(params string[] args)
    {
        var start = new System.Diagnostics.ProcessStartInfo("dotnet") { RedirectStandardOutput = true };
        start.ArgumentList.Add("exec");
        start.ArgumentList.Add(typeof(Program).Assembly.Location);
        foreach (var arg in args)
        {
            start.ArgumentList.Add(arg);
        }

        return System.Diagnostics.Process.Start(start)!;
    }
}
