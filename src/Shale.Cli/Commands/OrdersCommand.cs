using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Shale.Chain.Contracts;
using Shale.Chain.Market;
using Shale.Cli.Parsing;

namespace Shale.Cli.Commands;

/// <summary><c>shale orders</c>: what a provider has open on the chain.</summary>
internal static class OrdersCommand
{
    public static Command Create()
    {
        var options = new ChainCommandOptions();
        var which = new Argument<string?>("provider") { Description = "A provider's index, miner ID (f01946720), address or wallet. Default: the default wallet's.", Arity = ArgumentArity.ZeroOrOne };
        var all = new Option<bool>("--all") { Description = "Closed and expired ones, too." };
        var json = new Option<bool>("--json") { Description = "Print JSON, amounts in attoFIL." };
        var command = new Command("orders", "List a provider's orders and leases, as the chain has them") { which, all, json };
        options.AddTo(command, signs: false);
        command.SetAction(async (parsed, cancellation) =>
        {
            var network = options.Network(parsed);
            using var chain = network.Connect();
            var reader = new MarketReader(chain, network);
            var provider = await ProviderCommand.FindAsync(options, parsed, network, reader, parsed.GetValue(which), cancellation).ConfigureAwait(false);
            var ended = parsed.GetValue(all);
            var head = await chain.GetHeadAsync(cancellation).ConfigureAwait(false);
            var leases = await reader.FindLeasesAsync(l => l.Provider == provider && (ended || l.State is not (LeaseState.Closed or LeaseState.Expired)), default, cancellation).ConfigureAwait(false);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(leases.Select(Json), JsonSerializerOptions.Web));
                return ExitCodes.Success;
            }

            if (leases.Count == 0)
            {
                Console.Error.WriteLine($"Provider {provider} has no {(ended ? "orders" : "open orders or leases")}.");
                return ExitCodes.Success;
            }

            Console.WriteLine($"{"lease",-7} {"state",-9} {"price",-16} {"deposit",-14} {"slot",-8} {"client",-42}  until");
            foreach (var (id, lease) in leases)
            {
                var slot = lease.State is LeaseState.Created or LeaseState.Expired ? "" : string.Create(CultureInfo.InvariantCulture, $"{lease.Page}/{lease.Slot}");
                Console.WriteLine($"{id,-7} {lease.State.ToString().ToLowerInvariant(),-9} {OfferCommand.Price(lease.Price),-16} {Fil.Print(lease.Amount),-14} {slot,-8} {lease.Client}  {Until(lease, head, network.EpochSeconds)}".TrimEnd());
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static string Until(Lease lease, ulong head, int epochSeconds) => lease.Deadline == 0 || lease.State is LeaseState.Closed or LeaseState.Expired or LeaseState.Frozen
        ? ""
        : lease.Deadline <= head ? $"epoch {lease.Deadline}, passed" : $"epoch {lease.Deadline}, in {TimeSpan.FromSeconds((lease.Deadline - head) * (ulong)epochSeconds):d\\.hh\\:mm\\:ss}";

    private static object Json(LeaseEntry entry) => new
    {
        lease = entry.Id,
        state = entry.Lease.State.ToString().ToLowerInvariant(),
        client = entry.Lease.Client.ToString(),
        provider = entry.Lease.Provider,
        page = entry.Lease.Page,
        slot = entry.Lease.Slot,
        pricePerSecond = entry.Lease.Price.ToString(CultureInfo.InvariantCulture),
        amount = entry.Lease.Amount.ToString(CultureInfo.InvariantCulture),
        deadline = entry.Lease.Deadline,
    };
}
