using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using Shale.Containers.Files;
using Shale.Containers.Network;
using Shale.Gateway.Leases;
using Shale.Gateway.Payments;
using Shale.Ssh.Connection;
using Shale.Ssh.Session;
using Shale.Wire;

namespace Shale.Gateway.Forwarding;

/// <summary>
/// Lets programs in the container use the user's own ssh-agent (SSH_AUTH_SOCK), where the provider allows it for the lease and the user asked for it (ssh -A). Where the
/// client forwards its payment agent, which is how paid leases are configured, nothing is offered: that agent is the gateway's business, not the container's.
/// </summary>
internal sealed class AgentForwarding(AgentCarrier carrier, ILogger logger)
{
    /// <summary>Makes the socket for a session.</summary>
    /// <returns>The socket, to be disposed with the session; null where there is none to be.</returns>
    public async Task<AgentSocket?> StartAsync(LeaseService lease, SshSession session, CancellationToken cancellation)
    {
        if (!session.AgentForwardingGranted || !lease.Record.AllowAgentForwarding)
        {
            return null;
        }

        try
        {
            await lease.AdmitAsync(session.Connection, cancellation).ConfigureAwait(false);
            if (await carrier.LeadsToPayerAsync(session.Connection, cancellation).ConfigureAwait(false))
            {
                return null;
            }

            return await lease.UseAsync(session.Connection, c => AgentSocket.CreateAsync(c, session.Connection, cancellation), cancellation).ConfigureAwait(false);
        }
        catch (Exception error) when (error is ForwardException or AgentSocketException)
        {
            // The session goes on without, as with sshd.
            GatewayLog.AgentNotForwarded(logger, session.Connection.Info.Id, lease.Id, error.Message);
            return null;
        }
    }
}

/// <summary>No socket could be made in the container.</summary>
internal sealed class AgentSocketException(string message) : IOException(message);

/// <summary>A Unix socket in the container behind which the user's ssh-agent answers.</summary>
internal sealed class AgentSocket : IAsyncDisposable
{
    /// <summary>OpenSSH's bound of an agent's message.</summary>
    private const int MaxMessage = 256 * 1024;

    /// <summary>Each is a channel of the client's; ssh and git use one at a time.</summary>
    private const int MaxConnections = 16;

    private readonly IContainerFileTree _tree;
    private readonly ContainerListener _listener;
    private readonly SshServerConnection _connection;
    private readonly byte[] _folder;
    private readonly CancellationTokenSource _closing;
    private readonly SemaphoreSlim _room = new(MaxConnections);
    private readonly Task _accepting;

    private AgentSocket(IContainerFileTree tree, ContainerListener listener, SshServerConnection connection, byte[] folder)
    {
        (_tree, _listener, _connection, _folder) = (tree, listener, connection, folder);
        _closing = CancellationTokenSource.CreateLinkedTokenSource(connection.Closed);
        _accepting = AcceptAsync();
    }

    /// <summary>What SSH_AUTH_SOCK is to be.</summary>
    public string Path => Encoding.ASCII.GetString(_folder) + "/agent";

    /// <summary>Makes a folder of the user's alone in /tmp, and the socket in it, as sshd does.</summary>
    public static async Task<AgentSocket> CreateAsync(ILeaseContainer container, SshServerConnection connection, CancellationToken cancellation)
    {
        var tree = await container.OpenFilesAsync(cancellation).ConfigureAwait(false);
        try
        {
            var folder = Encoding.ASCII.GetBytes("/tmp/ssh-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6)));
            var error = await tree.CreateFolderAsync(folder, 0x1c0, cancellation).ConfigureAwait(false); // 0700
            if (error != FileError.None)
            {
                throw new AgentSocketException($"{Encoding.ASCII.GetString(folder)}: {error}");
            }

            return new AgentSocket(tree, await container.ListenUnixAsync(Encoding.ASCII.GetString(folder) + "/agent", cancellation).ConfigureAwait(false), connection, folder);
        }
        catch
        {
            await tree.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync().ConfigureAwait(false);
        await _listener.DisposeAsync().ConfigureAwait(false);
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _tree.RemoveFolderAsync(_folder, CancellationToken.None).ConfigureAwait(false);
        await _tree.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// Whether a request may come from the container: listing identities, signing with one, and what ssh says to an agent about itself. Keys are not added, removed or locked from
    /// there, and no other extension passes, payment's least of all.
    /// </summary>
    internal static bool IsAllowed(ReadOnlySpan<byte> message)
    {
        const byte RequestIdentities = 11, SignRequest = 13, Extension = 27;
        if (message.IsEmpty)
        {
            return false;
        }

        if (message[0] != Extension)
        {
            return message[0] is RequestIdentities or SignRequest;
        }

        var reader = new WireReader(message[1..]);
        return reader.TryReadAscii(64, out var name) && name is "session-bind@openssh.com" or "query";
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                await _room.WaitAsync(_closing.Token).ConfigureAwait(false);
                var socket = await _listener.AcceptAsync(_closing.Token).ConfigureAwait(false);
                _ = ServeAsync(socket);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The session is over, or the container is gone.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            var opened = await _connection.OpenChannelAsync("auth-agent@openssh.com", default, _closing.Token).ConfigureAwait(false);
            if (!opened.IsOpen)
            {
                return;
            }

            await using var channel = opened.Channel;
            await RelayAsync(PipeReader.Create(stream), stream, channel.Input, channel.WriteAsync, _closing.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (error is IOException or OperationCanceledException or SocketException)
        {
            // Either end went.
        }
        finally
        {
            _room.Release();
        }
    }

    /// <summary>One request, then its answer: the agent protocol has no numbers to tell them by.</summary>
    internal static async Task RelayAsync(
        PipeReader requests, Stream answersTo, PipeReader answers, Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> send, CancellationToken cancellation)
    {
        byte[] failure = [0, 0, 0, 1, 5];
        while (await ReadFrameAsync(requests, cancellation).ConfigureAwait(false) is { } request)
        {
            if (!IsAllowed(request.AsSpan(sizeof(uint))))
            {
                await answersTo.WriteAsync(failure, cancellation).ConfigureAwait(false);
                continue;
            }

            await send(request, cancellation).ConfigureAwait(false);
            if (await ReadFrameAsync(answers, cancellation).ConfigureAwait(false) is not { } answer)
            {
                return;
            }

            await answersTo.WriteAsync(answer, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>A message with its length in front; null at the end, or where it is too long.</summary>
    private static async ValueTask<byte[]?> ReadFrameAsync(PipeReader reader, CancellationToken cancellation)
    {
        while (true)
        {
            var read = await reader.ReadAsync(cancellation).ConfigureAwait(false);
            var buffer = read.Buffer;
            switch (WireFrame.TryRead(ref buffer, MaxMessage, out var body))
            {
                case WireFrameStatus.Complete:
                    var frame = new byte[sizeof(uint) + body.Length];
                    BinaryPrimitives.WriteUInt32BigEndian(frame, (uint)body.Length);
                    body.CopyTo(frame.AsSpan(sizeof(uint)));
                    reader.AdvanceTo(buffer.Start);
                    return frame;
                case WireFrameStatus.TooLong:
                    reader.AdvanceTo(buffer.End);
                    return null;
                default:
                    reader.AdvanceTo(buffer.Start, buffer.End);
                    if (read.IsCompleted)
                    {
                        return null;
                    }

                    break;
            }
        }
    }
}
