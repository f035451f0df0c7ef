using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Vouchers;
using Shale.TestPeers;

namespace Shale.Benchmarks;

/// <summary>Verification of vouchers from their bytes on one core, beside circomlibjs on the same voucher.</summary>
internal sealed class VoucherSection : ISection
{
    private const int Rounds = 5;
    private const int PeerVerifications = 100;
    private const int SingleVerifications = 500;
    private const int BatchSize = 1024;
    private const int Keys = 64;

    public string Name => "vouchers";

    public string Title => "Vouchers: verification on one core beside circomlibjs";

    public Task RunAsync(Report report, CancellationToken cancellation)
    {
        byte[] contract = RandomNumberGenerator.GetBytes(20);
        VoucherDomain domain = VoucherDomain.Create(314, contract);
        EdDsaPrivateKey[] keys = [.. Enumerable.Range(0, Keys).Select(_ => EdDsaPrivateKey.Generate())];
        VoucherCheck[] checks = [.. Enumerable.Range(0, BatchSize).Select(i => new VoucherCheck(
            new Voucher((ulong)(i % Keys), AttoFil.Create((UInt128)i), StatementDigest.Of([(byte)i])).Sign(keys[i % Keys], domain),
            keys[i % Keys].PublicKey,
            domain))];
        byte[] payer = checks[0].Payer.ToBytes();
        _ = VoucherBatch.Verify(checks);
        _ = Single(checks, payer);

        // Node measures itself, without its start; ours run before and after it, and the median of each side is taken.
        var (theirs, single, batch) = (new double[Rounds], new double[Rounds], new double[Rounds]);
        for (int i = 0; i < Rounds; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            single[i] = Single(checks, payer);
            batch[i] = Batch(checks);
            theirs[i] = NodePeer.Ask("voucher.mjs", new[]
            {
                new
                {
                    op = "timeVerify",
                    warmup = 10,
                    rounds = PeerVerifications,
                    chainId = "314",
                    contract = Convert.ToHexStringLower(contract),
                    voucher = Convert.ToHexStringLower(checks[0].Voucher.Bytes.Span),
                    payer = Convert.ToHexStringLower(payer),
                },
            })[0].GetDouble() * 1000;
        }

        Array.Sort(theirs);
        Array.Sort(single);
        Array.Sort(batch);
        double reference = theirs[Rounds / 2];
        report.Row("one voucher, from bytes, key parsed too", Micro(single[Rounds / 2]), Micro(reference), reference / single[Rounds / 2], "≥ 20");
        report.Row($"per voucher in a batch of {BatchSize} under {Keys} keys", Micro(batch[Rounds / 2]), Micro(reference), reference / batch[Rounds / 2], "≥ 60");
        return Task.CompletedTask;
    }

    private static double Single(VoucherCheck[] checks, byte[] payer)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < SingleVerifications; i++)
        {
            if (!EdDsaPublicKey.TryRead(payer, out EdDsaPublicKey? key) || !checks[0].Voucher.Verify(key, checks[0].Domain))
            {
                throw new InvalidOperationException("The voucher is good.");
            }
        }

        return Stopwatch.GetElapsedTime(start).TotalMicroseconds / SingleVerifications;
    }

    private static double Batch(VoucherCheck[] checks)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < 3; i++)
        {
            if (!VoucherBatch.Verify(checks))
            {
                throw new InvalidOperationException("The vouchers are good.");
            }
        }

        return Stopwatch.GetElapsedTime(start).TotalMicroseconds / (3 * checks.Length);
    }

    private static string Micro(double microseconds) => string.Create(CultureInfo.InvariantCulture, $"{microseconds:0} µs");
}
