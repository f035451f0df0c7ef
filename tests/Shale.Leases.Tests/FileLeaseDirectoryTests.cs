using Xunit;

namespace Shale.Leases.Tests;

public sealed class FileLeaseDirectoryTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("shale-leases-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Record_WrittenAndRead_IsTheSame()
    {
        var directory = Open();
        var lease = Lease(7) with
        {
            State = LeaseState.Closing,
            Provider = "f01946720",
            Payment = new PaymentTerms { ChainId = 314159, Contract = "0x00", PayerKey = "ab", PricePerSecond = "166666666666666", Deposit = "79228162514264337593543950335" },
            EndsAt = new DateTimeOffset(2026, 11, 21, 12, 0, 0, TimeSpan.Zero),
        };
        FileLeaseDirectory.Write(_root, lease);
        var read = Open().Find(7)!;
        Assert.Equal(lease.Payment, read.Payment);
        Assert.Equal((lease.State, lease.Provider, lease.EndsAt, lease.Container.Image), (read.State, read.Provider, read.EndsAt, read.Container.Image));
        Assert.Equal(lease.AuthorizedKeys, read.AuthorizedKeys);
        Assert.Null(directory.Find(8));
    }

    /// <summary>Operator and gateway may be two users of one group; who is neither is kept out by the folder's mode.</summary>
    [Fact]
    public void Files_OfTheDirectory_AreReadableByItsGroupAndNobodyElse()
    {
        FileLeaseDirectory.Write(_root, Lease(7));
        FileLeaseDirectory.WriteStatus(_root, new LeaseStatus { Id = 7, Service = ServiceState.Serving, At = DateTimeOffset.UnixEpoch });
        FileLeaseDirectory.WriteRecordedSettlements(_root, 7, 3);
        foreach (var path in new[] { "leases/7.json", "status/7.json", "status/7.settled" })
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead, File.GetUnixFileMode(Path.Combine(_root, path)));
        }

        AtomicFile.Write(Path.Combine(_root, "secret"), [1]);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_root, "secret")));
    }

    /// <summary>What an administrator made for two users keeps its mode.</summary>
    [Fact]
    public void Folders_ThatAreThere_KeepTheirMode()
    {
        const UnixFileMode ForAGroup = UnixFileMode.SetGroup | UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute;
        var folder = Directory.CreateDirectory(Path.Combine(_root, "leases"));
        File.SetUnixFileMode(folder.FullName, ForAGroup);
        FileLeaseDirectory.Prepare(_root);
        Assert.Equal(ForAGroup, File.GetUnixFileMode(folder.FullName));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.Combine(_root, "status")));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("""{"version":2,"id":7,"authorized_keys":[],"container":{"image":"x"}}""")]
    [InlineData("""{"version":1,"id":8,"authorized_keys":[],"container":{"image":"x"}}""")]
    [InlineData("""{"version":1,"id":7,"authorized_keys":[],"container":{"image":"x","memory":"16g"}}""")]
    [InlineData("""{"version":1,"id":7,"authorized_keys":[]}""")]
    public void Record_ThatIsBad_LeavesTheLastGoodVersionInForce(string bad)
    {
        FileLeaseDirectory.Write(_root, Lease(7));
        File.WriteAllText(Path.Combine(_root, "leases", "9.json"), bad.Replace("7", "9", StringComparison.Ordinal));
        var directory = Open();
        Assert.NotNull(directory.Find(7));
        Assert.Null(directory.Find(9));
        File.WriteAllText(Path.Combine(_root, "leases", "7.json"), bad);
        Assert.NotNull(directory.Find(7));
    }

    [Fact]
    public async Task Follow_ChangesOnDisk_AreSeenInOrder()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        FileLeaseDirectory.Write(_root, Lease(1));
        await using var changes = Open().FollowAsync(limit.Token).GetAsyncEnumerator(limit.Token);
        Assert.True(await changes.MoveNextAsync());
        Assert.Equal(1UL, changes.Current.Id);

        var added = changes.MoveNextAsync();
        FileLeaseDirectory.Write(_root, Lease(2));
        Assert.True(await added);
        Assert.Equal((2UL, LeaseState.Active), (changes.Current.Id, changes.Current.State));

        var removed = changes.MoveNextAsync();
        FileLeaseDirectory.Remove(_root, 1);
        Assert.True(await removed);
        Assert.Equal((1UL, LeaseState.Closed), (changes.Current.Id, changes.Current.State));
    }

    [Fact]
    public void TakeId_AfterTheHighestLeaseWasRemoved_DoesNotReuseItsNumber()
    {
        Open();
        Assert.Equal(1UL, FileLeaseDirectory.TakeId(_root));
        FileLeaseDirectory.Write(_root, Lease(41));
        Assert.Equal(42UL, FileLeaseDirectory.TakeId(_root));
        FileLeaseDirectory.Remove(_root, 41);
        Assert.Equal(43UL, FileLeaseDirectory.TakeId(_root));
    }

    [Fact]
    public void Status_WrittenAndRead_IsTheSame()
    {
        Open();
        Assert.Null(FileLeaseDirectory.ReadStatus(_root, 5));
        var status = new LeaseStatus { Id = 5, Service = ServiceState.Paused, Container = "abc", Message = "unpaid", At = DateTimeOffset.UnixEpoch };
        FileLeaseDirectory.WriteStatus(_root, status);
        Assert.Equal(status, FileLeaseDirectory.ReadStatus(_root, 5));
    }

    private FileLeaseDirectory Open() => new(_root, (_, _) => { });

    private static LeaseRecord Lease(ulong id) => new() { Id = id, AuthorizedKeys = ["ssh-ed25519 AAAA"], Container = new ContainerTerms { Image = "shale/debian:12" } };
}
