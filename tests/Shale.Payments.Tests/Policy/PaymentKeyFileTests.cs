using System.Text.Json.Nodes;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Policy;
using Xunit;

namespace Shale.Payments.Tests.Policy;

public sealed class PaymentKeyFileTests : IDisposable
{
    private const int FewIterations = 100_000;
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;
    private readonly byte[] _seed = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    private string KeyPath => System.IO.Path.Combine(_folder, "keys", "payment.key");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Create_ThenOpen_GivesTheKeyToThePassphraseOnly()
    {
        PaymentKeyFile.Create(KeyPath, _seed, "correct horse", FewIterations);
        Assert.Equal(KeyFileStatus.Opened, PaymentKeyFile.TryOpen(KeyPath, "correct horse", out EdDsaPrivateKey? key));
        Assert.Equal(EdDsa.PublicKey(_seed), key!.PublicKey);
        key.Dispose();
        Assert.Equal(KeyFileStatus.WrongPassphrase, PaymentKeyFile.TryOpen(KeyPath, "correct horsf", out key));
        Assert.Null(key);
        Assert.Equal(EdDsa.PublicKey(_seed).ToString(), PaymentKeyFile.ReadPublicKey(KeyPath));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(KeyPath));
        Assert.DoesNotContain(Convert.ToBase64String(_seed), File.ReadAllText(KeyPath), StringComparison.Ordinal);
    }

    [Fact]
    public void Create_OverAnExistingKey_IsRefused()
    {
        PaymentKeyFile.Create(KeyPath, _seed, "a", FewIterations);
        byte[] before = File.ReadAllBytes(KeyPath);
        Assert.Throws<IOException>(() => PaymentKeyFile.Create(KeyPath, new byte[32], "b", FewIterations));
        Assert.Equal(before, File.ReadAllBytes(KeyPath));
    }

    [Theory]
    [InlineData("iterations", 50_000_000)]
    [InlineData("iterations", 1)]
    [InlineData("kdf", "none")]
    [InlineData("cipher", "none")]
    [InlineData("format", "shale/payment-key/v2")]
    [InlineData("salt", "AAAA")]
    public void Open_FieldOutOfItsBounds_IsRefusedBeforeAnyWork(string field, object value)
    {
        PaymentKeyFile.Create(KeyPath, _seed, "a", FewIterations);
        JsonNode json = JsonNode.Parse(File.ReadAllText(KeyPath))!;
        json[field] = JsonValue.Create(value);
        File.WriteAllText(KeyPath, json.ToJsonString());
        Assert.Equal(KeyFileStatus.Malformed, PaymentKeyFile.TryOpen(KeyPath, "a", out _));
    }

    [Fact]
    public void Open_PublicKeyExchanged_IsRefused()
    {
        PaymentKeyFile.Create(KeyPath, _seed, "a", FewIterations);
        JsonNode json = JsonNode.Parse(File.ReadAllText(KeyPath))!;
        json["publicKey"] = EdDsa.PublicKey(new byte[32]).ToString();
        File.WriteAllText(KeyPath, json.ToJsonString());
        Assert.Equal(KeyFileStatus.WrongPassphrase, PaymentKeyFile.TryOpen(KeyPath, "a", out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[1")]
    [InlineData("null")]
    public void Open_NoKeyFile_IsMalformed(string content)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(KeyPath)!);
        File.WriteAllText(KeyPath, content);
        Assert.Equal(KeyFileStatus.Malformed, PaymentKeyFile.TryOpen(KeyPath, "a", out _));
        Assert.Null(PaymentKeyFile.ReadPublicKey(KeyPath));
        File.Delete(KeyPath);
        Assert.Equal(KeyFileStatus.Missing, PaymentKeyFile.TryOpen(KeyPath, "a", out _));
    }

    [Fact]
    public void SystemClock_TwoReadings_RunForwardInOneBoot()
    {
        var clock = new SystemAgentClock(TimeProvider.System);
        long before = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(), start = Environment.TickCount64;
        ClockReading first = clock.Read(), second = clock.Read();
        long took = Environment.TickCount64 - start;
        Assert.Equal(first.BootId, second.BootId);
        Assert.InRange(second.Since(first), 0ul, (ulong)took + 100);

        // A second for a clock that is being set.
        Assert.InRange(second.WallMilliseconds, before - 1000, before + took + 1000);
    }
}
