using System.Collections.Immutable;
using System.Security.Cryptography;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Channel;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;
using Xunit;

namespace Shale.Payments.Tests.Channel;

public sealed class VoucherLogRecorderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task RecordAsync_LongestStatement_IsDurableAndProvable()
    {
        ImmutableArray<byte> cid = [.. RandomNumberGenerator.GetBytes(36)];
        var statement = new MeterStatement
        {
            LeaseId = 42,
            Sequence = 1,
            ActiveMilliseconds = 0,
            PausedMilliseconds = 0,
            WindowMilliseconds = 15_000,
            QualityReport = [.. new byte[32]],
            Results = [.. Enumerable.Repeat(cid, MeterStatement.MaxResults)],
        };
        using EdDsaPrivateKey key = EdDsaPrivateKey.Generate();
        SignedVoucher voucher = new Voucher(42, AttoFil.OneFil, statement.Digest()).Sign(key, VoucherDomain.Create(314, new byte[20]));
        using var signer = new NoteSigner("sp.example/f01", RandomNumberGenerator.GetBytes(32));
        await using VoucherLogWriter log = VoucherLogWriter.Open(_folder, signer, TimeProvider.System);
        var recorder = new VoucherLogRecorder(log, TimeProvider.System);
        (Checkpoint empty, _) = recorder.NewestCheckpoint();
        await recorder.RecordAsync(voucher, statement, CancellationToken.None);
        await recorder.RecordAsync(voucher, statement, CancellationToken.None);
        (Checkpoint newest, string signed) = recorder.NewestCheckpoint();
        Assert.Equal((0, 2), (empty.Size, newest.Size));
        Assert.True(Checkpoint.TryOpen(signed, signer.Verifier, out Checkpoint opened));
        Assert.Equal(newest, opened);
        Assert.Single(recorder.ProveConsistency(1, 2));
    }
}
