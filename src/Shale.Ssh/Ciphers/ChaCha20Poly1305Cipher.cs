using System.Buffers.Binary;
using System.Security.Cryptography;
using Shale.Crypto;

namespace Shale.Ssh.Ciphers;

/// <summary>
/// chacha20-poly1305@openssh.com (OpenSSH's PROTOCOL.chacha20poly1305): the first 32 key bytes encrypt packets and make the Poly1305 key, the last 32 encrypt lengths.
/// The sequence number is the nonce; the tag covers the encrypted length and the encrypted body.
/// </summary>
internal sealed class ChaCha20Poly1305Cipher : IDisposable
{
    public const int KeySize = 64;

    private readonly ChaCha20 _body;
    private readonly ChaCha20 _length;

    public ChaCha20Poly1305Cipher(ReadOnlySpan<byte> key)
    {
        _body = new ChaCha20(key[..32]);
        _length = new ChaCha20(key[32..KeySize]);
    }

    public void ProcessLength(uint sequence, ReadOnlySpan<byte> input, Span<byte> output) => _length.Process(sequence, 0, input, output);

    public void ProcessBody(uint sequence, ReadOnlySpan<byte> input, Span<byte> output) => _body.Process(sequence, 1, input, output);

    public void ComputeTag(uint sequence, ReadOnlySpan<byte> message, Span<byte> tag)
    {
        Span<byte> key = stackalloc byte[32];
        key.Clear();
        _body.Process(sequence, 0, key, key);
        Poly1305.Compute(key, message, tag);
        CryptographicOperations.ZeroMemory(key);
    }

    public void Dispose()
    {
        _body.Dispose();
        _length.Dispose();
    }
}

/// <inheritdoc cref="ChaCha20Poly1305Cipher"/>
internal sealed class ChaCha20Poly1305Sealer(ReadOnlySpan<byte> key) : PacketSealer
{
    private readonly ChaCha20Poly1305Cipher _cipher = new(key);

    public override int Alignment => 8;

    public override bool AlignsLength => false;

    public override int TagSize => Poly1305.TagSize;

    public override long MaxBytes => CipherLimits.ChaChaBytes;

    public override void Seal(uint sequence, ReadOnlySpan<byte> packet, Span<byte> output)
    {
        _cipher.ProcessLength(sequence, packet[..sizeof(uint)], output[..sizeof(uint)]);
        _cipher.ProcessBody(sequence, packet[sizeof(uint)..], output[sizeof(uint)..packet.Length]);
        _cipher.ComputeTag(sequence, output[..packet.Length], output.Slice(packet.Length, Poly1305.TagSize));
    }

    public override void Dispose() => _cipher.Dispose();
}

/// <inheritdoc cref="ChaCha20Poly1305Cipher"/>
internal sealed class ChaCha20Poly1305Opener(ReadOnlySpan<byte> key) : PacketOpener
{
    private readonly ChaCha20Poly1305Cipher _cipher = new(key);

    public override int Alignment => 8;

    public override bool AlignsLength => false;

    public override int TagSize => Poly1305.TagSize;

    public override long MaxBytes => CipherLimits.ChaChaBytes;

    public override uint ReadLength(uint sequence, ReadOnlySpan<byte> head)
    {
        Span<byte> length = stackalloc byte[sizeof(uint)];
        _cipher.ProcessLength(sequence, head[..sizeof(uint)], length);
        return BinaryPrimitives.ReadUInt32BigEndian(length);
    }

    public override bool TryOpen(uint sequence, ReadOnlySpan<byte> wire, Span<byte> body)
    {
        var end = wire.Length - Poly1305.TagSize;
        Span<byte> tag = stackalloc byte[Poly1305.TagSize];
        _cipher.ComputeTag(sequence, wire[..end], tag);
        if (!CryptographicOperations.FixedTimeEquals(tag, wire[end..]))
        {
            return false;
        }

        _cipher.ProcessBody(sequence, wire[sizeof(uint)..end], body);
        return true;
    }

    public override void Dispose() => _cipher.Dispose();
}
