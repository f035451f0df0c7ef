using System.Globalization;
using Shale.Payments.Log;

namespace Shale.Payments.Metering;

/// <summary>Keeps meters' states, one file a lease, replaced whole and flushed.</summary>
public sealed class FileMeterStore
{
    private readonly string _folder;

    /// <summary>Makes the folder where it is missing.</summary>
    public FileMeterStore(string folder)
    {
        _folder = folder;
        Directory.CreateDirectory(folder);
    }

    /// <summary>The stored state; null where there is none.</summary>
    /// <exception cref="InvalidDataException">The file is there and can't be what this wrote.</exception>
    public MeterState? Load(ulong leaseId)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(PathOf(leaseId));
        }
        catch (FileNotFoundException)
        {
            return null;
        }

        return MeterState.TryRead(bytes, out MeterState? state) && state.LeaseId == leaseId
            ? state
            : throw new InvalidDataException(
                $"{PathOf(leaseId)} is damaged. Remove it: the lease's newest voucher is in the log and at the payer's agent, and the meter goes on from there.");
    }

    /// <summary>The leases that have a state here.</summary>
    public IEnumerable<ulong> Leases
    {
        get
        {
            foreach (string path in Directory.EnumerateFiles(_folder, "lease-*.meter"))
            {
                string name = Path.GetFileNameWithoutExtension(path);
                if (ulong.TryParse(name.AsSpan(name.IndexOf('-', StringComparison.Ordinal) + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ulong lease))
                {
                    yield return lease;
                }
            }
        }
    }

    /// <summary>Stores a state durably.</summary>
    /// <exception cref="IOException">It can't be written; the old one stays.</exception>
    public void Save(MeterState state) => Durable.Replace(PathOf(state.LeaseId), state.ToBytes());

    /// <summary>Forgets a lease that is over.</summary>
    public void Delete(ulong leaseId) => File.Delete(PathOf(leaseId));

    private string PathOf(ulong leaseId) =>
        Path.Combine(_folder, "lease-" + leaseId.ToString(CultureInfo.InvariantCulture) + ".meter");
}
