using System.Buffers;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;
using Shale.Wire;

namespace Shale.Payments.Channel;

/// <summary>Bounds and pieces that the messages share. All numbers are those of docs/PROTOCOL.payment.md.</summary>
public static class PaymentProtocol
{
    /// <summary>The name of the agent extension, of the subsystem and of the channel type.</summary>
    public const string Name = "pay@shaleprotocol.com";

    /// <summary>The newest version that this code speaks.</summary>
    public const uint Version = 1;

    /// <summary>The oldest.</summary>
    public const uint OldestVersion = 1;

    /// <summary>
    /// The most bytes of a body: a charge needs some 11 KiB (statement, checkpoint, proof), a probe's report 16; other endpoints
    /// of an agent channel cap a message at 256 KiB.
    /// </summary>
    public const int MaxBodySize = 32 * 1024;

    /// <summary>The most bytes of a text for the user.</summary>
    public const int MaxTextSize = 512;

    /// <summary>The most bytes of a signed checkpoint: three lines and a handful of signatures.</summary>
    public const int MaxCheckpointSize = 4096;

    /// <summary>The most bytes of a probe's report.</summary>
    public const int MaxReportSize = 16 * 1024;

    /// <summary>Bytes of the agent's nonce.</summary>
    public const int NonceSize = 32;

    /// <summary>The most bytes of a host key or a signature blob: RSA of 16,384 bits has some 2,100.</summary>
    public const int MaxHostKeySize = 4096;

    /// <summary>A text as it may be shown on a terminal: control characters become spaces, and its length is bounded.</summary>
    public static string Printable(string text)
    {
        string clean = string.Create(Math.Min(text.Length, MaxTextSize / 3), text, static (span, source) =>
        {
            for (int i = 0; i < span.Length; i++)
            {
                char c = source[i];
                span[i] = char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' or (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069') ? ' ' : c;
            }
        });
        return clean.Trim();
    }

    internal static void WriteAmount(ref WireWriter writer, AttoFil amount)
    {
        Span<byte> bytes = stackalloc byte[AttoFil.Size];
        amount.Write(bytes);
        writer.WriteBytes(bytes);
    }

    internal static bool TryReadAmount(ref WireReader reader, out AttoFil amount)
    {
        bool ok = reader.TryReadBytes(AttoFil.Size, out ReadOnlySpan<byte> bytes);
        amount = ok ? AttoFil.Read(bytes) : default;
        return ok;
    }

    internal static void WriteStanding(ref WireWriter writer, Standing? standing)
    {
        writer.WriteString(standing is null ? default : standing.Voucher.Bytes.Span);
        writer.WriteString(standing is null ? [] : standing.Statement.ToBytes());
    }

    /// <summary>Both or neither, and the statement is the one that the voucher signs.</summary>
    internal static bool TryReadStanding(ref WireReader reader, out Standing? standing)
    {
        standing = null;
        if (!reader.TryReadString(SignedVoucher.Size, out ReadOnlySpan<byte> voucherBytes) ||
            !reader.TryReadString(MeterStatement.MaxSize, out ReadOnlySpan<byte> statementBytes) ||
            voucherBytes.IsEmpty != statementBytes.IsEmpty)
        {
            return false;
        }

        if (voucherBytes.IsEmpty)
        {
            return true;
        }

        if (!SignedVoucher.TryRead(voucherBytes, out SignedVoucher? voucher) ||
            !MeterStatement.TryRead(statementBytes, out MeterStatement? statement) ||
            voucher.Voucher.Statement != StatementDigest.Of(statementBytes) ||
            voucher.Voucher.LeaseId != statement.LeaseId)
        {
            return false;
        }

        standing = new Standing(voucher, statement);
        return true;
    }

    internal static bool TryReadHashes(ref WireReader reader, int most, out MerkleHash[] hashes)
    {
        hashes = [];
        if (!reader.TryReadUInt32(out uint count) || count > (uint)most)
        {
            return false;
        }

        hashes = new MerkleHash[count];
        for (int i = 0; i < hashes.Length; i++)
        {
            if (!reader.TryReadBytes(MerkleHash.Size, out ReadOnlySpan<byte> hash))
            {
                return false;
            }

            hashes[i] = new MerkleHash(hash);
        }

        return true;
    }

    internal static void WriteHashes(ref WireWriter writer, IReadOnlyList<MerkleHash> hashes)
    {
        writer.WriteUInt32((uint)hashes.Count);
        foreach (MerkleHash hash in hashes)
        {
            writer.WriteBytes(hash.ToArray());
        }
    }

    internal static bool TryReadType(ref WireReader reader, PaymentMessageType type) =>
        reader.TryReadByte(out byte value) && value == (byte)type;
}

/// <summary>A newest voucher and the statement that it answers. Where it was read from the wire the digest has been compared, the signature not.</summary>
/// <param name="Voucher">The voucher.</param>
/// <param name="Statement">Its statement.</param>
public sealed record Standing(SignedVoucher Voucher, MeterStatement Statement);

/// <summary>Section 4.1. A version range stands first in every version of the protocol, so that an old agent can name its own.</summary>
/// <param name="OldestVersion">The oldest version that the gateway speaks.</param>
/// <param name="NewestVersion">The newest.</param>
/// <param name="ChainId">EIP-155 chain ID.</param>
/// <param name="Contract">The settlement contract, 20 bytes.</param>
/// <param name="LeaseId">The lease.</param>
/// <param name="Provider">The provider's miner ID.</param>
/// <param name="PricePerSecond">Price in attoFIL per second.</param>
/// <param name="WindowMilliseconds">The time that the gateway asks to be paid ahead.</param>
/// <param name="LogVerifier">The voucher log's origin and key, as a note's verifier key.</param>
/// <param name="Standing">The gateway's newest voucher and statement; null where it has none.</param>
/// <param name="HostKey">Carrier B: the gateway's host key blob (RFC 4253, 6.6); empty on carrier A.</param>
/// <param name="HostSignature">Carrier B: its signature over <see cref="SignedData"/>; empty on carrier A.</param>
public readonly record struct HelloMessage(
    uint OldestVersion,
    uint NewestVersion,
    ulong ChainId,
    ReadOnlyMemory<byte> Contract,
    ulong LeaseId,
    string Provider,
    AttoFil PricePerSecond,
    uint WindowMilliseconds,
    string LogVerifier,
    Standing? Standing,
    ReadOnlyMemory<byte> HostKey,
    ReadOnlyMemory<byte> HostSignature)
{
    private const int MaxProviderSize = 64;
    private const int MaxVerifierSize = 512;

    /// <summary>Reads a body; the version range is known even where the rest can't be read.</summary>
    public static bool TryReadVersions(ReadOnlySpan<byte> body, out uint oldest, out uint newest)
    {
        oldest = newest = 0;
        var reader = new WireReader(body);
        return PaymentProtocol.TryReadType(ref reader, PaymentMessageType.Hello) &&
            reader.TryReadUInt32(out oldest) && reader.TryReadUInt32(out newest) && oldest <= newest;
    }

    /// <summary>Reads a body.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out HelloMessage message)
    {
        message = default;
        var reader = new WireReader(body);
        if (!PaymentProtocol.TryReadType(ref reader, PaymentMessageType.Hello) ||
            !reader.TryReadUInt32(out uint oldest) ||
            !reader.TryReadUInt32(out uint newest) || oldest > newest ||
            !reader.TryReadUInt64(out ulong chainId) ||
            !reader.TryReadBytes(VoucherDomain.ContractSize, out ReadOnlySpan<byte> contract) ||
            !reader.TryReadUInt64(out ulong leaseId) ||
            !reader.TryReadUtf8(MaxProviderSize, out string? provider) ||
            !PaymentProtocol.TryReadAmount(ref reader, out AttoFil price) ||
            !reader.TryReadUInt32(out uint window) ||
            !reader.TryReadUtf8(MaxVerifierSize, out string? verifier) ||
            !PaymentProtocol.TryReadStanding(ref reader, out Standing? standing) ||
            !reader.TryReadString(PaymentProtocol.MaxHostKeySize, out ReadOnlySpan<byte> hostKey) ||
            !reader.TryReadString(PaymentProtocol.MaxHostKeySize, out ReadOnlySpan<byte> signature) ||
            !reader.IsAtEnd)
        {
            return false;
        }

        message = new HelloMessage(
            oldest, newest, chainId, contract.ToArray(), leaseId, provider, price, window, verifier, standing, hostKey.ToArray(), signature.ToArray());
        return true;
    }

    /// <summary>Writes the body.</summary>
    public void Write(IBufferWriter<byte> output)
    {
        WriteUnsigned(output);
        new WireWriter(output).WriteString(HostSignature.Span);
    }

    /// <summary>
    /// What a host key signs on carrier B: "shale/pay-hello/v1" as a string, the agent's nonce as a string, then this body up to
    /// and with the host key. Every term of the hello is in it.
    /// </summary>
    public byte[] SignedData(ReadOnlySpan<byte> nonce)
    {
        using var buffer = new PooledBufferWriter(PaymentProtocol.MaxBodySize);
        var writer = new WireWriter(buffer);
        writer.WriteString("shale/pay-hello/v1"u8);
        writer.WriteString(nonce);
        WriteUnsigned(buffer);
        return buffer.WrittenSpan.ToArray();
    }

    private void WriteUnsigned(IBufferWriter<byte> output)
    {
        var writer = new WireWriter(output);
        writer.WriteByte((byte)PaymentMessageType.Hello);
        writer.WriteUInt32(OldestVersion);
        writer.WriteUInt32(NewestVersion);
        writer.WriteUInt64(ChainId);
        writer.WriteBytes(Contract.Span);
        writer.WriteUInt64(LeaseId);
        writer.WriteString(Provider);
        PaymentProtocol.WriteAmount(ref writer, PricePerSecond);
        writer.WriteUInt32(WindowMilliseconds);
        writer.WriteString(LogVerifier);
        PaymentProtocol.WriteStanding(ref writer, Standing);
        writer.WriteString(HostKey.Span);
    }
}

/// <summary>Section 4.2: the agent's answer to a hello.</summary>
/// <param name="Version">The version that both go on with.</param>
/// <param name="WindowMilliseconds">The time that the client wants to be paid ahead; 0: as the gateway says.</param>
/// <param name="LogSize">The checkpoint that the agent last accepted: a charge's proof starts there; 0 where it has none.</param>
/// <param name="Standing">The agent's newest voucher and statement; null where it has none.</param>
public readonly record struct WelcomeMessage(uint Version, uint WindowMilliseconds, ulong LogSize, Standing? Standing)
{
    /// <summary>Reads a body.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out WelcomeMessage message)
    {
        message = default;
        var reader = new WireReader(body);
        if (!PaymentProtocol.TryReadType(ref reader, PaymentMessageType.Welcome) ||
            !reader.TryReadUInt32(out uint version) ||
            !reader.TryReadUInt32(out uint window) ||
            !reader.TryReadUInt64(out ulong logSize) ||
            !PaymentProtocol.TryReadStanding(ref reader, out Standing? standing) ||
            !reader.IsAtEnd)
        {
            return false;
        }

        message = new WelcomeMessage(version, window, logSize, standing);
        return true;
    }

    /// <summary>Writes the body.</summary>
    public void Write(IBufferWriter<byte> output)
    {
        var writer = new WireWriter(output);
        writer.WriteByte((byte)PaymentMessageType.Welcome);
        writer.WriteUInt32(Version);
        writer.WriteUInt32(WindowMilliseconds);
        writer.WriteUInt64(LogSize);
        PaymentProtocol.WriteStanding(ref writer, Standing);
    }
}

/// <summary>Section 4.3: asks for a voucher.</summary>
/// <param name="Statement">The statement's canonical bytes, as they were sent: the voucher signs their digest.</param>
/// <param name="Asked">The cumulative amount.</param>
/// <param name="Checkpoint">The log's newest checkpoint as a signed note.</param>
/// <param name="ProofFrom">The log's size at the checkpoint that the agent last named; 0 for none.</param>
/// <param name="Proof">Consistency from there to <paramref name="Checkpoint"/>; empty where <paramref name="ProofFrom"/> is 0.</param>
public readonly record struct ChargeMessage(
    MeterStatement Statement, AttoFil Asked, string Checkpoint, ulong ProofFrom, IReadOnlyList<MerkleHash> Proof)
{
    /// <summary>Reads a body.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out ChargeMessage message)
    {
        message = default;
        var reader = new WireReader(body);
        if (!PaymentProtocol.TryReadType(ref reader, PaymentMessageType.Charge) ||
            !reader.TryReadString(MeterStatement.MaxSize, out ReadOnlySpan<byte> statementBytes) ||
            !MeterStatement.TryRead(statementBytes, out MeterStatement? statement) ||
            !PaymentProtocol.TryReadAmount(ref reader, out AttoFil asked) ||
            !reader.TryReadUtf8(PaymentProtocol.MaxCheckpointSize, out string? checkpoint) ||
            !reader.TryReadUInt64(out ulong proofFrom) ||
            !PaymentProtocol.TryReadHashes(ref reader, MerkleProof.MaxLength, out MerkleHash[] proof) ||
            !reader.IsAtEnd)
        {
            return false;
        }

        message = new ChargeMessage(statement, asked, checkpoint, proofFrom, proof);
        return true;
    }

    /// <summary>Writes the body.</summary>
    public void Write(IBufferWriter<byte> output)
    {
        var writer = new WireWriter(output);
        writer.WriteByte((byte)PaymentMessageType.Charge);
        writer.WriteString(Statement.ToBytes());
        PaymentProtocol.WriteAmount(ref writer, Asked);
        writer.WriteString(Checkpoint);
        writer.WriteUInt64(ProofFrom);
        PaymentProtocol.WriteHashes(ref writer, Proof);
    }
}

/// <summary>Section 4.4: the voucher that answers a charge.</summary>
/// <param name="Voucher">The voucher.</param>
/// <param name="ProbeWanted">The name of a quality probe that the agent wants to be run; empty for none.</param>
public readonly record struct PaymentMessage(SignedVoucher Voucher, string ProbeWanted)
{
    private const int MaxProbeName = 64;

    /// <summary>Reads a body.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out PaymentMessage message)
    {
        message = default;
        var reader = new WireReader(body);
        if (!PaymentProtocol.TryReadType(ref reader, PaymentMessageType.Payment) ||
            !reader.TryReadBytes(SignedVoucher.Size, out ReadOnlySpan<byte> bytes) ||
            !SignedVoucher.TryRead(bytes, out SignedVoucher? voucher) ||
            !reader.TryReadUtf8(MaxProbeName, out string? probe) ||
            !reader.IsAtEnd)
        {
            return false;
        }

        message = new PaymentMessage(voucher, probe);
        return true;
    }

    /// <summary>Writes the body.</summary>
    public void Write(IBufferWriter<byte> output)
    {
        var writer = new WireWriter(output);
        writer.WriteByte((byte)PaymentMessageType.Payment);
        writer.WriteBytes(Voucher.Bytes.Span);
        writer.WriteString(ProbeWanted);
    }
}

/// <summary>Section 4.5: the agent does not pay, or does not understand.</summary>
/// <param name="Reason">Why, for the gateway.</param>
/// <param name="Text">Why, for the user: one line.</param>
/// <param name="LogSize">For <see cref="RefusalReason.StaleCheckpoint"/>: the checkpoint that the agent last accepted; otherwise 0.</param>
public readonly record struct RefusalMessage(RefusalReason Reason, string Text, ulong LogSize = 0)
{
    /// <summary>Reads a body; the text comes out fit for a terminal.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out RefusalMessage message)
    {
        message = default;
        var reader = new WireReader(body);
        if (!PaymentProtocol.TryReadType(ref reader, PaymentMessageType.Refusal) ||
            !reader.TryReadUInt32(out uint reason) ||
            !reader.TryReadUtf8(PaymentProtocol.MaxTextSize, out string? text) ||
            !reader.TryReadUInt64(out ulong logSize) ||
            !reader.IsAtEnd)
        {
            return false;
        }

        message = new RefusalMessage(
            reason <= (uint)RefusalReason.StaleCheckpoint ? (RefusalReason)reason : RefusalReason.Other, PaymentProtocol.Printable(text), logSize);
        return true;
    }

    /// <summary>Writes the body.</summary>
    public void Write(IBufferWriter<byte> output)
    {
        var writer = new WireWriter(output);
        writer.WriteByte((byte)PaymentMessageType.Refusal);
        writer.WriteUInt32((uint)Reason);
        writer.WriteString(PaymentProtocol.Printable(Text));
        writer.WriteUInt64(LogSize);
    }
}

/// <summary>What a notice tells.</summary>
public enum NoticeKind : byte
{
    /// <summary>The container is frozen.</summary>
    Paused = 1,

    /// <summary>It runs again.</summary>
    Resumed = 2,

    /// <summary>The lease ends.</summary>
    Closing = 3,

    /// <summary>A settlement is final on chain.</summary>
    Settled = 4,
}

/// <summary>Section 4.6: something the user should know; nothing is asked.</summary>
/// <param name="Kind">What.</param>
/// <param name="Text">Why, for the user: one line.</param>
/// <param name="At">Closing: when service ends; otherwise when it happened. Unix seconds.</param>
/// <param name="Transaction">Settled: the transaction's hash, 32 bytes; otherwise empty.</param>
/// <param name="Leaf">Settled: the lease's new leaf (leaseId, Ax, Ay, deposit, claimed; 32 bytes each); otherwise empty.</param>
/// <param name="Siblings">Settled: the leaf's siblings under the page's root, bottom first, 32 bytes each; otherwise none.</param>
public readonly record struct NoticeMessage(
    NoticeKind Kind, string Text, ulong At, ReadOnlyMemory<byte> Transaction, ReadOnlyMemory<byte> Leaf, IReadOnlyList<MerkleHash> Siblings)
{
    /// <summary>Bytes of a leaf's five words.</summary>
    public const int LeafSize = 5 * 32;

    private const int TransactionSize = 32;

    /// <summary>A page has at most 256 slots.</summary>
    private const int MaxSiblings = 8;

    /// <summary>A notice that has only text.</summary>
    public static NoticeMessage Plain(NoticeKind kind, string text, DateTimeOffset at) =>
        new(kind, text, (ulong)Math.Max(0, at.ToUnixTimeSeconds()), default, default, []);

    /// <summary>Reads a body.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out NoticeMessage message)
    {
        message = default;
        var reader = new WireReader(body);
        if (!PaymentProtocol.TryReadType(ref reader, PaymentMessageType.Notice) ||
            !reader.TryReadByte(out byte kind) || kind is < (byte)NoticeKind.Paused or > (byte)NoticeKind.Settled ||
            !reader.TryReadUtf8(PaymentProtocol.MaxTextSize, out string? text) ||
            !reader.TryReadUInt64(out ulong at) ||
            !reader.TryReadString(TransactionSize, out ReadOnlySpan<byte> transaction) ||
            !reader.TryReadString(LeafSize, out ReadOnlySpan<byte> leaf) ||
            !PaymentProtocol.TryReadHashes(ref reader, MaxSiblings, out MerkleHash[] siblings) ||
            !reader.IsAtEnd)
        {
            return false;
        }

        bool settled = kind == (byte)NoticeKind.Settled;
        if (transaction.Length != (settled ? TransactionSize : 0) || leaf.Length != (settled ? LeafSize : 0) || (!settled && siblings.Length != 0))
        {
            return false;
        }

        message = new NoticeMessage((NoticeKind)kind, PaymentProtocol.Printable(text), at, transaction.ToArray(), leaf.ToArray(), siblings);
        return true;
    }

    /// <summary>Writes the body.</summary>
    public void Write(IBufferWriter<byte> output)
    {
        var writer = new WireWriter(output);
        writer.WriteByte((byte)PaymentMessageType.Notice);
        writer.WriteByte((byte)Kind);
        writer.WriteString(PaymentProtocol.Printable(Text));
        writer.WriteUInt64(At);
        writer.WriteString(Transaction.Span);
        writer.WriteString(Leaf.Span);
        PaymentProtocol.WriteHashes(ref writer, Siblings);
    }
}

/// <summary>Section 4.7: the result of a probe. The report's format is the probe's own (JSON).</summary>
/// <param name="Name">The probe.</param>
/// <param name="Report">Its report, UTF-8.</param>
public readonly record struct ProbeMessage(string Name, string Report)
{
    private const int MaxName = 64;

    /// <summary>Reads a body.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out ProbeMessage message)
    {
        message = default;
        var reader = new WireReader(body);
        if (!PaymentProtocol.TryReadType(ref reader, PaymentMessageType.Probe) ||
            !reader.TryReadUtf8(MaxName, out string? name) ||
            !reader.TryReadUtf8(PaymentProtocol.MaxReportSize, out string? report) ||
            !reader.IsAtEnd)
        {
            return false;
        }

        message = new ProbeMessage(name, report);
        return true;
    }

    /// <summary>Writes the body.</summary>
    public void Write(IBufferWriter<byte> output)
    {
        var writer = new WireWriter(output);
        writer.WriteByte((byte)PaymentMessageType.Probe);
        writer.WriteString(Name);
        writer.WriteString(Report);
    }
}

/// <summary>Section 4.8: what the agent makes of a probe.</summary>
/// <param name="Accepted">False: it will stop paying.</param>
/// <param name="Text">Why, for the user: one line.</param>
public readonly record struct VerdictMessage(bool Accepted, string Text)
{
    /// <summary>Reads a body.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out VerdictMessage message)
    {
        message = default;
        var reader = new WireReader(body);
        if (!PaymentProtocol.TryReadType(ref reader, PaymentMessageType.Verdict) ||
            !reader.TryReadByte(out byte accepted) || accepted > 1 ||
            !reader.TryReadUtf8(PaymentProtocol.MaxTextSize, out string? text) ||
            !reader.IsAtEnd)
        {
            return false;
        }

        message = new VerdictMessage(accepted == 1, PaymentProtocol.Printable(text));
        return true;
    }

    /// <summary>Writes the body.</summary>
    public void Write(IBufferWriter<byte> output)
    {
        var writer = new WireWriter(output);
        writer.WriteByte((byte)PaymentMessageType.Verdict);
        writer.WriteBoolean(Accepted);
        writer.WriteString(PaymentProtocol.Printable(Text));
    }
}

/// <summary>Section 4.9, carrier B only: the agent speaks first.</summary>
/// <param name="Nonce">32 random bytes that the gateway's host key is to sign.</param>
public readonly record struct OpenMessage(ReadOnlyMemory<byte> Nonce)
{
    /// <summary>Reads a body.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out OpenMessage message)
    {
        message = default;
        var reader = new WireReader(body);
        if (!PaymentProtocol.TryReadType(ref reader, PaymentMessageType.Open) ||
            !reader.TryReadBytes(PaymentProtocol.NonceSize, out ReadOnlySpan<byte> nonce) ||
            !reader.IsAtEnd)
        {
            return false;
        }

        message = new OpenMessage(nonce.ToArray());
        return true;
    }

    /// <summary>Writes the body.</summary>
    public void Write(IBufferWriter<byte> output)
    {
        var writer = new WireWriter(output);
        writer.WriteByte((byte)PaymentMessageType.Open);
        writer.WriteBytes(Nonce.Span);
    }
}
