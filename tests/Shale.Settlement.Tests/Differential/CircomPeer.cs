using Shale.Bn254.Fields;
using Shale.Settlement.Circuit;
using Shale.Settlement.Tests.Support;
using Shale.TestPeers;

namespace Shale.Settlement.Tests.Differential;

/// <summary>What circom and circomlib say to statements: circom/settlement.circom, compiled in the test run.</summary>
internal static class CircomPeer
{
    internal sealed record Answer(bool Accepted, string? Output);

    private sealed record Reply(int Constraints, Answer[] Answers);

    public static Answer[] Ask(int slots, IEnumerable<SettlementStatement> statements)
    {
        string folder = Directory.CreateDirectory(Path.Combine(TestFolder.Path, $"circom-{slots}")).FullName;
        Reply reply = NodePeer.Ask<Reply>("circom.mjs", new
        {
            source = Path.Combine(Vectors.VectorFiles.TestProject, "circom", "settlement.circom"),
            main = $"component main {{public [r, d]}} = Settlement({slots});",
            folder,
            cases = statements.Select(Input),
        }, TimeSpan.FromMinutes(10));
        return reply.Answers;
    }

    private static Dictionary<string, object> Input(SettlementStatement s) => new()
    {
        ["r"] = Text(s.R),
        ["d"] = Text(s.D),
        ["domain"] = Text(s.Domain),
        ["pageKey"] = Text(s.PageKey),
        ["listed"] = Each(s, x => Text(x.Listed)),
        ["sync"] = Each(s, x => Text(x.Sync)),
        ["fresh"] = Each(s, x => Text(x.Fresh)),
        ["pay"] = Each(s, x => Text(x.Pay)),
        ["oldHash"] = Each(s, x => Text(x.OldHash)),
        ["oldLeaf"] = Each(s, x => Leaf(x.Old)),
        ["newLeaf"] = Each(s, x => Leaf(x.New)),
        ["statement"] = Each(s, x => Text(x.Statement)),
        ["r8"] = Each(s, x => (string[])[Text(x.R8.X), Text(x.R8.Y)]),
        ["s"] = Each(s, x => Text(x.S)),
    };

    private static T[] Each<T>(SettlementStatement s, Func<SettlementSlot, T> select) => [.. s.Slots.Select(select)];

    private static string[] Leaf(LeafFields f) => [Text(f.LeaseId), Text(f.Ax), Text(f.Ay), Text(f.Deposit), Text(f.Claimed)];

    private static string Text(Fr value) => value.ToString();
}
