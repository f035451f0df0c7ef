using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Vector;

namespace Shale.Bn254.Msm;

/// <summary>
/// Several multi-scalar sums as one queue of tasks (packing blocks of points, then windows), worked off in order by all workers: nobody
/// idles between sums, and only the points of the sum at hand, and of the next one towards its end, are in memory at a time.
/// </summary>
internal sealed unsafe class SumQueue(int workers, bool vectors, IProgress<double>? progress, CancellationToken cancellation)
{
    private readonly List<(Action<Worker> Run, double Weight)> _tasks = [];
    private int _next = -1;
    private double _done;

    /// <summary>
    /// Queues a sum over G1; the result is there after <see cref="Run"/>. <paramref name="packed"/> is called when the points have been
    /// copied and are not read again (never on the scalar path, which copies nothing).
    /// </summary>
    public SumJob<Fp, G1Curve> Add(Affine<Fp, G1Curve>* points, int count, SignedDigits digits, int first, Action? packed = null) =>
        vectors
            ? AddVector<Fp, G1Curve, PackedFp>(points, count, digits, first, worker => worker.G1, packed)
            : AddScalar(points, count, digits, first);

    /// <summary>Queues a sum over G2, likewise.</summary>
    public SumJob<Fp2, G2Curve> Add(Affine<Fp2, G2Curve>* points, int count, SignedDigits digits, int first, Action? packed = null) =>
        vectors
            ? AddVector<Fp2, G2Curve, PackedFp2>(points, count, digits, first, worker => worker.G2, packed)
            : AddScalar(points, count, digits, first);

    /// <summary>Works the queue off.</summary>
    /// <exception cref="OperationCanceledException">Cancelled; a running window is finished first (tens of milliseconds at 2^18).</exception>
    public void Run()
    {
        var total = _tasks.Sum(t => t.Weight);
        Parallel.For(0, workers, new ParallelOptions { MaxDegreeOfParallelism = workers }, _ =>
        {
            using var worker = new Worker();
            int task;
            while (!cancellation.IsCancellationRequested && (task = Interlocked.Increment(ref _next)) < _tasks.Count)
            {
                _tasks[task].Run(worker);
                lock (_tasks)
                {
                    _done += _tasks[task].Weight;
                    progress?.Report(_done / total);
                }
            }
        });
        cancellation.ThrowIfCancellationRequested();
    }

    private SumJob<TField, TCurve> AddVector<TField, TCurve, TPacked>(
        Affine<TField, TCurve>* points, int count, SignedDigits digits, int first, Func<Worker, VectorMsm<TField, TCurve, TPacked>> memory, Action? whenPacked)
        where TField : unmanaged
        where TCurve : struct, ICurve<TField>
        where TPacked : struct, IPackedField<TField>
    {
        var job = new SumJob<TField, TCurve>(digits);
        const int BlockLength = 1 << 14;
        var blocks = (count + BlockLength - 1) / BlockLength;
        var packed = new Lazy<PackedPoints<TField, TCurve, TPacked>>(() => new PackedPoints<TField, TCurve, TPacked>(count));
        var waiting = new CountdownEvent(Math.Max(1, blocks));
        var windows = digits.Windows;
        if (blocks == 0)
        {
            waiting.Signal();
        }

        for (var b = 0; b < blocks; b++)
        {
            var (start, end) = (b * BlockLength, Math.Min(count, (b + 1) * BlockLength));
            _tasks.Add((_ =>
            {
                packed.Value.Pack(points, start, end);
                if (waiting.Signal())
                {
                    whenPacked?.Invoke();
                }
            }, 0.1 * (end - start)));
        }

        for (var w = 0; w < digits.Windows; w++)
        {
            var window = w;
            _tasks.Add((worker =>
            {
                // Blocks come before windows in the queue, so whoever packs the last ones is at work.
                waiting.Wait(CancellationToken.None);
                job.Windows[window] = memory(worker).Window(packed.Value, digits, first, window);
                if (Interlocked.Decrement(ref windows) == 0)
                {
                    packed.Value.Dispose();
                    waiting.Dispose();
                }
            }, (double)count * sizeof(TField) / sizeof(Fp)));
        }

        return job;
    }

    private SumJob<TField, TCurve> AddScalar<TField, TCurve>(Affine<TField, TCurve>* points, int count, SignedDigits digits, int first)
        where TField : unmanaged
        where TCurve : struct, ICurve<TField>
    {
        var job = new SumJob<TField, TCurve>(digits);
        for (var w = 0; w < digits.Windows; w++)
        {
            var window = w;
            _tasks.Add((_ => job.Windows[window] = ScalarMsm<TField, TCurve>.Window(points, count, digits, first, window), (double)count * sizeof(TField) / sizeof(Fp)));
        }

        return job;
    }

    /// <summary>One worker's memory, made when first needed.</summary>
    private sealed class Worker : IDisposable
    {
        private VectorMsm<Fp, G1Curve, PackedFp>? _g1;
        private VectorMsm<Fp2, G2Curve, PackedFp2>? _g2;

        public VectorMsm<Fp, G1Curve, PackedFp> G1 => _g1 ??= new VectorMsm<Fp, G1Curve, PackedFp>();

        public VectorMsm<Fp2, G2Curve, PackedFp2> G2 => _g2 ??= new VectorMsm<Fp2, G2Curve, PackedFp2>();

        public void Dispose()
        {
            _g1?.Dispose();
            _g2?.Dispose();
        }
    }
}

/// <summary>A queued sum: the sums of its windows, and what they come to.</summary>
internal sealed class SumJob<TField, TCurve>(SignedDigits digits)
    where TField : unmanaged
    where TCurve : struct, ICurve<TField>
{
    public Xyzz<TField, TCurve>[] Windows { get; } = new Xyzz<TField, TCurve>[digits.Windows];

    public Xyzz<TField, TCurve> Result => ScalarMsm<TField, TCurve>.Combine(Windows, digits.WindowBits);
}
