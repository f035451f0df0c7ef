using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Shale.Crypto.Keccak;

/// <summary>The sponge of FIPS 202 section 4 over Keccak-f[1600]. A value: copying it copies the state.</summary>
internal struct KeccakSponge(int rate, byte suffix)
{
    // Rates in bytes and domain suffixes with the first padding bit (FIPS 202 section 6).
    internal const int Shake128Rate = 168;
    internal const int Shake256Rate = 136;
    internal const int Sha3_256Rate = 136;
    internal const int Sha3_512Rate = 72;
    internal const byte Sha3Suffix = 0x06;
    internal const byte ShakeSuffix = 0x1f;

    private readonly int _rate = rate;
    private readonly byte _suffix = suffix;
    private KeccakState _state;
    private int _position;
    private bool _squeezing;

    internal static void Sha3_256(ReadOnlySpan<byte> message, Span<byte> digest) => Hash(Sha3_256Rate, Sha3Suffix, message, [], digest[..32]);

    internal static void Sha3_512(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> digest) => Hash(Sha3_512Rate, Sha3Suffix, first, second, digest[..64]);

    internal static void Shake256(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> output) => Hash(Shake256Rate, ShakeSuffix, first, second, output);

    internal void Absorb(ReadOnlySpan<byte> data)
    {
        if (_squeezing)
        {
            throw new InvalidOperationException("The sponge is being squeezed.");
        }

        Span<ulong> lanes = _state;
        while (!data.IsEmpty)
        {
            var take = Math.Min(_rate - _position, data.Length);
            if (take == _rate)
            {
                for (var i = 0; i < _rate / 8; i++)
                {
                    lanes[i] ^= BinaryPrimitives.ReadUInt64LittleEndian(data[(8 * i)..]);
                }
            }
            else
            {
                for (var i = 0; i < take; i++)
                {
                    lanes[(_position + i) >> 3] ^= (ulong)data[i] << (8 * ((_position + i) & 7));
                }
            }

            data = data[take..];
            _position += take;
            if (_position == _rate)
            {
                KeccakPermutation.Permute(lanes);
                _position = 0;
            }
        }
    }

    internal void Squeeze(Span<byte> output)
    {
        Span<ulong> lanes = _state;
        if (!_squeezing)
        {
            lanes[_position >> 3] ^= (ulong)_suffix << (8 * (_position & 7));
            lanes[(_rate - 1) >> 3] ^= 0x80UL << (8 * ((_rate - 1) & 7));
            _squeezing = true;
            _position = _rate;
        }

        while (!output.IsEmpty)
        {
            if (_position == _rate)
            {
                KeccakPermutation.Permute(lanes);
                _position = 0;
            }

            var take = Math.Min(_rate - _position, output.Length);
            if (BitConverter.IsLittleEndian)
            {
                MemoryMarshal.AsBytes(lanes).Slice(_position, take).CopyTo(output);
            }
            else
            {
                for (var i = 0; i < take; i++)
                {
                    output[i] = (byte)(lanes[(_position + i) >> 3] >> (8 * ((_position + i) & 7)));
                }
            }

            output = output[take..];
            _position += take;
        }
    }

    /// <summary>Wipes the state, where it held a secret.</summary>
    internal void Clear()
    {
        Span<ulong> lanes = _state;
        CryptographicOperations.ZeroMemory(MemoryMarshal.AsBytes(lanes));
    }

    private static void Hash(int rate, byte suffix, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> output)
    {
        var sponge = new KeccakSponge(rate, suffix);
        sponge.Absorb(first);
        sponge.Absorb(second);
        sponge.Squeeze(output);
        sponge.Clear();
    }

    [InlineArray(25)]
    private struct KeccakState
    {
        private ulong _lane;
    }
}
