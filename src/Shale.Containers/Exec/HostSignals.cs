using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Shale.Containers.Exec;

/// <summary>
/// Signals from outside to processes of a container on this machine, for those that Docker's own exec started: the engine has no call for
/// it. A process is only signalled through a pidfd, after its control group has shown that it is that container's.
/// </summary>
internal static partial class HostSignals
{
    private const nint SysPidfdOpen = 434, SysPidfdSendSignal = 424;

    /// <summary>A descriptor that stays this process's even when its number is another's; invalid if there is none.</summary>
    public static SafeFileHandle OpenProcess(int pid) => new(PidfdOpen(SysPidfdOpen, pid, 0), true);

    /// <summary>Whether it has not ended (signal 0 reaches it).</summary>
    public static bool Exists(SafeFileHandle pidfd) => PidfdSendSignal(SysPidfdSendSignal, pidfd, 0, 0, 0) == 0;

    public static bool SignalGroup(int pid, string container, int signal) => Signal(container, signal, s => s.Group == pid, pid, false);

    public static bool SignalSession(int pid, string container, int signal, bool spareDetached) => Signal(container, signal, s => s.Session == pid, pid, spareDetached);

    private static bool Signal(string container, int signal, Func<(int Group, int Session), bool> belongs, int leader, bool spareDetached)
    {
        if (leader <= 0)
        {
            return false;
        }

        var any = false;
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
            {
                continue;
            }

            try
            {
                if (!TryReadStat(folder, out var ids) || !belongs(ids) || (spareDetached && IgnoresHangup(folder)))
                {
                    continue;
                }

                using var pidfd = OpenProcess(pid);

                // Only now: the pidfd holds the process that this file tells about.
                if (!pidfd.IsInvalid && File.ReadAllText(folder + "/cgroup").Contains(container, StringComparison.Ordinal))
                {
                    any |= PidfdSendSignal(SysPidfdSendSignal, pidfd, signal, 0, 0) == 0;
                    if (signal == Signals.Hangup)
                    {
                        PidfdSendSignal(SysPidfdSendSignal, pidfd, Signals.Number("CONT"), 0, 0);
                    }
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It ended while we looked.
            }
        }

        return any;
    }

    private static bool TryReadStat(string folder, out (int Group, int Session) ids)
    {
        // pid (name) state ppid pgrp session; the name may hold anything, so what counts is after the last parenthesis.
        ids = default;
        var text = File.ReadAllText(folder + "/stat");
        var fields = text[(text.LastIndexOf(')') + 1)..].Split(' ', 6, StringSplitOptions.RemoveEmptyEntries);
        return fields.Length >= 4
            && int.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out ids.Group)
            && int.TryParse(fields[3], NumberStyles.None, CultureInfo.InvariantCulture, out ids.Session);
    }

    private static bool IgnoresHangup(string folder)
    {
        foreach (var line in File.ReadLines(folder + "/status"))
        {
            if (line.StartsWith("SigIgn:", StringComparison.Ordinal))
            {
                return ulong.TryParse(line.AsSpan(7).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var mask) && (mask & 1) != 0;
            }
        }

        return false;
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint PidfdOpen(nint number, int pid, uint flags);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint PidfdSendSignal(nint number, SafeHandle pidfd, int signal, nint info, uint flags);
}
