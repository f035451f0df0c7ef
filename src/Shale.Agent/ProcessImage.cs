using System.Runtime.InteropServices;

namespace Shale.Agent;

/// <summary>Replaces this process by another program (execve(2)).</summary>
public static partial class ProcessImage
{
    /// <summary>Becomes a program: terminal, signals, standard streams and exit status are then its own.</summary>
    /// <param name="program">Looked for along the path.</param>
    /// <param name="arguments">Its arguments, the program's own name first.</param>
    /// <returns>Only where it failed: the system's error number.</returns>
    public static int Become(string program, IReadOnlyList<string> arguments)
    {
        _ = Execute(program, [.. arguments, null]);
        return Marshal.GetLastPInvokeError();
    }

    [LibraryImport("libc", EntryPoint = "execvp", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Execute(string program, string?[] arguments);
}
