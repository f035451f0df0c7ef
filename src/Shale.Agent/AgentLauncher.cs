using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Shale.Agent.Control;
using Shale.Agent.Files;

namespace Shale.Agent;

/// <summary>Starts the agent in the background when a command needs it.</summary>
public static partial class AgentLauncher
{
    private const int ReadWrite = 2; // O_RDWR
    private const int AppendCreate = 0x441; // O_WRONLY | O_CREAT | O_APPEND

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    /// <summary>PBKDF2 on a busy machine and a fresh runtime: well below this.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Starts an agent as a process of its own and waits until it answers.</summary>
    /// <param name="folder">Its folder.</param>
    /// <param name="command">The program and its arguments; it reads the passphrase from standard input and calls <see cref="Detach"/> when it serves.</param>
    /// <param name="passphrase">The payment key's passphrase; erased by the caller.</param>
    /// <param name="cancellation">Ends the wait, not the agent.</param>
    /// <exception cref="AgentException">It did not start; the message is its own.</exception>
    public static async Task StartAsync(AgentFolder folder, IReadOnlyList<string> command, ReadOnlyMemory<char> passphrase, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(command[0])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string argument in command.Skip(1))
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timeout.CancelAfter(Patience);
        try
        {
            byte[] secret = Encoding.UTF8.GetBytes(passphrase.ToArray());
            await process.StandardInput.BaseStream.WriteAsync(secret, timeout.Token).ConfigureAwait(false);
            Array.Clear(secret);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended already; what it said follows.
        }

        Task<string> output = process.StandardOutput.ReadToEndAsync(CancellationToken.None), error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        var client = new AgentClient(folder);
        try
        {
            // Its streams are no sign: the runtime keeps copies of them open after it has detached.
            while (await client.StatusAsync(timeout.Token).ConfigureAwait(false) is null)
            {
                if (process.HasExited)
                {
                    _ = await output.ConfigureAwait(false);
                    string said = (await error.ConfigureAwait(false)).Trim();
                    if (!said.Contains(PaymentAgent.RunsAlready, StringComparison.Ordinal))
                    {
                        throw Failure(folder, said);
                    }

                    // Another command was first by a moment; its agent is about to answer.
                }

                await Task.Delay(Poll, timeout.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            process.Kill();
            throw new AgentException($"The payment agent did not start within {Patience.TotalSeconds:0} s.", "Start it by hand to see why: shale agent");
        }
    }

    /// <summary>
    /// Leaves the terminal and the command that started this process: a session of its own, standard streams to nothing and to the
    /// log.
    /// </summary>
    /// <exception cref="IOException">It can't be done.</exception>
    public static void Detach(AgentFolder folder)
    {
        Directory.SetCurrentDirectory("/");

        // Fails only for a process that leads a group already; then it is nobody's child in a terminal either.
        _ = NewSession();
        int nothing = Check(Open("/dev/null", ReadWrite, 0));
        int log = Check(Open(folder.LogFile, AppendCreate, 0x180 /* 0600 */));
        Check(Duplicate(nothing, 0));
        Check(Duplicate(log, 1));
        Check(Duplicate(log, 2));
        _ = Close(nothing);
        _ = Close(log);
    }

    private static int Check(int result) =>
        result >= 0 ? result : throw new IOException($"The agent can't leave its terminal: error {Marshal.GetLastPInvokeError()}.");

    /// <summary>Its own first line, without the prefix that this command puts before it again.</summary>
    private static AgentException Failure(AgentFolder folder, string said)
    {
        const string prefix = "shale: ";
        string first = said.Split('\n')[0];
        return new AgentException(
            said.Length == 0 ? "The payment agent ended as soon as it started." : first.StartsWith(prefix, StringComparison.Ordinal) ? first[prefix.Length..] : first,
            $"Start it by hand to see why: shale agent; its log is {folder.LogFile}");
    }

    [LibraryImport("libc", EntryPoint = "setsid", SetLastError = true)]
    private static partial int NewSession();

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "dup2", SetLastError = true)]
    private static partial int Duplicate(int from, int to);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
