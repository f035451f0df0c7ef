using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using Shale.Agent;
using Shale.Agent.Files;
using Shale.Agent.Market;
using Shale.Bn254.BabyJubjub;
using Shale.Chain.Contracts;
using Shale.Chain.Market;
using Shale.Cli.Parsing;
using Shale.Payments.Policy;

namespace Shale.Cli.Commands;

/// <summary><c>shale give-me-container</c>: order, wait for the provider, confirm with a deposit, wait until it serves, connect.</summary>
internal static class GiveMeContainerCommand
{
    private const ulong DefaultMemory = 1UL << 30;

    /// <summary>What is kept back of a balance for gas: an order's three transactions cost far less on any chain that the market is on.</summary>
    private static readonly UInt128 GasReserve = 50_000_000_000_000_000;

    /// <summary>A gateway counts failed logins against their source: asked more often it would answer less.</summary>
    private static readonly TimeSpan LoginPause = TimeSpan.FromSeconds(6);

    public static Command Create()
    {
        var chain = new ChainCommandOptions();
        var agent = new AgentCommandOptions();
        var lease = new LeaseOptions();
        var miner = new Option<string?>("--miner") { Description = "The provider: its miner ID (f01946720) or index. Default: the best offer that fits." };
        var price = new Option<string?>("--price") { Description = "What it may cost at most: 0.01fil/min. Default: what the offer asks, once you agree." };
        var time = new Option<string?>("--for") { Description = "How long: 2h, 30m. It ends then by itself. Default: until it is stopped or the deposit is used up." };
        var spend = new Option<string?>("--max-spend", "--max_spend") { Description = "The most that it may cost; the deposit is the smaller of price × time and this. Default: an hour's price." };
        var prepay = new Option<string?>("--prepay") { Description = "How far ahead the agent may pay: 15s, 1m. Default: its policy." };
        var yes = new Option<bool>("--yes", "-y") { Description = "Don't ask before money is spent." };
        var patience = new Option<string>("--wait") { Description = "How long to wait for the provider to accept.", DefaultValueFactory = _ => "15m" };
        var resume = new Option<string?>("--resume") { Description = "Go on with an order that was placed before." };
        var run = new Argument<string[]>("command") { Description = "After --: what to run in the container; its exit code is this command's.", Arity = ArgumentArity.ZeroOrMore };
        var command = new Command("give-me-container", "Order a container, pay for it, and connect") { miner, price, time, spend, prepay, yes, patience, resume, run };
        lease.AddTo(command);
        chain.AddTo(command);
        agent.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            // What can be wrong with the words alone is said before a passphrase is asked for or a node is.
            CheckWords(parsed, lease, price, time, spend, prepay);
            var folder = agent.Folder(parsed);
            var key = PaymentKeyFile.ReadPublicKey(folder.KeyFile) ?? throw new CliError("There is no payment key yet.", "Make one with: shale agent init", ExitCodes.NoInput);
            var (identity, keys) = Identity(parsed, lease);
            using (var session = await ClientSession.OpenAsync(chain, parsed, cancellation).ConfigureAwait(false))
            {
                // Before any money moves: whoever pays must be able to.
                await agent.EnsureRunningAsync(parsed, cancellation).ConfigureAwait(false);
                var (id, placed, deposit) = parsed.GetValue(resume) is { } known
                    ? await TakeUpAsync(session, AgentCommandOptions.ParseLease(known), Deposit(parsed, spend), cancellation).ConfigureAwait(false)
                    : await OrderAsync(session, await WishAsync(chain, parsed, session, lease, miner, price, cancellation).ConfigureAwait(false), new Asked(parsed, lease, time, spend, yes, key, keys), cancellation).ConfigureAwait(false);
                await ConfirmAsync(session, id, placed, deposit, Quantity.Duration(parsed.GetValue(patience)!, "--wait"), folder, key, identity, cancellation).ConfigureAwait(false);
                if (parsed.GetValue(prepay) is { } ahead)
                {
                    var seconds = (int)Quantity.Duration(ahead, "--prepay").TotalSeconds;
                    await PolicyFile.UpdateAsync(folder, p => p with { PrepaySeconds = seconds }, cancellation).ConfigureAwait(false);
                }

                await AgentCommandOptions.ReloadAsync(folder, cancellation).ConfigureAwait(false);
                await WaitUntilServedAsync(session, folder, id, cancellation).ConfigureAwait(false);
                Console.WriteLine($"ssh -F {folder.SshConfig} lease-{id}");
                Console.Error.WriteLine($"shale: connect with shale ssh {id}; end it with shale stop {id}");
                if (parsed.GetValue(run) is not { Length: > 0 })
                {
                    return Console.IsOutputRedirected ? ExitCodes.Success : await SessionCommand.ShowAsync(folder, id, cancellation).ConfigureAwait(false);
                }

                string[] arguments = ["ssh", "-F", folder.SshConfig, .. Console.IsInputRedirected ? Array.Empty<string>() : ["-t"], $"lease-{id}", "--", .. parsed.GetValue(run)!];
                var error = ProcessImage.Become("ssh", arguments);
                throw new CliError($"ssh can't be started (error {error}).", "Install OpenSSH's client: apt-get install openssh-client", ExitCodes.Unavailable);
            }
        });
        return command;
    }

    /// <summary>Refuses where a wallet can't pay an amount and some gas.</summary>
    internal static async Task RequireBalanceAsync(ClientSession session, UInt128 amount, CancellationToken cancellation)
    {
        var balance = await session.Chain.GetBalanceAsync(session.Account.Address, default, cancellation).ConfigureAwait(false);
        if (balance < amount + GasReserve)
        {
            throw new CliError(
                $"{session.Account.Address} has {Fil.Print(balance)}; this takes {Fil.Print(amount)}, and {Fil.Print(GasReserve)} are kept for gas.",
                "Send FIL to it (shale wallet address --f410 prints where to), spend less with --max-spend, or choose another --wallet.");
        }
    }

    private static void CheckWords(ParseResult parsed, LeaseOptions lease, Option<string?> price, Option<string?> time, Option<string?> spend, Option<string?> prepay)
    {
        _ = parsed.GetValue(price) is { } text ? ChainCommandOptions.Price(text, "--price") : 0;
        _ = parsed.GetValue(lease.Memory) is { } memory ? Quantity.Memory(memory, "--num_rams") : 0;
        _ = parsed.GetValue(lease.Bandwidth) is { } bandwidth ? Quantity.Bandwidth(bandwidth, "--bandwidth") : 0;
        foreach (var option in new[] { time, prepay })
        {
            _ = parsed.GetValue(option) is { } duration ? Quantity.Duration(duration, option.Name) : default;
        }

        _ = Deposit(parsed, spend);
        _ = Mounts(parsed, lease);
    }

    private static UInt128? Deposit(ParseResult parsed, Option<string?> spend) => parsed.GetValue(spend) is { } text ? ChainCommandOptions.Amount(text, "--max-spend") : null;

    /// <summary>The lines of authorized_keys, and the private key beside a public key file that was named.</summary>
    private static (string IdentityFile, IReadOnlyList<string> Keys) Identity(ParseResult parsed, LeaseOptions lease)
    {
        var keys = LeaseOptions.ReadPublicKeys(parsed.GetValue(lease.PublicKey));
        if (parsed.GetValue(lease.PublicKey) is not { } named)
        {
            return ("", keys);
        }

        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        var path = Path.GetFullPath(named.StartsWith("~/", StringComparison.Ordinal) ? Path.Combine(home, named[2..]) : named);
        var secret = path.EndsWith(".pub", StringComparison.Ordinal) ? path[..^4] : "";
        return (File.Exists(secret) ? secret : "", keys);
    }

    private static async Task<OfferWish> WishAsync(ChainCommandOptions chain, ParseResult parsed, ClientSession session, LeaseOptions lease, Option<string?> miner, Option<string?> price, CancellationToken cancellation)
    {
        var gpus = parsed.GetValue(lease.Gpus) ?? "";
        return new OfferWish
        {
            Provider = parsed.GetValue(miner) is { } named ? await ProviderCommand.FindAsync(chain, parsed, session.Network, session.Reader, named, cancellation).ConfigureAwait(false) : null,
            MaxPrice = parsed.GetValue(price) is { } text ? ChainCommandOptions.Price(text, "--price") : null,
            Cpus = Math.Max(1, (uint)Math.Ceiling(parsed.GetValue(lease.Cpus))),
            MemoryBytes = parsed.GetValue(lease.Memory) is { } memory ? (ulong)Quantity.Memory(memory, "--num_rams") : DefaultMemory,
            Gpus = gpus.Length == 0 ? 0 : uint.TryParse(gpus, NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : throw new CliError($"--num_gpus={gpus} is not a number.", "An order names how many: --num_gpus=1.", ExitCodes.Usage),
            Bandwidth = parsed.GetValue(lease.Bandwidth) is { } bandwidth ? (ulong)Quantity.Bandwidth(bandwidth, "--bandwidth") : 0,
            Image = parsed.GetValue(lease.Image) ?? throw new CliError("An order names its --image.", "shale list shows what images providers have.", ExitCodes.Usage),
            DataSets = [.. Mounts(parsed, lease).Select(m => m.Cid)],
        };
    }

    private static List<Mount> Mounts(ParseResult parsed, LeaseOptions lease) => [.. (parsed.GetValue(lease.Mounts) ?? []).Select(ParseMount)];

    /// <summary><c>CID[/path]:/in/container</c>.</summary>
    private static Mount ParseMount(string text)
    {
        var split = text.LastIndexOf(":/", StringComparison.Ordinal);
        if (split <= 0)
        {
            throw new CliError($"--mnt={text} is not CID:/path/in/container.", "For example --mnt=bafy...:/mnt/data.zip.", ExitCodes.Usage);
        }

        var (source, target) = (text[..split], text[(split + 1)..]);
        var slash = source.IndexOf('/', StringComparison.Ordinal);
        var cid = DatasetCommand.ParseCid(slash < 0 ? source : source[..slash]);
        var inside = slash < 0 ? "" : source[slash..].Trim('/');
        return new Mount(cid.Bytes.ToArray(), inside.Length == 0 ? target : inside + ":" + target);
    }

    /// <summary>Finds the offer, says what it costs, asks, and places the order.</summary>
    private static async Task<(ulong Id, ulong Placed, UInt128? Deposit)> OrderAsync(ClientSession session, OfferWish wish, Asked asked, CancellationToken cancellation)
    {
        var all = await ListCommand.AllAsync(session.Chain, session.Network, session.Reader, cancellation).ConfigureAwait(false);
        var best = OfferSearch.Find(all, wish) is [var first, ..] ? first : throw NoOffer(session, all, wish);
        var offer = best.Offer.Offer;
        var constants = await session.Reader.GetConstantsAsync(cancellation).ConfigureAwait(false);
        var seconds = asked.Duration();
        var most = asked.MaxSpend();

        // Without a limit of time or money: an hour.
        var byTime = seconds is { } s ? offer.PricePerSecond * (UInt128)s : most ?? (offer.PricePerSecond * (UInt128)3600);
        var deposit = most is { } limit && limit < byTime ? limit : byTime;
        if (deposit < offer.MinDeposit)
        {
            throw new CliError($"The deposit of {Fil.Print(deposit)} is below the {Fil.Print(offer.MinDeposit)} that this offer takes at least.", "Order for longer with --for, or allow more with --max-spend; what is not used comes back.");
        }

        await RequireBalanceAsync(session, deposit + constants.Bond, cancellation).ConfigureAwait(false);
        var name = best.Provider.Provider.MinerId == 0 ? $"provider {best.Provider.Index}" : ProviderCommand.Miner(best.Provider.Provider.MinerId, session.Network);
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"shale: {name} leases {wish.Cpus} CPUs, {DatasetCommand.Size((long)wish.MemoryBytes)}{(wish.Gpus > 0 ? $", {wish.Gpus} × {offer.Resources.GpuModel}" : "")} with {wish.Image} for {OfferCommand.Price(offer.PricePerSecond)}"));
        Console.Error.WriteLine($"shale: deposit {Fil.Print(deposit)}, which lasts {session.InWords((ulong)(deposit / offer.PricePerSecond) / (ulong)session.Network.EpochSeconds)}; what is not used comes back. Bond {Fil.Print(constants.Bond)}, which comes back when the deposit is paid");
        asked.Confirm();
        var order = new Order(
            best.Provider.Index, best.Offer.Id, offer.PricePerSecond, seconds ?? 0, asked.Key.Point.X.ToBigInteger(), asked.Key.Point.Y.ToBigInteger(),
            new Resources(wish.Cpus, wish.MemoryBytes, wish.Gpus, "", wish.Bandwidth), OfferSearch.ImageOf(offer, wish.Image)!.Digest, asked.SshKeys, asked.Mounts());
        var placed = await session.Writer.CreateLeaseAsync(order, constants.Bond, cancellation).ConfigureAwait(false);
        Console.Error.WriteLine($"shale: ordered as lease {placed.Event.LeaseId}; waiting for the provider");
        return (placed.Event.LeaseId, placed.Receipt.BlockNumber, deposit);
    }

    private static CliError NoOffer(ClientSession session, IReadOnlyList<FoundOffer> all, OfferWish wish)
    {
        var near = all.Where(o => wish.Provider is not { } p || o.Provider.Index == p).Take(3)
            .Select(o => string.Create(CultureInfo.InvariantCulture, $"offer {o.Offer.Id} of provider {o.Provider.Index}: {OfferSearch.WhyNot(o, wish)}")).ToList();
        return new CliError(
            near.Count == 0 ? $"Nobody offers a container on {session.Network.Name}." : "No offer fits: " + string.Join("; ", near) + ".",
            "shale list shows all offers.", ExitCodes.NoInput);
    }

    /// <summary>An order that was placed before, whichever way it stands.</summary>
    private static async Task<(ulong Id, ulong Placed, UInt128? Deposit)> TakeUpAsync(ClientSession session, ulong id, UInt128? spend, CancellationToken cancellation)
    {
        var lease = await session.LeaseAsync(id, cancellation).ConfigureAwait(false);
        if (lease.State is LeaseState.Closed or LeaseState.Expired or LeaseState.Frozen)
        {
            throw new CliError($"Lease {id} is over.", "Order another one.");
        }

        var epochs = (await session.Reader.GetConstantsAsync(cancellation).ConfigureAwait(false)) is var c ? c.AcceptEpochs + c.ConfirmEpochs : 0;
        var head = await session.Chain.GetHeadAsync(cancellation).ConfigureAwait(false);
        var deposit = spend ?? (lease.Price * (UInt128)3600 is var hour && hour > lease.Amount ? hour : lease.Amount);
        return (id, Math.Max(session.Network.DeployedAt, head - Math.Min(head, epochs)), lease.State is LeaseState.Created or LeaseState.Accepted ? deposit : null);
    }

    private static async Task ConfirmAsync(ClientSession session, ulong id, ulong placed, UInt128? deposit, TimeSpan patience, AgentFolder folder, string key, string identity, CancellationToken cancellation)
    {
        var follower = new LeaseFollower(session.Chain, session.Network, TimeProvider.System);
        var terms = await follower.WaitForTermsAsync(id, placed, patience, cancellation).ConfigureAwait(false)
            ?? throw new CliError($"The provider has not accepted lease {id}.", $"Go on waiting with: shale give-me-container --image=… --resume={id}; or take another provider: the bond comes back with shale stop {id} once the order has expired.", ExitCodes.TemporaryFailure);
        var lease = await session.LeaseAsync(id, cancellation).ConfigureAwait(false);

        // Before the deposit: a machine that can't be reached, or is another one, gets none.
        var described = await follower.DescribeAsync(id, terms, key, identity, cancellation).ConfigureAwait(false);
        if (lease.State == LeaseState.Accepted)
        {
            await session.Writer.ConfirmAsync(id, terms, deposit ?? lease.Amount, cancellation).ConfigureAwait(false);
            Console.Error.WriteLine("shale: accepted, and confirmed with the deposit; waiting until it is final");
        }

        var paid = (await session.LeaseAsync(id, cancellation).ConfigureAwait(false)).Amount;
        LeaseBook.Write(folder, described with { Payment = described.Payment! with { Deposit = paid.ToString(CultureInfo.InvariantCulture) } });
        await follower.WaitUntilFinalAsync(id, cancellation).ConfigureAwait(false);
    }

    /// <summary>Logs in, and in again, until the gateway serves the lease. Nothing is run and nothing is paid.</summary>
    private static async Task WaitUntilServedAsync(ClientSession session, AgentFolder folder, ulong id, CancellationToken cancellation)
    {
        const int MostTries = 50;
        Console.Error.WriteLine("shale: final; waiting for the container");
        var said = "";
        for (var attempt = 0; attempt < MostTries; attempt++)
        {
            // A provider looks at the chain every epoch or so.
            await Task.Delay(attempt == 0 ? TimeSpan.FromSeconds(2) : LoginPause, cancellation).ConfigureAwait(false);
            var start = new ProcessStartInfo("ssh") { RedirectStandardError = true, RedirectStandardOutput = true, RedirectStandardInput = true };
            foreach (var argument in new[] { "-F", folder.SshConfig, "-o", "BatchMode=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", "ForwardAgent=no", "-o", "ConnectTimeout=10", "-o", "LogLevel=INFO", "-T", "-s", $"lease-{id}", "ready@shaleprotocol.com" })
            {
                start.ArgumentList.Add(argument);
            }

            using var ssh = Process.Start(start)!;
            ssh.StandardInput.Close();
            var error = ssh.StandardError.ReadToEndAsync(cancellation);
            _ = await ssh.StandardOutput.ReadToEndAsync(cancellation).ConfigureAwait(false);
            var before = said;
            said = (await error.ConfigureAwait(false)).Trim();
            await ssh.WaitForExitAsync(cancellation).ConfigureAwait(false);
            if (ssh.ExitCode == 0)
            {
                return;
            }

            // The gateway's own sentence, for whoever wonders; a login that is refused only says that the provider has not got that far.
            if (said != before && said.Contains("shale: ", StringComparison.Ordinal))
            {
                Console.Error.WriteLine(said);
            }

            // A provider that can't start the container gives the lease up; whoever goes on knocking then waits for nothing.
            if ((await session.LeaseAsync(id, cancellation).ConfigureAwait(false)).State is not (LeaseState.Accepted or LeaseState.Active))
            {
                throw new CliError($"The provider could not serve lease {id} and ended it. It said: {Sentence(said)}", $"Collect your deposit: shale stop {id}", ExitCodes.Unavailable);
            }
        }

        throw new CliError($"Lease {id} is confirmed, and can't be logged in to: {Sentence(said)}", $"Try again with shale ssh {id}; if the provider does not serve it, nothing is paid: shale stop {id}", ExitCodes.TemporaryFailure);
    }

    private static string Sentence(string said) => said.Replace("shale: ", "", StringComparison.Ordinal).ReplaceLineEndings(" ");

    /// <summary>What was asked for beside the machine.</summary>
    private sealed record Asked(ParseResult Parsed, LeaseOptions Lease, Option<string?> Time, Option<string?> Spend, Option<bool> Yes, string PayerKey, IReadOnlyList<string> SshKeys)
    {
        public EdDsaPublicKey Key => EdDsaPublicKey.TryRead(Convert.FromHexString(PayerKey), out var key) ? key : throw new CliError("The payment key file holds no valid public key.", "Bring it back from a backup.", ExitCodes.Configuration);

        public ulong? Duration() => Parsed.GetValue(Time) is { } text ? (ulong)Quantity.Duration(text, "--for").TotalSeconds : null;

        public UInt128? MaxSpend() => Deposit(Parsed, Spend);

        public List<Mount> Mounts() => GiveMeContainerCommand.Mounts(Parsed, Lease);

        public void Confirm()
        {
            if (Parsed.GetValue(Yes))
            {
                return;
            }

            if (Console.IsInputRedirected)
            {
                throw new CliError("There is no terminal to ask whether to order this.", "Agree with --yes.", ExitCodes.Usage);
            }

            Console.Error.Write("Order it? [y/N] ");
            if (Console.ReadLine()?.Trim() is not ("y" or "Y" or "yes"))
            {
                throw new CliError("Nothing was ordered.");
            }
        }
    }
}
