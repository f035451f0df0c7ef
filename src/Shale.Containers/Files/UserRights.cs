using System.Runtime.InteropServices;
using Shale.Containers.Exec;

namespace Shale.Containers.Files;

/// <summary>
/// The rights of one user of one container, which a thread of this process takes on for one call: effective user and groups, and only the
/// capabilities that the container itself has (none unless the user is root). So the kernel decides about every file that the call touches.
/// </summary>
/// <remarks>
/// Linux keeps credentials per thread; only the C library's wrappers change them for all threads, so the bare system calls are used here.
/// Real and saved ids stay: the kernel lets a user signal and trace what has his real or saved id, and somebody on this machine may have the container's number.
/// Linux gives a new thread the credentials of the one that makes it, and the runtime makes threads of its pool on whatever thread queues work: a call with these rights
/// queues nothing. (The runtime may make a thread of its own meanwhile, as for its compiler; none of those runs code of ours.)
/// </remarks>
internal sealed unsafe partial class UserRights
{
    private static readonly bool X64 = RuntimeInformation.ProcessArchitecture == Architecture.X64;
    private static readonly nint SetGroups = X64 ? 116 : 159, SetGid = X64 ? 119 : 149, SetUid = X64 ? 117 : 147, CapGet = X64 ? 125 : 90, CapSet = X64 ? 126 : 91;

    // Of the thread that asks first, and none has others outside a call.
    private static readonly Lazy<(Set Own, ulong Permitted, ulong Inheritable)> Process = new(Read);

    private readonly Set _user;

    /// <summary>Those of a user.</summary>
    /// <exception cref="IOException">The kernel does not say what this process may.</exception>
    public UserRights(ContainerUser user)
    {
        // chown, dac_override, fowner, fsetid (capabilities(7)): those of LeaseHost.Capabilities that are about files.
        const ulong FileCapabilities = (1UL << 0) | (1UL << 1) | (1UL << 3) | (1UL << 4);
        _ = Process.Value;
        _user = new Set(user.Uid, user.Gid, [.. user.Groups], user.Uid == 0 ? FileCapabilities : 0);
    }

    /// <summary>Makes a call on this thread.</summary>
    /// <exception cref="IOException">The kernel refused the rights; the call was not made.</exception>
    public T Use<T>(Func<T> call)
    {
        try
        {
            // Ids are changed while there are the capabilities to do so.
            SetIds(_user);
            SetCapabilities(_user);
            return call();
        }
        finally
        {
            BecomeProcess();
        }
    }

    private static void BecomeProcess()
    {
        try
        {
            var own = Process.Value.Own;
            SetCapabilities(own);
            SetIds(own);

            // An effective user id that becomes 0 changes the effective capabilities too.
            SetCapabilities(own);
        }
        catch (IOException e)
        {
            // It would go on with a stranger's rights, or with more than it should have.
            Environment.FailFast("A thread can't take this process's rights back: " + e.Message);
        }
    }

    private static (Set, ulong, ulong) Read()
    {
        var header = Header();
        var data = stackalloc uint[6];
        Native.Check((int)Syscall(CapGet, (nint)(&header), (nint)data, 0), "capget");
        var groups = new uint[Math.Max(Native.Check(GetGroups(0, null), "getgroups"), 1)];
        int count;
        fixed (uint* first = groups)
        {
            count = Native.Check(GetGroups(groups.Length, first), "getgroups");
        }

        return (new Set(GetEffectiveUser(), GetEffectiveGroup(), groups[..count], data[0] | ((ulong)data[3] << 32)), data[1] | ((ulong)data[4] << 32), data[2] | ((ulong)data[5] << 32));
    }

    private static void SetIds(Set rights)
    {
        fixed (uint* first = rights.Groups)
        {
            Native.Check((int)Syscall(SetGroups, rights.Groups.Length, (nint)first, 0), "setgroups");
        }

        Native.Check((int)Syscall(SetGid, -1, (nint)rights.Gid, -1), "setresgid");
        Native.Check((int)Syscall(SetUid, -1, (nint)rights.Uid, -1), "setresuid");
    }

    private static void SetCapabilities(Set rights)
    {
        // Two of {effective, permitted, inheritable}.
        var (_, permitted, inheritable) = Process.Value;
        var effective = rights.Effective & permitted;
        var header = Header();
        var data = stackalloc uint[6] { (uint)effective, (uint)permitted, (uint)inheritable, (uint)(effective >> 32), (uint)(permitted >> 32), (uint)(inheritable >> 32) };
        Native.Check((int)Syscall(CapSet, (nint)(&header), (nint)data, 0), "capset");
    }

    /// <summary>struct __user_cap_header_struct: version 3, and pid 0 for this thread.</summary>
    private static ulong Header() => BitConverter.IsLittleEndian ? 0x20080522UL : 0x20080522UL << 32;

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Syscall(nint number, nint first, nint second, nint third);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUser();

    [LibraryImport("libc", EntryPoint = "getegid")]
    private static partial uint GetEffectiveGroup();

    [LibraryImport("libc", EntryPoint = "getgroups", SetLastError = true)]
    private static partial int GetGroups(int size, uint* groups);

    private sealed record Set(uint Uid, uint Gid, uint[] Groups, ulong Effective);
}
