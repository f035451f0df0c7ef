using System.Globalization;
using Shale.Containers.Exec;
using Shale.Containers.Files;
using Xunit;

namespace Shale.Containers.Tests;

/// <summary>Calls that have a container user's rights, and nothing else that has them.</summary>
public sealed class UserCallsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private static readonly ContainerUser Somebody = new("somebody", 3_141_592, 3_141_592, [], "/", "/bin/sh");

    /// <summary>All that the kernel asks about, in a call and after it, more than once: ids, groups and capabilities.</summary>
    [Theory]
    [InlineData(3_141_592u, 2_718_281u, "0000000000000000")]
    [InlineData(0u, 0u, "000000000000001b")] // chown, dac_override, fowner and fsetid
    public async Task ACallHasTheUsersRightsAndWhatFollowsHasTheProcesses(uint uid, uint gid, string capabilities)
    {
        var own = Rights.OfThisThread();
        using var calls = new UserCalls(new ContainerUser("somebody", uid, gid, [gid, 77_777], "/", "/bin/sh"), "shale-test");
        for (var i = 0; i < 3; i++)
        {
            // What comes after an end that was waited for may be on the session's thread, which would make the next call at once.
            await Task.Yield();
            using var followed = new ManualResetEventSlim();
            var call = calls.RunAsync(
                () =>
                {
                    followed.Wait(Patience);
                    return (Rights.OfThisThread(), Thread: Environment.CurrentManagedThreadId);
                },
                CancellationToken.None).AsTask();
            var follower = call.ContinueWith(_ => (Rights.OfThisThread(), Thread: Environment.CurrentManagedThreadId), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            followed.Set();
            var (after, where) = await follower.WaitAsync(Patience);
            var (during, there) = await call;
            Assert.Equal(new Rights(uid, gid, $"{Math.Min(gid, 77_777)} {Math.Max(gid, 77_777)}", capabilities), during);
            Assert.Equal(own, after);
            Assert.Equal(there, where);
        }
    }

    /// <summary>
    /// A thread is made with the rights of the one that makes it, and the runtime makes those of its pool where work is queued, whenever none is idle. One with a container user's rights
    /// would write the gateway's own files as that user, or fail to.
    /// </summary>
    [Fact]
    public async Task AThreadThatIsMadeAfterACallHasTheProcessesRights()
    {
        var own = Rights.OfThisThread();
        using var calls = new UserCalls(Somebody, "shale-test");
        using var followed = new ManualResetEventSlim();
        var call = calls.RunAsync(() => followed.Wait(Patience), CancellationToken.None).AsTask();
        var follower = call.ContinueWith(_ => OfNewThread(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        followed.Set();
        Assert.Equal(own, await follower.WaitAsync(Patience));

        static Rights OfNewThread()
        {
            Rights? made = null;
            var child = new Thread(() => made = Rights.OfThisThread());
            child.Start();
            child.Join();
            return made!;
        }
    }

    /// <summary>On a thread that waits for descriptors: made there where the caller may wait, on the session's own where not; with the same rights, and others are served meanwhile.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ACallOfAReactorsThreadIsMadeThereIfItMayWait(bool mayWait)
    {
        var own = Rights.OfThisThread();
        using var calls = new UserCalls(Somebody, "shale-test") { CallerMayWait = () => mayWait };
        using var inCall = new ManualResetEventSlim();
        using var goOn = new ManualResetEventSlim();
        var (reader, far) = Native.CreatePipe(readHere: true, 1 << 16);
        using var writer = new FileStream(far, FileAccess.Write, bufferSize: 0);
        var serving = ServeAsync(reader);
        writer.WriteByte(1);
        Assert.True(inCall.Wait(Patience));

        var (otherReader, otherFar) = Native.CreatePipe(readHere: true, 1 << 16);
        using var otherWriter = new FileStream(otherFar, FileAccess.Write, bufferSize: 0);
        using var other = new DescriptorStream(new PolledHandle(otherReader), true, false, ownsHandle: true, runsInline: true);
        var reading = other.ReadAsync(new byte[1]).AsTask();
        otherWriter.WriteByte(1);
        Assert.Equal(1, await reading.WaitAsync(Patience));

        goOn.Set();
        var (caller, callee, during, after) = await serving.WaitAsync(Patience);
        Assert.Equal(mayWait, caller == callee);
        Assert.Equal(3_141_592u, during.Uid);
        Assert.Equal(own, after);

        async Task<(int Caller, int Callee, Rights During, Rights After)> ServeAsync(Microsoft.Win32.SafeHandles.SafeFileHandle from)
        {
            using var stream = new DescriptorStream(new PolledHandle(from), true, false, ownsHandle: true, runsInline: true);
            await stream.ReadAsync(new byte[1]).ConfigureAwait(false);
            var caller = Environment.CurrentManagedThreadId;
            var (callee, during) = await calls.RunAsync(
                () =>
                {
                    inCall.Set();
                    goOn.Wait(Patience);
                    return (Environment.CurrentManagedThreadId, Rights.OfThisThread());
                },
                CancellationToken.None).ConfigureAwait(false);
            return (caller, callee, during, Rights.OfThisThread());
        }
    }

    /// <summary>What follows a call may ask for the next one on the session's thread, which makes it at once rather than waiting for itself.</summary>
    [Fact]
    public async Task ACallThatFollowsOneOnTheSessionsThreadIsMadeThere()
    {
        using var calls = new UserCalls(Somebody, "shale-test");
        using var followed = new ManualResetEventSlim();
        var first = calls.RunAsync(() => followed.Wait(Patience), CancellationToken.None).AsTask();
        var second = first.ContinueWith(
            _ =>
            {
                var next = calls.RunAsync(Rights.OfThisThread, CancellationToken.None);
                return (next.IsCompletedSuccessfully, next.AsTask());
            },
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        followed.Set();
        var (atOnce, rights) = await second.WaitAsync(Patience);
        Assert.True(atOnce);
        Assert.Equal(3_141_592u, (await rights).Uid);
    }

    /// <summary>A call that throws, is cancelled before it is made or comes too late takes nothing with it.</summary>
    [Fact]
    public async Task ACallThatFailsLeavesTheNextOneAlone()
    {
        var calls = new UserCalls(Somebody, "shale-test");
        await Assert.ThrowsAsync<FormatException>(() => calls.RunAsync<bool>(() => throw new FormatException(), CancellationToken.None).AsTask().WaitAsync(Patience));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => calls.RunAsync(() => true, new CancellationToken(canceled: true)).AsTask().WaitAsync(Patience));
        Assert.Equal(3_141_592u, (await calls.RunAsync(Rights.OfThisThread, CancellationToken.None).AsTask().WaitAsync(Patience)).Uid);
        calls.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await calls.RunAsync(() => true, CancellationToken.None));
    }

    private static string Status(string name) =>
        File.ReadLines("/proc/thread-self/status").First(l => l.StartsWith(name + ":", StringComparison.Ordinal))[(name.Length + 1)..].Trim();

    /// <summary>What proc(5) says of a thread: the effective ids, which are the file system's too, and capabilities.</summary>
    private sealed record Rights(uint Uid, uint Gid, string Groups, string Capabilities)
    {
        public static Rights OfThisThread()
        {
            var (uids, gids) = (Status("Uid").Split('\t'), Status("Gid").Split('\t'));
            Assert.Equal((uids[1], gids[1]), (uids[3], gids[3]));
            return new Rights(uint.Parse(uids[1], CultureInfo.InvariantCulture), uint.Parse(gids[1], CultureInfo.InvariantCulture), Status("Groups"), Status("CapEff"));
        }
    }
}
