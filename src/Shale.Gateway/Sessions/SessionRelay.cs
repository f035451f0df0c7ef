using System.Buffers;
using Shale.Containers.Bandwidth;
using Shale.Containers.Exec;
using Shale.Ssh.Session;

namespace Shale.Gateway.Sessions;

/// <summary>Carries bytes and events between one SSH session and its process, until both are done.</summary>
internal sealed class SessionRelay(SshSession session, ContainerProcess process, LeaseBandwidth? bandwidth, IRelayObserver observer)
{
    // A terminal's process is gone but something else may hold the terminal open: what it wrote before is read, then the session ends, as sshd does.
    private static readonly TimeSpan TerminalQuiet = TimeSpan.FromMilliseconds(50);

    private volatile bool _reading;

    /// <summary>Runs until the process has ended and its output is delivered.</summary>
    /// <param name="cancellation">Set when the client is gone.</param>
    /// <returns>How the process ended.</returns>
    public async Task<ExitStatus> RunAsync(CancellationToken cancellation)
    {
        session.TakesInputInline = true;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var input = InputAsync(ended.Token);
        var events = EventsAsync(ended.Token);
        using var output = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var standard = OutputAsync(process.Stdout, false, output.Token);
        var error = process.Stderr is { } stderr ? OutputAsync(stderr, true, output.Token) : Task.CompletedTask;
        try
        {
            var exit = await process.Exited.WaitAsync(cancellation).ConfigureAwait(false);
            if (session.Terminal is not null)
            {
                await DrainTerminalAsync(standard, output).ConfigureAwait(false);
            }

            // Without a terminal the session lasts as long as somebody holds its pipes, as with sshd: "cmd &" keeps it open.
            await Task.WhenAll(standard, error).ConfigureAwait(false);
            return exit;
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await output.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(input, events, standard, error).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task DrainTerminalAsync(Task standard, CancellationTokenSource output)
    {
        while (!standard.IsCompleted)
        {
            var wasReading = _reading;
            await Task.WhenAny(standard, Task.Delay(TerminalQuiet, output.Token)).ConfigureAwait(false);
            if (wasReading && _reading)
            {
                await output.CancelAsync().ConfigureAwait(false);
                await standard.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                return;
            }
        }
    }

    private async Task OutputAsync(Stream from, bool isError, CancellationToken cancellation)
    {
        using var buffer = session.RentOutputBuffer();
        try
        {
            while (true)
            {
                if (!isError)
                {
                    _reading = true;
                }

                var count = await from.ReadAsync(buffer.Memory, cancellation).ConfigureAwait(false);
                if (!isError)
                {
                    _reading = false;
                }

                if (count == 0)
                {
                    return;
                }

                if (bandwidth is not null)
                {
                    await bandwidth.ToClient.TakeAsync(count, cancellation).ConfigureAwait(false);
                }

                if (observer.WritesFiles)
                {
                    // A disk may be slow, and a few bytes come on a thread that all descriptors share.
                    await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
                }

                observer.OnOutput(buffer.Memory.Span[..count], isError);
                if (isError)
                {
                    await buffer.SendErrorAsync(count, cancellation).ConfigureAwait(false);
                }
                else
                {
                    await buffer.SendAsync(count, cancellation).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException) when (session.Terminal is not null && process.Exited.IsCompleted)
        {
            // The terminal was drained.
        }
        catch (IOException)
        {
            // The client is gone (its token says so too), or the engine: then the process has ended.
        }
    }

    private async Task InputAsync(CancellationToken cancellation)
    {
        var reader = session.Input;
        var open = true;
        while (true)
        {
            var read = await reader.ReadAsync(cancellation).ConfigureAwait(false);
            foreach (var segment in read.Buffer)
            {
                observer.OnInput(segment.Span);
                if (bandwidth is not null)
                {
                    await bandwidth.FromClient.TakeAsync(segment.Length, cancellation).ConfigureAwait(false);
                }

                if (!open)
                {
                    continue;
                }

                try
                {
                    await process.Stdin.WriteAsync(segment, cancellation).ConfigureAwait(false);
                }
                catch (IOException)
                {
                    // Nobody reads it any more: the rest is taken and dropped, so that the client doesn't stall on its window.
                    open = false;
                }
            }

            reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                // With a terminal this does nothing: its end is a character that the client's user types.
                await process.Stdin.DisposeAsync().ConfigureAwait(false);
                return;
            }
        }
    }

    private async Task EventsAsync(CancellationToken cancellation)
    {
        await foreach (var happened in session.Events.ReadAllAsync(cancellation).ConfigureAwait(false))
        {
            switch (happened)
            {
                case WindowChanged resize:
                    observer.OnResize(resize.Size);
                    await process.ResizeAsync(Terminals.Size(resize.Size), cancellation).ConfigureAwait(false);
                    break;
                case SignalReceived signal:
                    await process.SignalAsync(signal.Name, cancellation).ConfigureAwait(false);
                    break;
                case BreakReceived when session.Terminal is not null:
                    // A terminal driver turns a break into an interrupt (BRKINT).
                    await process.SignalAsync("INT", cancellation).ConfigureAwait(false);
                    break;
            }
        }
    }
}

/// <summary>Sees what passes, for metrics and recordings; must return at once.</summary>
internal interface IRelayObserver
{
    /// <summary>Whether it writes what passes to a disk.</summary>
    bool WritesFiles { get; }

    void OnOutput(ReadOnlySpan<byte> bytes, bool isError);

    void OnInput(ReadOnlySpan<byte> bytes);

    void OnResize(Shale.Ssh.Session.TerminalSize size);
}
