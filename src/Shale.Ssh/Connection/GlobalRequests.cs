using System.Threading.Channels;
using Shale.Ssh.Forwarding;
using Shale.Ssh.Keys;
using Shale.Ssh.Listening;
using Shale.Ssh.Transport;
using Shale.Wire;

namespace Shale.Ssh.Connection;

/// <summary>
/// The server's global requests (RFC 4254 section 4 and 7.1, OpenSSH's PROTOCOL sections 2.2 to 2.5). Replies carry no number, so they are sent in the order of the requests: those that
/// take time are worked off one by one, and while too many wait, the connection is not read.
/// </summary>
internal sealed class GlobalRequests(ServerConnection connection, SshTransport transport, SshServerOptions options, ServerForwarding forwarding)
    : IAsyncDisposable
{
    /// <summary>A client sends its remote forwards in one go; more than these wait in the socket.</summary>
    private const int MaxWaiting = 32;

    private const string HostKeysAnnounce = "hostkeys-00@openssh.com";
    private const string HostKeysProve = "hostkeys-prove-00@openssh.com";
    private const string KeepAlive = "keepalive@openssh.com";
    private const string NoMoreSessions = "no-more-sessions@openssh.com";

    private Channel<(GlobalRequestMessage Request, TaskCompletionSource Answered)>? _waiting;
    private Task _working = Task.CompletedTask;
    private int _unanswered;

    /// <summary>
    /// Done when all requests that came so far are answered. Shells and commands wait for it: whoever asks for a forward and then runs a command finds the forward there, as with OpenSSH's server. Asked by the
    /// connection's reader.
    /// </summary>
    public Task AllAnswered { get; private set; } = Task.CompletedTask;

    /// <summary>Tells the client all host keys, so that it can learn new ones before an old one goes.</summary>
    public void AnnounceHostKeys()
    {
        using var buffer = new PooledBufferWriter(64 * 1024);
        var writer = new WireWriter(buffer);
        foreach (var key in options.HostKeys)
        {
            writer.WriteString(key.PublicKey.Blob.Span);
        }

        transport.Send(new GlobalRequestMessage(HostKeysAnnounce, WantReply: false, buffer.WrittenMemory), flush: false);
    }

    /// <summary>Sends a request that any client answers, be it with a refusal.</summary>
    public void AskForSignOfLife()
    {
        Interlocked.Increment(ref _unanswered);
        transport.Send(new GlobalRequestMessage(KeepAlive, WantReply: true, default));
    }

    /// <summary>An answer came.</summary>
    /// <returns>Whether one was due.</returns>
    public bool OnReply() => Interlocked.Decrement(ref _unanswered) >= 0;

    public async Task OnRequestAsync(GlobalRequestMessage request)
    {
        if (request.Name == NoMoreSessions)
        {
            connection.DisallowSessions();
        }

        if (_waiting is null && !ServerForwarding.IsRequest(request.Name))
        {
            // Nothing is ahead of it: the common case.
            await AnswerAsync(request);
            return;
        }

        if (_waiting is null)
        {
            _waiting = System.Threading.Channels.Channel.CreateBounded<(GlobalRequestMessage, TaskCompletionSource)>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true, SingleWriter = true });
            _working = Task.Run(WorkAsync);
        }

        // The reader's memory is used again for the next message.
        var answered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        AllAnswered = answered.Task;
        try
        {
            await _waiting.Writer.WriteAsync((request with { Fields = request.Fields.ToArray() }, answered), transport.Closed);
        }
        catch (OperationCanceledException)
        {
            // The connection is over, which the reader finds out next.
        }
    }

    public async ValueTask DisposeAsync()
    {
        _waiting?.Writer.TryComplete();
        await _working;
    }

    private async Task WorkAsync()
    {
        await foreach (var (request, answered) in _waiting!.Reader.ReadAllAsync(CancellationToken.None))
        {
            await AnswerAsync(request);
            answered.SetResult();
        }
    }

    private async ValueTask AnswerAsync(GlobalRequestMessage request)
    {
        var reply = request.Name switch
        {
            HostKeysProve => ProveHostKeys(request.Fields.Span),
            NoMoreSessions => [],
            _ when ServerForwarding.IsRequest(request.Name) => await forwarding.OnGlobalRequestAsync(request),
            _ => null,
        };
        if (request.WantReply)
        {
            transport.Send(new GlobalReplyMessage(reply is not null, reply));
        }
    }

    /// <summary>
    /// Signs for each key that the client asks about: string "hostkeys-prove-00@openssh.com", string session identifier, string host key. All of them are ours, or the answer is no.
    /// </summary>
    private byte[]? ProveHostKeys(ReadOnlySpan<byte> fields)
    {
        using var answer = new PooledBufferWriter(256 * 1024);
        var writer = new WireWriter(answer);
        var reader = new WireReader(fields);
        var proved = new HashSet<HostKey>();
        while (!reader.IsAtEnd)
        {
            if (!reader.TryReadString(out var blob) || Find(blob) is not { } key || !proved.Add(key))
            {
                return null;
            }

            using var signed = new PooledBufferWriter(64 * 1024);
            var data = new WireWriter(signed);
            data.WriteString(HostKeysProve);
            data.WriteString(transport.Exchanger.SessionId);
            data.WriteString(blob);

            // OpenSSH's client verifies an RSA key with the algorithm of the first exchange if that was an RSA one.
            var algorithm = key.SignatureAlgorithms.Contains(transport.Exchanger.HostKeyAlgorithm)
                ? transport.Exchanger.HostKeyAlgorithm
                : key.SignatureAlgorithms[0];
            writer.WriteString(key.Sign(algorithm, signed.WrittenSpan));
        }

        return proved.Count == 0 ? null : answer.WrittenSpan.ToArray();
    }

    private HostKey? Find(ReadOnlySpan<byte> blob)
    {
        foreach (var key in options.HostKeys)
        {
            if (key.PublicKey.Blob.Span.SequenceEqual(blob))
            {
                return key;
            }
        }

        return null;
    }
}
