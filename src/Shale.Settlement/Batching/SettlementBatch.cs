using Shale.Bn254.Fields;
using Shale.Settlement.Circuit;
using Shale.Settlement.Claims;

namespace Shale.Settlement.Batching;

/// <summary>A settlement that is ready to be proved.</summary>
/// <param name="Provider">The provider's index in the registry.</param>
/// <param name="Page">The page's number.</param>
/// <param name="OldPage">The page as the contract has it.</param>
/// <param name="NewPage">The page when the settlement is through.</param>
/// <param name="Paid">attoFIL that the settlement collects.</param>
/// <param name="Entries">The listed slots, strictly increasing.</param>
/// <param name="LeftOut">The slots asked for that are not settled, with the reason.</param>
/// <param name="List">The public list e.</param>
/// <param name="Statement">What the circuit's witness is made from; carries C, r and d.</param>
public sealed record SettlementBatch(
    uint Provider,
    uint Page,
    PageState OldPage,
    PageState NewPage,
    UInt128 Paid,
    IReadOnlyList<SettlementEntry> Entries,
    IReadOnlyList<LeftOut> LeftOut,
    ReadOnlyMemory<Fr> List,
    SettlementStatement Statement)
{
    /// <summary>True when there is nothing to prove for.</summary>
    public bool IsEmpty => Entries.Count == 0;
}
