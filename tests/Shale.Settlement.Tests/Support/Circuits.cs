using System.Collections.Concurrent;
using Shale.Groth16.Constraints;
using Shale.Settlement.Circuit;

namespace Shale.Settlement.Tests.Support;

/// <summary>Compiled circuits, once per page size for the whole run.</summary>
internal static class Circuits
{
    private static readonly ConcurrentDictionary<int, Lazy<CompiledCircuit<SettlementStatement>>> Compiled = new();

    public static CompiledCircuit<SettlementStatement> OfSize(int slots) =>
        Compiled.GetOrAdd(slots, static n => new Lazy<CompiledCircuit<SettlementStatement>>(() => CircuitCompiler.Compile(new SettlementCircuit(n)))).Value;
}
