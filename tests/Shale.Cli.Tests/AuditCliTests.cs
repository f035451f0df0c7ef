using System.Security.Cryptography;
using System.Text.Json;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;
using Xunit;

namespace Shale.Cli.Tests;

/// <summary><c>shale audit</c> as an auditor runs it, on a log that the writer wrote.</summary>
public sealed class AuditCliTests : IAsyncLifetime
{
    private const long Start = 1_790_000_000_000;
    private readonly string _folder = Directory.CreateTempSubdirectory("sl").FullName;
    private string _key = "";

    private string Log => Path.Combine(_folder, "log");

    private ShaleProcess Shale => new(Path.Combine(_folder, "a"));

    public async Task InitializeAsync()
    {
        using var signer = new NoteSigner("sp.example/vouchers/1", RandomNumberGenerator.GetBytes(32));
        using EdDsaPrivateKey payer = EdDsaPrivateKey.Generate();
        _key = signer.Verifier.ToString();
        AttoFil price = AttoFil.Create(1000);
        var statement = new MeterStatement { LeaseId = 42, Sequence = 1, ActiveMilliseconds = 0, PausedMilliseconds = 0, WindowMilliseconds = 15_000 };
        SignedVoucher voucher = new Voucher(42, AttoFil.Cost(price, 15_000), statement.Digest()).Sign(payer, VoucherDomain.Create(31337, new byte[20]));
        await using VoucherLogWriter writer = VoucherLogWriter.Open(Log, signer, TimeProvider.System);
        await writer.AppendAsync(new LeaseOpened(42, Start, 31337, new byte[20], payer.PublicKey.ToBytes(), price, AttoFil.OneFil, 15_000, 10_000).ToBytes(), default);
        await writer.AppendAsync(new VoucherAccepted(Start, voucher, statement.ToBytes()).ToBytes(), default);
    }

    public Task DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    [Fact]
    public void Audit_OfAGoodLog_SaysSoAndEndsWithZero()
    {
        var result = Shale.Run("audit", Log, "--key=" + _key);
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        Assert.Contains("vouchers  1 of 1 leases", result.Output);
        Assert.Contains("signed    0.000000000000015 FIL", result.Output);
        Assert.EndsWith("verdict   all as it must be\n", result.Output);
        File.Copy(Path.Combine(Log, "checkpoint"), Path.Combine(_folder, "earlier"));
        Assert.Equal(0, Shale.Run("audit", Log, "--key=" + _key, "--earlier=" + Path.Combine(_folder, "earlier")).ExitCode);
    }

    [Fact]
    public async Task Audit_OfAFlippedBit_NamesTheEntryAndEndsWithOne()
    {
        string entries = Directory.GetFiles(Path.Combine(Log, "tile", "entries"), "*", SearchOption.AllDirectories).Single();
        byte[] bytes = await File.ReadAllBytesAsync(entries);
        bytes[^1] ^= 1;
        await File.WriteAllBytesAsync(entries, bytes);
        var result = Shale.Run("audit", Log, "--key=" + _key, "--json");
        Assert.Equal(1, result.ExitCode);
        JsonElement report = JsonDocument.Parse(result.Output).RootElement;
        Assert.False(report.GetProperty("clean").GetBoolean());
        Assert.Contains(report.GetProperty("findings").EnumerateArray(), f => f.GetProperty("code").GetString() == "root");
        Assert.Contains(report.GetProperty("findings").EnumerateArray(), f => f.TryGetProperty("entry", out JsonElement entry) && entry.GetInt64() == 1);
    }

    /// <summary>A key out of the log itself would prove nothing.</summary>
    [Fact]
    public void Audit_WithoutAKey_AsksForOne()
    {
        var result = Shale.Run("audit", Log);
        Assert.Equal(64, result.ExitCode);
        Assert.Contains("--key", result.Error);
    }
}
