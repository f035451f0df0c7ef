using System.Globalization;
using Shale.Containers.Exec;
using Shale.Containers.Files;
using Xunit;

namespace Shale.Containers.Tests;

/// <summary>The thread that has a container user's rights keeps them to itself.</summary>
public sealed class UserThreadTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>
    /// A thread is made with the rights of the one that makes it, and the runtime makes those of its pool where work is queued, whenever none is idle. One that was made here would write the
    /// gateway's own files as the container's user, or fail to; so what follows a call is not queued to the pool from here.
    /// </summary>
    [Fact]
    public async Task WhatFollowsACallHasTheProcessesRightsAndIsNotQueuedToThePool()
    {
        const uint Uid = 3_141_592;
        using var thread = new UserThread(new ContainerUser("somebody", Uid, Uid, [], "/", "/bin/sh"), "shale-test");
        using var followed = new ManualResetEventSlim();
        var call = thread.RunAsync(
            () =>
            {
                followed.Wait();
                return EffectiveUser();
            },
            CancellationToken.None);
        var follower = call.ContinueWith(_ => (EffectiveUser(), Thread.CurrentThread.IsThreadPoolThread), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        followed.Set();
        Assert.Equal((0u, false), await follower.WaitAsync(Patience));
        Assert.Equal(Uid, await call);
    }

    private static uint EffectiveUser() => uint.Parse(
        File.ReadLines("/proc/thread-self/status").First(l => l.StartsWith("Uid:", StringComparison.Ordinal)).Split('\t')[2], CultureInfo.InvariantCulture);
}
