using System.Text.Json;
using Shale.TestPeers;

namespace Shale.Groth16.Tests;

/// <summary>snarkjs, asked through tests/npm/snarkjs.mjs.</summary>
internal static class SnarkJs
{
    /// <summary>Runs the steps in one process; one answer each.</summary>
    public static JsonElement[] Run(params object[] steps) => NodePeer.Ask<JsonElement[]>("snarkjs.mjs", new { steps });
}
