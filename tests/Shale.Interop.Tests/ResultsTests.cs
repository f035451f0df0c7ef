using System.Globalization;
using System.Text;
using System.Text.Json;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>What leases produce: packed on the provider's side by who uses the lease, fetched and checked by the client, named in the final statement.</summary>
public sealed class ResultsTests
{
    private const string MakeTree = """
        mkdir -p out/sub && cd out && printf one >one.txt && : >empty && dd if=/dev/urandom of=sub/large bs=1M count=5 2>/dev/null && ln -s sub/large link && printf x >"sub/grün ☃"
        """;

    [Fact]
    public async Task Results_PackedThroughALease_HaveThePeersCidAndComeBackVerified()
    {
        await using var gateway = await GatewayProcess.StartAsync();
        var lease = await gateway.LeaseAsync("--image=shale/busybox:1");
        await using var client = await LeaseClient.StartAsync(gateway);
        await client.AddAsync(gateway, lease);
        await client.MustAsync("ssh", $"{lease}", MakeTree);

        // Relative to the user's home, absolute, and a link to it: one and the same.
        var manifest = Manifest(await client.MustAsync("results", "pack", $"{lease}:out"));
        Assert.Equal(manifest.ToString(), Manifest(await client.MustAsync("results", "pack", $"lease-{lease}:/root/out")).ToString());
        await client.MustAsync("ssh", $"{lease}", "ln -s out other");
        Assert.Equal(manifest.ToString(), Manifest(await client.MustAsync("results", "pack", $"{lease}:~/other")).ToString());
        Assert.Equal(("result.car", "/root/out"), (manifest.GetProperty("carPath").GetString(), manifest.GetProperty("path").GetString()));

        // What lies at the provider, ready for a deal; its pieces are what the library computes of the CAR anew.
        var cid = manifest.GetProperty("payloadCid").GetString()!;
        var folder = Path.Combine(gateway.Folder, "state", "results", $"{lease}");
        Assert.Equal([cid], Directory.GetFileSystemEntries(folder).Select(Path.GetFileName));
        var car = Path.Combine(folder, cid, "result.car");
        var piece = JsonDocument.Parse((await Cli.RunAsync(Cli.Shale, ["dataset", "piece", "--json", car])).Output).RootElement;
        Assert.Equal(manifest.GetProperty("pieceCid").GetString(), piece.GetProperty("pieceCid").GetString());
        Assert.Equal(new FileInfo(car).Length, manifest.GetProperty("carSize").GetInt64());

        // Fetched, and once more with nothing but stock ssh; both are what the lease has.
        var got = await client.MustAsync("results", "get", $"{lease}", cid, Path.Combine(client.Files, "got"));
        Assert.Contains($"is {cid}: 7 entries", got.Output, StringComparison.Ordinal);
        var here = await Cli.RunAsync("sh", ["-c", $"cd {client.Files}/got && find . -type f | sort | xargs -d '\\n' sha256sum; readlink link"]);
        var there = await client.MustAsync("ssh", $"{lease}", "cd out && find . -type f | sort | tr '\\n' '\\0' | xargs -0 sha256sum; readlink link");
        Assert.Equal(there.Output, here.Output);
        var stock = await Cli.RunAsync("ssh", [.. gateway.SshOptions(), "-s", $"{lease}@127.0.0.1", "results@shaleprotocol.com"], Encoding.UTF8.GetBytes($"{{\"get\":\"{cid}\"}}\n"));
        Assert.Equal(0, stock.ExitCode);
        Assert.Equal(File.ReadAllBytes(car), stock.OutputBytes);
        await client.MustAsync("results", "get", cid, Path.Combine(client.Files, "again"), $"--car={car}");

        // A second opinion on the CID: ipfs-car, on what was fetched (without the link, which it does not know).
        await client.MustAsync("ssh", $"{lease}", "rm out/link");
        File.Delete(Path.Combine(client.Files, "got", "link"));
        var peer = await Cli.RunAsync("node", [Path.Combine(Cli.Root, "tests/npm/node_modules/ipfs-car/bin.js"), "pack", Path.Combine(client.Files, "got"), "--output", Path.Combine(client.Files, "peer.car")]);
        Assert.Equal(peer.Output.Trim(), Manifest(await client.MustAsync("results", "pack", $"{lease}:out")).GetProperty("payloadCid").GetString());

        // The provider's own way, beside the gateway and without SSH.
        await client.MustAsync("ssh", $"{lease}", "echo provider >/tmp/p");
        var provider = await Cli.RunAsync(Cli.Shale, ["results", "pack", $"--lease={lease}", $"--state_dir={gateway.Folder}/state", "/tmp/p"]);
        Assert.True(provider.ExitCode == 0, provider.Error);
        Assert.True(File.Exists(Manifest(provider).GetProperty("carPath").GetString()));
        await client.MustAsync("results", "get", $"{lease}", Manifest(provider).GetProperty("payloadCid").GetString()!, Path.Combine(client.Files, "p"));
        Assert.Equal("provider\n", await File.ReadAllTextAsync(Path.Combine(client.Files, "p")));
        Assert.Equal(0, (await client.ShaleAsync("ssh", $"{lease}", "true")).ExitCode);
    }

    [Fact]
    public async Task Results_ThatCannotBe_AreRefusedEachWithItsReasonAndLeaveNothing()
    {
        await using var gateway = await GatewayProcess.StartAsync();
        var lease = await gateway.LeaseAsync("--image=shale/busybox:1", "--max_results=8m");
        await using var client = await LeaseClient.StartAsync(gateway);
        await client.AddAsync(gateway, lease);
        await client.MustAsync("ssh", $"{lease}", "mkdir abs up dev big bad; ln -s /etc/passwd abs/l; ln -s ../x up/l; mkfifo dev/p; truncate -s 1G big/f; touch bad/$(printf '\\377'); echo ok >ok");
        (string Path, string Reason)[] cases =
        [
            ("none", "the lease has no /root/none"),
            ("abs", "the link l is absolute: /etc/passwd"),
            ("up", "may lead out of the tree"),
            ("dev", "is a device, socket or pipe"),
            ("/dev/zero", "is a device, socket or pipe"),
            ("big", "has 1073741824 bytes, more than the 8388608 that are left"),
            ("bad", "is not UTF-8"),
        ];
        foreach (var (path, reason) in cases)
        {
            var refused = await client.ShaleAsync("results", "pack", $"{lease}:{path}");
            Assert.Equal((path, 1), (path, refused.ExitCode));
            Assert.Contains(reason, refused.Error, StringComparison.Ordinal);
        }

        // Many small files instead of one large: over the limit only while it is written.
        await client.MustAsync("ssh", $"{lease}", "mkdir many; for i in 1 2 3 4 5 6 7 8 9; do dd if=/dev/zero of=many/$i bs=1M count=1 2>/dev/null; done");
        Assert.Contains("larger than the 8388608 bytes", (await client.ShaleAsync("results", "pack", $"{lease}:many")).Error, StringComparison.Ordinal);
        var results = Path.Combine(gateway.Folder, "state", "results");
        Assert.Empty(Directory.EnumerateFiles(results, "*", SearchOption.AllDirectories));

        (string Request, string Reason)[] requests =
        [
            ("nonsense\n", "not a line of JSON"),
            ("{\"pack\":\"ok\",\"get\":\"bafy\"}\n", "either pack or get"),
            ("{\"list\":true}\n", "not a line of JSON"),
            ("{\"pack\":\"ok\",\"preset\":\"none\"}\n", "no preset none"),
            ("{\"get\":\"../../log.key\"}\n", "not a CID"),
            ("{\"get\":\"bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy\"}\n", "there is no result"),
            ("{\"pack\":\"" + new string('x', 40_000) + "\"}\n", "not a line of JSON"),
        ];
        foreach (var (request, reason) in requests)
        {
            var refused = await Cli.RunAsync("ssh", [.. gateway.SshOptions(), "-s", $"{lease}@127.0.0.1", "results@shaleprotocol.com"], Encoding.UTF8.GetBytes(request));
            Assert.Equal((request, 1, ""), (request, refused.ExitCode, refused.Output));
            Assert.Contains(reason, refused.Error, StringComparison.Ordinal);
        }

        // A result that is not what was promised is refused by the client, whatever the provider sends.
        var cid = Manifest(await client.MustAsync("results", "pack", $"{lease}:ok")).GetProperty("payloadCid").GetString()!;
        var car = Path.Combine(results, $"{lease}", cid, "result.car");
        var bytes = await File.ReadAllBytesAsync(car);
        bytes[^1] ^= 1;
        await File.WriteAllBytesAsync(car, bytes);
        Assert.NotEqual(0, (await client.ShaleAsync("results", "get", $"{lease}", cid, Path.Combine(client.Files, "f"))).ExitCode);
        Assert.False(File.Exists(Path.Combine(client.Files, "f")));
        var missing = await client.ShaleAsync("results", "get", $"{lease}", "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", Path.Combine(client.Files, "f"));
        Assert.Contains("there is no result", missing.Error, StringComparison.Ordinal);
        Assert.Equal(64, (await client.ShaleAsync("results", "get", cid, Path.Combine(client.Files, "f"))).ExitCode);
    }

    [Fact]
    public async Task Packing_KilledOrAbandoned_LeavesNothing()
    {
        await using var gateway = await GatewayProcess.StartAsync();
        var lease = await gateway.LeaseAsync("--image=shale/busybox:1");
        await using var client = await LeaseClient.StartAsync(gateway);
        await client.AddAsync(gateway, lease);
        await client.MustAsync("ssh", $"{lease}", "truncate -s 40G huge && echo ok >ok");
        var results = Path.Combine(gateway.Folder, "state", "results", $"{lease}");

        // The client goes away.
        using (var packing = client.Start("results", "pack", $"{lease}:huge"))
        {
            await UntilAsync(() => Directory.Exists(results) && Directory.EnumerateFiles(results, "result.car", SearchOption.AllDirectories).Any(f => new FileInfo(f).Length > 0));
            var second = await client.ShaleAsync("results", "pack", $"{lease}:ok");
            Assert.Contains("another result of this lease is being packed", second.Error, StringComparison.Ordinal);
            packing.Kill(entireProcessTree: true);
        }

        await UntilAsync(() => !Directory.EnumerateFileSystemEntries(results).Any());

        // The gateway is killed.
        using (var packing = client.Start("results", "pack", $"{lease}:huge"))
        {
            await UntilAsync(() => Directory.EnumerateFiles(results, "result.car", SearchOption.AllDirectories).Any(f => new FileInfo(f).Length > 0));
            await gateway.KillAsync();
            Assert.NotEmpty(Directory.EnumerateFileSystemEntries(results));
            await packing.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(180));
            Assert.NotEqual(0, packing.ExitCode);
        }

        await gateway.LaunchAsync();
        await UntilAsync(() => !Directory.EnumerateFileSystemEntries(results).Any());
        await client.MustAsync("results", "pack", $"{lease}:ok");
    }

    [Fact]
    public async Task FinalStatement_OfAPaidLease_NamesItsResults()
    {
        await using var gateway = await GatewayProcess.StartAsync();
        await using var client = await LeaseClient.StartAsync(gateway);
        await client.MustAsync("agent", "init", "--insecure-no-passphrase");
        var key = (await client.MustAsync("agent", "key")).Output.Trim();
        var lease = await gateway.LeaseAsync("--image=shale/busybox:1", "--price=0.01fil/min", "--payer=" + key, "--deposit=1fil", "--interval=1");
        await client.AddAsync(gateway, lease, "--price=0.01fil/min", "--deposit=1fil");

        // Unpaid nothing is packed: the subsystem is served like any other session.
        var unpaid = await Cli.RunAsync("ssh", [.. gateway.SshOptions(), "-s", $"{lease}@127.0.0.1", "results@shaleprotocol.com"], "{\"pack\":\"/etc/passwd\"}\n"u8.ToArray());
        Assert.NotEqual(0, unpaid.ExitCode);
        Assert.Contains("is not paid", unpaid.Error, StringComparison.Ordinal);

        await client.MustAsync("agent", "keep", $"{lease}");
        await client.MustAsync("ssh", $"{lease}", "echo first >/first; echo second >/second");
        string[] cids =
        [
            Manifest(await client.MustAsync("results", "pack", $"{lease}:/first")).GetProperty("payloadCid").GetString()!,
            Manifest(await client.MustAsync("results", "pack", $"{lease}:/second")).GetProperty("payloadCid").GetString()!,
        ];
        File.Delete(Path.Combine(gateway.Folder, "state", "leases", $"{lease}.json"));
        JsonElement seen = default;
        for (var i = 0; i < 900 && (seen.ValueKind == JsonValueKind.Undefined || seen.GetProperty("state").GetString() != "Closed"); i++)
        {
            await Task.Delay(200);
            seen = JsonDocument.Parse((await client.MustAsync("agent", "status", "--json")).Output).RootElement.GetProperty("leases")[0].Clone();
        }

        Assert.Equal("Closed", seen.GetProperty("state").GetString());
        Assert.Equal(cids, seen.GetProperty("results").EnumerateArray().Select(r => r.GetString()));
        Assert.Contains($"final statement names result {cids[1]}", (await client.MustAsync("agent", "status")).Output, StringComparison.Ordinal);

        // And whoever has the log reads the same.
        var audit = await Cli.RunAsync(Cli.Shale, ["audit", $"{gateway.Folder}/state/log", $"--key={gateway.Folder}/state/log.pub", "--json"]);
        for (var i = 0; i < 900 && !audit.Output.Contains(cids[1], StringComparison.Ordinal); i++)
        {
            await Task.Delay(200);
            audit = await Cli.RunAsync(Cli.Shale, ["audit", $"{gateway.Folder}/state/log", $"--key={gateway.Folder}/state/log.pub", "--json"]);
        }

        Assert.True(audit.ExitCode == 0, audit.Output);
        Assert.Equal(cids, JsonDocument.Parse(audit.Output).RootElement.GetProperty("results").EnumerateArray().Select(r => r.GetProperty("cid").GetString()));
    }

    private static JsonElement Manifest(Outcome outcome) => JsonDocument.Parse(outcome.Output).RootElement;

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var i = 0; i < 1800; i++)
        {
            try
            {
                if (condition())
                {
                    return;
                }
            }
            catch (IOException)
            {
                // What is looked at comes and goes.
            }

            await Task.Delay(100);
        }

        throw new TimeoutException("The condition did not come about within three minutes.");
    }
}
