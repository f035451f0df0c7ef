using System.Buffers.Binary;
using Xunit;

namespace Shale.Interop.Tests.Payments;

/// <summary>Disks that are full, and files that a crash left torn.</summary>
[Collection(nameof(PaymentCollection))]
public sealed class DiskTests
{
    /// <summary>What can't be recorded is not credited: the container is frozen, nothing that was acknowledged is lost, and it goes on by itself when there is room.</summary>
    [Fact]
    public async Task Gateway_OnAFullDisk_CreditsNothingAndGoesOnWhenThereIsRoom()
    {
        var folder = Directory.CreateTempSubdirectory("shale-it-").FullName;
        Directory.CreateDirectory(Path.Combine(folder, "state"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var disk = await SmallDisk.MountAsync(Path.Combine(folder, "state"));
        var gateway = await GatewayProcess.StartAsync(folder: folder);
        gateway.BeforeDelete = disk.DisposeAsync;
        await using var paid = await PaidLease.StartAsync(gateway, ownsGateway: true);
        await paid.PayAsync();
        paid.AssertHolds("before");
        disk.Fill();
        await paid.FrozenAsync();
        var full = paid.AssertHolds("on a full disk");

        // The agent signs what it is asked; it is its record that the gateway takes up when it can.
        await Wait.UntilAsync(() => PaymentFiles.Signed(paid.Home, paid.Lease)[^1].Amount > full.Authorised, "a voucher that can't be logged");
        disk.Clear();
        await paid.PaidAsync(2);
        await Wait.UntilAsync(() => paid.AssertHolds("with room again").Phase == 2, "the meter to run");
        await paid.EndAndAuditAsync();
    }

    /// <summary>The same at the client: a voucher that is not on the agent's disk is not sent.</summary>
    [Fact]
    public async Task Agent_OnAFullDisk_SendsNothingAndGoesOnWhenThereIsRoom()
    {
        await using var paid = await PaidLease.StartAsync();
        await paid.PayAsync();
        await using var disk = await SmallDisk.MountAsync(Path.Combine(paid.Home, "vouchers"), keep: true, around: paid);
        await paid.PaidAsync(1);
        disk.Fill();
        await paid.FrozenAsync();
        paid.AssertHolds("the agent's disk full");
        var line = "";
        await Wait.UntilAsync(
            async () => (line = (await paid.ShaleAsync(0, "session", paid.Lease.ToString(System.Globalization.CultureInfo.InvariantCulture), "--once")).Output).Contains("can't write its own log", StringComparison.Ordinal),
            "the session's line to say why",
            () => line);
        disk.Clear();
        await paid.PaidAsync(2);
        paid.AssertHolds("with room again");
        await paid.EndAndAuditAsync();
    }

    /// <summary>An append that a crash cut short, at either side: cut off and said; nobody was told of it.</summary>
    [Fact]
    public async Task Logs_TornAtTheirEnd_AreCutOffAndGoOn()
    {
        await using var paid = await PaidLease.StartAsync();
        await paid.PayAsync();
        await paid.Gateway.KillAsync();
        await paid.KillAgentAsync();
        paid.EndShells();
        paid.AssertHolds("killed");
        var journal = Path.Combine(paid.Gateway.State, "log", "journal", "00000000000000000000");
        var vouchers = Directory.GetFiles(Path.Combine(paid.Home, "vouchers")).Single();
        foreach (var (file, overhead) in new[] { (journal, 8), (vouchers, 12) })
        {
            // The last whole record once more, without its last byte.
            var bytes = await File.ReadAllBytesAsync(file);
            var at = file == journal ? 16 : 0;
            var last = at;
            while (at < bytes.Length)
            {
                last = at;
                at += overhead + BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at));
            }

            await File.WriteAllBytesAsync(file, [.. bytes, .. bytes[last..^1]]);
        }

        await paid.Gateway.LaunchAsync();
        await paid.StartAgentAsync();
        await paid.PayAsync();
        paid.AssertHolds("torn");
        await Wait.UntilAsync(() => paid.Gateway.Log.Contains("of an append that a crash cut short", StringComparison.Ordinal), "the gateway to say so");
        await paid.EndAndAuditAsync();
    }

    /// <summary>A file system of a few megabytes.</summary>
    private sealed class SmallDisk : IAsyncDisposable
    {
        private readonly string _folder;

        private SmallDisk(string folder) => _folder = folder;

        private string Ballast => Path.Combine(_folder, "ballast");

        /// <param name="folder">Where; with <paramref name="keep"/>, what is in it moves onto the disk while the agent is down.</param>
        /// <param name="keep">Whether there is something in it.</param>
        /// <param name="around">Whose agent is stopped for that.</param>
        public static async Task<SmallDisk> MountAsync(string folder, bool keep = false, PaidLease? around = null)
        {
            if (around is not null)
            {
                await around.KillAgentAsync();
            }

            var held = Directory.CreateTempSubdirectory("shale-it-held-").FullName;
            if (keep)
            {
                await GatewayProcess.MustAsync("cp", ["-a", folder + "/.", held]);
            }

            await GatewayProcess.MustAsync("mount", ["-t", "tmpfs", "-o", "size=24m,mode=0700", "none", folder]);
            await GatewayProcess.MustAsync("cp", ["-a", held + "/.", folder]);
            Directory.Delete(held, recursive: true);
            if (around is not null)
            {
                await around.StartAgentAsync();
            }

            return new SmallDisk(folder);
        }

        /// <summary>To the last byte.</summary>
        public void Fill()
        {
            using var file = new FileStream(Ballast, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
            foreach (var size in new[] { 1 << 20, 4096, 1 })
            {
                try
                {
                    while (true)
                    {
                        file.Write(new byte[size]);
                    }
                }
                catch (IOException)
                {
                    // Full, to this size.
                }
            }
        }

        public void Clear() => File.Delete(Ballast);

        public async ValueTask DisposeAsync() => await GatewayProcess.MustAsync("umount", ["-l", _folder]);
    }
}
