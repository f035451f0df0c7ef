using Shale.Data.Store;
using Xunit;

namespace Shale.Data.Tests.Store;

public sealed class LockTests
{
    [Fact]
    public void Lock_ThatAnotherHolds_IsNotTakenAndNoError()
    {
        var path = Path.Combine(Path.GetTempPath(), $"shale-{Guid.NewGuid():n}.lock");
        using (var held = HostFiles.TryLock(path))
        {
            Assert.NotNull(held);
            Assert.Null(HostFiles.TryLock(path));
        }

        using (var again = HostFiles.TryLock(path))
        {
            Assert.NotNull(again);
        }

        File.Delete(path);
    }

    /// <summary>Many at once, each removing the file when it is done: at most one holds it at a time, and nobody fails.</summary>
    [Fact]
    public void Locks_OfManyThreads_AreHeldByOneAtATime()
    {
        var path = Path.Combine(Path.GetTempPath(), $"shale-{Guid.NewGuid():n}.lock");
        var (holders, taken) = (0, 0);
        Parallel.For(0, 8, _ =>
        {
            for (var i = 0; i < 500; i++)
            {
                using var held = HostFiles.TryLock(path);
                if (held is null)
                {
                    continue;
                }

                Assert.Equal(1, Interlocked.Increment(ref holders));
                Interlocked.Increment(ref taken);
                Interlocked.Decrement(ref holders);
                File.Delete(path);
            }
        });
        Assert.True(taken > 8);
    }
}
