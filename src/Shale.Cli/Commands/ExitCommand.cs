using System.CommandLine;
using System.Numerics;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Chain;
using Shale.Chain.Contracts;
using Shale.Chain.Market;
using Shale.Cli.Parsing;
using Shale.Settlement.Batching;

namespace Shale.Cli.Commands;

/// <summary><c>shale exit</c>: leave a lease whose provider is gone, with all that was not signed away.</summary>
internal static class ExitCommand
{
    public static Command Create()
    {
        var options = ChainCommandOptions.WithOnePassphrase();
        var lease = new Argument<string>("lease") { Description = "The lease." };
        var command = new Command("exit", "Leave a lease whose provider is gone: does what can be done now, and says when to come back") { lease };
        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var id = AgentCommandOptions.ParseLease(parsed.GetValue(lease)!);
            using var session = await ClientSession.OpenAsync(options, parsed, cancellation).ConfigureAwait(false);
            return await LeaveAsync(session, id, cancellation).ConfigureAwait(false);
        });
        return command;
    }

    private static async Task<int> LeaveAsync(ClientSession session, ulong id, CancellationToken cancellation)
    {
        var record = await session.LeaseAsync(id, cancellation).ConfigureAwait(false);
        if (record.State == LeaseState.Active)
        {
            await session.Writer.RequestCloseAsync(id, cancellation).ConfigureAwait(false);
            record = await session.LeaseAsync(id, cancellation).ConfigureAwait(false);
        }

        if (record.State == LeaseState.Closing)
        {
            var head = await session.Chain.GetHeadAsync(cancellation).ConfigureAwait(false);
            if (head < record.Deadline)
            {
                Console.WriteLine($"Lease {id} is closing. Until epoch {record.Deadline} its provider may still settle it; run this again in {session.InWords(record.Deadline - head)}.");
                return ExitCodes.TemporaryFailure;
            }

            await session.Writer.FreezeAsync(id, cancellation).ConfigureAwait(false);
            record = await session.LeaseAsync(id, cancellation).ConfigureAwait(false);
        }

        if (record.State == LeaseState.Frozen)
        {
            var (deposit, claimed, siblings) = record.FrozenFresh ? (0, 0, []) : await LeafAsync(session, id, record, cancellation).ConfigureAwait(false);
            await session.Writer.FinishAsync(id, deposit, claimed, siblings, cancellation).ConfigureAwait(false);
            record = await session.LeaseAsync(id, cancellation).ConfigureAwait(false);
        }

        if (record.State is LeaseState.Closed or LeaseState.Expired)
        {
            await ClientLeaseCommands.ForgetAsync(id, cancellation).ConfigureAwait(false);
            Console.WriteLine($"Lease {id} is over: {Fil.Print(record.State == LeaseState.Closed ? record.Amount : 0)} paid. {Fil.Print(await session.CollectAsync(cancellation).ConfigureAwait(false))} came back to {session.Account.Address}.");
            return ExitCodes.Success;
        }

        throw new CliError($"Lease {id} is {record.State.ToString().ToLowerInvariant()}: it was never confirmed, so there is nothing to leave.", "shale stop ends an order past its deadline.");
    }

    /// <summary>The lease's leaf under the root at which it was frozen, from the page's events; with the path that the contract wants.</summary>
    private static async Task<(UInt128 Deposit, UInt128 Claimed, IReadOnlyList<BigInteger> Siblings)> LeafAsync(ClientSession session, ulong id, Lease record, CancellationToken cancellation)
    {
        var root = await session.Reader.GetFrozenRootAsync(id, default, cancellation).ConfigureAwait(false);
        var page = await session.Reader.GetPageAsync(record.Provider, record.Page, default, cancellation).ConfigureAwait(false);
        var head = await session.Chain.GetHeadAsync(cancellation).ConfigureAwait(false);
        var events = await new MarketEvents(session.Chain, session.Network).ReadRangeAsync(session.Network.DeployedAt, head, cancellation).ConfigureAwait(false);
        var confirmed = events.Select(e => e.Event).OfType<ShaleMarket.LeaseConfirmedEvent>().Where(e => e.Provider == record.Provider && e.Page == record.Page).Select(e => e.LeaseId).Distinct().ToList();
        var keys = (await session.Reader.GetLeasesAsync(confirmed, default, cancellation).ConfigureAwait(false)).ToDictionary(l => l.Id, l => new BabyJubjubPoint(Fr.FromBigInteger(l.Lease.Ax), Fr.FromBigInteger(l.Lease.Ay)));
        var history = new PageHistory((int)page.Size);
        foreach (var step in events.Select(e => e.Event))
        {
            if (step is ShaleMarket.LeaseConfirmedEvent confirmation && confirmation.Provider == record.Provider && confirmation.Page == record.Page)
            {
                history.Confirm(confirmation.Slot, confirmation.LeaseId, keys[confirmation.LeaseId]);
            }
            else if (step is ShaleMarket.PageSettledEvent settled && settled.Provider == record.Provider && settled.Page == record.Page)
            {
                history.Settle(settled.Entries.Span);
            }

            if (history.ToState() is var state && state.Root.ToBigInteger() == root && state.Leaves[record.Slot] is { } leaf && leaf.LeaseId == id)
            {
                return (leaf.Deposit, leaf.Claimed, [.. state.Siblings(record.Slot).Select(s => s.ToBigInteger())]);
            }
        }

        throw new ChainException(ChainErrorKind.Pruned, $"The nodes' events do not give the page's root at which lease {id} was frozen. Name an archive node with --network=FILE and run this again; nothing is lost.");
    }
}
