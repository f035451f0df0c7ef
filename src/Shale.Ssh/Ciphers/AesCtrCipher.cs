using System.Buffers.Binary;
using System.Security.Cryptography;
using Shale.Crypto;

namespace Shale.Ssh.Ciphers;

/// <summary>HMAC over a packet and its sequence number (RFC 4253 section 6.4, RFC 6668).</summary>
internal sealed class PacketMac(HashAlgorithmName hash, ReadOnlySpan<byte> key) : IDisposable
{
    private readonly IncrementalHash _hmac = IncrementalHash.CreateHMAC(hash, key);

    public int Size => _hmac.HashLengthInBytes;

    public void Compute(uint sequence, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> tag)
    {
        Span<byte> number = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(number, sequence);
        _hmac.AppendData(number);
        _hmac.AppendData(first);
        _hmac.AppendData(second);
        _hmac.GetHashAndReset(tag);
    }

    public bool Verify(uint sequence, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> tag)
    {
        Span<byte> expected = stackalloc byte[PacketSealer.MaxTagSize];
        expected = expected[..Size];
        Compute(sequence, first, second, expected);
        return CryptographicOperations.FixedTimeEquals(expected, tag);
    }

    public void Dispose() => _hmac.Dispose();
}

/// <summary>
/// aes128-ctr, aes192-ctr, aes256-ctr (RFC 4344) with an HMAC: over the clear packet and the length encrypted (RFC 4253 section 6), or in the -etm@openssh.com form over the
/// encrypted packet and the length in clear (OpenSSH's PROTOCOL section 1.5).
/// </summary>
internal sealed class AesCtrSealer(
    ReadOnlySpan<byte> key, ReadOnlySpan<byte> initialVector, HashAlgorithmName hash, ReadOnlySpan<byte> macKey, bool encryptThenMac) : PacketSealer
{
    private readonly AesCtr _aes = new(key, initialVector);
    private readonly PacketMac _mac = new(hash, macKey);

    public override int Alignment => 16;

    public override bool AlignsLength => !encryptThenMac;

    public override int TagSize => _mac.Size;

    public override void Seal(uint sequence, ReadOnlySpan<byte> packet, Span<byte> output)
    {
        var tag = output.Slice(packet.Length, _mac.Size);
        if (encryptThenMac)
        {
            packet[..sizeof(uint)].CopyTo(output);
            _aes.Process(packet[sizeof(uint)..], output[sizeof(uint)..packet.Length]);
            _mac.Compute(sequence, output[..packet.Length], default, tag);
        }
        else
        {
            _mac.Compute(sequence, packet, default, tag);
            _aes.Process(packet, output[..packet.Length]);
        }
    }

    public override void Dispose()
    {
        _aes.Dispose();
        _mac.Dispose();
    }
}

/// <inheritdoc cref="AesCtrSealer"/>
internal sealed class AesCtrOpener(
    ReadOnlySpan<byte> key, ReadOnlySpan<byte> initialVector, HashAlgorithmName hash, ReadOnlySpan<byte> macKey, bool encryptThenMac) : PacketOpener
{
    private const int Block = 16;

    private readonly AesCtr _aes = new(key, initialVector);
    private readonly PacketMac _mac = new(hash, macKey);
    private readonly byte[] _firstBlock = new byte[Block];

    public override int Alignment => Block;

    public override bool AlignsLength => !encryptThenMac;

    public override int TagSize => _mac.Size;

    public override int HeadSize => encryptThenMac ? sizeof(uint) : Block;

    public override uint ReadLength(uint sequence, ReadOnlySpan<byte> head)
    {
        if (encryptThenMac)
        {
            return BinaryPrimitives.ReadUInt32BigEndian(head);
        }

        _aes.Process(head[..Block], _firstBlock);
        return BinaryPrimitives.ReadUInt32BigEndian(_firstBlock);
    }

    public override bool TryOpen(uint sequence, ReadOnlySpan<byte> wire, Span<byte> body)
    {
        var end = wire.Length - _mac.Size;
        if (encryptThenMac)
        {
            if (!_mac.Verify(sequence, wire[..end], default, wire[end..]))
            {
                return false;
            }

            _aes.Process(wire[sizeof(uint)..end], body);
            return true;
        }

        _aes.Process(wire[Block..end], body[(Block - sizeof(uint))..]);
        _firstBlock.AsSpan(sizeof(uint)).CopyTo(body);
        return _mac.Verify(sequence, _firstBlock.AsSpan(0, sizeof(uint)), body, wire[end..]);
    }

    public override void Dispose()
    {
        _aes.Dispose();
        _mac.Dispose();
        CryptographicOperations.ZeroMemory(_firstBlock);
    }
}
