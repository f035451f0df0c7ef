using Shale.Payments.Vouchers;

namespace Shale.Payments.Audit;

/// <summary>
/// Verifies the signatures of a log in batches, on all cores. One batch for each core and one that fills up: their memory is taken once,
/// however long the log is.
/// </summary>
/// <param name="bad">Is told the entry and the lease of each bad signature, from several threads.</param>
internal sealed class SignatureChecks(Action<long, ulong> bad)
{
    // A batch is one random linear combination, and every payment key in it costs a point of its own: long enough that hundreds of leases in turn cost little beside their vouchers.
    private const int BatchSize = 4096;

    private readonly Batch?[] _batches = new Batch?[Environment.ProcessorCount + 1];
    private int _filling;

    /// <summary>Whether <see cref="StartAsync"/> must come before the next <see cref="Add"/>.</summary>
    public bool IsFull => Filling.Count == BatchSize;

    private Batch Filling => _batches[_filling] ??= new Batch();

    /// <summary>Adds a signature to the batch that fills up.</summary>
    public void Add(long entry, in VoucherCheck check) => Filling.Add(entry, check);

    /// <summary>Begins to verify the batch that filled up, and waits until another is free.</summary>
    public async ValueTask StartAsync(CancellationToken cancellation)
    {
        Filling.Start(bad, cancellation);
        _filling = (_filling + 1) % _batches.Length;
        await Filling.FinishAsync().ConfigureAwait(false);
    }

    /// <summary>Verifies what is left and waits for all.</summary>
    public async ValueTask CompleteAsync(CancellationToken cancellation)
    {
        Filling.Start(bad, cancellation);
        foreach (var batch in _batches)
        {
            if (batch is not null)
            {
                await batch.FinishAsync().ConfigureAwait(false);
            }
        }
    }

    private sealed class Batch
    {
        private readonly VoucherVerifier _verifier = new(BatchSize);
        private readonly VoucherCheck[] _checks = new VoucherCheck[BatchSize];
        private readonly long[] _entries = new long[BatchSize];
        private Task _verifying = Task.CompletedTask;

        public int Count { get; private set; }

        public void Add(long entry, in VoucherCheck check)
        {
            (_entries[Count], _checks[Count]) = (entry, check);
            Count++;
        }

        public void Start(Action<long, ulong> bad, CancellationToken cancellation) => _verifying = Task.Run(() => Verify(bad), cancellation);

        public async ValueTask FinishAsync()
        {
            await _verifying.ConfigureAwait(false);
            Count = 0;
        }

        private void Verify(Action<long, ulong> bad)
        {
            var checks = _checks.AsSpan(0, Count);
            if (_verifier.Verify(checks))
            {
                return;
            }

            foreach (var position in VoucherBatch.FindInvalid(checks))
            {
                bad(_entries[position], checks[position].Voucher.Voucher.LeaseId);
            }
        }
    }
}
