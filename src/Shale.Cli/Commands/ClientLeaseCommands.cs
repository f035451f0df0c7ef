using System.CommandLine;
using System.Globalization;
using System.Numerics;
using System.Text.Json;
using Shale.Agent.Files;
using Shale.Chain.Contracts;
using Shale.Chain.Market;
using Shale.Cli.Parsing;

namespace Shale.Cli.Commands;

/// <summary>What a client does with a lease of its own: <c>shale stop</c>, <c>topup</c>, <c>rate</c>, <c>leases</c>, <c>history</c>.</summary>
internal static class ClientLeaseCommands
{
    public static Command CreateStop()
    {
        var options = ChainCommandOptions.WithOnePassphrase();
        var lease = LeaseArgument();
        var noWait = new Option<bool>("--no_wait", "--no-wait") { Description = "Only ask; don't wait for the provider's last settlement and the refund." };
        var state = new Option<string?>("--state_dir", "--state-dir") { Description = "On the provider's side: the folder of the provider whose lease it is." };
        var command = new Command("stop", "End a lease: the provider settles what was signed, the rest comes back") { lease, noWait, state };
        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var id = AgentCommandOptions.ParseLease(parsed.GetValue(lease)!);
            if (parsed.GetValue(state) is { } folder)
            {
                return DrainCommand.Evict(folder, id);
            }

            using var session = await ClientSession.OpenAsync(options, parsed, cancellation).ConfigureAwait(false);
            var record = await session.LeaseAsync(id, cancellation).ConfigureAwait(false);
            if (record.State is LeaseState.Created or LeaseState.Accepted)
            {
                var head = await session.Chain.GetHeadAsync(cancellation).ConfigureAwait(false);
                if (head >= record.Deadline)
                {
                    await session.Writer.ExpireAsync(id, cancellation).ConfigureAwait(false);
                    Console.WriteLine($"The order {id} is ended; {Fil.Print(await session.CollectAsync(cancellation).ConfigureAwait(false))} came back.");
                    return ExitCodes.Success;
                }

                throw new CliError($"Lease {id} is {record.State.ToString().ToLowerInvariant()} and not confirmed: there is nothing to stop.", $"It ends by itself in {session.InWords(record.Deadline - head)}; then run this again for its bond.");
            }

            if (record.State == LeaseState.Active)
            {
                await session.Writer.RequestCloseAsync(id, cancellation).ConfigureAwait(false);
                record = await session.LeaseAsync(id, cancellation).ConfigureAwait(false);
            }

            if (record.State == LeaseState.Closing)
            {
                Console.Error.WriteLine($"shale: lease {id} ends; waiting for the provider's last settlement. Should it not come: shale exit {id}");
                if (parsed.GetValue(noWait))
                {
                    return ExitCodes.Success;
                }

                record = await WaitAsync(session, id, cancellation).ConfigureAwait(false);
            }

            if (record.State is not LeaseState.Closed)
            {
                throw new CliError($"Lease {id} is {record.State.ToString().ToLowerInvariant()}.", $"shale exit {id} says what is left to do.");
            }

            await ForgetAsync(id, cancellation).ConfigureAwait(false);
            Console.WriteLine($"Lease {id} is closed: {Fil.Print(record.Amount)} paid. {Fil.Print(await session.CollectAsync(cancellation).ConfigureAwait(false))} came back to {session.Account.Address}.");
            Console.Error.WriteLine($"shale: rate it: shale rate {id} 5 \"fast\"");
            return ExitCodes.Success;
        });
        return command;
    }

    public static Command CreateTopUp()
    {
        var options = ChainCommandOptions.WithOnePassphrase();
        var lease = LeaseArgument();
        var amount = new Argument<string>("amount") { Description = "For example 0.5fil." };
        var command = new Command("topup", "Add to a lease's deposit") { lease, amount };
        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var id = AgentCommandOptions.ParseLease(parsed.GetValue(lease)!);
            var more = ChainCommandOptions.Amount(parsed.GetValue(amount)!, "amount");
            using var session = await ClientSession.OpenAsync(options, parsed, cancellation).ConfigureAwait(false);
            var record = await session.LeaseAsync(id, cancellation).ConfigureAwait(false);
            if (record.State is not (LeaseState.Active or LeaseState.Closing))
            {
                throw new CliError($"Lease {id} is {record.State.ToString().ToLowerInvariant()}: it takes no more money.", "shale leases shows how yours stand.");
            }

            await GiveMeContainerCommand.RequireBalanceAsync(session, more, cancellation).ConfigureAwait(false);
            var done = await session.Writer.TopUpAsync(id, more, cancellation).ConfigureAwait(false);
            var folder = AgentFolder.Locate(null);
            if (AgentCommandOptions.Book(folder).All.GetValueOrDefault(id) is { Payment: { } payment } known)
            {
                LeaseBook.Write(folder, known with { Payment = payment with { Deposit = done.Event.Deposit.ToString(CultureInfo.InvariantCulture) } });
                await AgentCommandOptions.ReloadAsync(folder, cancellation).ConfigureAwait(false);
            }

            Console.WriteLine($"Lease {id} has a deposit of {Fil.Print(done.Event.Deposit)} now; the provider counts it once it is final.");
            return ExitCodes.Success;
        });
        return command;
    }

    public static Command CreateRate()
    {
        var options = ChainCommandOptions.WithOnePassphrase();
        var lease = LeaseArgument();
        var stars = new Argument<byte>("stars") { Description = "1 to 5." };
        var review = new Argument<string?>("review") { Description = "A short text, or a CID; at most 512 bytes.", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("rate", "Rate a closed lease; it weighs as much as was paid") { lease, stars, review };
        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var id = AgentCommandOptions.ParseLease(parsed.GetValue(lease)!);
            if (parsed.GetValue(stars) is < 1 or > 5)
            {
                throw new CliError($"{parsed.GetValue(stars)} stars can't be given.", "Give 1 to 5.", ExitCodes.Usage);
            }

            using var session = await ClientSession.OpenAsync(options, parsed, cancellation).ConfigureAwait(false);
            var record = await session.LeaseAsync(id, cancellation).ConfigureAwait(false);
            if (record.State != LeaseState.Closed)
            {
                throw new CliError($"Lease {id} is {record.State.ToString().ToLowerInvariant()}: only a closed lease is rated.", $"End it with: shale stop {id}");
            }

            var done = await session.Writer.RateAsync(id, parsed.GetValue(stars), parsed.GetValue(review) ?? "", cancellation).ConfigureAwait(false);
            Console.WriteLine($"{done.Event.Stars} stars for provider {done.Event.Provider}, weighing {Fil.Print(done.Event.Paid)}");
            return ExitCodes.Success;
        });
        return command;
    }

    public static Command CreateLeases()
    {
        var options = new ChainCommandOptions();
        var wallet = new Argument<string?>("wallet") { Description = "A wallet or address. Default: the default wallet.", Arity = ArgumentArity.ZeroOrOne };
        var all = new Option<bool>("--all", "-a") { Description = "Those that are over, too." };
        var json = new Option<bool>("--json") { Description = "Print JSON, amounts in attoFIL." };
        var command = new Command("leases", "List your leases, as the chain has them") { wallet, all, json };
        options.AddTo(command, signs: false);
        command.SetAction((parsed, cancellation) => ListAsync(options, parsed, parsed.GetValue(wallet), over: parsed.GetValue(all) ? null : false, parsed.GetValue(json), cancellation));
        return command;
    }

    public static Command CreateHistory()
    {
        var options = new ChainCommandOptions();
        var wallet = new Argument<string?>("wallet") { Description = "A wallet or address. Default: the default wallet.", Arity = ArgumentArity.ZeroOrOne };
        var json = new Option<bool>("--json") { Description = "Print JSON, amounts in attoFIL." };
        var command = new Command("history", "What was spent, and where") { wallet, json };
        options.AddTo(command, signs: false);
        command.SetAction((parsed, cancellation) => ListAsync(options, parsed, parsed.GetValue(wallet), over: true, parsed.GetValue(json), cancellation));
        return command;
    }

    /// <summary>A lease that is over is kept paid no more: its gateway would refuse each login, and count it.</summary>
    internal static async Task ForgetAsync(ulong id, CancellationToken cancellation)
    {
        var folder = AgentFolder.Locate(null);
        if (AgentCommandOptions.Book(folder).All.ContainsKey(id))
        {
            await PolicyFile.UpdateAsync(folder, p => p with { Keep = p.Keep.Remove(id) }, cancellation).ConfigureAwait(false);
            await AgentCommandOptions.ReloadAsync(folder, cancellation).ConfigureAwait(false);
        }
    }

    private static Argument<string> LeaseArgument() => new("lease") { Description = "The lease: 42 or lease-42." };

    private static async Task<Lease> WaitAsync(ClientSession session, ulong id, CancellationToken cancellation)
    {
        while (true)
        {
            var record = await session.LeaseAsync(id, cancellation).ConfigureAwait(false);
            if (record.State != LeaseState.Closing)
            {
                return record;
            }

            if (await session.Chain.GetHeadAsync(cancellation).ConfigureAwait(false) >= record.Deadline)
            {
                throw new CliError($"The provider did not settle lease {id} before its deadline.", $"Leave alone, with all that you did not sign for: shale exit {id}", ExitCodes.TemporaryFailure);
            }

            await Task.Delay(TimeSpan.FromSeconds(Math.Clamp(session.Network.EpochSeconds / 2.0, 0.25, 10)), cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Leases of a client: open ones (over: false), those that are over (true), or all (null).</summary>
    private static async Task<int> ListAsync(ChainCommandOptions options, ParseResult parsed, string? wallet, bool? over, bool json, CancellationToken cancellation)
    {
        var network = options.Network(parsed);
        using var chain = network.Connect();
        var reader = new MarketReader(chain, network);
        var client = options.AddressOf(parsed, network, wallet);
        var head = await chain.GetHeadAsync(cancellation).ConfigureAwait(false);
        var leases = await reader.FindLeasesAsync(l => l.Client == client && (over is not { } o || IsOver(l.State) == o), default, cancellation).ConfigureAwait(false);
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(
                leases.Select(l => new
                {
                    lease = l.Id,
                    state = l.Lease.State.ToString(),
                    provider = l.Lease.Provider,
                    pricePerSecond = l.Lease.Price.ToString(CultureInfo.InvariantCulture),
                    deposit = l.Lease.State is LeaseState.Active or LeaseState.Closing or LeaseState.Frozen ? l.Lease.Amount.ToString(CultureInfo.InvariantCulture) : null,
                    paid = l.Lease.State == LeaseState.Closed ? l.Lease.Amount.ToString(CultureInfo.InvariantCulture) : null,
                    deadline = l.Lease.Deadline,
                    rated = l.Lease.Rated,
                }),
                JsonSerializerOptions.Web));
            return ExitCodes.Success;
        }

        if (leases.Count == 0)
        {
            Console.WriteLine(over == true ? $"{client} has no leases that are over." : $"{client} has no open leases.");
            return ExitCodes.Success;
        }

        Console.WriteLine($"{"LEASE",-8}{"STATE",-10}{"PROVIDER",-10}{"PRICE",-22}AMOUNT");
        foreach (var (id, lease) in leases.Select(l => (l.Id, l.Lease)))
        {
            var note = lease.State switch
            {
                LeaseState.Closed => $"{Fil.Print(lease.Amount)} paid{(lease.Rated ? ", rated" : "")}",
                LeaseState.Active or LeaseState.Frozen => $"{Fil.Print(lease.Amount)} deposit",
                LeaseState.Closing => $"{Fil.Print(lease.Amount)} deposit, {(lease.Deadline > head ? $"to be settled within {lease.Deadline - head} epochs" : $"past its deadline: shale exit {id}")}",
                LeaseState.Created => "waits for the provider",
                LeaseState.Accepted => $"accepted: shale give-me-container --resume={id}",
                _ => "",
            };
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{id,-8}{lease.State,-10}{lease.Provider,-10}{OfferCommand.Price(lease.Price),-22}{note}"));
        }

        if (over == true)
        {
            Console.WriteLine($"{Fil.Print(leases.Where(l => l.Lease.State == LeaseState.Closed).Aggregate(BigInteger.Zero, (sum, l) => sum + l.Lease.Amount))} spent in all");
        }

        return ExitCodes.Success;
    }

    private static bool IsOver(LeaseState state) => state is LeaseState.Closed or LeaseState.Expired;
}
