using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Shale.Bn254.Fields;
using Shale.Settlement.Batching;
using Shale.Settlement.Claims;

namespace Shale.Settlement.Tests.Vectors;

/// <summary>The published JSON of a statement. Field elements are 0x and 64 digits, amounts in attoFIL are decimal.</summary>
internal static class VectorFiles
{
    private static readonly JsonSerializerOptions Options = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Folder(string name) => Path.Combine(RepositoryRoot(), "tests", "vectors", name);

    /// <summary>This project's folder in the source tree.</summary>
    public static string TestProject => Path.Combine(RepositoryRoot(), "tests", "Shale.Settlement.Tests");

    public static string Hex(Fr value)
    {
        var bytes = new byte[Fr.Size];
        value.ToBytesBigEndian(bytes);
        return "0x" + Convert.ToHexStringLower(bytes);
    }

    public static string Write(JsonNode node) => node.ToJsonString(Options) + "\n";

    public static JsonObject Statement(SequenceStep step)
    {
        SettlementBatch batch = step.Batch;
        return new JsonObject
        {
            ["description"] = step.Description,
            ["chainId"] = SettlementSequence.ChainId,
            ["contract"] = SettlementSequence.Contract,
            ["domain"] = Hex(SettlementSequence.Domain),
            ["provider"] = batch.Provider,
            ["page"] = batch.Page,
            ["slots"] = batch.OldPage.Slots,
            ["records"] = Array(step.Records.Select((r, slot) => (r, slot)).Where(p => p.r is not null).Select(p => Record(p.slot, p.r!.Value))),
            ["oldLeaves"] = Leaves(batch.OldPage),
            ["oldRoot"] = Hex(batch.OldPage.Root),
            ["newLeaves"] = Leaves(batch.NewPage),
            ["newRoot"] = Hex(batch.NewPage.Root),
            ["paid"] = batch.Paid.ToString(),
            ["entries"] = Array(batch.Entries.Select(Entry)),
            ["entriesCalldata"] = "0x" + Convert.ToHexStringLower(EntryEncoding.EncodeEntries(batch.Entries)),
            ["leaseIdsCalldata"] = "0x" + Convert.ToHexStringLower(EntryEncoding.EncodeLeaseIds(batch.Entries)),
            ["list"] = Array(batch.List.ToArray().Select(e => (JsonNode)Hex(e))),
            ["c"] = Hex(batch.Statement.C),
            ["r"] = Hex(batch.Statement.R),
            ["d"] = Hex(batch.Statement.D),
        };
    }

    public static JsonObject Calldata(SettlementClaim claim) => new()
    {
        ["provider"] = claim.Provider,
        ["page"] = claim.Page,
        ["newRoot"] = Hex(claim.NewRoot),
        ["paid"] = claim.Paid.ToString(),
        ["entries"] = "0x" + Convert.ToHexStringLower(claim.Entries.Span),
        ["leaseIds"] = "0x" + Convert.ToHexStringLower(claim.LeaseIds.Span),
        ["c"] = Hex(claim.C),
        ["proof"] = Array(claim.Proof.ToArray().Chunk(32).Select(word => (JsonNode)("0x" + Convert.ToHexStringLower(word)))),
    };

    private static JsonArray Leaves(PageState page) => Array(page.Leaves.Select((leaf, slot) => leaf is not { } l ? null : (JsonNode)new JsonObject
    {
        ["slot"] = slot,
        ["leaseId"] = l.LeaseId,
        ["ax"] = Hex(l.Key.X),
        ["ay"] = Hex(l.Key.Y),
        ["deposit"] = l.Deposit.ToString(),
        ["claimed"] = l.Claimed.ToString(),
        ["hash"] = Hex(page.LeafHash(slot)),
        ["siblings"] = Array(page.Siblings(slot).Select(s => (JsonNode)Hex(s))),
    }).Where(n => n is not null)!);

    private static JsonObject Record(int slot, SlotRecord record) => new()
    {
        ["slot"] = slot,
        ["leaseId"] = record.LeaseId,
        ["ax"] = Hex(record.Key.X),
        ["ay"] = Hex(record.Key.Y),
        ["deposit"] = record.Deposit.ToString(),
        ["fresh"] = record.Fresh,
    };

    private static JsonObject Entry(SettlementEntry entry) => new()
    {
        ["slot"] = entry.Slot,
        ["flags"] = (int)entry.Flags,
        ["claimed"] = entry.Claimed.ToString(),
        ["leaseId"] = entry.LeaseId,
        ["deposit"] = entry.Deposit.ToString(),
    };

    private static JsonArray Array(IEnumerable<JsonNode> nodes) => new([.. nodes]);

    private static string RepositoryRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Shale.sln")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException("Shale.sln was not found above " + AppContext.BaseDirectory + ".");
    }
}
