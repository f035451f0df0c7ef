using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Shale.Payments.Policy;

namespace Shale.Agent.Files;

/// <summary>
/// The leases of this wallet, in memory; <see cref="ILeaseFacts"/> for the policy. Here they come from files that a command
/// writes; what follows the chain writes the same files.
/// </summary>
public sealed class LeaseBook : ILeaseFacts
{
    private readonly AgentFolder _folder;
    private readonly string _payerKey;
    private volatile Pages _pages = new(ImmutableSortedDictionary<ulong, LeaseFile>.Empty, ImmutableDictionary<ulong, LeaseFacts>.Empty, []);

    /// <summary>The leases that one payment key pays for.</summary>
    /// <param name="folder">Where they are.</param>
    /// <param name="payerKey">The key in hexadecimal: a lease of another key is none of ours.</param>
    public LeaseBook(AgentFolder folder, string payerKey)
    {
        _folder = folder;
        _payerKey = payerKey;
    }

    /// <summary>All leases, free ones and those of another payment key included.</summary>
    public ImmutableSortedDictionary<ulong, LeaseFile> All => _pages.All;

    /// <summary>Files that could not be used, a sentence each.</summary>
    public IReadOnlyList<string> Problems => _pages.Problems;

    /// <summary>Writes a lease.</summary>
    /// <exception cref="AgentException">A field is not as it must be.</exception>
    public static void Write(AgentFolder folder, LeaseFile lease)
    {
        if (lease.Problem() is { } problem)
        {
            throw new AgentException($"Lease {lease.Id} can't be added: {problem}.");
        }

        folder.Create();
        Directory.CreateDirectory(folder.Lease(lease.Id), AgentFolder.FolderMode);
        PrivateFile.Replace(folder.LeaseFile(lease.Id), JsonSerializer.SerializeToUtf8Bytes(lease, AgentJson.Default.LeaseFile));
    }

    /// <summary>Forgets a lease; its vouchers stay.</summary>
    /// <returns>False where there was none.</returns>
    public static bool Remove(AgentFolder folder, ulong id)
    {
        if (!File.Exists(folder.LeaseFile(id)))
        {
            return false;
        }

        File.Delete(folder.LeaseFile(id));
        return true;
    }

    /// <summary>Reads all files anew.</summary>
    public void Load()
    {
        var all = ImmutableSortedDictionary.CreateBuilder<ulong, LeaseFile>();
        var facts = ImmutableDictionary.CreateBuilder<ulong, LeaseFacts>();
        var problems = new List<string>();
        if (Directory.Exists(_folder.Leases))
        {
            foreach (string path in Directory.EnumerateDirectories(_folder.Leases))
            {
                if (ulong.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out ulong id) && Read(id, problems) is { } lease)
                {
                    all[id] = lease;
                    if (lease.Payment?.PayerKey.Equals(_payerKey, StringComparison.OrdinalIgnoreCase) == true)
                    {
                        facts[id] = lease.ToFacts()!;
                    }
                    else if (lease.Payment is not null)
                    {
                        problems.Add($"lease {id} names another payment key, {lease.Payment.PayerKey}: this agent doesn't pay for it");
                    }
                }
            }
        }

        _pages = new Pages(all.ToImmutable(), facts.ToImmutable(), problems);
    }

    /// <inheritdoc/>
    public LeaseFacts? Find(ulong leaseId) => _pages.Facts.GetValueOrDefault(leaseId);

    private LeaseFile? Read(ulong id, List<string> problems)
    {
        string problem;
        try
        {
            if (PrivateFile.Read(_folder.LeaseFile(id)) is not { } json)
            {
                return null;
            }

            if (LeaseFile.TryParse(json, out LeaseFile? lease, out problem))
            {
                if (lease.Id == id)
                {
                    return lease;
                }

                problem = $"it is about lease {lease.Id}";
            }
        }
        catch (IOException cause)
        {
            problem = cause.Message;
        }

        problems.Add($"{_folder.LeaseFile(id)}: {problem}");
        return null;
    }

    private sealed record Pages(ImmutableSortedDictionary<ulong, LeaseFile> All, ImmutableDictionary<ulong, LeaseFacts> Facts, IReadOnlyList<string> Problems);
}
