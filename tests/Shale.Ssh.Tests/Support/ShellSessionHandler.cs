using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Shale.Ssh.Connection;
using Shale.Ssh.Session;

namespace Shale.Ssh.Tests.Support;

/// <summary>
/// Runs commands with /bin/sh on this machine, and a few that only tests need by itself: "shale-zeros N" writes N zero bytes, "shale-sink" counts its input, "shale-signal NAME" ends by a signal,
/// "shale-events" prints each event until "KILL", "shale-wait" waits for the end of the session, "shale-info" prints what the session was asked for.
/// </summary>
internal sealed class ShellSessionHandler : ISessionHandler
{
    public ConcurrentQueue<SshSession> Sessions { get; } = new();

    public Func<SshSession, CancellationToken, ValueTask>? Custom { get; set; }

    public bool AcceptsEnvironment(SshServerConnection connection, string name, string value) => name.StartsWith("LC_", StringComparison.Ordinal);

    public bool Accepts(SshSession session) => session.Subsystem is null or "echo";

    public async ValueTask HandleSessionAsync(SshSession session, CancellationToken cancellationToken)
    {
        Sessions.Enqueue(session);
        if (Custom is not null)
        {
            await Custom(session, cancellationToken);
            return;
        }

        var command = Encoding.UTF8.GetString(session.Command.Span);
        var words = command.Split(' ');
        switch (words[0])
        {
            case "shale-zeros":
                await WriteZerosAsync(session, long.Parse(words[1]), cancellationToken);
                break;
            case "shale-sink":
                await CountAsync(session, cancellationToken);
                break;
            case "shale-signal":
                await session.ExitSignalAsync(words[1], coreDumped: false, "asked for", cancellationToken);
                return;
            case "shale-events":
                await PrintEventsAsync(session, cancellationToken);
                break;
            case "shale-wait":
                await Task.Delay(Timeout.Infinite, cancellationToken);
                break;
            case "shale-info":
                await PrintInfoAsync(session, cancellationToken);
                break;
            default:
                await RunAsync(session, session.Subsystem is null ? command : "cat", cancellationToken);
                return;
        }

        await session.ExitAsync(0, cancellationToken);
    }

    private static async Task WriteZerosAsync(SshSession session, long count, CancellationToken cancellationToken)
    {
        using var buffer = session.RentOutputBuffer();
        while (count > 0)
        {
            var part = (int)Math.Min(count, buffer.Memory.Length);
            buffer.Memory.Span[..part].Clear();
            await buffer.SendAsync(part, cancellationToken);
            count -= part;
        }
    }

    private static async Task CountAsync(SshSession session, CancellationToken cancellationToken)
    {
        long count = 0;
        while (true)
        {
            var result = await session.Input.ReadAsync(cancellationToken);
            count += result.Buffer.Length;
            session.Input.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
            {
                await Print(session, $"{count}\n", cancellationToken);
                return;
            }
        }
    }

    private static async Task PrintEventsAsync(SshSession session, CancellationToken cancellationToken)
    {
        await Print(session, "ready\n", cancellationToken);
        await foreach (var e in session.Events.ReadAllAsync(cancellationToken))
        {
            await Print(session, e + "\n", cancellationToken);
            if (e is SignalReceived { Name: "KILL" })
            {
                return;
            }
        }
    }

    private static Task PrintInfoAsync(SshSession session, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        text.Append("kind=").Append(session.Kind).Append('\n');
        text.Append("user=").Append(session.User.Name).Append('\n');
        text.Append("original=").Append(session.OriginalCommand is { } o ? Encoding.UTF8.GetString(o.Span) : "-").Append('\n');
        foreach (var (name, value) in session.Environment.OrderBy(p => p.Key))
        {
            text.Append(name).Append('=').Append(value).Append('\n');
        }

        if (session.Terminal is { } terminal)
        {
            text.Append("term=").Append(terminal.TerminalType).Append(' ').Append(terminal.Size).Append('\n');
            text.Append("modes=").Append(terminal.Modes.Count).Append('\n');
            text.Append("intr=").Append(terminal.Modes.FirstOrDefault(m => m.Opcode == TerminalModeOpcode.VIntr).Value).Append('\n');
        }

        return Print(session, text.ToString(), cancellationToken);
    }

    private static Task Print(SshSession session, string text, CancellationToken cancellationToken) =>
        session.WriteOutputAsync(Encoding.UTF8.GetBytes(text), cancellationToken).AsTask();

    private static async Task RunAsync(SshSession session, string command, CancellationToken cancellationToken)
    {
        using var process = Process.Start(new ProcessStartInfo("/bin/sh")
        {
            ArgumentList = { "-c", command },
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        await using var registration = cancellationToken.Register(() => Kill(process));
        var input = FeedAsync(session, process, cancellationToken);
        var output = DrainAsync(session, process.StandardOutput.BaseStream, error: false, cancellationToken);
        var error = DrainAsync(session, process.StandardError.BaseStream, error: true, cancellationToken);
        await Task.WhenAll(output, error);
        await process.WaitForExitAsync(CancellationToken.None);
        await session.ExitAsync(process.ExitCode, cancellationToken);
        session.Input.CancelPendingRead();
        await input;
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
    }

    private static async Task FeedAsync(SshSession session, Process process, CancellationToken cancellationToken)
    {
        var stream = process.StandardInput.BaseStream;
        try
        {
            while (true)
            {
                var result = await session.Input.ReadAsync(cancellationToken);
                foreach (var segment in result.Buffer)
                {
                    await stream.WriteAsync(segment, cancellationToken);
                }

                session.Input.AdvanceTo(result.Buffer.End);
                if (result.IsCompleted || result.IsCanceled)
                {
                    break;
                }
            }

            process.StandardInput.Close();
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The process no longer reads, or the client is gone.
        }
    }

    private static async Task DrainAsync(SshSession session, Stream stream, bool error, CancellationToken cancellationToken)
    {
        using var buffer = session.RentOutputBuffer();
        try
        {
            int count;
            while ((count = await stream.ReadAsync(buffer.Memory, cancellationToken)) > 0)
            {
                await (error ? buffer.SendErrorAsync(count, cancellationToken) : buffer.SendAsync(count, cancellationToken));
            }
        }
        catch (IOException)
        {
            // The client takes no more: the process learns it from its pipe.
            stream.Close();
        }
    }
}
