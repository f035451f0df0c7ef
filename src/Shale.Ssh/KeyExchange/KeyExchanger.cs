using System.Security.Cryptography;
using System.Text;
using Shale.Ssh.Connection;
using Shale.Ssh.Keys;
using Shale.Ssh.Transport;
using Shale.Wire;

namespace Shale.Ssh.KeyExchange;

/// <summary>
/// Runs the key exchanges of one connection (RFC 4253 sections 7 to 9), the first and all later ones, for either side. Either side may start one; only the connection's reader runs it.
/// </summary>
internal sealed class KeyExchanger(SshTransport transport, TransportOptions options)
{
    private readonly Lock _gate = new();
    private readonly RekeyBudget _budget = new(options.TimeProvider);
    private byte[]? _ownInit;
    private bool _peerWantsExtInfo;
    private KexInit? _ownOffer;

    /// <summary>Whether no exchange was completed yet.</summary>
    public bool IsFirst { get; private set; } = true;

    /// <summary>Whether both sides speak strict kex (OpenSSH's PROTOCOL section 1.10), as the first exchange settled it.</summary>
    public bool IsStrict { get; private set; }

    /// <summary>The first exchange's hash.</summary>
    public byte[] SessionId { get; private set; } = [];

    /// <summary>Server: the key that signed the first exchange.</summary>
    public HostKey? HostKey { get; private set; }

    /// <summary>The public half of the key that signed the first exchange.</summary>
    public SshPublicKey? HostPublicKey { get; private set; }

    /// <summary>The algorithm that the host key signed the first exchange with.</summary>
    public string HostKeyAlgorithm { get; private set; } = "";

    /// <summary>The method of the first exchange.</summary>
    public string Method { get; private set; } = "";

    /// <summary>The ciphers in use.</summary>
    public Negotiation? Current { get; private set; }

    /// <summary>When keys were last exchanged, by <see cref="TimeProvider.GetTimestamp"/>.</summary>
    public long CompletedAt { get; private set; } = options.TimeProvider.GetTimestamp();

    /// <summary>When our offer was sent, if an exchange runs; otherwise 0.</summary>
    public long StartedAt { get; private set; }

    /// <summary>Sends our offer, unless an exchange runs already. May be called from any thread.</summary>
    public void Start()
    {
        lock (_gate)
        {
            if (_ownInit is not null)
            {
                return;
            }

            _ownOffer = Offer();
            using var buffer = new PooledBufferWriter(64 * 1024);
            _ownOffer.Write(new WireWriter(buffer));
            _ownInit = buffer.WrittenSpan.ToArray();
            StartedAt = options.TimeProvider.GetTimestamp();
            transport.Writer.BeginExchange(_ownInit);
        }

        transport.Writer.Flush();
    }

    /// <summary>Runs an exchange, beginning with the peer's KEXINIT, which is the transport's current message.</summary>
    /// <returns>Whether it went well; if not, the connection is over.</returns>
    public async ValueTask<bool> RunAsync()
    {
        if (!IsFirst && !await _budget.TakeAsync(transport.Closed))
        {
            return false;
        }

        var peerInit = transport.Payload.ToArray();
        if (!KexInit.TryRead(peerInit, out var peerOffer))
        {
            return transport.Fail(DisconnectReason.ProtocolError, "KEXINIT is malformed.");
        }

        Start();
        var isServer = transport.Role == Role.Server;
        var (clientOffer, serverOffer) = isServer ? (peerOffer, _ownOffer!) : (_ownOffer!, peerOffer);
        if (IsFirst)
        {
            _peerWantsExtInfo = peerOffer.KexAlgorithms.Contains(Negotiation.ExtInfoClient);
            IsStrict = clientOffer.KexAlgorithms.Contains(Negotiation.StrictClient) && serverOffer.KexAlgorithms.Contains(Negotiation.StrictServer);
            if (IsStrict && transport.IncomingSequence != 0)
            {
                // Something came before KEXINIT: harmless in itself, but what Terrapin needs.
                return transport.Fail(DisconnectReason.ProtocolError, "KEXINIT was not the first packet.");
            }
        }

        if (!Negotiation.TryNegotiate(clientOffer, serverOffer, out var agreed, out var failure))
        {
            return transport.Fail(DisconnectReason.KeyExchangeFailed, "Cannot agree: " + failure + ".");
        }

        transport.ExchangePhase = Phase.KexExchange;
        if (peerOffer.FirstPacketFollows && agreed.GuessWasWrong && !await transport.ReceiveRawAsync())
        {
            return false;
        }

        using var agreement = KeyAgreement.Create(agreed.Kex);
        var result = isServer
            ? await RespondAsync(agreement, agreed, peerInit)
            : await InitiateAsync(agreement, agreed, peerInit);
        if (result is null)
        {
            return false;
        }

        using (result)
        {
            return await ChangeKeysAsync(agreement, agreed, result, isServer);
        }
    }

    /// <summary>Server: awaits the client's value, answers it, signs.</summary>
    private async ValueTask<Outcome?> RespondAsync(KeyAgreement agreement, Negotiation agreed, byte[] peerInit)
    {
        if (!await transport.ReceiveRawAsync())
        {
            return null;
        }

        var clientValue = ReadClientValue(agreement);
        var hostKey = options.HostKeys.FirstOrDefault(key => key.SignatureAlgorithms.Contains(agreed.HostKey));
        if (clientValue is null || hostKey is null)
        {
            transport.Fail(DisconnectReason.KeyExchangeFailed, "The key exchange's message is malformed.");
            return null;
        }

        var blob = hostKey.PublicKey.Blob.ToArray();
        var answer = await ComputeAsync(() =>
        {
            if (!agreement.TryRespond(clientValue, out var serverValue, out var secret))
            {
                return null;
            }

            var hash = ExchangeHash.Compute(
                agreement, Ascii(transport.PeerVersion), Ascii(transport.OwnVersion), peerInit, _ownInit!, blob, clientValue, serverValue, secret);
            return new Outcome(secret, hash, serverValue, hostKey.Sign(agreed.HostKey, hash));
        });
        if (answer is null)
        {
            transport.Fail(DisconnectReason.KeyExchangeFailed, "The key exchange's value is not acceptable.");
            return null;
        }

        if (IsFirst)
        {
            HostKey = hostKey;
            Remember(hostKey.PublicKey, agreed);
        }

        transport.Send(new KexReplyMessage(agreement, blob, answer.ServerValue, answer.Signature), flush: false);
        return answer;
    }

    /// <summary>Client: sends a value, awaits the server's, checks its signature and its key.</summary>
    private async ValueTask<Outcome?> InitiateAsync(KeyAgreement agreement, Negotiation agreed, byte[] peerInit)
    {
        var clientValue = agreement.Begin();
        transport.Send(new KexInitiateMessage(agreement, clientValue));
        if (!await transport.ReceiveRawAsync())
        {
            return null;
        }

        if (!TryReadReply(agreement, out var blob, out var serverValue, out var signature)
            || !SshPublicKey.TryParse(blob, out var hostKey))
        {
            transport.Fail(DisconnectReason.KeyExchangeFailed, "The key exchange's answer is malformed.");
            return null;
        }

        var outcome = await ComputeAsync(() =>
        {
            if (!agreement.TryComplete(serverValue, out var secret))
            {
                return null;
            }

            var hash = ExchangeHash.Compute(
                agreement, Ascii(transport.OwnVersion), Ascii(transport.PeerVersion), _ownInit!, peerInit, blob, clientValue, serverValue, secret);
            return hostKey.Verify(hash, signature, agreed.HostKey) == SignatureCheck.Ok ? new Outcome(secret, hash, serverValue, signature) : null;
        });
        if (outcome is null)
        {
            transport.Fail(DisconnectReason.KeyExchangeFailed, "The host key's signature does not verify.");
            return null;
        }

        var trusted = IsFirst
            ? options.VerifyHostKey is not null && await options.VerifyHostKey(hostKey, transport.Closed)
            : hostKey.Blob.Span.SequenceEqual(HostPublicKey!.Blob.Span) || (options.VerifyHostKey is not null && await options.VerifyHostKey(hostKey, transport.Closed));
        if (!trusted)
        {
            outcome.Dispose();
            transport.Fail(DisconnectReason.HostKeyNotVerifiable, "The host key is not trusted.");
            return null;
        }

        if (IsFirst)
        {
            Remember(hostKey, agreed);
        }

        return outcome;
    }

    private async ValueTask<bool> ChangeKeysAsync(KeyAgreement agreement, Negotiation agreed, Outcome outcome, bool isServer)
    {
        if (IsFirst)
        {
            SessionId = outcome.Hash;
        }

        var (outSuite, inSuite) = isServer ? (agreed.ServerToClient, agreed.ClientToServer) : (agreed.ClientToServer, agreed.ServerToClient);
        using (var keys = ExchangeHash.Derive(agreement.Hash, outcome.Secret, outcome.Hash, SessionId, clientToServer: !isServer, outSuite))
        {
            transport.Writer.SwitchKeys(outSuite.CreateSealer(keys), IsStrict, IsFirst ? FirstMessage(isServer) : []);
        }

        transport.ExchangePhase = Phase.NewKeys;
        if (!await transport.ReceiveRawAsync())
        {
            return false;
        }

        if (transport.Payload.Length != 1)
        {
            return transport.Fail(DisconnectReason.ProtocolError, "NEWKEYS is malformed.");
        }

        if (IsStrict && transport.SequenceWrapped)
        {
            return transport.Fail(DisconnectReason.ProtocolError, "Too many packets before the first keys.");
        }

        using (var keys = ExchangeHash.Derive(agreement.Hash, outcome.Secret, outcome.Hash, SessionId, clientToServer: isServer, inSuite))
        {
            transport.SwitchIncomingKeys(inSuite.CreateOpener(keys), IsStrict);
        }

        Current = agreed;
        IsFirst = false;
        transport.ExchangePhase = Phase.None;
        lock (_gate)
        {
            _ownInit = null;
            _ownOffer = null;
            StartedAt = 0;
            CompletedAt = options.TimeProvider.GetTimestamp();
        }

        if (transport.Writer.IsRekeyDue)
        {
            // They wore out while the lines above ran, when Start() saw an exchange that was still going on.
            Start();
        }

        SshLog.KeysExchanged(
            options.Logger, agreed.Kex, agreed.HostKey, inSuite.Cipher, inSuite.Mac, outSuite.Cipher, outSuite.Mac, IsStrict);
        return true;
    }

    /// <summary>EXT_INFO, which comes first under the first keys (RFC 8308 section 2.4), if the peer asked for it.</summary>
    private byte[] FirstMessage(bool isServer)
    {
        if (!isServer || options.Extensions.Count == 0 || !_peerWantsExtInfo)
        {
            return [];
        }

        using var buffer = new PooledBufferWriter(16 * 1024);
        new ExtInfoMessage(options.Extensions).Write(new WireWriter(buffer));
        return buffer.WrittenSpan.ToArray();
    }

    private KexInit Offer()
    {
        string[] kex = !IsFirst ? options.KexAlgorithms
            : transport.Role == Role.Server ? [.. options.KexAlgorithms, Negotiation.StrictServer]
            : [.. options.KexAlgorithms, Negotiation.ExtInfoClient, Negotiation.StrictClient];
        var hostKeys = transport.Role == Role.Server
            ? options.HostKeys.SelectMany(key => key.SignatureAlgorithms).Distinct().ToArray()
            : options.HostKeyAlgorithms;
        return KexInit.Offer(kex, hostKeys, options.Ciphers, options.Macs);
    }

    private void Remember(SshPublicKey hostKey, Negotiation agreed)
    {
        HostPublicKey = hostKey;
        HostKeyAlgorithm = agreed.HostKey;
        Method = agreed.Kex;
    }

    private async ValueTask<Outcome?> ComputeAsync(Func<Outcome?> compute)
    {
        transport.Writer.Flush();
        try
        {
            return await options.KexGate.RunAsync(compute, transport.Closed);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    private byte[]? ReadClientValue(KeyAgreement agreement)
    {
        var reader = new WireReader(transport.Payload.Span[1..]);
        return ExchangeHash.TryReadValue(ref reader, agreement, out var value) && reader.IsAtEnd ? value.ToArray() : null;
    }

    private bool TryReadReply(KeyAgreement agreement, out byte[] hostKey, out byte[] value, out byte[] signature)
    {
        (hostKey, value, signature) = ([], [], []);
        var reader = new WireReader(transport.Payload.Span[1..]);
        if (!reader.TryReadString(out var blob)
            || !ExchangeHash.TryReadValue(ref reader, agreement, out var serverValue)
            || !reader.TryReadString(out var signed)
            || !reader.IsAtEnd)
        {
            return false;
        }

        (hostKey, value, signature) = (blob.ToArray(), serverValue.ToArray(), signed.ToArray());
        return true;
    }

    private static byte[] Ascii(string text) => Encoding.ASCII.GetBytes(text);

    private sealed record Outcome(byte[] Secret, byte[] Hash, byte[] ServerValue, byte[] Signature) : IDisposable
    {
        public void Dispose() => CryptographicOperations.ZeroMemory(Secret);

        public override string ToString() => nameof(Outcome);
    }

    /// <summary>SSH_MSG_KEX_ECDH_INIT and SSH_MSG_KEXDH_INIT: the client's value.</summary>
    private readonly record struct KexInitiateMessage(KeyAgreement Agreement, byte[] Value) : IMessage
    {
        public void Write(WireWriter writer)
        {
            writer.WriteByte(MessageNumber.KexExchangeInit);
            ExchangeHash.WriteValue(writer, Agreement, Value);
        }
    }

    /// <summary>SSH_MSG_KEX_ECDH_REPLY and SSH_MSG_KEXDH_REPLY: string host key, the server's value, string signature.</summary>
    private readonly record struct KexReplyMessage(KeyAgreement Agreement, byte[] HostKey, byte[] Value, byte[] Signature) : IMessage
    {
        public void Write(WireWriter writer)
        {
            writer.WriteByte(MessageNumber.KexExchangeReply);
            writer.WriteString(HostKey);
            ExchangeHash.WriteValue(writer, Agreement, Value);
            writer.WriteString(Signature);
        }
    }
}

/// <summary>
/// How often a peer may make us exchange keys again: 64 times at once, then 8 times a second. Past that its next message waits, so that a peer which does nothing else costs a bounded share of a core;
/// OpenSSH with its smallest RekeyLimit stays below the first figure for minutes.
/// </summary>
internal sealed class RekeyBudget(TimeProvider time)
{
    private const int Burst = 64;
    private const int PerSecond = 8;

    private double _tokens = Burst;
    private long _refilledAt = time.GetTimestamp();

    public async ValueTask<bool> TakeAsync(CancellationToken cancellationToken)
    {
        var now = time.GetTimestamp();
        _tokens = Math.Min(Burst, _tokens + (time.GetElapsedTime(_refilledAt, now).TotalSeconds * PerSecond));
        _refilledAt = now;
        _tokens--;
        if (_tokens >= 0)
        {
            return true;
        }

        try
        {
            await Task.Delay(TimeSpan.FromSeconds(-_tokens / PerSecond), time, cancellationToken);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
