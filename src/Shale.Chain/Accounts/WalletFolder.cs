using System.Diagnostics.CodeAnalysis;

namespace Shale.Chain.Accounts;

/// <summary>A wallet's name, address and file.</summary>
/// <param name="Name">The name in its folder.</param>
/// <param name="Address">The address that the file says; proved only when it is unlocked. Null where the file names none.</param>
/// <param name="Path">The key file.</param>
/// <param name="IsDefault">Whether it is used where none is named.</param>
public sealed record WalletEntry(string Name, Address? Address, string Path, bool IsDefault);

/// <summary>
/// A folder of key files: NAME.json is a Web3 keystore, and the file <c>default</c> names the wallet that is used where none is named (the first that was made, until another is
/// chosen). The folder is its user's alone, files are mode 0600 and made whole or not at all.
/// </summary>
public sealed class WalletFolder
{
    private const string Extension = ".json";
    private const string DefaultFile = "default";
    private const UnixFileMode PrivateFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode PrivateFolder = PrivateFile | UnixFileMode.UserExecute;

    /// <summary>A folder, which need not exist.</summary>
    /// <param name="path">Its path.</param>
    public WalletFolder(string path) => Path = path;

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>The wallet that is used where none is named; null where there is none.</summary>
    public string? DefaultName => File.Exists(System.IO.Path.Combine(Path, DefaultFile)) ? File.ReadAllText(System.IO.Path.Combine(Path, DefaultFile)).Trim() : null;

    /// <summary>Whether a text can be a wallet's name: 1 to 64 of a-z, 0-9, dot, dash and underscore, a letter or digit first.</summary>
    /// <param name="name">The text.</param>
    public static bool IsName([NotNullWhen(true)] string? name) =>
        name is { Length: > 0 and <= 64 } && char.IsAsciiLetterOrDigit(name[0]) && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '.' or '-' or '_');

    /// <summary>The wallets, by name.</summary>
    public IReadOnlyList<WalletEntry> List()
    {
        if (!Directory.Exists(Path))
        {
            return [];
        }

        var chosen = DefaultName;
        var entries = new List<WalletEntry>();
        foreach (var file in Directory.EnumerateFiles(Path, "*" + Extension).Order(StringComparer.Ordinal))
        {
            var name = System.IO.Path.GetFileNameWithoutExtension(file);
            if (IsName(name) && ReadFile(file) is { } bytes && Keystore.TryReadAddress(bytes, out var address))
            {
                entries.Add(new WalletEntry(name, address, file, name == chosen));
            }
        }

        return entries;
    }

    /// <summary>Finds a wallet by its name, or by its address in any form; without either, the default one.</summary>
    /// <param name="nameOrAddress">A name, 0x…, f410… or null.</param>
    /// <exception cref="WalletException">There is none.</exception>
    public WalletEntry Find(string? nameOrAddress)
    {
        var entries = List();
        if (entries.Count == 0)
        {
            throw new WalletException($"There is no wallet in {Path}.", "Make one: shale wallet new");
        }

        if (nameOrAddress is null)
        {
            return entries.FirstOrDefault(e => e.IsDefault) ?? (entries.Count == 1 ? entries[0] : throw new WalletException(
                $"There are {entries.Count} wallets in {Path}, and none of them is the default one.", $"Name one: --wallet={entries[0].Name}"));
        }

        return entries.FirstOrDefault(e => e.Name == nameOrAddress)
            ?? (EvmAddresses.TryParse(nameOrAddress, out var address) ? entries.FirstOrDefault(e => e.Address == address) : null)
            ?? throw new WalletException($"There is no wallet {nameOrAddress} in {Path}.", "There are: " + string.Join(", ", entries.Select(e => e.Name)) + ".");
    }

    /// <summary>Writes a wallet's file.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="account">Its key.</param>
    /// <param name="passphrase">The passphrase.</param>
    /// <param name="cost">What the passphrase costs to try.</param>
    /// <exception cref="WalletException">The name is none, or taken.</exception>
    public WalletEntry Add(string name, KeyAccount account, ReadOnlySpan<char> passphrase, KeystoreCost cost)
    {
        if (!IsName(name))
        {
            throw new WalletException($"{name} is no name for a wallet.", "A name has 1 to 64 of a-z, 0-9, dot, dash and underscore, and begins with a letter or a digit.");
        }

        if (List().FirstOrDefault(e => e.Address == account.Address) is { } twin)
        {
            throw new WalletException($"{account.Address} is the wallet {twin.Name} already.");
        }

        Directory.CreateDirectory(Path, PrivateFolder);
        var path = System.IO.Path.Combine(Path, name + Extension);
        if (!WriteNew(path, account.ToKeystore(passphrase, cost)))
        {
            throw new WalletException($"There is a wallet {name} already.", "Choose another name.");
        }

        if (DefaultName is null)
        {
            SetDefault(name);
        }

        return new WalletEntry(name, account.Address, path, DefaultName == name);
    }

    /// <summary>Chooses the wallet that is used where none is named.</summary>
    /// <param name="name">Its name.</param>
    public void SetDefault(string name)
    {
        var path = System.IO.Path.Combine(Path, DefaultFile);
        var temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        Write(temporary, System.Text.Encoding.UTF8.GetBytes(name + "\n"));
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Decrypts a wallet. Takes about a second and 256 MiB, by the file's cost.</summary>
    /// <param name="wallet">The wallet.</param>
    /// <param name="passphrase">Its passphrase.</param>
    /// <returns>The account, for the caller to dispose.</returns>
    /// <exception cref="WalletException">The passphrase is wrong, or the file is not what it was.</exception>
    public static KeyAccount Unlock(WalletEntry wallet, ReadOnlySpan<char> passphrase)
    {
        var file = ReadFile(wallet.Path) ?? throw new WalletException($"The key file {wallet.Path} can't be read, or is no key file.");
        var fault = Keystore.TryDecrypt(file, passphrase, out var key);
        try
        {
            return fault == KeystoreFault.None ? new KeyAccount(key) : throw new WalletException(
                $"The wallet {wallet.Name} can't be unlocked: {Keystore.Describe(fault)}.",
                fault == KeystoreFault.Passphrase ? "Type it again, or name the right file with --passphrase_file." : null);
        }
        finally
        {
            System.Security.Cryptography.CryptographicOperations.ZeroMemory(key);
        }
    }

    private static byte[]? ReadFile(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        if (file.Length > Keystore.MaxSize)
        {
            return null;
        }

        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>Makes a file with all its bytes; false where there is one of that name.</summary>
    private static bool WriteNew(string path, byte[] content)
    {
        var temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        Write(temporary, content);
        try
        {
            File.Move(temporary, path, overwrite: false);
            return true;
        }
        catch (IOException) when (File.Exists(path))
        {
            return false;
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private static void Write(string path, byte[] content)
    {
        using var file = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = PrivateFile });
        file.Write(content);
        file.Flush(flushToDisk: true);
    }
}
