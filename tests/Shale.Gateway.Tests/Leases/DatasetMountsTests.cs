using Shale.Containers.Leases;
using Shale.Data.Store;
using Shale.Gateway.Leases;
using Shale.Leases;
using Xunit;

namespace Shale.Gateway.Tests.Leases;

/// <summary>What a gateway binds for a mount by CID, from a real store.</summary>
public sealed class DatasetMountsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("shale-dm-").FullName;
    private readonly List<string> _said = [];

    private string Store => Path.Combine(_folder, "data");

    private string Source => Path.Combine(_folder, "set");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Mount_ByCid_IsTheVerifiedContentOfTheGatewaysStore()
    {
        var dataset = Add();
        var bound = await ResolveAsync(dataset.Cid.ToString(), $"{dataset.Cid}/sub/two.bin");
        Assert.Equal([new ReadOnlyMount(Source, "/mnt/0"), new ReadOnlyMount(Path.Combine(Source, "sub/two.bin"), "/mnt/1")], bound);
        Assert.Contains($"verifying the data set {dataset.Cid}", _said);
    }

    [Fact]
    public async Task Mount_OfAFileThatChanged_IsRefusedUntilItIsRestored()
    {
        var dataset = Add();
        var file = Path.Combine(Source, "sub/two.bin");
        await File.WriteAllTextAsync(file, "twO");
        var error = await Assert.ThrowsAsync<IOException>(() => ResolveAsync(dataset.Cid.ToString()));
        Assert.Contains(file, error.Message, StringComparison.Ordinal);
        Assert.Contains("restore", error.Message, StringComparison.Ordinal);
        await ResolveAsync($"{dataset.Cid}/one.txt");
        await File.WriteAllTextAsync(file, "two");
        await ResolveAsync(dataset.Cid.ToString());
    }

    [Fact]
    public async Task Mount_OfWhatTheStoreLacks_SaysHowToAddIt()
    {
        var dataset = Add();
        foreach (var source in new[] { "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", $"{dataset.Cid}/none", $"{dataset.Cid}/../set" })
        {
            var error = await Assert.ThrowsAsync<IOException>(() => ResolveAsync(source));
            Assert.Contains("can't be mounted", error.Message, StringComparison.Ordinal);
        }

        Directory.Delete(Store, recursive: true);
        var gone = await Assert.ThrowsAsync<IOException>(() => ResolveAsync(dataset.Cid.ToString()));
        Assert.Contains("shale dataset add", gone.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/etc")]
    [InlineData("")]
    [InlineData("bafynonsense!")]
    [InlineData("../data")]
    public async Task Mount_WithoutHostPath_NeverIsAPathOfTheHost(string source)
    {
        var error = await Assert.ThrowsAsync<IOException>(() => ResolveAsync(source));
        Assert.Contains("not a data set's CID", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Mount_WithHostPath_IsThatPath()
    {
        var bound = await new DatasetMounts(Store).ResolveAsync([new MountTerms { Source = "anything", HostPath = "/srv/x", Target = "/x" }], new Progress<string>(), default);
        Assert.Equal([new ReadOnlyMount("/srv/x", "/x")], bound);
        Assert.False(Directory.Exists(Store));
    }

    [Fact]
    public async Task Mounts_OfManyLeasesAtOnce_LeaveOneListOfWhatWasVerified()
    {
        var dataset = Add();
        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => ResolveAsync(dataset.Cid.ToString()))));
        Assert.Empty(Directory.GetFiles(dataset.Folder).Select(Path.GetFileName).Except(["manifest.json", "files.jsonl", "verified.json"]));
    }

    private Dataset Add()
    {
        Directory.CreateDirectory(Path.Combine(Source, "sub"));
        File.WriteAllText(Path.Combine(Source, "one.txt"), "one");
        File.WriteAllText(Path.Combine(Source, "sub/two.bin"), "two");
        var added = DatasetStore.Open(Store).Value.Add(new AddRequest { Path = Source, Placement = PlacementRule.InPlace });
        Assert.True(added.Ok, added.Error.ToString());
        return added.Value;
    }

    private Task<IReadOnlyList<ReadOnlyMount>> ResolveAsync(params string[] sources) =>
        new DatasetMounts(Store).ResolveAsync([.. sources.Select((s, i) => new MountTerms { Source = s, Target = $"/mnt/{i}" })], new Told(_said), default);

    private sealed class Told(List<string> said) : IProgress<string>
    {
        public void Report(string value)
        {
            lock (said)
            {
                said.Add(value);
            }
        }
    }
}
