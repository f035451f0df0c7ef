using System.Globalization;
using System.Text.Json;
using Shale.Chain;
using Shale.Chain.Contracts;
using Shale.Chain.Market;
using Shale.Leases;
using Shale.Operator.Log;
using Shale.Operator.Orders;
using Shale.Operator.Settling;
using Shale.Payments.Vouchers;
using Lease = Shale.Chain.Contracts.Lease;
using LeaseState = Shale.Chain.Contracts.LeaseState;

namespace Shale.Operator;

/// <summary>
/// A provider's operator: follows orders, accepts those that fit, tells the gateway what to serve, settles, closes. It holds the wallet and listens to
/// nobody; gateway and operator meet at the lease directory and the voucher log. Each round reads what stands on chain and on the disk and does what is
/// next, so that it may be killed anywhere.
/// </summary>
public sealed class OperatorService
{
    /// <summary>How far back orders are looked for at most: older ones can't be accepted any more (acceptEpochs, 240 by default, and some).</summary>
    private const ulong OrderWindow = 1000;

    /// <summary>A reorganisation may bring orders in epochs that were looked at already.</summary>
    private const ulong OrderOverlap = 20;

    /// <summary>The log's checkpoint lags its entries by a second; this is for a gateway that can't write them.</summary>
    private static readonly TimeSpan ClosingPatience = TimeSpan.FromMinutes(1);

    /// <summary>A round that takes longer than this says where it is, and again each time.</summary>
    private static readonly TimeSpan RoundPatience = TimeSpan.FromMinutes(1);

    private readonly OperatorOptions _options;
    private readonly IProviderMarket _market;
    private readonly TimeProvider _time;
    private readonly Action<string> _say;
    private readonly OrderBook _orders;
    private readonly VoucherIndex _vouchers;
    private readonly Settler _settler;
    private HashSet<string> _alarms = [];
    private HashSet<string> _before = [];
    private ulong _newest;
    private ulong? _seenOrders;
    private int _forgotten;
    private string? _providerName;
    private string _step = "";

    /// <summary>Opens the operator's folder.</summary>
    /// <param name="options">How it works.</param>
    /// <param name="market">The market.</param>
    /// <param name="time">The clock.</param>
    /// <param name="say">Is told what happens, a line each, for the operator's log.</param>
    /// <exception cref="OperatorException">It can't start.</exception>
    public OperatorService(OperatorOptions options, IProviderMarket market, TimeProvider time, Action<string> say)
        : this(options, market, null, time, say)
    {
    }

    internal OperatorService(OperatorOptions options, IProviderMarket market, ISettlementProver? prover, TimeProvider time, Action<string> say)
    {
        ArgumentNullException.ThrowIfNull(options);
        (_options, _market, _time, _say) = (options.Validate(), market, time, say);
        FileLeaseDirectory.Prepare(options.StateDirectory);
        Directory.CreateDirectory(options.Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _orders = new OrderBook(Path.Combine(options.Folder, "leases"));
        _vouchers = new VoucherIndex(options.StateDirectory);
        _settler = new Settler(market, _orders, _vouchers, new PageBook(Path.Combine(options.Folder, "pages")), prover ?? new SettlementProver(_options.ProvingKeys), Path.Combine(options.Folder, "settlements"), time);
    }

    /// <summary>The orders and leases that this operator knows, by number.</summary>
    public IReadOnlyCollection<OperatorLease> Leases => _orders.All;

    private bool IsDraining => File.Exists(OperatorCommands.DrainPath(_options.StateDirectory));

    /// <summary>Works until cancelled. What fails is said, and tried again in the next round.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        while (!cancellation.IsCancellationRequested)
        {
            (_before, _alarms) = (_alarms, []);
            try
            {
                await WatchAsync(RoundAsync(cancellation)).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                break;
            }
            catch (Exception error) when (error is ChainException or IOException or OperatorException)
            {
                Alarm(error.Message);
            }

            await Task.Delay(_options.Poll, _time, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>One round: orders, leases, settlements.</summary>
    /// <exception cref="ChainException">The chain can't be asked; nothing is lost.</exception>
    public async Task RoundAsync(CancellationToken cancellation)
    {
        _step = "asking for the newest epoch";
        var tip = await _market.TipAsync(cancellation).ConfigureAwait(false);
        if (tip.Latest < _newest)
        {
            // What it does not have yet would look as if it had been taken back.
            Alarm(string.Create(CultureInfo.InvariantCulture, $"the node is behind epoch {_newest}, which was reached before: waiting until it has caught up"));
            return;
        }

        _newest = tip.Latest;
        _step = "reading the voucher log";
        await _vouchers.RefreshAsync(cancellation).ConfigureAwait(false);
        _step = "asking for its provider";
        _providerName ??= new ProviderEntry(_market.Provider, await _market.ProviderAsync(cancellation).ConfigureAwait(false)).Name;
        _step = "looking for orders";
        await TakeOrdersAsync(tip, cancellation).ConfigureAwait(false);
        _step = "following leases";
        await FollowLeasesAsync(tip, cancellation).ConfigureAwait(false);
        _step = "settling";
        await SettleAsync(tip, cancellation).ConfigureAwait(false);
        WriteStatus(tip);
    }

    /// <summary>A node that does not answer, or a transaction that nobody mines, must not look like an operator with nothing to do.</summary>
    private async Task WatchAsync(Task round)
    {
        for (var minutes = 1; ; minutes++)
        {
            try
            {
                await round.WaitAsync(RoundPatience, _time).ConfigureAwait(false);
                return;
            }
            catch (TimeoutException) when (!round.IsCompleted)
            {
                _say(string.Create(CultureInfo.InvariantCulture, $"still {_step}: this round has taken {minutes} min"));
            }
        }
    }

    /// <summary>What a settlement of each page would do and cost now; nothing is sent or written.</summary>
    public async Task<IReadOnlyList<SettlementPreview>> PreviewAsync(CancellationToken cancellation)
    {
        var tip = await _market.TipAsync(cancellation).ConfigureAwait(false);
        await _vouchers.RefreshAsync(cancellation).ConfigureAwait(false);
        var previews = new List<SettlementPreview>();
        foreach (var page in _orders.All.Where(l => l.Stage is LeaseStage.Serving or LeaseStage.Ending).Select(l => l.Page).Distinct().Order())
        {
            var plan = await _settler.PlanAsync(page, Wishes(page), tip.Final, cancellation).ConfigureAwait(false);
            SettlementCost? cost = plan.Batch.IsEmpty || _settler.IsPending(page) ? null : await _market.EstimateAsync(_settler.Prove(plan, cancellation), cancellation).ConfigureAwait(false);
            previews.Add(new SettlementPreview(
                page, AttoFil.Create(plan.Batch.Paid), plan.Batch.Entries.Count, cost, _settler.IsPending(page),
                [.. plan.LeftOut.Select(o => (o.LeaseId, o.Reason.ToString()))]));
        }

        return previews;
    }

    private async Task TakeOrdersAsync(ChainTip tip, CancellationToken cancellation)
    {
        var forgotten = _forgotten;
        foreach (var half in _orders.All.Where(l => l.Stage == LeaseStage.Accepting).ToList())
        {
            await AcceptAsync(half, tip, cancellation).ConfigureAwait(false);
        }

        var from = _seenOrders is { } seen ? seen - Math.Min(seen, OrderOverlap) : tip.Latest - Math.Min(tip.Latest, OrderWindow);
        var placed = await _market.OrdersAsync(from, tip.Latest, cancellation).ConfigureAwait(false);
        var news = placed.Where(p => _orders.Find(p.LeaseId) is null && p.Deadline > tip.Latest).ToList();
        if (news.Count > 0)
        {
            var offers = await _market.OffersAsync(cancellation).ConfigureAwait(false);
            foreach (var order in news)
            {
                var lease = Admission.Decide(order, offers, _orders.All, _options.Capacity, _options.MaxDuration, IsDraining, ImageReference);
                _orders.Put(lease);
                if (lease.Stage == LeaseStage.Declined)
                {
                    _say($"order {lease.Id} of {lease.Client} is declined: {lease.Reason}");
                }
                else
                {
                    await AcceptAsync(lease, tip, cancellation).ConfigureAwait(false);
                }
            }
        }

        if (_forgotten == forgotten)
        {
            _seenOrders = tip.Latest;
        }
    }

    /// <summary>What the engine knows an offered image by: what shale offer put wrote down, else its name at its digest.</summary>
    private string ImageReference(Image image)
    {
        var digest = "sha256:" + image.Digest.ToString()[2..];
        var path = Path.Combine(_options.StateDirectory, "images.json");
        try
        {
            return File.Exists(path) && JsonSerializer.Deserialize(File.ReadAllBytes(path), OperatorJson.Default.DictionaryStringString) is { } known && known.TryGetValue(digest, out var reference)
                ? reference
                : $"{image.Name}@{digest}";
        }
        catch (JsonException cause)
        {
            throw new OperatorException($"{path} can't be read: {cause.Message}", "Put the offer again: shale offer put writes it anew.", cause);
        }
    }

    private async Task AcceptAsync(OperatorLease lease, ChainTip tip, CancellationToken cancellation)
    {
        _step = string.Create(CultureInfo.InvariantCulture, $"looking at order {lease.Id}");
        var onChain = (await _market.LeasesAsync([lease.Id], tip.Latest, cancellation).ConfigureAwait(false)).GetValueOrDefault(lease.Id);
        if (onChain is null || !Admission.IsOf(lease, onChain))
        {
            Forget(lease);
            return;
        }

        switch (onChain.State)
        {
            case LeaseState.Created when onChain.Deadline > tip.Latest:
                var provider = await _market.ProviderAsync(cancellation).ConfigureAwait(false);
                var page = await FreePageAsync(cancellation).ConfigureAwait(false);
                var terms = new Terms(UInt128.Parse(lease.Price, CultureInfo.InvariantCulture), provider.Endpoint, provider.HostKeys);
                AcceptedOrder place;
                _step = string.Create(CultureInfo.InvariantCulture, $"accepting order {lease.Id}");
                try
                {
                    place = await _market.AcceptAsync(lease.Id, page, terms, cancellation).ConfigureAwait(false);
                }
                catch (ChainException refused) when (refused.Kind is ChainErrorKind.Reverted or ChainErrorKind.Failed)
                {
                    // One order that the contract refuses must not keep the others waiting.
                    _orders.Put(lease with { Stage = LeaseStage.Declined, Reason = "the contract refuses it: " + refused.Message });
                    _say($"order {lease.Id} is declined: {refused.Message}");
                    return;
                }

                _orders.Put(lease with { Stage = LeaseStage.Accepted, Page = place.Page, Slot = place.Slot });
                _say(string.Create(CultureInfo.InvariantCulture, $"order {lease.Id} of {lease.Client} is accepted: {lease.Cpus} CPUs, {lease.MemoryBytes >> 20} MiB, {lease.Gpus} GPUs, {lease.Image}; page {place.Page}, slot {place.Slot}"));
                break;
            case LeaseState.Accepted or LeaseState.Active or LeaseState.Closing:
                // Accepted by a transaction that we did not see mined.
                _orders.Put(lease with { Stage = LeaseStage.Accepted, Page = onChain.Page, Slot = onChain.Slot });
                break;
            default:
                _orders.Put(lease with { Stage = LeaseStage.Declined, Reason = "it was no longer there to accept" });
                _say(string.Create(CultureInfo.InvariantCulture, $"order {lease.Id} was no longer there to accept: it is {onChain.State}"));
                break;
        }
    }

    /// <summary>The chain has no such order now, or another one of that number. What it has instead is looked for once more, from as far back as orders are.</summary>
    private void Forget(OperatorLease lease)
    {
        _orders.Remove(lease.Id);
        (_seenOrders, _forgotten) = (null, _forgotten + 1);
        _say(string.Create(CultureInfo.InvariantCulture, $"order {lease.Id} of {lease.Client} was taken back by a reorganisation"));
    }

    private async Task<uint> FreePageAsync(CancellationToken cancellation)
    {
        // Not as of the round's beginning: an order before this one may have opened a page, or filled one.
        var tip = await _market.TipAsync(cancellation).ConfigureAwait(false);
        var pages = await _market.PagesAsync(tip.Latest, cancellation).ConfigureAwait(false);
        for (var i = 0; i < pages.Count; i++)
        {
            if (_options.ProvingKeys.ContainsKey((int)pages[i].Size) && pages[i].Taken != (System.Numerics.BigInteger.One << (int)pages[i].Size) - 1)
            {
                return (uint)i;
            }
        }

        _step = "opening a page";
        var opened = await _market.OpenPageAsync(_options.PageSize, cancellation).ConfigureAwait(false);
        _say(string.Create(CultureInfo.InvariantCulture, $"page {opened} is opened, with {_options.PageSize} slots"));
        return opened;
    }

    private async Task FollowLeasesAsync(ChainTip tip, CancellationToken cancellation)
    {
        var open = _orders.All.Where(l => l.IsOpen && l.Stage != LeaseStage.Accepting).ToList();
        var final = await _market.LeasesAsync([.. open.Select(l => l.Id)], tip.Final, cancellation).ConfigureAwait(false);
        var latest = await _market.LeasesAsync([.. open.Where(l => l.Stage == LeaseStage.Accepted).Select(l => l.Id)], tip.Latest, cancellation).ConfigureAwait(false);
        foreach (var lease in open)
        {
            try
            {
                await FollowAsync(lease, final.GetValueOrDefault(lease.Id), latest.GetValueOrDefault(lease.Id), tip, cancellation).ConfigureAwait(false);
            }
            catch (ChainException refused) when (refused.Kind is ChainErrorKind.Reverted or ChainErrorKind.Failed)
            {
                // Somebody else was first (an order that anybody may expire, say): what is final will tell. The other leases go on.
                Alarm($"lease {lease.Id}: {refused.Message}");
            }
        }

        foreach (var closed in _orders.All.Where(l => l.Stage == LeaseStage.Closed && l.Settlements.Count > 0).ToList())
        {
            Publish(closed);
        }
    }

    private async Task FollowAsync(OperatorLease lease, Lease? final, Lease? latest, ChainTip tip, CancellationToken cancellation)
    {
        if (final is { State: LeaseState.Closed or LeaseState.Frozen or LeaseState.Expired })
        {
            // Closed by our settlement (which notes it itself), or left by the client alone.
            if (!_settler.IsPending(lease.Page))
            {
                var closed = lease with { Stage = LeaseStage.Closed, Reason = final.State == LeaseState.Closed ? lease.Reason : final.State == LeaseState.Frozen ? "the client left alone, past the deadline" : "it was not confirmed in time" };
                _orders.Put(closed);
                Publish(closed);
                _say($"lease {lease.Id} is over on chain: {final.State}");
            }

            return;
        }

        switch (lease.Stage)
        {
            case LeaseStage.Accepted when latest is null || !Admission.IsOf(lease, latest):
                Forget(lease);
                break;
            case LeaseStage.Accepted when final is { State: LeaseState.Active or LeaseState.Closing }:
                lease = lease with { Stage = LeaseStage.Serving, Deposit = final.Amount.ToString(CultureInfo.InvariantCulture), ServedFrom = _time.GetUtcNow() };
                _orders.Put(lease);
                Publish(lease);
                _say($"lease {lease.Id} is served: its deposit of {AttoFil.Create(final.Amount).ToFilString()} FIL is final");
                break;
            case LeaseStage.Accepted when latest is { State: LeaseState.Accepted } && latest.Deadline <= tip.Latest:
                await _market.ExpireAsync(lease.Id, cancellation).ConfigureAwait(false);
                _orders.Put(lease with { Stage = LeaseStage.Closed, Reason = "it was not confirmed in time" });
                _say($"order {lease.Id} was not confirmed in time; its bond is earned");
                break;
            case LeaseStage.Serving when EndReason(lease, final) is { } reason:
                lease = lease with { Stage = LeaseStage.Ending, Reason = reason };
                _orders.Put(lease);
                Publish(lease);
                _say($"lease {lease.Id} ends: {reason}");
                break;
            case LeaseStage.Serving:
                if (final is not null && final.Amount.ToString(CultureInfo.InvariantCulture) != lease.Deposit)
                {
                    lease = lease with { Deposit = final.Amount.ToString(CultureInfo.InvariantCulture) };
                    _orders.Put(lease);
                    _say($"lease {lease.Id}: its deposit is {AttoFil.Create(final.Amount).ToFilString()} FIL now");
                }

                Publish(lease);
                break;
            case LeaseStage.Ending:
                Publish(lease);
                break;
        }
    }

    /// <summary>Why a lease that is served should end; null: it goes on.</summary>
    private string? EndReason(OperatorLease lease, Lease? final)
    {
        var served = _time.GetUtcNow() - lease.ServedFrom!.Value;
        var status = FileLeaseDirectory.ReadStatus(_options.StateDirectory, lease.Id);
        return OperatorCommands.IsEvicted(_options.StateDirectory, lease.Id) ? "its provider evicts it"
            : final?.State == LeaseState.Closing ? "it was asked to close"
            : lease.Duration > 0 && served.TotalSeconds >= lease.Duration ? "its time is over"
            : status?.Service == ServiceState.Ended ? status.Message.Length > 0 ? status.Message : "the gateway ended it"
            : status?.Service == ServiceState.Failed && _vouchers.Newest(lease.Id) is null && served >= _options.StartPatience ? $"it can't be started: {status.Message}"
            : null;
    }

    /// <summary>Writes the lease's record for the gateway, if it says something new.</summary>
    private void Publish(OperatorLease lease)
    {
        var recorded = FileLeaseDirectory.ReadRecordedSettlements(_options.StateDirectory, lease.Id);
        if (lease.Settlements.Any(s => s.Number <= recorded))
        {
            lease = lease with { Settlements = [.. lease.Settlements.Where(s => s.Number > recorded)] };
            _orders.Put(lease);
        }

        if (lease.Stage == LeaseStage.Closed && lease.Settlements.Count == 0)
        {
            // Nothing is left to be told; the gateway takes a missing record for a closed lease.
            FileLeaseDirectory.Remove(_options.StateDirectory, lease.Id);
            return;
        }

        var record = new LeaseRecord
        {
            Id = lease.Id,
            Provider = _providerName ?? "",
            State = lease.Stage == LeaseStage.Serving ? Shale.Leases.LeaseState.Active : Shale.Leases.LeaseState.Closed,
            AuthorizedKeys = lease.SshKeys,
            Container = new ContainerTerms
            {
                Image = lease.Image,
                Cpus = lease.Cpus,
                MemoryBytes = (long)Math.Min(lease.MemoryBytes, long.MaxValue),
                Gpus = lease.Gpus == 0 ? "" : lease.Gpus.ToString(CultureInfo.InvariantCulture),
                BandwidthBytesPerSecond = lease.Bandwidth,
                Mounts = lease.Mounts,
            },
            Payment = new PaymentTerms
            {
                ChainId = _market.ChainId,
                Contract = _market.Contract.ToString(),
                PayerKey = lease.PayerKey,
                PricePerSecond = lease.Price,
                Deposit = lease.Deposit,
                IntervalSeconds = _options.ChargeInterval,
                WindowSeconds = _options.ChargeWindow,
                GraceSeconds = _options.ChargeGrace,
            },
            Settlements = lease.Settlements,
            CreatedAt = lease.ServedFrom ?? default,
        };
        FileLeaseDirectory.WriteIfChanged(_options.StateDirectory, record);
    }

    private async Task SettleAsync(ChainTip tip, CancellationToken cancellation)
    {
        foreach (var page in _settler.Pending())
        {
            _step = string.Create(CultureInfo.InvariantCulture, $"settling page {page}");
            await OnPageAsync(page, async () =>
            {
                if (await _settler.AdvanceAsync(page, cancellation).ConfigureAwait(false) is { } said)
                {
                    _say(said);
                }
            }).ConfigureAwait(false);
        }

        var asked = OperatorCommands.SettlePath(_options.StateDirectory);
        var all = File.Exists(asked);
        var due = _orders.All.Where(l => l.Stage is LeaseStage.Serving or LeaseStage.Ending && !_settler.IsPending(l.Page)).ToList();
        var records = await _market.LeasesAsync([.. due.Select(l => l.Id)], tip.Final, cancellation).ConfigureAwait(false);
        foreach (var group in due.GroupBy(l => l.Page).Where(g => g.Any(l => IsDue(l, records.GetValueOrDefault(l.Id), tip) || (all && Unsettled(l) > AttoFil.Zero))))
        {
            await OnPageAsync(group.Key, () => SettlePageAsync([.. group], records, tip, cancellation)).ConfigureAwait(false);
        }

        if (all)
        {
            File.Delete(asked);
        }
    }

    /// <summary>One page that can't be settled (its leaves lost, its key another one) must not keep the others waiting.</summary>
    private async Task OnPageAsync(uint page, Func<Task> settle)
    {
        try
        {
            await settle().ConfigureAwait(false);
        }
        catch (OperatorException error)
        {
            Alarm(string.Create(CultureInfo.InvariantCulture, $"page {page} can't be settled: {error.Message} {error.Hint}"));
        }
    }

    private async Task SettlePageAsync(IReadOnlyList<OperatorLease> leases, IReadOnlyDictionary<ulong, Lease> records, ChainTip tip, CancellationToken cancellation)
    {
        var page = leases[0].Page;
        _step = string.Create(CultureInfo.InvariantCulture, $"settling page {page}");

        // A lease past its deadline may be frozen at any moment, and would spoil the page's settlement: alone, it spoils only its own.
        var late = leases.Where(l => records.GetValueOrDefault(l.Id) is { State: LeaseState.Closing } r && r.Deadline <= tip.Latest).Select(l => l.Id).ToHashSet();
        var wishes = Wishes(page).Where(w => !late.Contains(w.LeaseId)).ToList();
        if (wishes.Count == 0 || (late.Count > 0 && !leases.Any(l => !late.Contains(l.Id) && IsDue(l, records.GetValueOrDefault(l.Id), tip))))
        {
            wishes = [.. Wishes(page).Where(w => late.Contains(w.LeaseId)).Take(1)];
        }

        var plan = await _settler.PlanAsync(page, wishes, tip.Final, cancellation).ConfigureAwait(false);
        foreach (var (id, reason) in plan.LeftOut.Where(o => o.Reason is not Settlement.Batching.LeaveOutReason.NothingNew))
        {
            Alarm($"lease {id} can't be settled: {reason}");
        }

        if (!plan.Batch.IsEmpty)
        {
            _say(string.Create(CultureInfo.InvariantCulture, $"page {page}: proving that {plan.Batch.Entries.Count} leases owe {AttoFil.Create(plan.Batch.Paid).ToFilString()} FIL more"));
            _settler.Begin(plan, tip.Final, cancellation);
            if (await _settler.AdvanceAsync(page, cancellation).ConfigureAwait(false) is { } said)
            {
                _say(said);
            }
        }
    }

    /// <summary>Whether a lease alone is reason enough to settle its page.</summary>
    private bool IsDue(OperatorLease lease, Lease? record, ChainTip tip)
    {
        if (CanClose(lease))
        {
            return true;
        }

        var unsettled = Unsettled(lease);
        return unsettled > AttoFil.Zero &&
            (unsettled >= _options.SettleAmount ||
            _time.GetUtcNow() - (lease.SettledAt ?? lease.ServedFrom ?? default) >= _options.SettleInterval ||
            (record is { State: LeaseState.Closing } && record.Deadline <= tip.Latest + _options.SettleMargin));
    }

    private List<SettlementWish> Wishes(uint page) =>
        [.. _orders.All.Where(l => l.Page == page && l.Stage is LeaseStage.Serving or LeaseStage.Ending).Select(l => new SettlementWish(l.Id, CanClose(l)))];

    /// <summary>
    /// A lease is closed once the gateway signed off: no voucher follows its closing entry. One that never paid has nothing to wait for; and where the
    /// gateway could not write its entry (a full disk), its status has to have said so for a minute.
    /// </summary>
    private bool CanClose(OperatorLease lease)
    {
        if (lease.Stage != LeaseStage.Ending)
        {
            return false;
        }

        var status = FileLeaseDirectory.ReadStatus(_options.StateDirectory, lease.Id);
        return _vouchers.IsClosed(lease.Id) ||
            (status is null or { Service: ServiceState.Ended } && _vouchers.Newest(lease.Id) is null) ||
            (status is { Service: ServiceState.Ended } && _time.GetUtcNow() - status.At > ClosingPatience);
    }

    private AttoFil Unsettled(OperatorLease lease) =>
        _vouchers.Newest(lease.Id) is { } newest && AttoFil.TryParse(lease.Claimed, out var claimed) ? AttoFil.SubtractToZero(newest.Voucher.Cumulative, claimed) : AttoFil.Zero;

    private void Alarm(string message)
    {
        // Said once, until a round passes without it.
        if (_alarms.Add(message) && !_before.Contains(message))
        {
            _say("ALARM " + message);
        }
    }

    private void WriteStatus(ChainTip tip) => AtomicFile.Write(
        Path.Combine(_options.Folder, "status.json"),
        JsonSerializer.SerializeToUtf8Bytes(
            new OperatorStatus
            {
                At = _time.GetUtcNow(),
                Provider = _market.Provider,
                Epoch = tip.Latest,
                FinalEpoch = tip.Final,
                IsDraining = IsDraining,
                Open = _orders.All.Where(l => l.IsOpen).GroupBy(l => l.Stage.ToString()).ToDictionary(g => g.Key, g => g.Count()),
                Unsettled = _orders.All.Where(l => l.IsOpen).Aggregate(UInt128.Zero, (sum, l) => sum + Unsettled(l).Value).ToString(CultureInfo.InvariantCulture),
                Settled = _orders.All.Aggregate(UInt128.Zero, (sum, l) => sum + UInt128.Parse(l.Claimed, CultureInfo.InvariantCulture)).ToString(CultureInfo.InvariantCulture),
                Settling = _settler.Pending(),
                Alarms = [.. _alarms],
            },
            OperatorJson.Default.OperatorStatus));
}

/// <summary>What a settlement of a page would do and cost.</summary>
/// <param name="Page">The page.</param>
/// <param name="Paid">What it would collect.</param>
/// <param name="Leases">How many leases it would name.</param>
/// <param name="Cost">What it would cost; null where there is nothing to settle, or one is under way.</param>
/// <param name="IsPending">Whether one is under way.</param>
/// <param name="LeftOut">Leases that can't be settled, with the reason.</param>
public sealed record SettlementPreview(uint Page, AttoFil Paid, int Leases, SettlementCost? Cost, bool IsPending, IReadOnlyList<(ulong LeaseId, string Reason)> LeftOut);
