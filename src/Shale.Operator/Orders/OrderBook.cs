using System.Globalization;
using System.Text.Json;
using Shale.Leases;

namespace Shale.Operator.Orders;

/// <summary>The orders and leases of this operator, a file each; in memory what is on the disk.</summary>
internal sealed class OrderBook
{
    private readonly string _folder;
    private readonly SortedDictionary<ulong, OperatorLease> _leases = [];

    /// <summary>Opens the book and reads all of it.</summary>
    /// <exception cref="OperatorException">A file can't be read: nothing goes on without it.</exception>
    public OrderBook(string folder)
    {
        _folder = folder;
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var path in Directory.EnumerateFiles(folder, "*.json"))
        {
            try
            {
                var lease = JsonSerializer.Deserialize(File.ReadAllBytes(path), OperatorJson.Default.OperatorLease);
                if (lease is not { Version: OperatorLease.CurrentVersion } || Path.GetFileNameWithoutExtension(path) != lease.Id.ToString(CultureInfo.InvariantCulture))
                {
                    throw new JsonException("another version, or another lease than its name says");
                }

                _leases[lease.Id] = lease;
            }
            catch (JsonException cause)
            {
                throw new OperatorException($"{path} can't be read: {cause.Message}", "Restore it from a backup: it says what is owed for this lease.", cause);
            }
        }
    }

    public IReadOnlyCollection<OperatorLease> All => _leases.Values;

    public OperatorLease? Find(ulong id) => _leases.GetValueOrDefault(id);

    public OperatorLease? At(uint page, int slot) => _leases.Values.LastOrDefault(l => l.IsOpen && l.Page == page && l.Slot == slot);

    /// <summary>Writes a lease: on the disk first, then in memory.</summary>
    public void Put(OperatorLease lease)
    {
        AtomicFile.Write(Path.Combine(_folder, lease.Id.ToString(CultureInfo.InvariantCulture) + ".json"), JsonSerializer.SerializeToUtf8Bytes(lease, OperatorJson.Default.OperatorLease));
        _leases[lease.Id] = lease;
    }

    /// <summary>Forgets an order that the chain does not have: should it come back, it is a new one.</summary>
    public void Remove(ulong id)
    {
        File.Delete(Path.Combine(_folder, id.ToString(CultureInfo.InvariantCulture) + ".json"));
        _leases.Remove(id);
    }
}
