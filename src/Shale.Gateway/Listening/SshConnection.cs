using System.IO.Pipelines;
using System.Net.Sockets;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Connections;
using Shale.Containers.Network;
using Shale.Ssh.Listening;

namespace Shale.Gateway.Listening;

/// <summary>One accepted connection, as Kestrel and the SSH server see it.</summary>
internal sealed class SshConnection : DefaultConnectionContext, IInlineReadsFeature, IDuplexPipe
{
    /// <summary>What is read and dropped at the end, at most: bytes left in the socket would turn its close into a reset, and a reset takes our last words away from the client.</summary>
    private const int MaxDropped = 256 * 1024;

    /// <summary>
    /// How much the system takes that it can't send yet. On a slow line it would take megabytes of bulk, and a keystroke's echo would be behind all of them.
    /// </summary>
    private const int MaxNotSent = 128 * 1024;

    // linux/tcp.h: IPPROTO_TCP, TCP_NOTSENT_LOWAT.
    private const int ProtocolTcp = 6, NotSentLowWater = 25;

    private readonly PolledSocket _socket;
    private readonly SocketPipeReader _input;
    private readonly SocketPipeWriter _output;
    private readonly CancellationTokenSource _closed = new();

    private SshConnection(Socket socket)
        : base(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6)))
    {
        RemoteEndPoint = socket.RemoteEndPoint;
        LocalEndPoint = socket.LocalEndPoint;
        _socket = new PolledSocket(socket);
        _input = new SocketPipeReader(_socket);
        _output = new SocketPipeWriter(_socket);
        Transport = this;
        ConnectionClosed = _closed.Token;
        Features.Set<IInlineReadsFeature>(this);
    }

    public PipeReader Input => _input;

    public PipeWriter Output => _output;

    public bool IsEnabled
    {
        get => _input.HandsOverShortReads;
        set => _input.HandsOverShortReads = value;
    }

    public bool IsSharedThread => PolledSocket.IsSharedThread;

    public bool TryLeaveSharedThread() => PolledSocket.TryLeaveSharedThread();

    /// <summary>Takes over a socket that was accepted.</summary>
    /// <returns><see langword="null"/> where its other end has gone meanwhile, or the system has no room for it.</returns>
    public static SshConnection? TryOpen(Socket socket)
    {
        try
        {
            socket.NoDelay = true;
            socket.SetRawSocketOption(ProtocolTcp, NotSentLowWater, BitConverter.GetBytes(MaxNotSent));
            return new SshConnection(socket);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            // Whatever it is, the next one is to be accepted.
            socket.Dispose();
            return null;
        }
    }

    public override void Abort(ConnectionAbortedException abortReason)
    {
        _socket.Dispose();
        _ = _closed.CancelAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        _output.Complete();
        _input.Drop(MaxDropped);
        _input.Complete();
        _socket.Dispose();
        await _closed.CancelAsync().ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }
}
