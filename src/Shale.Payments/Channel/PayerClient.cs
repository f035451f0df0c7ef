using System.Buffers;
using Shale.Wire;

namespace Shale.Payments.Channel;

/// <summary>
/// The gateway's end of the payment protocol, over either carrier. There are no request numbers on the wire: an answer that
/// comes late or malformed breaks the payer, and the gateway opens another channel.
/// </summary>
public sealed class PayerClient : IPayer
{
    private readonly FrameConnection _connection;
    private readonly IHostKeySigner? _hostKey;
    private readonly TimeProvider _time;
    private readonly TimeSpan _timeout;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private bool _greeted;
    private volatile bool _broken;

    private PayerClient(FrameConnection connection, IHostKeySigner? hostKey, TimeProvider time, TimeSpan timeout)
    {
        _connection = connection;
        _hostKey = hostKey;
        _time = time;
        _timeout = timeout;
    }

    /// <summary>How long an answer may take; an agent answers at once, the network may not. 10 s is the default grace.</summary>
    public static TimeSpan DefaultTimeout => TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public bool IsBroken => _broken;

    /// <summary>Carrier A: the frames are ssh-agent messages on an agent channel that the client granted.</summary>
    public static PayerClient OverAgentChannel(FrameConnection connection, TimeProvider time, TimeSpan? timeout = null) =>
        new(connection, null, time, timeout ?? DefaultTimeout);

    /// <summary>Carrier B: the frames are bodies on the pay@shaleprotocol.com subsystem or channel.</summary>
    public static PayerClient OverSubsystem(FrameConnection connection, IHostKeySigner hostKey, TimeProvider time, TimeSpan? timeout = null) =>
        new(connection, hostKey, time, timeout ?? DefaultTimeout);

    /// <inheritdoc/>
    public async ValueTask<PayerAnswer<WelcomeMessage>> HelloAsync(HelloMessage hello, CancellationToken cancellation)
    {
        if (_greeted)
        {
            throw new InvalidOperationException("A connection has one hello.");
        }

        _greeted = true;
        PayerAnswer<WelcomeMessage> answer = await AskAsync<HelloMessage, WelcomeMessage>(hello, Greet, WelcomeMessage.TryRead, cancellation);
        if (answer.Status == PayerStatus.Answered &&
            (answer.Message.Version < hello.OldestVersion || answer.Message.Version > hello.NewestVersion))
        {
            _broken = true;
            return new PayerAnswer<WelcomeMessage>(PayerStatus.Malformed, default, default);
        }

        return answer;
    }

    /// <inheritdoc/>
    public ValueTask<PayerAnswer<PaymentMessage>> ChargeAsync(ChargeMessage charge, CancellationToken cancellation) =>
        AskAsync<ChargeMessage, PaymentMessage>(charge, (m, _) => Body(m.Write), PaymentMessage.TryRead, cancellation);

    /// <inheritdoc/>
    public ValueTask<PayerAnswer<NoticeMessage>> NotifyAsync(NoticeMessage notice, CancellationToken cancellation) =>
        AskAsync<NoticeMessage, NoticeMessage>(notice, (m, _) => Body(m.Write), (ReadOnlySpan<byte> body, out NoticeMessage message) =>
        {
            message = default;
            return body.Length == 1 && body[0] == (byte)PaymentMessageType.Acknowledgement;
        }, cancellation);

    /// <inheritdoc/>
    public ValueTask<PayerAnswer<VerdictMessage>> ProbeAsync(ProbeMessage probe, CancellationToken cancellation) =>
        AskAsync<ProbeMessage, VerdictMessage>(probe, (m, _) => Body(m.Write), VerdictMessage.TryRead, cancellation);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _broken = true;
        await _connection.DisposeAsync();
    }

    private static ValueTask<byte[]?> Body(Action<IBufferWriter<byte>> write)
    {
        using var buffer = new PooledBufferWriter(PaymentProtocol.MaxBodySize);
        write(buffer);
        return ValueTask.FromResult<byte[]?>(buffer.WrittenSpan.ToArray());
    }

    /// <summary>On carrier B the agent's nonce comes first, and the host key signs the hello with it.</summary>
    private async ValueTask<byte[]?> Greet(HelloMessage hello, CancellationToken cancellation)
    {
        if (_hostKey is null)
        {
            return await Body((hello with { HostKey = default, HostSignature = default }).Write);
        }

        (FrameStatus status, byte[] body) = await _connection.ReadAsync(PaymentProtocol.MaxBodySize, cancellation);
        if (status != FrameStatus.Frame || !OpenMessage.TryRead(body, out OpenMessage open))
        {
            return null;
        }

        hello = hello with { HostKey = _hostKey.HostKey };
        return await Body((hello with { HostSignature = _hostKey.Sign(hello.SignedData(open.Nonce.Span)) }).Write);
    }

    private async ValueTask<PayerAnswer<TAnswer>> AskAsync<TRequest, TAnswer>(
        TRequest request, Func<TRequest, CancellationToken, ValueTask<byte[]?>> prepare, Reader<TAnswer> read, CancellationToken cancellation)
    {
        static PayerAnswer<TAnswer> Failed(PayerStatus status) => new(status, default!, default);
        await _turn.WaitAsync(cancellation);
        try
        {
            if (_broken)
            {
                return Failed(PayerStatus.Gone);
            }

            // Until the answer has been read and understood the connection is in the middle of something.
            _broken = true;
            using var limit = new CancellationTokenSource(_timeout, _time);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
            byte[]? body;
            FrameStatus status;
            byte[] frame;
            try
            {
                body = await prepare(request, both.Token);
                if (body is null)
                {
                    return Failed(PayerStatus.Malformed);
                }

                if (!await _connection.WriteAsync(_hostKey is null ? AgentProtocol.WrapRequest(body) : body, both.Token))
                {
                    return Failed(PayerStatus.Gone);
                }

                (status, frame) = await _connection.ReadAsync(AgentProtocol.MaxMessageSize, both.Token);
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                return Failed(PayerStatus.Silent);
            }

            if (status != FrameStatus.Frame)
            {
                return Failed(status == FrameStatus.Closed ? PayerStatus.Gone : PayerStatus.Malformed);
            }

            ReadOnlySpan<byte> answer = frame;
            if (_hostKey is null)
            {
                if (frame[0] is AgentProtocol.Failure or AgentProtocol.ExtensionFailure)
                {
                    return Failed(PayerStatus.NotSpoken);
                }

                if (frame[0] != AgentProtocol.Success)
                {
                    return Failed(PayerStatus.Malformed);
                }

                answer = answer[1..];
            }

            if (RefusalMessage.TryRead(answer, out RefusalMessage refusal))
            {
                _broken = false;
                return new PayerAnswer<TAnswer>(PayerStatus.Refused, default!, refusal);
            }

            if (!read(answer, out TAnswer message))
            {
                return Failed(PayerStatus.Malformed);
            }

            _broken = false;
            return new PayerAnswer<TAnswer>(PayerStatus.Answered, message, default);
        }
        finally
        {
            _turn.Release();
        }
    }

    private delegate bool Reader<T>(ReadOnlySpan<byte> body, out T message);
}
