using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Shale.Bn254.BabyJubjub;
using Shale.Gateway.Leases;
using Shale.Payments.Channel;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;
using Shale.Ssh.Connection;

namespace Shale.Gateway.Payments;

/// <summary>What paid leases of one gateway share.</summary>
/// <param name="Log">The voucher log.</param>
/// <param name="LogVerifier">The log's public key, one line.</param>
/// <param name="Meters">Where meters are kept.</param>
/// <param name="Standings">What the log held of leases when it was opened and their meters may not know yet; each is taken up once.</param>
/// <param name="Probe">Runs the probes that payers ask for.</param>
/// <param name="Time">The clock.</param>
/// <param name="Logger">Where the operator reads.</param>
internal sealed record PaymentServices(IVoucherLog Log, string LogVerifier, FileMeterStore Meters, ConcurrentDictionary<ulong, LogStanding> Standings, ISessionProbe Probe, TimeProvider Time, ILogger Logger)
{
    /// <summary>The CIDs of a lease's packed results, in binary: what its statements name.</summary>
    public Func<ulong, ImmutableArray<ImmutableArray<byte>>> Results { get; init; } = _ => [];
}

/// <summary>Lets a lease be served while it is paid; a lease without a price always.</summary>
internal sealed class PaymentGate(PaymentServices services) : IServiceGate, IAsyncDisposable
{
    private readonly ConcurrentDictionary<ulong, PaidLease> _leases = new();
    private readonly MeterKeeper _keeper = new();

    public ValueTask<string?> AdmitAsync(LeaseService lease, SshServerConnection connection, CancellationToken cancellation) =>
        _leases.TryGetValue(lease.Id, out var paid) ? paid.AdmitAsync(cancellation)
        : ValueTask.FromResult(lease.Record.Payment is null ? null : $"{lease.Record.Name} has terms of payment that this gateway can't read; its provider's log says which.");

    /// <summary>The meter and payers of a lease; null for one that is free.</summary>
    public PaidLease? Find(ulong lease) => _leases.TryGetValue(lease, out var paid) ? paid : null;

    public void OnConnected(LeaseService lease, SshServerConnection connection)
    {
    }

    public void OnDisconnected(LeaseService lease, SshServerConnection connection)
    {
        if (_leases.TryGetValue(lease.Id, out var paid))
        {
            paid.Detach(connection);
        }
    }

    public void OnLeaseChanged(LeaseService lease)
    {
        if (lease.Record.Payment is not { } terms)
        {
            return;
        }

        try
        {
            if (_leases.TryGetValue(lease.Id, out var paid))
            {
                _ = paid.RaiseDepositAsync(Amount(terms.Deposit, "deposit"));
                return;
            }

            paid = Create(lease, terms);
            _leases[lease.Id] = paid;
            paid.Start();
        }
        catch (Exception error) when (error is FormatException or InvalidDataException or ArgumentException or IOException)
        {
            // Fails closed: without a meter nobody is admitted.
            GatewayLog.PaymentTermsRefused(services.Logger, lease.Id, error.Message);
        }
    }

    public async ValueTask OnEndingAsync(LeaseService lease, string reason)
    {
        if (_leases.TryRemove(lease.Id, out var paid))
        {
            await paid.FinishAsync(reason).ConfigureAwait(false);
            await paid.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Stops metering and keeps the meters; leases go on with the next gateway.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var paid in _leases.Values)
        {
            await paid.DisposeAsync().ConfigureAwait(false);
        }

        _leases.Clear();
        await _keeper.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>The first entry of the log that a meter may not know; 0 where the file of a lease in the directory is missing.</summary>
    public static long OldestUnread(IEnumerable<LeaseRecord> leases, FileMeterStore meters, long size)
    {
        foreach (var lease in leases.Where(l => l.Payment is not null).Select(l => l.Id).Union(meters.Leases))
        {
            var state = Load(meters, lease);
            if (state?.LoggedPhase != LoggedPhase.Closed)
            {
                size = Math.Min(size, (long)(state?.LogSize ?? 0));
            }
        }

        return size;
    }

    /// <summary>Writes the closing of leases that ended while the gateway was down, or was stopped in the middle of it: their records are gone, their meters say that they were open.</summary>
    public async Task CloseForgottenAsync(IEnumerable<LeaseRecord> leases)
    {
        foreach (var lease in services.Meters.Leases.Except(leases.Select(l => l.Id)).ToArray())
        {
            if (Load(services.Meters, lease) is not { } state || state.LoggedPhase == LoggedPhase.Closed)
            {
                continue;
            }

            services.Standings.TryRemove(lease, out var standing);
            var log = new LeaseLog(lease, state, standing, services);
            if (standing?.Newest is { } newest)
            {
                state = state with { Newest = newest.Voucher, NewestStatement = newest.Statement };
            }

            var final = state.NewestStatement is { IsFinal: true } signed ? signed : LeaseLog.FinalStatement(state, new MeterReadings { Results = services.Results(lease) }, services.Log.Current);
            await log.CloseAsync("The lease ended while the gateway was down.", state, final, null).ConfigureAwait(false);
            services.Meters.Save(log.Stamp(() => state with { Phase = MeterPhase.Closed }));
        }
    }

    private static MeterState? Load(FileMeterStore meters, ulong lease)
    {
        try
        {
            return meters.Load(lease);
        }
        catch (Exception error) when (error is IOException or InvalidDataException)
        {
            // Said when the lease is taken up, which it can't be with such a file.
            return null;
        }
    }

    private PaidLease Create(LeaseService lease, PaymentTerms terms)
    {
        var contract = Hex(terms.Contract, VoucherDomain.ContractSize, "contract");
        var payer = EdDsaPublicKey.TryRead(Hex(terms.PayerKey, EdDsaPublicKey.Size, "payer_key"), out var key) && key.IsInSubgroup
            ? key
            : throw new FormatException("payer_key is not a point of BabyJubjub's prime-order subgroup");
        var meterTerms = new MeterTerms
        {
            LeaseId = lease.Id,
            PricePerSecond = Amount(terms.PricePerSecond, "price_per_second"),
            Deposit = Amount(terms.Deposit, "deposit"),
            Interval = TimeSpan.FromSeconds(terms.IntervalSeconds),
            Window = TimeSpan.FromSeconds(terms.WindowSeconds),
            Grace = TimeSpan.FromSeconds(terms.GraceSeconds),
        };
        return new PaidLease(lease, meterTerms, payer, terms.ChainId, contract, services, _keeper);
    }

    private static AttoFil Amount(string text, string name) =>
        AttoFil.TryParse(text, out var amount) ? amount : throw new FormatException($"{name} is not a whole number of attoFIL below 2^96");

    private static byte[] Hex(string text, int size, string name)
    {
        var digits = text.StartsWith("0x", StringComparison.Ordinal) ? text[2..] : text;
        return digits.Length == 2 * size && digits.All(char.IsAsciiHexDigit)
            ? Convert.FromHexString(digits)
            : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"{name} is not {size} bytes in hexadecimal"));
    }
}
