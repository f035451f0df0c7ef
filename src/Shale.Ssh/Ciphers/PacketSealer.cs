using System.Security.Cryptography;

namespace Shale.Ssh.Ciphers;

/// <summary>Encrypts and authenticates packets of one direction under one set of keys.</summary>
internal abstract class PacketSealer : IDisposable
{
    /// <summary>The shortest padding (RFC 4253 section 6).</summary>
    public const int MinPadding = 4;

    /// <summary>The largest padding that <see cref="PaddingFor"/> gives: 3 + the largest alignment.</summary>
    public const int MaxPadding = 3 + 16;

    /// <summary>The largest <see cref="TagSize"/>: HMAC-SHA-512.</summary>
    public const int MaxTagSize = 64;

    /// <summary>What the padded part is a multiple of, in bytes.</summary>
    public abstract int Alignment { get; }

    /// <summary>Whether the four bytes of the length count for the alignment: not for AEAD modes and encrypt-then-MAC.</summary>
    public abstract bool AlignsLength { get; }

    /// <summary>How many bytes follow the packet.</summary>
    public abstract int TagSize { get; }

    /// <summary>How many bytes one set of keys may protect.</summary>
    public virtual long MaxBytes => CipherLimits.AesBytes;

    /// <summary>How long a payload's padding has to be.</summary>
    public int PaddingFor(int payloadLength)
    {
        var used = (AlignsLength ? 5 : 1) + payloadLength;
        var padding = Alignment - (used % Alignment);
        return padding < MinPadding ? padding + Alignment : padding;
    }

    /// <summary>Seals a packet.</summary>
    /// <param name="sequence">The packet's sequence number.</param>
    /// <param name="packet">Length, padding length, payload and padding, in clear.</param>
    /// <param name="output">Takes the packet and its tag; may begin where <paramref name="packet"/> does, and must not overlap it otherwise.</param>
    public abstract void Seal(uint sequence, ReadOnlySpan<byte> packet, Span<byte> output);

    public abstract void Dispose();
}

/// <summary>Checks and decrypts packets of one direction under one set of keys.</summary>
internal abstract class PacketOpener : IDisposable
{
    /// <inheritdoc cref="PacketSealer.Alignment"/>
    public abstract int Alignment { get; }

    /// <inheritdoc cref="PacketSealer.AlignsLength"/>
    public abstract bool AlignsLength { get; }

    /// <inheritdoc cref="PacketSealer.TagSize"/>
    public abstract int TagSize { get; }

    /// <summary>How many bytes have to be there before the length can be read.</summary>
    public virtual int HeadSize => sizeof(uint);

    /// <inheritdoc cref="PacketSealer.MaxBytes"/>
    public virtual long MaxBytes => CipherLimits.AesBytes;

    /// <summary>Reads a packet's length, which is not authenticated yet. Called exactly once a packet, before <see cref="TryOpen"/>.</summary>
    /// <param name="sequence">The packet's sequence number.</param>
    /// <param name="head">The first <see cref="HeadSize"/> bytes.</param>
    public abstract uint ReadLength(uint sequence, ReadOnlySpan<byte> head);

    /// <summary>Checks a packet and decrypts it.</summary>
    /// <param name="sequence">The packet's sequence number.</param>
    /// <param name="wire">The whole packet: length, body, tag.</param>
    /// <param name="body">Takes the body (padding length, payload, padding); may be the memory of the body in <paramref name="wire"/>, and must not overlap it otherwise.</param>
    /// <returns>Whether it is authentic. If not, <paramref name="body"/> holds nothing of use.</returns>
    public abstract bool TryOpen(uint sequence, ReadOnlySpan<byte> wire, Span<byte> body);

    public abstract void Dispose();
}

internal static class CipherLimits
{
    /// <summary>RFC 4344 section 3.2: 2^(L/4) blocks of L bits, so 2^32 blocks of 16 bytes for AES.</summary>
    public const long AesBytes = 1L << 36;

    /// <summary>ChaCha20-Poly1305 has a fresh nonce and key stream for every packet; sequence numbers, counted apart, wear out first.</summary>
    public const long ChaChaBytes = long.MaxValue;
}

/// <summary>The packets before the first key exchange is done: in clear.</summary>
internal sealed class ClearSealer : PacketSealer
{
    public override int Alignment => 8;

    public override bool AlignsLength => true;

    public override int TagSize => 0;

    public override void Seal(uint sequence, ReadOnlySpan<byte> packet, Span<byte> output) => packet.CopyTo(output);

    public override void Dispose()
    {
    }
}

/// <inheritdoc cref="ClearSealer"/>
internal sealed class ClearOpener : PacketOpener
{
    public override int Alignment => 8;

    public override bool AlignsLength => true;

    public override int TagSize => 0;

    public override uint ReadLength(uint sequence, ReadOnlySpan<byte> head) =>
        System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(head);

    public override bool TryOpen(uint sequence, ReadOnlySpan<byte> wire, Span<byte> body)
    {
        wire[sizeof(uint)..].CopyTo(body);
        return true;
    }

    public override void Dispose()
    {
    }
}

/// <summary>The keys of one direction as they come out of the exchange (RFC 4253 section 7.2); zeroed when disposed.</summary>
internal sealed class DirectionKeys(byte[] initialVector, byte[] encryptionKey, byte[] integrityKey) : IDisposable
{
    public ReadOnlySpan<byte> InitialVector => initialVector;

    public ReadOnlySpan<byte> EncryptionKey => encryptionKey;

    public ReadOnlySpan<byte> IntegrityKey => integrityKey;

    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(initialVector);
        CryptographicOperations.ZeroMemory(encryptionKey);
        CryptographicOperations.ZeroMemory(integrityKey);
    }
}
