using Shale.Bn254.Fields;

namespace Shale.Settlement.Circuit;

/// <summary>Everything a witness of the settlement circuit is made from.</summary>
/// <param name="Domain">Element 0 of the public list: which contract on which chain.</param>
/// <param name="PageKey">Element 1: provider index · 2^32 + page number.</param>
/// <param name="Slots">One per slot of the page.</param>
/// <param name="C">The first public signal: the commitment to the public list.</param>
/// <param name="R">The second: the point at which the list is evaluated.</param>
/// <param name="D">The third: the value there.</param>
public sealed record SettlementStatement(Fr Domain, Fr PageKey, IReadOnlyList<SettlementSlot> Slots, Fr C, Fr R, Fr D);
