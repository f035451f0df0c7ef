using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Shale.Agent;
using Shale.Agent.Control;
using Shale.Agent.Files;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Policy;

namespace Shale.Cli.Commands;

/// <summary>What all commands share that work with the payment agent: its folder, and how it is started where it doesn't run.</summary>
internal sealed class AgentCommandOptions
{
    // Longer than any passphrase that a person types; a larger file is not one.
    private const int MaxPassphrase = 1024;
    private const int Tries = 3;

    private readonly Option<string?> _folder = new("--agent_dir", "--agent-dir") { Description = "The agent's folder. Default: $SHALE_HOME, or ~/.shale." };
    private readonly Option<string?> _passphrase = new("--passphrase_file", "--passphrase-file") { Description = "File with the payment key's passphrase. Default: $SHALE_PASSPHRASE_FILE, or asked for." };

    public void AddTo(Command command)
    {
        command.Options.Add(_folder);
        command.Options.Add(_passphrase);
    }

    public AgentFolder Folder(ParseResult parsed) => AgentFolder.Locate(parsed.GetValue(_folder));

    /// <summary>A lease as people write it: <c>42</c> or <c>lease-42</c>.</summary>
    public static ulong ParseLease(string text) =>
        ulong.TryParse(text.StartsWith("lease-", StringComparison.Ordinal) ? text["lease-".Length..] : text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong id)
            ? id
            : throw new CliError($"'{text}' is not a lease.", "Write its number, as in: shale ssh 42", ExitCodes.Usage);

    /// <summary>The leases that are known without an agent.</summary>
    public static LeaseBook Book(AgentFolder folder)
    {
        var book = new LeaseBook(folder, PaymentKeyFile.ReadPublicKey(folder.KeyFile) ?? "");
        book.Load();
        return book;
    }

    public static LeaseFile Lease(AgentFolder folder, ulong id) => Book(folder).All.TryGetValue(id, out LeaseFile? lease)
        ? lease
        : throw new CliError($"Lease {id} is not known here.", "shale agent status shows those that are; add one with: shale agent add-lease", ExitCodes.NoInput);

    /// <summary>Makes a running agent read its files anew; without one there is nothing to tell.</summary>
    public static Task<bool> ReloadAsync(AgentFolder folder, CancellationToken cancellation) => new AgentClient(folder).ReloadAsync(cancellation);

    /// <summary>Starts the agent in the background where none runs.</summary>
    public async Task EnsureRunningAsync(ParseResult parsed, CancellationToken cancellation)
    {
        AgentFolder folder = Folder(parsed);
        var client = new AgentClient(folder);
        if (await client.StatusAsync(cancellation).ConfigureAwait(false) is not null)
        {
            if (Environment.GetEnvironmentVariable("SSH_AUTH_SOCK") is { Length: > 0 } agent)
            {
                await client.OfferIdentityAgentAsync(agent, cancellation).ConfigureAwait(false);
            }

            return;
        }

        char[] passphrase = Unlock(folder, parsed, out EdDsaPrivateKey key);
        key.Dispose();
        try
        {
            await AgentLauncher.StartAsync(folder, BackgroundCommand(folder), passphrase, cancellation).ConfigureAwait(false);
        }
        finally
        {
            Array.Clear(passphrase);
        }
    }

    /// <summary>Opens the payment key, with the passphrase from where it is to be had.</summary>
    /// <returns>The passphrase, for the caller to erase.</returns>
    public char[] Unlock(AgentFolder folder, ParseResult parsed, out EdDsaPrivateKey key)
    {
        if (PassphraseFile(parsed) is { } file)
        {
            char[] read = ReadPassphrase(file);
            return TryOpen(folder, read, out key) ? read : throw new CliError($"The passphrase in {file} does not open {folder.KeyFile}.", null, ExitCodes.NoPermission);
        }

        // A key without a passphrase opens with none.
        if (TryOpen(folder, [], out key))
        {
            return [];
        }

        for (int i = 0; i < Tries && !Console.IsInputRedirected; i++)
        {
            char[] typed = SecretPrompt.Read("Passphrase of the payment key: ");
            if (TryOpen(folder, typed, out key))
            {
                return typed;
            }

            Array.Clear(typed);
            Console.Error.WriteLine("shale: that is not its passphrase");
        }

        throw new CliError("The payment key is encrypted and its passphrase is not known.", "Run this in a terminal, or name a file with --passphrase_file or SHALE_PASSPHRASE_FILE.", ExitCodes.NoPermission);
    }

    /// <summary>The passphrase for a new key.</summary>
    public char[] NewPassphrase(ParseResult parsed)
    {
        if (PassphraseFile(parsed) is { } file)
        {
            char[] read = ReadPassphrase(file);
            return read.Length > 0 ? read : throw new CliError($"{file} is empty.", "To store the key unencrypted say so: --insecure-no-passphrase", ExitCodes.Usage);
        }

        if (Console.IsInputRedirected)
        {
            throw new CliError("There is no terminal to ask for a passphrase.", "Name a file with --passphrase_file, or store the key unencrypted with --insecure-no-passphrase.", ExitCodes.Usage);
        }

        char[] first = SecretPrompt.Read("New passphrase: "), second = SecretPrompt.Read("Again: ");
        bool same = first.AsSpan().SequenceEqual(second);
        Array.Clear(second);
        if (same && first.Length > 0)
        {
            return first;
        }

        Array.Clear(first);
        throw new CliError(same ? "A passphrase has at least one character." : "The two are not the same.", same ? "To store the key unencrypted say so: --insecure-no-passphrase" : null, ExitCodes.Usage);
    }

    /// <summary>The passphrase as another Shale process hands it over: all of standard input.</summary>
    public static char[] ReadHandedOver()
    {
        using Stream input = Console.OpenStandardInput();
        return ReadAll(input, "standard input");
    }

    private static bool TryOpen(AgentFolder folder, ReadOnlySpan<char> passphrase, out EdDsaPrivateKey key)
    {
        switch (PaymentKeyFile.TryOpen(folder.KeyFile, passphrase, out EdDsaPrivateKey? opened))
        {
            case KeyFileStatus.Opened:
                key = opened!;
                return true;
            case KeyFileStatus.Missing:
                throw new CliError("There is no payment key yet.", "Make one with: shale agent init", ExitCodes.NoInput);
            case KeyFileStatus.Malformed:
                throw new CliError($"{folder.KeyFile} is not a payment key file.", "Bring it back from a backup; a new one is another payer.", ExitCodes.Configuration);
            default:
                key = null!;
                return false;
        }
    }

    private static List<string> BackgroundCommand(AgentFolder folder)
    {
        string program = Environment.ProcessPath ?? throw new CliError("This process can't tell its own program.", "Start the agent by hand: shale agent", ExitCodes.Software);

        // Run as "dotnet shale.dll" the program is the host's.
        List<string> command = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [program, Path.Combine(AppContext.BaseDirectory, "shale.dll")] : [program];
        command.AddRange(["agent", "--background", "--agent_dir=" + folder.Root]);
        return command;
    }

    private string? PassphraseFile(ParseResult parsed)
    {
        string? file = parsed.GetValue(_passphrase) ?? Environment.GetEnvironmentVariable("SHALE_PASSPHRASE_FILE");
        return string.IsNullOrEmpty(file) ? null : file;
    }

    internal static char[] ReadPassphrase(string file)
    {
        if (!File.Exists(file))
        {
            throw new CliError($"The passphrase file {file} does not exist.", null, ExitCodes.NoInput);
        }

        using FileStream stream = File.OpenRead(file);
        return ReadAll(stream, file);
    }

    internal static char[] ReadAll(Stream stream, string name)
    {
        byte[] bytes = new byte[MaxPassphrase + 1];
        try
        {
            int length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length > MaxPassphrase)
            {
                throw new CliError($"{name} holds more than {MaxPassphrase} bytes: that is no passphrase.", null, ExitCodes.Usage);
            }

            // An editor's line end is not part of it.
            ReadOnlySpan<byte> text = bytes.AsSpan(0, length).TrimEnd("\r\n"u8);
            char[] passphrase = new char[Encoding.UTF8.GetCharCount(text)];
            Encoding.UTF8.GetChars(text, passphrase);
            return passphrase;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }
}
