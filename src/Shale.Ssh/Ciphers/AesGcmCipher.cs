using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Shale.Ssh.Ciphers;

/// <summary>
/// The nonce of aes128-gcm@openssh.com and aes256-gcm@openssh.com (RFC 5647 section 7.1): four fixed bytes, then a counter that grows by one with each packet.
/// The length stays in clear and is authenticated.
/// </summary>
internal sealed class GcmNonce
{
    public const int Size = 12;

    private readonly byte[] _nonce = new byte[Size];

    public GcmNonce(ReadOnlySpan<byte> initialVector) => initialVector[..Size].CopyTo(_nonce);

    public ReadOnlySpan<byte> Current => _nonce;

    public void Advance()
    {
        var counter = _nonce.AsSpan(4);
        BinaryPrimitives.WriteUInt64BigEndian(counter, unchecked(BinaryPrimitives.ReadUInt64BigEndian(counter) + 1));
    }
}

/// <inheritdoc cref="GcmNonce"/>
internal sealed class AesGcmSealer(ReadOnlySpan<byte> key, ReadOnlySpan<byte> initialVector) : PacketSealer
{
    private const int Tag = 16;
    private readonly AesGcm _aes = new(key, Tag);
    private readonly GcmNonce _nonce = new(initialVector);

    public override int Alignment => 16;

    public override bool AlignsLength => false;

    public override int TagSize => Tag;

    public override void Seal(uint sequence, ReadOnlySpan<byte> packet, Span<byte> output)
    {
        packet[..sizeof(uint)].CopyTo(output);
        _aes.Encrypt(
            _nonce.Current,
            packet[sizeof(uint)..],
            output[sizeof(uint)..packet.Length],
            output.Slice(packet.Length, Tag),
            output[..sizeof(uint)]);
        _nonce.Advance();
    }

    public override void Dispose() => _aes.Dispose();
}

/// <inheritdoc cref="GcmNonce"/>
internal sealed class AesGcmOpener(ReadOnlySpan<byte> key, ReadOnlySpan<byte> initialVector) : PacketOpener
{
    private const int Tag = 16;
    private readonly AesGcm _aes = new(key, Tag);
    private readonly GcmNonce _nonce = new(initialVector);

    public override int Alignment => 16;

    public override bool AlignsLength => false;

    public override int TagSize => Tag;

    public override uint ReadLength(uint sequence, ReadOnlySpan<byte> head) => BinaryPrimitives.ReadUInt32BigEndian(head);

    public override bool TryOpen(uint sequence, ReadOnlySpan<byte> wire, Span<byte> body)
    {
        var end = wire.Length - Tag;
        try
        {
            _aes.Decrypt(_nonce.Current, wire[sizeof(uint)..end], wire[end..], body, wire[..sizeof(uint)]);
        }
        catch (AuthenticationTagMismatchException)
        {
            // The BCL says it this way only; it happens once in a connection, which ends by it.
            return false;
        }

        _nonce.Advance();
        return true;
    }

    public override void Dispose() => _aes.Dispose();
}
