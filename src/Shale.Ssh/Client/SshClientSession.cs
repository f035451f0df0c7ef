using System.IO.Pipelines;
using System.Text;
using Shale.Ssh.Connection;
using Shale.Ssh.Session;
using Shale.Ssh.Transport;
using Shale.Wire;
using Channel = Shale.Ssh.Connection.Channel;

namespace Shale.Ssh.Client;

/// <summary>How a command ended.</summary>
/// <param name="Status">Its exit status; <see langword="null"/> if it ended by a signal or the server did not say.</param>
/// <param name="Signal">The signal's name without "SIG"; <see langword="null"/> if it ended by itself.</param>
public readonly record struct SessionExit(int? Status, string? Signal);

/// <summary>A session on a server (RFC 4254 section 6). Make the requests that are to go before, then one of shell, command or subsystem.</summary>
public sealed class SshClientSession : IAsyncDisposable, IChannelRequestHandler
{
    private readonly Channel _channel;
    private readonly TaskCompletionSource<SessionExit> _exit = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal SshClientSession(Channel channel)
    {
        _channel = channel;
        channel.Requests = this;
    }

    /// <summary>The command's standard output.</summary>
    public PipeReader Output => _channel.Input;

    /// <summary>The command's standard error.</summary>
    public PipeReader Error => _channel.Error!;

    /// <summary>Completes when the command's end was reported, or the session was closed without.</summary>
    public Task<SessionExit> Exit => _exit.Task;

    /// <summary>Asks for a terminal.</summary>
    /// <param name="terminal">The terminal.</param>
    /// <param name="cancellationToken">Ends the wait for the answer.</param>
    /// <returns>Whether it was granted.</returns>
    public ValueTask<bool> RequestTerminalAsync(PseudoTerminal terminal, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(terminal);
        return AskAsync(SessionRequests.PtyReq, writer =>
        {
            writer.WriteString(terminal.TerminalType);
            WriteSize(writer, terminal.Size);
            writer.WriteUInt32((uint)((terminal.Modes.Count * 5) + 1));
            foreach (var mode in terminal.Modes)
            {
                writer.WriteByte((byte)mode.Opcode);
                writer.WriteUInt32(mode.Value);
            }

            writer.WriteByte(0);
        }, cancellationToken);
    }

    /// <summary>Sets an environment variable.</summary>
    /// <param name="name">The name.</param>
    /// <param name="value">The value.</param>
    /// <param name="cancellationToken">Ends the wait for the answer.</param>
    /// <returns>Whether the server took it.</returns>
    public ValueTask<bool> SetEnvironmentAsync(string name, string value, CancellationToken cancellationToken) =>
        AskAsync(SessionRequests.Env, writer =>
        {
            writer.WriteString(name);
            writer.WriteString(value);
        }, cancellationToken);

    /// <summary>Asks for agent forwarding.</summary>
    /// <param name="cancellationToken">Ends the wait for the answer.</param>
    /// <returns>Whether it was granted.</returns>
    public ValueTask<bool> RequestAgentForwardingAsync(CancellationToken cancellationToken) =>
        _channel.RequestAsync(SessionRequests.AuthAgentReq, default, cancellationToken);

    /// <summary>Runs a command.</summary>
    /// <param name="command">The command line.</param>
    /// <param name="cancellationToken">Ends the wait for the answer.</param>
    /// <returns>Whether it was started.</returns>
    public ValueTask<bool> ExecAsync(string command, CancellationToken cancellationToken) =>
        AskAsync(SessionRequests.Exec, writer => writer.WriteString(command), cancellationToken);

    /// <summary>Runs the user's shell.</summary>
    /// <param name="cancellationToken">Ends the wait for the answer.</param>
    /// <returns>Whether it was started.</returns>
    public ValueTask<bool> ShellAsync(CancellationToken cancellationToken) =>
        _channel.RequestAsync(SessionRequests.Shell, default, cancellationToken);

    /// <summary>Runs a subsystem.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="cancellationToken">Ends the wait for the answer.</param>
    /// <returns>Whether it was started.</returns>
    public ValueTask<bool> SubsystemAsync(string name, CancellationToken cancellationToken) =>
        AskAsync(SessionRequests.Subsystem, writer => writer.WriteString(name), cancellationToken);

    /// <summary>Tells the command that its terminal has another size.</summary>
    /// <param name="size">The size.</param>
    public void Resize(TerminalSize size) => Tell(SessionRequests.WindowChange, writer => WriteSize(writer, size));

    /// <summary>Sends the command a signal.</summary>
    /// <param name="name">Its name without "SIG".</param>
    public void Signal(string name) => Tell(SessionRequests.Signal, writer => writer.WriteString(name));

    /// <summary>Writes standard input and waits while the server's window is closed.</summary>
    /// <param name="data">The bytes.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Done when all is with the transport.</returns>
    /// <exception cref="IOException">The session is closed.</exception>
    public ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) => _channel.WriteAsync(data, cancellationToken);

    /// <summary>Takes a buffer for bulk standard input.</summary>
    /// <returns>The buffer.</returns>
    public OutputBuffer RentInputBuffer() => _channel.RentOutputBuffer();

    /// <summary>Ends standard input.</summary>
    /// <param name="cancellationToken">Ends the wait for the transport.</param>
    /// <returns>Done when the message is with the transport.</returns>
    public ValueTask SendEofAsync(CancellationToken cancellationToken) => _channel.SendEofAsync(cancellationToken);

    /// <summary>Closes the session.</summary>
    /// <returns>Done when the message is with the transport.</returns>
    public async ValueTask DisposeAsync()
    {
        await _channel.DisposeAsync();
        await Output.CompleteAsync();
        await Error.CompleteAsync();
    }

    bool? IChannelRequestHandler.OnRequest(in ChannelRequestMessage request)
    {
        var reader = new WireReader(request.Fields.Span);
        switch (request.RequestType)
        {
            case SessionRequests.ExitStatus when reader.TryReadUInt32(out var status):
                return _exit.TrySetResult(new SessionExit(unchecked((int)status), null));
            case SessionRequests.ExitSignal when reader.TryReadAscii(64, out var signal):
                return _exit.TrySetResult(new SessionExit(null, signal));
            default:
                return false;
        }
    }

    void IChannelRequestHandler.OnClosed() => _exit.TrySetResult(new SessionExit(null, null));

    private static void WriteSize(WireWriter writer, TerminalSize size)
    {
        writer.WriteUInt32((uint)size.Columns);
        writer.WriteUInt32((uint)size.Rows);
        writer.WriteUInt32((uint)size.PixelWidth);
        writer.WriteUInt32((uint)size.PixelHeight);
    }

    private delegate void FieldWriter(WireWriter writer);

    private ValueTask<bool> AskAsync(string type, FieldWriter write, CancellationToken cancellationToken) =>
        _channel.RequestAsync(type, Fields(write), cancellationToken);

    private void Tell(string type, FieldWriter write) => _channel.SendRequest(type, Fields(write));

    private static byte[] Fields(FieldWriter write)
    {
        using var buffer = new PooledBufferWriter(512 * 1024);
        write(new WireWriter(buffer));
        return buffer.WrittenSpan.ToArray();
    }
}
