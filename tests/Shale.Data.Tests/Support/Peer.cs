using System.Text.Json;
using Shale.TestPeers;

namespace Shale.Data.Tests.Support;

/// <summary>The npm packages' answers, through tests/npm/data.mjs.</summary>
internal static class Peer
{
    public static JsonElement[] Ask(params object[] questions) =>
        NodePeer.Ask("data.mjs", questions, TimeSpan.FromMinutes(5)).EnumerateArray().ToArray();

    public static JsonElement One(object question) => Ask(question)[0];
}
