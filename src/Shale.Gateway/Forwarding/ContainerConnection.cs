using System.Net.Sockets;
using Shale.Containers.Network;
using Shale.Ssh.Forwarding;

namespace Shale.Gateway.Forwarding;

/// <summary>A forward's far end: a connection into the container's network, or to a Unix socket of it.</summary>
internal sealed class ContainerConnection(Socket socket) : ForwardedStream
{
    private readonly PolledSocket _socket = new(socket);

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => _socket.ReadAsync(buffer, cancellationToken);

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) => _socket.WriteAsync(data, cancellationToken);

    public override ValueTask CompleteWritesAsync(CancellationToken cancellationToken)
    {
        _socket.EndWrites();
        return ValueTask.CompletedTask;
    }

    public override ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }
}
