using System.Globalization;
using Microsoft.Win32.SafeHandles;
using Shale.Containers.Files;

namespace Shale.Containers.Exec;

/// <summary>
/// A running container's file tree as its processes see it, reached through /proc/PID/root. Every path is resolved by the kernel with the
/// container's root as "/" (openat2(2), RESOLVE_IN_ROOT), so that no symbolic link of the container leads out of it.
/// </summary>
internal sealed class ContainerRoot : IDisposable
{
    private readonly SafeFileHandle _process;

    private ContainerRoot(SafeFileHandle handle, SafeFileHandle network, SafeFileHandle process, int pid)
    {
        _process = process;
        Handle = handle;
        Network = network;
        Pid = pid;
    }

    /// <summary>The root folder; holds the container's mounts even when process 1 is gone.</summary>
    public SafeFileHandle Handle { get; }

    /// <summary>The network namespace.</summary>
    public SafeFileHandle Network { get; }

    /// <summary>Process 1 as this machine counts it.</summary>
    public int Pid { get; }

    /// <summary>Whether that process still is; when it ended, the container did.</summary>
    public bool IsAlive
    {
        get
        {
            try
            {
                return HostSignals.Exists(_process);
            }
            catch (ObjectDisposedException)
            {
                return false;
            }
        }
    }

    /// <summary>
    /// Opens the tree of process <paramref name="pid"/>; null if this process may not or if it is another container's. The pid comes from the
    /// engine and may be stale, or counted in another pid namespace, so a file of ours with a secret has to be there.
    /// </summary>
    /// <param name="pid">Process 1, as the engine counts it.</param>
    /// <param name="markerPath">Where in the container the secret is.</param>
    /// <param name="marker">The secret.</param>
    /// <param name="reason">Why it can't be had; empty where it can.</param>
    public static ContainerRoot? TryOpen(int pid, string markerPath, ReadOnlySpan<byte> marker, out string reason)
    {
        if (pid <= 0)
        {
            reason = "it does not run";
            return null;
        }

        var folder = string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}");
        var root = new SafeFileHandle(Native.Open(folder + "/root", Native.O_PATH | Native.O_DIRECTORY | Native.O_CLOEXEC, 0), true);
        var network = new SafeFileHandle(Native.Open(folder + "/ns/net", Native.O_RDONLY | Native.O_CLOEXEC, 0), true);
        var process = HostSignals.OpenProcess(pid);
        var opened = new ContainerRoot(root, network, process, pid);
        if (root.IsInvalid || network.IsInvalid || process.IsInvalid)
        {
            reason = $"its process {pid} can't be opened here: it has ended, is another machine's, or this process is not root";
        }
        else if (opened.TryReadSmallFile(markerPath, 4096) is not { } found)
        {
            reason = $"process {pid} has no {markerPath}: it is another machine's";
        }
        else if (!found.AsSpan().SequenceEqual(marker))
        {
            reason = $"process {pid} is another container's";
        }
        else
        {
            reason = "";
            return opened;
        }

        opened.Dispose();
        return null;
    }

    /// <summary>A regular file's bytes; null if there is none or it is longer than <paramref name="limit"/>.</summary>
    public byte[]? TryReadSmallFile(string path, int limit)
    {
        // O_PATH first: opening a device or a FIFO of the container's making would already be an act.
        using var found = Native.TryOpenInRoot(Handle, PathBytes(path), Native.O_PATH, 0, out _);
        if (found is null || !FileStatus.TryRead(found, out var status) || !status.IsRegular || status.Size > limit || IsKernels(found))
        {
            return null;
        }

        using var file = Reopen(found, Native.O_RDONLY);
        if (file is null)
        {
            return null;
        }

        var buffer = new byte[limit];
        var filled = 0;
        try
        {
            while (filled < limit)
            {
                var read = RandomAccess.Read(file, buffer.AsSpan(filled), filled);
                if (read == 0)
                {
                    break;
                }

                filled += read;
            }
        }
        catch (IOException)
        {
            return null;
        }

        return buffer[..filled];
    }

    /// <summary>
    /// Whether a file is the kernel's own (/proc, /sys, control groups): reading or writing one acts on who does it, and a link may lead there.
    /// </summary>
    public static bool IsKernels(SafeFileHandle file)
    {
        const long Proc = 0x9fa0, Sys = 0x62656572, Cgroup = 0x27e0eb, Cgroup2 = 0x63677270, Debug = 0x64626720, Trace = 0x74726163;
        return Native.FileSystemType(file) is Proc or Sys or Cgroup or Cgroup2 or Debug or Trace;
    }

    /// <summary>Whether a regular file is there that someone may execute.</summary>
    public bool IsExecutable(string path)
    {
        using var found = Native.TryOpenInRoot(Handle, PathBytes(path), Native.O_PATH, 0, out _);
        return found is not null && FileStatus.TryRead(found, out var status) && status.IsRegular && (status.Mode & 0x49) != 0;
    }

    public bool Exists(string path)
    {
        using var found = Native.TryOpenInRoot(Handle, PathBytes(path), Native.O_PATH, 0, out _);
        return found is not null;
    }

    public bool IsFolder(string path)
    {
        using var found = Native.TryOpenInRoot(Handle, PathBytes(path), Native.O_PATH | Native.O_DIRECTORY, 0, out _);
        return found is not null;
    }

    public void Dispose()
    {
        Handle.Dispose();
        Network.Dispose();
        _process.Dispose();
    }

    /// <summary>Opens the very file that an O_PATH descriptor names: no second look-up that could find another.</summary>
    internal static SafeFileHandle? Reopen(SafeFileHandle path, int flags)
    {
        var fd = Native.Open(DescriptorPath(path), flags | Native.O_CLOEXEC | Native.O_NONBLOCK | Native.O_NOCTTY, 0);
        return fd >= 0 ? new SafeFileHandle(fd, true) : null;
    }

    /// <summary>A path that names what a descriptor holds, for calls that take no descriptor.</summary>
    internal static string DescriptorPath(SafeFileHandle descriptor) => string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{descriptor.DangerousGetHandle()}");

    private static byte[] PathBytes(string path) => System.Text.Encoding.UTF8.GetBytes(path + "\0");
}
