using System.Runtime.InteropServices;
using Shale.Containers.Exec;

namespace Shale.Containers.Files;

/// <summary>
/// A thread that has given up this process's rights for those of one user of one container: effective user and groups, and only the
/// capabilities that the container itself has (none unless the user is root). So the kernel decides about every file that it touches.
/// </summary>
/// <remarks>
/// Linux keeps credentials per thread; only the C library's wrappers change them for all threads, so the bare system calls are used here.
/// Real and saved user id stay: the kernel lets a user signal and trace what has his real or saved id, and somebody on this machine may have
/// the container's number. The thread is never given back to a pool, and queues nothing to one: see <see cref="CompletionThreads"/>. (The runtime may make a thread of its own
/// on it, as for its compiler; none of those runs code of ours.)
/// </remarks>
internal sealed unsafe partial class UserThread : IDisposable
{
    /// <summary>More than a session has under way; whoever asks for more waits in his own code.</summary>
    private const int MaxQueued = 256;

    private readonly CompletionThreads _completions = CompletionThreads.Shared;
    private readonly uint _umask;
    private long _changes;
    private readonly WorkQueue _work = new(MaxQueued);

    /// <summary>Starts it.</summary>
    /// <param name="user">Whose rights it has.</param>
    /// <param name="name">For debuggers.</param>
    /// <param name="umask">Permission bits that what it makes lacks.</param>
    public UserThread(ContainerUser user, string name, uint umask = 0)
    {
        User = user;
        _umask = umask;
        var ready = new TaskCompletionSource();
        var thread = new Thread(() => Run(ready)) { IsBackground = true, Name = name };
        thread.Start();
        ready.Task.GetAwaiter().GetResult();
    }

    public ContainerUser User { get; }

    /// <summary>Counts what this session changed in files, so that nothing read before is taken for what is there after.</summary>
    public long Changes => Interlocked.Read(ref _changes);

    public void NoteChange() => Interlocked.Increment(ref _changes);

    /// <summary>Runs on the thread; waits there may be as long as the disk's. What follows is not for the thread pool either: it never blocks.</summary>
    public Task<T> RunAsync<T>(Func<T> call, CancellationToken cancellationToken)
    {
        // Its continuations run where it is completed.
        var done = new TaskCompletionSource<T>();
        try
        {
            _work.Add(() => _completions.Post(Attempt(call, done, cancellationToken)));
        }
        catch (InvalidOperationException)
        {
            throw new ObjectDisposedException(nameof(UserThread));
        }

        return done.Task;
    }

    /// <summary>Makes a call, and says what tells of its end.</summary>
    private static Action Attempt<T>(Func<T> call, TaskCompletionSource<T> done, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return () => done.TrySetCanceled(cancellationToken);
        }

        try
        {
            var result = call();
            return () => done.TrySetResult(result);
        }
#pragma warning disable CA1031 // whatever it is belongs to the caller; the thread has to go on
        catch (Exception e)
#pragma warning restore CA1031
        {
            return () => done.TrySetException(e);
        }
    }

    /// <summary>Ends the thread after what is queued.</summary>
    public void Dispose() => _work.End();

    private void Run(TaskCompletionSource ready)
    {
        try
        {
            BecomeUser();
        }
        catch (IOException e)
        {
            ready.SetException(e);
            return;
        }

        ready.SetResult();
        while (_work.TryTake(out var work))
        {
            work();
        }
    }

    private void BecomeUser()
    {
        const int CloneFs = 0x200;
        var x64 = RuntimeInformation.ProcessArchitecture == Architecture.X64;
        nint setGroups = x64 ? 116 : 159, setGid = x64 ? 119 : 149, setUid = x64 ? 117 : 147, capSet = x64 ? 126 : 91;

        // An own umask (and current folder), so that modes are what the client asked for.
        Native.Check(Unshare(CloneFs), "unshare(CLONE_FS)");
        _ = Umask(_umask);
        var groups = User.Groups.ToArray();
        fixed (uint* first = groups)
        {
            Native.Check((int)Syscall(setGroups, groups.Length, (nint)first, 0), "setgroups");
        }

        Native.Check((int)Syscall(setGid, (nint)User.Gid, (nint)User.Gid, (nint)User.Gid), "setresgid");
        Native.Check((int)Syscall(setUid, -1, (nint)User.Uid, -1), "setresuid");

        ulong kept = 0;
        if (User.Uid == 0)
        {
            // chown, dac_override, fowner, fsetid (capabilities(7)): those of LeaseHost.Capabilities that are about files.
            kept = (1UL << 0) | (1UL << 1) | (1UL << 3) | (1UL << 4);
        }

        // struct __user_cap_header_struct {version 3, pid 0: this thread}, then two of {effective, permitted, inheritable}.
        var header = stackalloc uint[2] { 0x20080522, 0 };
        var data = stackalloc uint[6] { (uint)kept, (uint)kept, 0, (uint)(kept >> 32), (uint)(kept >> 32), 0 };
        Native.Check((int)Syscall(capSet, (nint)header, (nint)data, 0), "capset");
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Syscall(nint number, nint first, nint second, nint third);

    [LibraryImport("libc", EntryPoint = "unshare", SetLastError = true)]
    private static partial int Unshare(int flags);

    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint Umask(uint mask);
}
