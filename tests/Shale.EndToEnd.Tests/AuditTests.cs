using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using Shale.EndToEnd.Tests.Worlds;
using Xunit;

namespace Shale.EndToEnd.Tests;

/// <summary>An auditor with nothing but the log, its key and a chain: clean where all is as it was, and not fooled by one altered byte of any kind of entry.</summary>
[Collection(nameof(MarketCollection))]
public sealed class AuditTests(World world)
{
    /// <summary>Version, kind, lease, time (docs/VOUCHERLOG.md, section 3).</summary>
    private const int EntryHeader = 18;

    [Fact]
    public async Task Log_WithAnyOneEntryAltered_IsFoundOutAndAForeignChainNamed()
    {
        var (client, provider) = (world.Client, world.Provider);
        var before = await world.BooksAsync();
        var lease = await client.OrderAsync();
        await client.KeepAsync(lease);
        await provider.SettleAsync(lease);
        await client.MustAsync("agent", "stop", $"{lease}");
        await provider.BecomesAsync(lease, "Paused");
        await client.MustAsync("agent", "resume", $"{lease}");
        await provider.BecomesAsync(lease, "Serving");
        await client.SignsMoreAsync(lease, await client.SignedAsync(lease));
        var (paid, _) = await client.StopAsync(lease);
        await client.PaidWhatItSignedAsync(paid, lease);
        Assert.Equal(new Books(-paid, 0, paid, 0), await world.BooksAsync() - before);

        // The checkpoint follows the entries within a second or so.
        await Wait.UntilAsync(() => provider.Settlements(lease) == 2, "the last settlement to be in the log");
        Outcome audit = null!;
        await Wait.UntilAsync(async () => (audit = await provider.AuditAsync(more: "--json")) is var clean && Settled(clean) == Signed(clean), "an audit in which what was settled is what was signed", () => audit.ToString(), milliseconds: 1000);
        Assert.True(audit.ExitCode == 0, audit.ToString());

        // A copy, so that the gateway's own log stays as it is.
        var log = Path.Combine(world.Folder, "copy");
        await Programs.MustAsync("cp", ["-r", Path.Combine(provider.State, "log"), log]);
        Assert.Equal(0, (await provider.AuditAsync(log)).ExitCode);
        (string What, byte Kind, Func<int, int> Byte)[] changes =
        [
            ("the price that was opened with", 1, _ => EntryHeader + 8 + 20 + 32 + 11),
            ("a voucher's signature", 2, _ => EntryHeader + 114),
            ("a voucher's statement", 2, length => length - 1),
            ("a pause", 3, length => length - 1),
            ("a resumption", 4, _ => EntryHeader + 7),
            ("the reason of an end", 5, _ => EntryHeader + 4),
            ("what a settlement claimed", 6, _ => EntryHeader + 32 + 4 + 4 + 11),
            ("a settlement's transaction", 6, _ => EntryHeader),
        ];
        foreach (var (what, kind, at) in changes)
        {
            var places = Find(log, lease, kind);
            foreach (var (file, offset, length) in places)
            {
                Flip(file, offset + at(length));
            }

            var found = await provider.AuditAsync(log);
            Assert.True(found.ExitCode == 1 && found.Output.Contains("FINDING   ", StringComparison.Ordinal), $"{what}: {found}");
            Assert.DoesNotContain("all as it must be", found.Output, StringComparison.Ordinal);
            foreach (var (file, offset, length) in places)
            {
                Flip(file, offset + at(length));
            }
        }

        // A chain like it, with the same number and contracts, on which none of this happened.
        await using var foreign = await LocalChain.StartAsync(Path.Combine(world.Folder, "foreign"));
        var elsewhere = await provider.AuditAsync(log, foreign.NetworkFile);
        Assert.True(elsewhere.ExitCode == 1, elsewhere.ToString());
        Assert.Contains("[chain]", elsewhere.Output, StringComparison.Ordinal);
    }

    private static string? Settled(Outcome audit) => Of(audit, "settled");

    private static string? Signed(Outcome audit) => Of(audit, "authorised");

    private static string? Of(Outcome audit, string name)
    {
        using var report = JsonDocument.Parse(audit.Output);
        return report.RootElement.GetProperty(name).GetString();
    }

    /// <summary>The newest entry of a kind of a lease: wherever a bundle has it.</summary>
    private static List<(string File, int Offset, int Length)> Find(string log, ulong lease, byte kind)
    {
        var all = new List<(int Index, string File, int Offset, int Length)>();
        foreach (var file in Directory.EnumerateFiles(Path.Combine(log, "tile", "entries"), "*", SearchOption.AllDirectories))
        {
            // The tests' logs are small: all of their bundles are the first one, some in its shorter stages.
            Assert.Contains($"{Path.DirectorySeparatorChar}000", file, StringComparison.Ordinal);
            var bytes = File.ReadAllBytes(file);
            for (int offset = 0, index = 0; offset < bytes.Length; index++)
            {
                int length = BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(offset));
                offset += 2;
                if (bytes[offset + 1] == kind && BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(offset + 2)) == lease)
                {
                    all.Add((index, file, offset, length));
                }

                offset += length;
            }
        }

        Assert.True(all.Count > 0, string.Create(CultureInfo.InvariantCulture, $"no entry of kind {kind}"));
        var newest = all.Max(a => a.Index);
        return [.. all.Where(a => a.Index == newest).Select(a => (a.File, a.Offset, a.Length))];
    }

    private static void Flip(string file, int offset)
    {
        using var stream = File.Open(file, FileMode.Open, FileAccess.ReadWrite);
        stream.Position = offset;
        var value = stream.ReadByte();
        stream.Position = offset;
        stream.WriteByte((byte)(value ^ 1));
    }
}
