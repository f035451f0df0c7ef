namespace Shale.Containers.Files;

/// <summary>
/// A few threads with this process's own rights, which go on with what a <see cref="UserThread"/> has done. Linux gives a new thread the credentials of the one that makes it, and the runtime makes
/// threads of its pool on whatever thread queues work: a thread with a container user's rights must never queue any.
/// </summary>
internal sealed class CompletionThreads
{
    private readonly WorkQueue _done = new();

    private CompletionThreads()
    {
        for (var i = 0; i < Math.Max(2, Environment.ProcessorCount); i++)
        {
            new Thread(Run) { IsBackground = true, Name = "shale-files-end" }.Start();
        }
    }

    /// <summary>Those of this process; to be asked for first by a thread that has its rights.</summary>
    public static CompletionThreads Shared { get; } = new();

    /// <summary>Runs something that returns soon, and throws nothing.</summary>
    public void Post(Action completion) => _done.Add(completion);

    private void Run()
    {
        while (_done.TryTake(out var completion))
        {
            completion();
        }
    }
}
