using System.Diagnostics;
using System.Globalization;

namespace Shale.Interop.Tests.Payments;

/// <summary>Ends a running process at a system call of its own choice, as kill -9 from outside would if it could aim: strace's fault injection, on the executable as it is shipped.</summary>
internal static class SystemCalls
{
    /// <summary>Sends SIGKILL when a thread of the process enters the call for the so manyth time from now on; it is not executed.</summary>
    /// <param name="pid">The process.</param>
    /// <param name="call">The call.</param>
    /// <param name="nth">Which one of a thread.</param>
    /// <param name="path">Only calls on this path; null: all.</param>
    public static async Task KillAtAsync(int pid, string call, int nth, string? path)
    {
        string[] filter = path is null ? [] : ["-P", path];
        var start = new ProcessStartInfo(
            "strace",
            ["-f", "-qqq", "-o", "/dev/null", "-p", pid.ToString(CultureInfo.InvariantCulture), .. filter, "-e", "trace=" + call, "-e", string.Create(CultureInfo.InvariantCulture, $"inject={call}:signal=KILL:when={nth}")])
        {
            RedirectStandardError = true,
        };
        using var strace = Process.Start(start)!;
        var said = strace.StandardError.ReadToEndAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(180));
        try
        {
            await strace.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            strace.Kill();
            throw new TimeoutException($"The process made no {call}({path}) within three minutes. {await said}");
        }

        if (Directory.Exists("/proc/" + pid.ToString(CultureInfo.InvariantCulture)) && (await said).Length > 0)
        {
            throw new InvalidOperationException(await said);
        }
    }
}
