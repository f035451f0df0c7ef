using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Shale.Chain.Transactions;

/// <summary>A transaction on file: all signed forms of one nonce, oldest first.</summary>
internal sealed record JournalEntry(ulong Nonce, string Description, DateTimeOffset SignedAt, bool Done, IReadOnlyList<SignedTransaction> Attempts)
{
    internal SignedTransaction Newest => Attempts[^1];

    /// <summary>Whether it does the same thing.</summary>
    internal bool Does(Address? to, UInt128 value, ReadOnlySpan<byte> data) => Newest.Transaction.To == to && Newest.Transaction.Value == value && Newest.Transaction.Data.Span.SequenceEqual(data);
}

/// <summary>
/// The signed transactions of one account on one chain that are not final: a folder with one JSON file for each nonce, written before anything is sent. The account's lock file is held
/// while a nonce is chosen and while files change; an entry's owner file is held by whoever waits for it, so that a dead program's entries can be told from a live one's. Both are
/// flock(2) locks, which end with their process.
/// </summary>
internal sealed class TransactionJournal
{
    private const UnixFileMode PrivateFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private static readonly TimeSpan LockPoll = TimeSpan.FromMilliseconds(50);

    private readonly string _folder;
    private readonly ulong _chainId;
    private readonly Address _account;
    private readonly TimeProvider _time;

    internal TransactionJournal(string folder, ulong chainId, Address account, TimeProvider time)
    {
        _folder = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{chainId}-{account.ToString().ToLowerInvariant()}"));
        _chainId = chainId;
        _account = account;
        _time = time;
        Directory.CreateDirectory(_folder, PrivateFile | UnixFileMode.UserExecute);
    }

    /// <summary>Waits for the account's lock.</summary>
    internal async Task<IDisposable> LockAsync(CancellationToken cancel)
    {
        while (true)
        {
            if (TryLock(Path.Combine(_folder, "lock")) is { } held)
            {
                return held;
            }

            await Task.Delay(LockPoll, _time, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Becomes the owner of an entry; null when somebody alive is. Needs the account's lock.</summary>
    internal IDisposable? TryOwn(ulong nonce) => TryLock(Name(nonce, "owner"));

    /// <summary>All entries by nonce. Needs the account's lock.</summary>
    /// <exception cref="InvalidDataException">A file is damaged; it is named.</exception>
    internal List<JournalEntry> Read()
    {
        var entries = new List<JournalEntry>();
        foreach (var file in Directory.GetFiles(_folder, "*.json").Order(StringComparer.Ordinal))
        {
            entries.Add(TryRead(file) ?? throw new InvalidDataException(
                $"{file} is not a signed transaction of {_account} on chain {_chainId}. Move it away; if it stood for a transaction under way, look for that at an explorer first."));
        }

        return entries;
    }

    /// <summary>Puts an entry on file, safely against a crash at any time. Needs the account's lock.</summary>
    internal void Write(JournalEntry entry)
    {
        var file = Name(entry.Nonce, "json");
        var temporary = file + ".new";
        var form = new FileForm
        {
            Description = entry.Description,
            SignedAt = entry.SignedAt,
            Done = entry.Done,
            Transactions = [.. entry.Attempts.Select(a => "0x" + Convert.ToHexStringLower(a.Raw.Span))],
        };
        using (var stream = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = PrivateFile }))
        {
            JsonSerializer.Serialize(stream, form, JournalJson.Default.FileForm);
            stream.Flush(flushToDisk: true);
        }

        File.Move(temporary, file, overwrite: true);
    }

    /// <summary>Takes an entry off file. Needs the account's lock.</summary>
    internal void Delete(ulong nonce)
    {
        File.Delete(Name(nonce, "json"));
        File.Delete(Name(nonce, "owner"));
    }

    private static FileStream? TryLock(string file)
    {
        try
        {
            return new FileStream(file, new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, UnixCreateMode = PrivateFile });
        }
        catch (IOException e) when (e is not (DirectoryNotFoundException or FileNotFoundException or PathTooLongException))
        {
            return null;
        }
    }

    private JournalEntry? TryRead(string file)
    {
        FileForm? form;
        try
        {
            form = JsonSerializer.Deserialize(File.ReadAllBytes(file), JournalJson.Default.FileForm);
        }
        catch (JsonException)
        {
            return null;
        }

        if (form?.Transactions is not { Count: > 0 } || !ulong.TryParse(Path.GetFileNameWithoutExtension(file), NumberStyles.None, CultureInfo.InvariantCulture, out var nonce))
        {
            return null;
        }

        var attempts = new List<SignedTransaction>();
        foreach (var text in form.Transactions)
        {
            var raw = new byte[Math.Max(0, (text.Length - 2) / 2)];
            if (!text.StartsWith("0x", StringComparison.Ordinal) || Convert.FromHexString(text.AsSpan(2), raw, out _, out _) != System.Buffers.OperationStatus.Done
                || !Transaction.TryDecode(raw, out var signed) || signed.From != _account || signed.Transaction.ChainId != _chainId || signed.Transaction.Nonce != nonce)
            {
                return null;
            }

            attempts.Add(signed);
        }

        return new JournalEntry(nonce, form.Description ?? "", form.SignedAt, form.Done, attempts);
    }

    private string Name(ulong nonce, string extension) => Path.Combine(_folder, nonce.ToString("d20", CultureInfo.InvariantCulture) + "." + extension);

    internal sealed class FileForm
    {
        public string? Description { get; set; }

        public DateTimeOffset SignedAt { get; set; }

        public bool Done { get; set; }

        public List<string>? Transactions { get; set; }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(TransactionJournal.FileForm))]
internal sealed partial class JournalJson : JsonSerializerContext;
