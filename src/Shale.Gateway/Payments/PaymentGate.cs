using System.Collections.Concurrent;
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
/// <param name="Time">The clock.</param>
/// <param name="Logger">Where the operator reads.</param>
internal sealed record PaymentServices(IVoucherLog Log, string LogVerifier, FileMeterStore Meters, TimeProvider Time, ILogger Logger);

/// <summary>Lets a lease be served while it is paid; a lease without a price always.</summary>
internal sealed class PaymentGate(PaymentServices services) : IServiceGate, IAsyncDisposable
{
    private readonly ConcurrentDictionary<ulong, PaidLease> _leases = new();

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
                paid.RaiseDeposit(Amount(terms.Deposit, "deposit"));
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
        return new PaidLease(lease, meterTerms, payer, terms.ChainId, contract, services);
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
