using System.Globalization;
using System.Text.Json;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Leases;
using Shale.Settlement.Batching;
using Page = Shale.Chain.Contracts.Page;

namespace Shale.Operator.Settling;

/// <summary>The leaves of this provider's pages. Kept in files and checked against the contract's root; rebuilt from events where the files don't fit.</summary>
internal sealed class PageBook
{
    private readonly string _folder;

    public PageBook(string folder)
    {
        _folder = folder;
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>The page's leaves under the root that the contract stores.</summary>
    /// <exception cref="OperatorException">Neither the file nor the events give that root.</exception>
    public async Task<PageState> LoadAsync(IProviderMarket market, uint number, Page page, ulong epoch, CancellationToken cancellation)
    {
        var slots = (int)page.Size;
        if (Read(number) is { } kept && kept.Slots == slots && kept.Root.ToBigInteger() == page.Root)
        {
            return kept;
        }

        if (PageState.Empty(slots) is var empty && empty.Root.ToBigInteger() == page.Root)
        {
            return empty;
        }

        var rebuilt = Rebuild(slots, await market.PageHistoryAsync(number, epoch, cancellation).ConfigureAwait(false));
        if (rebuilt.Root.ToBigInteger() != page.Root)
        {
            throw new OperatorException(
                string.Create(CultureInfo.InvariantCulture, $"The leaves of page {number} are lost: neither {Path(number)} nor the chain's events give its root {page.Root}."),
                "Restore the operator's folder from a backup, or name an archive node that keeps all events with --rpc.");
        }

        Write(number, rebuilt);
        return rebuilt;
    }

    public void Write(uint number, PageState state) =>
        AtomicFile.Write(Path(number), JsonSerializer.SerializeToUtf8Bytes(PageFile.Of(number, state), OperatorJson.Default.PageFile));

    private PageState? Read(uint number)
    {
        try
        {
            return File.Exists(Path(number)) && JsonSerializer.Deserialize(File.ReadAllBytes(Path(number)), OperatorJson.Default.PageFile) is { Version: PageFile.CurrentVersion } file ? file.ToState() : null;
        }
        catch (JsonException)
        {
            // The events say what it held.
            return null;
        }
    }

    private static PageState Rebuild(int slots, IReadOnlyList<PageEvent> events)
    {
        var history = new PageHistory(slots);
        foreach (var step in events)
        {
            if (step.Confirmed is { } confirmed && step.Key is { } key)
            {
                history.Confirm(confirmed.Slot, confirmed.LeaseId, new BabyJubjubPoint(Fr.FromBigInteger(key.X), Fr.FromBigInteger(key.Y)));
            }
            else if (step.Settled is { } settled)
            {
                history.Settle(settled.Entries.Span);
            }
        }

        return history.ToState();
    }

    private string Path(uint number) => System.IO.Path.Combine(_folder, number.ToString(CultureInfo.InvariantCulture) + ".json");
}
