using System.Text.Json;
using Xunit;

namespace Shale.Cli.Tests;

/// <summary>The wallet's commands as a user runs them, each a process of its own.</summary>
public sealed class WalletCliTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sw").FullName;
    private readonly ShaleProcess _shale;
    private readonly string _passphrase;

    public WalletCliTests()
    {
        _shale = new ShaleProcess(Path.Combine(_folder, "a"));
        _passphrase = Path.Combine(_folder, "passphrase");
        File.WriteAllText(_passphrase, "correct horse\n");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Wallet_MadeExportedAndImportedElsewhere_HasTheSameAddresses()
    {
        var made = _shale.Run("wallet", "new", "main", "--passphrase_file=" + _passphrase);
        Assert.Equal(0, made.ExitCode);
        Assert.Matches("^0x[0-9a-fA-F]{40}  t410f[a-z2-7]{39}\n$", made.Output);
        var address = made.Output[..42];
        Assert.Equal(address + "\n", _shale.Run("wallet", "address").Output);
        Assert.Equal(made.Output[44..], _shale.Run("wallet", "address", "main", "--f410").Output);
        Assert.Equal("f" + made.Output[45..], _shale.Run("wallet", "address", "--f410", "--network=mainnet").Output);
        Assert.Equal(address + "\n", _shale.Run("wallet", "address", made.Output[44..].Trim()).Output);
        using (var list = JsonDocument.Parse(_shale.Run("wallet", "list", "--json").Output))
        {
            var entry = Assert.Single(list.RootElement.EnumerateArray());
            Assert.Equal(("main", address, true), (entry.GetProperty("name").GetString(), entry.GetProperty("address").GetString(), entry.GetProperty("isDefault").GetBoolean()));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(entry.GetProperty("path").GetString()!));
        }

        // As a keystore, and as a private key, into other folders.
        var keystore = Path.Combine(_folder, "exported.json");
        File.WriteAllText(keystore, _shale.Run("wallet", "export").Output);
        var other = new ShaleProcess(Path.Combine(_folder, "b"));
        Assert.StartsWith(address, other.Run("wallet", "import", keystore, "--passphrase_file=" + _passphrase).Output);

        var plain = _shale.Run("wallet", "export", "--private_key", "--passphrase_file=" + _passphrase);
        Assert.Matches("^0x[0-9a-f]{64}\n$", plain.Output);
        File.WriteAllText(Path.Combine(_folder, "key"), plain.Output);
        Assert.StartsWith(address, new ShaleProcess(Path.Combine(_folder, "c")).Run("wallet", "import", Path.Combine(_folder, "key"), "--name=x", "--passphrase_file=" + _passphrase).Output);
        Assert.Contains("is the wallet main already", _shale.Run("wallet", "import", Path.Combine(_folder, "key"), "--name=again", "--passphrase_file=" + _passphrase).Error);
    }

    [Fact]
    public void Wallet_WithoutTheRightPassphrase_GivesNoKey()
    {
        _shale.Run("wallet", "new", "--passphrase_file=" + _passphrase);
        File.WriteAllText(Path.Combine(_folder, "wrong"), "battery staple\n");
        var wrong = _shale.Run("wallet", "export", "--private_key", "--passphrase_file=" + Path.Combine(_folder, "wrong"));
        Assert.Equal((1, ""), (wrong.ExitCode, wrong.Output));
        Assert.Contains("the passphrase is wrong", wrong.Error);
        Assert.DoesNotContain("battery", wrong.Error);

        var asked = _shale.Run("wallet", "export", "--private_key");
        Assert.Equal((77, ""), (asked.ExitCode, asked.Output));
        Assert.Contains("hint: ", asked.Error);
    }

    [Fact]
    public void Wallet_ThatIsNotThere_IsExplained()
    {
        Assert.Contains("hint: Make one: shale wallet new", _shale.Run("wallet", "address").Error);
        File.WriteAllText(Path.Combine(_folder, "note"), "hello");
        var import = _shale.Run("wallet", "import", Path.Combine(_folder, "note"), "--passphrase_file=" + _passphrase);
        Assert.Equal(66, import.ExitCode);
        Assert.Contains("neither a private key", import.Error);
        Assert.Equal(66, _shale.Run("wallet", "import", Path.Combine(_folder, "none"), "--passphrase_file=" + _passphrase).ExitCode);
    }

    [Fact]
    public void Network_ThatIsNotThereOrHasNoMarket_IsExplained()
    {
        var unknown = _shale.Run("wallet", "balance", "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b", "--network=calibnet");
        Assert.Equal(78, unknown.ExitCode);
        Assert.Contains("hint: There are: calibration, mainnet, devnet", unknown.Error);
        Assert.Contains("hint: Start one: shale devnet", _shale.Run("offer", "list", "1", "--network=devnet").Error);
        foreach (var network in new[] { "calibration", "mainnet" })
        {
            var none = _shale.Run("offer", "list", "1", "--network=" + network);
            Assert.Equal(78, none.ExitCode);
            Assert.Contains($"The market is not deployed on {network} yet.", none.Error);
            Assert.Contains("--network=FILE", none.Error);
        }
    }
}
