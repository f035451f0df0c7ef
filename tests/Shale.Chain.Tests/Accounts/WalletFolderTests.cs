using Shale.Chain.Accounts;
using Xunit;

namespace Shale.Chain.Tests.Accounts;

public sealed class WalletFolderTests : IDisposable
{
    private static readonly KeystoreCost Cheap = new(16, 1, 1);

    private readonly DirectoryInfo _home = Directory.CreateTempSubdirectory("shale-wallet-");

    private WalletFolder Folder => new(Path.Combine(_home.FullName, "wallet"));

    public void Dispose() => _home.Delete(recursive: true);

    [Fact]
    public void Wallet_Added_IsPrivateAndFoundByNameAndEveryAddress()
    {
        using var account = KeyAccount.Generate();
        var entry = Folder.Add("main", account, "secret", Cheap);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(entry.Path));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Folder.Path));
        Assert.DoesNotContain(Directory.EnumerateFiles(Folder.Path), f => f.EndsWith(".tmp", StringComparison.Ordinal));

        foreach (var name in new[] { "main", account.Address.ToString(), FilecoinAddress.FromEvm(account.Address).ToString(), FilecoinAddress.FromEvm(account.Address).ToString(true), null })
        {
            Assert.Equal(account.Address, Folder.Find(name).Address);
        }

        using var unlocked = WalletFolder.Unlock(Folder.Find(null), "secret");
        Assert.Equal(account.Address, unlocked.Address);
        Assert.Equal(account.ExportHex(), unlocked.ExportHex());
    }

    [Fact]
    public void Wallet_WithTheWrongPassphrase_SaysWhichAndWhy()
    {
        using var account = KeyAccount.Generate();
        Folder.Add("main", account, "secret", Cheap);
        var error = Assert.Throws<WalletException>(() => WalletFolder.Unlock(Folder.Find("main"), "guess"));
        Assert.Contains("main", error.Message, StringComparison.Ordinal);
        Assert.Contains("passphrase is wrong", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("guess", error.ToString() + error.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void Wallet_ThatIsThereAlready_IsNeverWrittenOver()
    {
        using var first = KeyAccount.Generate();
        using var second = KeyAccount.Generate();
        var entry = Folder.Add("main", first, "a", Cheap);
        var before = File.ReadAllBytes(entry.Path);
        Assert.Contains("main already", Assert.Throws<WalletException>(() => Folder.Add("main", second, "b", Cheap)).Message, StringComparison.Ordinal);
        Assert.Contains("is the wallet main already", Assert.Throws<WalletException>(() => Folder.Add("other", first, "b", Cheap)).Message, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(entry.Path));
    }

    [Fact]
    public void DefaultWallet_IsTheFirst_UntilAnotherIsChosen()
    {
        using var first = KeyAccount.Generate();
        using var second = KeyAccount.Generate();
        Folder.Add("b", first, "x", Cheap);
        Folder.Add("a", second, "x", Cheap);
        Assert.Equal("b", Folder.Find(null).Name);
        Folder.SetDefault("a");
        Assert.Equal("a", Folder.Find(null).Name);
        Assert.Equal(["a", "b"], Folder.List().Select(e => e.Name));
        Assert.Equal([true, false], Folder.List().Select(e => e.IsDefault));
    }

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("Main")]
    [InlineData("-a")]
    [InlineData("ünicode")]
    public void Wallet_WithANameThatIsNone_IsRefused(string name)
    {
        using var account = KeyAccount.Generate();
        Assert.Throws<WalletException>(() => Folder.Add(name, account, "x", Cheap));
        Assert.Empty(Folder.List());
    }

    [Fact]
    public void Folder_WithOtherFiles_ListsKeyFilesOnly()
    {
        using var account = KeyAccount.Generate();
        Folder.Add("main", account, "x", Cheap);
        File.WriteAllText(Path.Combine(Folder.Path, "note.json"), "{}");
        File.WriteAllBytes(Path.Combine(Folder.Path, "large.json"), new byte[Keystore.MaxSize + 1]);
        File.WriteAllText(Path.Combine(Folder.Path, "README"), "hello");
        Assert.Equal(["main"], Folder.List().Select(e => e.Name));
    }

    [Fact]
    public void Find_WithoutWallets_SaysHowToMakeOne()
    {
        var error = Assert.Throws<WalletException>(() => Folder.Find(null));
        Assert.Contains("shale wallet new", error.Hint, StringComparison.Ordinal);
    }
}
