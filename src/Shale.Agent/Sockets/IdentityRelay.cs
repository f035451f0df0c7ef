using System.Net.Sockets;
using Shale.Agent.Files;
using Shale.Payments.Channel;

namespace Shale.Agent.Sockets;

/// <summary>
/// The identity socket: hands each request on to the user's own ssh-agent, and answers for it where there is none. It exists
/// because ssh asks for forwarding only where some agent answers; what it forwards to is a pay socket, never this one.
/// </summary>
internal sealed class IdentityRelay
{
    /// <summary>OpenSSH's agent takes and gives no larger message.</summary>
    private const int MaxMessageSize = 256 * 1024;

    /// <summary>SSH_AGENTC_REQUEST_IDENTITIES.</summary>
    private const byte RequestIdentities = 11;

    /// <summary>SSH_AGENT_IDENTITIES_ANSWER, and how many: none.</summary>
    private static readonly byte[] NoIdentities = [12, 0, 0, 0, 0];

    private static readonly byte[] Failed = [AgentProtocol.Failure];

    /// <summary>A socket whose owner is stopped accepts nothing: ssh must not wait for it.</summary>
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(1);

    private readonly AgentFolder _folder;
    private volatile string? _upstream;

    /// <summary>For the agent at a path; null or empty for none.</summary>
    /// <param name="upstream">SSH_AUTH_SOCK as the agent found it.</param>
    /// <param name="folder">The agent's own sockets are no agent of the user's.</param>
    public IdentityRelay(string? upstream, AgentFolder folder)
    {
        _folder = folder;
        _upstream = Usable(upstream);
    }

    /// <summary>Whether there is an agent to ask.</summary>
    public bool HasUpstream => _upstream is not null;

    /// <summary>
    /// Takes the agent of another login where the one before is gone: this process outlives the login that started it.
    /// </summary>
    public async Task OfferAsync(string? upstream, CancellationToken cancellation)
    {
        if (Usable(upstream) is not { } offered || offered == _upstream)
        {
            return;
        }

        if (await ConnectAsync(cancellation).ConfigureAwait(false) is { } alive)
        {
            await alive.DisposeAsync().ConfigureAwait(false);
            return;
        }

        _upstream = offered;
    }

    /// <summary>Serves a connection until it closes. Only here may an answer take its time: the user's own agent may ask for a touch.</summary>
    public async Task ServeAsync(Stream stream, CancellationToken cancellation)
    {
        await using FrameConnection client = FrameConnection.Over(stream);
        FrameConnection? agent = await ConnectAsync(cancellation).ConfigureAwait(false);
        try
        {
            while (true)
            {
                (FrameStatus status, byte[] request) = await client.ReadAsync(MaxMessageSize, cancellation).ConfigureAwait(false);
                if (status != FrameStatus.Frame)
                {
                    return;
                }

                byte[]? answer = agent is null ? null : await AskAsync(agent, request, cancellation).ConfigureAwait(false);
                if (answer is null && agent is not null)
                {
                    await agent.DisposeAsync().ConfigureAwait(false);
                    agent = null;
                }

                answer ??= request[0] == RequestIdentities ? NoIdentities : Failed;
                if (!await client.WriteAsync(answer, cancellation).ConfigureAwait(false))
                {
                    return;
                }
            }
        }
        finally
        {
            if (agent is not null)
            {
                await agent.DisposeAsync().ConfigureAwait(false);
            }
        }
    }

    private static async Task<byte[]?> AskAsync(FrameConnection agent, byte[] request, CancellationToken cancellation)
    {
        if (!await agent.WriteAsync(request, cancellation).ConfigureAwait(false))
        {
            return null;
        }

        (FrameStatus status, byte[] answer) = await agent.ReadAsync(MaxMessageSize, cancellation).ConfigureAwait(false);
        return status == FrameStatus.Frame ? answer : null;
    }

    private string? Usable(string? upstream) =>
        string.IsNullOrEmpty(upstream) || Path.GetFullPath(upstream).StartsWith(_folder.Root + "/", StringComparison.Ordinal) ? null : upstream;

    private async Task<FrameConnection?> ConnectAsync(CancellationToken cancellation)
    {
        if (_upstream is not { } upstream)
        {
            return null;
        }

        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timeout.CancelAfter(ConnectTimeout);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(upstream), timeout.Token).ConfigureAwait(false);
            return FrameConnection.Over(new NetworkStream(socket, ownsSocket: true));
        }
        catch (Exception cause) when (cause is SocketException or OperationCanceledException or ArgumentException)
        {
            socket.Dispose();
            return null;
        }
    }
}
