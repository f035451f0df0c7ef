using System.Collections.Immutable;
using System.Text;
using Shale.Containers.Exec;
using Shale.Containers.Files;
using Shale.Containers.Leases;
using Shale.Data;
using Shale.Data.Cids;
using Shale.Data.Store;
using Shale.Gateway.Results;
using Shale.Leases;
using Xunit;

namespace Shale.Gateway.Tests.Results;

/// <summary>Packing from a real container: whose rights it has, when it stands still, what it may take, and what statements then name.</summary>
public sealed class LeaseResultsTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("shale-lr-").FullName;

    private LeaseHost Host { get; set; } = null!;

    private LeaseContainer Container { get; set; } = null!;

    private static CancellationToken Soon => new CancellationTokenSource(TimeSpan.FromMinutes(2)).Token;

    public async Task InitializeAsync()
    {
        Host = new LeaseHost(new LeaseHostOptions { StateDirectory = Path.Combine(_folder, "run"), Network = "shale-test" });
        var spec = new LeaseSpec { Image = "shale/busybox:1", User = "1000:1000", PullMissingImage = false };
        Container = await Host.CreateAsync("lr" + Guid.NewGuid().ToString("n")[..8], spec, null, Soon);
    }

    public async Task DisposeAsync()
    {
        await Container.RemoveAsync(Soon);
        await Container.DisposeAsync();
        await Host.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Pack_HasTheRightsOfTheLeasesUser()
    {
        await RunAsync("mkdir -p /dev/shm/out/sub && echo mine >/dev/shm/out/sub/f && mkdir /dev/shm/closed && echo x >/dev/shm/closed/f && chmod 0 /dev/shm/closed/f /dev/shm/closed");
        var results = new LeaseResults(_folder, TimeProvider.System);
        var packed = await PackAsync(results, "/dev/shm/out", Lease());
        Assert.Equal(DataError.None, packed.Error);
        Assert.Equal((3, 5), (packed.Value.Entries, packed.Value.FileBytes));
        Assert.True(File.Exists(packed.Value.CarPath));

        // Root's file, which a process of the user could not read either; and a directory that the user closed to itself.
        var refused = await Assert.ThrowsAsync<IOException>(() => PackAsync(results, "/dev/shm/closed", Lease()));
        Assert.Contains("the lease's user may not", refused.Message, StringComparison.Ordinal);
        Assert.Equal([packed.Value.PayloadCid], Directory.GetFileSystemEntries(results.Folder(7)).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Pack_OfALeaseThatIsNotServed_StandsStillAndGoesOnOrEnds()
    {
        await RunAsync("mkdir /dev/shm/out; dd if=/dev/urandom of=/dev/shm/out/f bs=1M count=20 2>/dev/null");
        var results = new LeaseResults(_folder, TimeProvider.System);
        using var paused = new ManualResetEventSlim();
        using var asked = new SemaphoreSlim(0);
        using var end = new CancellationTokenSource();
        void Turn()
        {
            asked.Release();
            paused.Wait(end.Token);
        }

        var packing = PackAsync(results, "/dev/shm/out", Lease(), Turn);
        Assert.True(await asked.WaitAsync(TimeSpan.FromMinutes(2)));
        Assert.False(packing.IsCompleted);
        Assert.Equal(DataFault.InUse, (await PackAsync(results, "/dev/shm/out", Lease())).Error.Fault);
        Assert.Empty(results.Cids(7));
        paused.Set();
        var first = (await packing).Value;
        Assert.Equal([first.PayloadCid], results.Cids(7).Select(Text));

        // Over while it stands still: nothing stays of it.
        paused.Reset();
        await RunAsync("echo more >/dev/shm/out/g");
        packing = PackAsync(results, "/dev/shm/out", Lease(), Turn);
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => packing);
        Assert.Equal([first.PayloadCid], Directory.GetFileSystemEntries(results.Folder(7)).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Results_OfALease_ShareItsLimitAndAreNamedOldestFirst()
    {
        var results = new LeaseResults(_folder, TimeProvider.System);
        var names = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            await RunAsync($"dd if=/dev/urandom of=/dev/shm/f{i} bs=1024 count=1024 2>/dev/null");
            names.Add((await PackAsync(results, $"/dev/shm/f{i}", Lease())).Value.PayloadCid);
            Assert.Equal(names, results.Cids(7).Select(Text));
        }

        // Another gateway reads the same from the folders; the limit counts what is there.
        Assert.Equal(names, new LeaseResults(_folder, TimeProvider.System).Cids(7).Select(Text));
        var full = await PackAsync(results, "/dev/shm/f0", Lease() with { MaxResultBytes = 3 << 20 });
        Assert.Equal(DataFault.TooLarge, full.Error.Fault);
        Assert.Empty(results.Cids(8));
        Assert.Equal(DataFault.NotFound, results.Open(8, Cid.Parse(names[0])).Error.Fault);
        using var car = results.Open(7, Cid.Parse(names[0])).Value;
        Assert.True(car.Length > 1 << 20);
        Directory.Delete(results.Folder(7), recursive: true);
        Assert.Empty(results.Cids(7));
    }

    [Fact]
    public async Task Pack_OfATreeThatIsWrittenMeanwhile_NeverPacksWhatNeverWas()
    {
        await RunAsync("mkdir /dev/shm/out; echo before >/dev/shm/out/f; ln -s /etc/passwd /dev/shm/link");
        await using var files = await Container.OpenFilesAsync(null, Soon);
        var tree = new ContainerTree(files, "/dev/shm/out"u8.ToArray(), long.MaxValue, () => { }, Soon);
        var listed = Assert.Single(tree.List(""));
        Assert.Equal(("f", 7), (listed.Name, listed.Length));

        // A link in the place of the file is not followed, though it was a file when it was listed.
        await RunAsync("mv /dev/shm/link /dev/shm/out/f");
        var replaced = Assert.Throws<IOException>(() => tree.Open("f"));
        Assert.Contains("was replaced", replaced.Message, StringComparison.Ordinal);
        Assert.Equal("/etc/passwd", tree.ReadLink("f"));
    }

    private static string Text(ImmutableArray<byte> cid)
    {
        Assert.False(Cid.TryRead(cid.AsSpan(), out var parsed, out _).IsError);
        return parsed!.ToString();
    }

    private static LeaseRecord Lease() => new() { Id = 7, AuthorizedKeys = [], Container = new ContainerTerms { Image = "x", Cpus = 1 } };

    private async Task<DataResult<ResultManifest>> PackAsync(LeaseResults results, string path, LeaseRecord lease, Action? turn = null)
    {
        await using IContainerFileTree files = await Container.OpenFilesAsync(null, Soon);
        return await results.PackAsync(files, path, lease, turn ?? (() => { }), null, null, Soon);
    }

    private async Task RunAsync(string command)
    {
        await using var process = await Container.StartAsync(new ExecRequest { Command = Encoding.UTF8.GetBytes(command) }, Soon);
        using var error = new StreamReader(process.Stderr!);
        var said = await error.ReadToEndAsync(Soon);
        Assert.True((await process.Exited.WaitAsync(Soon)).Code == 0, said);
    }
}
