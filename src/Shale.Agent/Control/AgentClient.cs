using System.Net.Sockets;
using System.Text.Json;
using Shale.Agent.Files;

namespace Shale.Agent.Control;

/// <summary>How commands talk to the agent that runs.</summary>
public sealed class AgentClient
{
    /// <summary>A status of thousands of leases fits.</summary>
    private const int MaxReply = 16 << 20;

    /// <summary>The agent answers from memory; one that doesn't in this time is stuck or stopped.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly AgentFolder _folder;

    /// <summary>For the agent of a folder.</summary>
    public AgentClient(AgentFolder folder) => _folder = folder;

    /// <summary>The status; null where no agent runs.</summary>
    /// <exception cref="AgentException">It runs and doesn't answer.</exception>
    public async Task<AgentStatus?> StatusAsync(CancellationToken cancellation) =>
        (await AskAsync(new ControlRequest("status"), cancellation).ConfigureAwait(false))?.Status;

    /// <summary>The status of one lease, whose usage the gateway is asked for from now on; null where no agent runs or it knows no such lease.</summary>
    /// <exception cref="AgentException">It runs and doesn't answer.</exception>
    public async Task<LeaseView?> WatchAsync(ulong lease, CancellationToken cancellation) =>
        (await AskAsync(new ControlRequest("watch", lease), cancellation).ConfigureAwait(false))?.Status?.Leases.FirstOrDefault(l => l.Lease == lease);

    /// <summary>Makes the agent read its files anew.</summary>
    /// <returns>False where no agent runs.</returns>
    /// <exception cref="AgentException">It can't use them; what was in force stays so.</exception>
    public async Task<bool> ReloadAsync(CancellationToken cancellation) => await AskAsync(new ControlRequest("reload"), cancellation).ConfigureAwait(false) is not null;

    /// <summary>Names the user's ssh-agent of this login; taken where the one before is gone.</summary>
    /// <returns>False where no agent runs.</returns>
    public async Task<bool> OfferIdentityAgentAsync(string path, CancellationToken cancellation) =>
        await AskAsync(new ControlRequest("identity", Path: path), cancellation).ConfigureAwait(false) is not null;

    /// <summary>Ends the agent.</summary>
    /// <returns>False where none runs.</returns>
    public async Task<bool> QuitAsync(CancellationToken cancellation) => await AskAsync(new ControlRequest("quit"), cancellation).ConfigureAwait(false) is not null;

    private async Task<ControlReply?> AskAsync(ControlRequest request, CancellationToken cancellation)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timeout.CancelAfter(Timeout);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(AgentFolder.CheckSocketPath(_folder.ControlSocket)), timeout.Token).ConfigureAwait(false);
        }
        catch (SocketException)
        {
            return null;
        }

        try
        {
            await using var stream = new NetworkStream(socket);
            byte[] line = JsonSerializer.SerializeToUtf8Bytes(request, AgentLineJson.Default.ControlRequest);
            await stream.WriteAsync((byte[])[.. line, (byte)'\n'], timeout.Token).ConfigureAwait(false);
            byte[] reply = await LineStream.ReadLineAsync(stream, MaxReply, timeout.Token).ConfigureAwait(false)
                ?? throw new AgentException("The payment agent ended before it answered.");
            ControlReply answer = JsonSerializer.Deserialize(reply, AgentLineJson.Default.ControlReply) ?? new ControlReply("It answered with nothing.");
            return answer.Error is null ? answer : throw new AgentException(answer.Error);
        }
        catch (Exception cause) when (cause is IOException or SocketException or JsonException)
        {
            throw new AgentException("The payment agent answered with something else than was asked: " + cause.Message);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new AgentException("The payment agent does not answer.", "End its process and start it anew: shale agent");
        }
    }
}
