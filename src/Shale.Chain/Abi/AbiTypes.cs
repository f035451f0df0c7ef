using System.Globalization;
using System.Numerics;
using System.Text;

namespace Shale.Chain.Abi;

/// <summary>The elementary types and the arrays of Solidity's contract ABI; generated code is made of these.</summary>
internal static class AbiTypes
{
    internal static AbiType<bool> Bool { get; } = new BoolType();

    internal static AbiType<Address> Address { get; } = new AddressType();

    internal static AbiType<Bytes32> Bytes32 { get; } = new Bytes32Type();

    internal static AbiType<ReadOnlyMemory<byte>> Bytes { get; } = new BytesType();

    internal static AbiType<string> String { get; } = new StringType();

    /// <summary><c>uintN</c>; T has to hold N bits.</summary>
    internal static AbiType<T> UInt<T>(int bits)
        where T : IBinaryInteger<T> => new IntegerType<T>(bits, signed: false);

    /// <summary><c>intN</c>; T has to hold N bits.</summary>
    internal static AbiType<T> Int<T>(int bits)
        where T : IBinaryInteger<T> => new IntegerType<T>(bits, signed: true);

    /// <summary>An enumeration: <c>uint8</c> below a count, as Solidity itself checks it.</summary>
    internal static AbiType<T> Enum<T>(int count, Func<T, byte> number, Func<byte, T> value)
        where T : struct, Enum => new EnumType<T>(count, number, value);

    /// <summary><c>bytes1</c> to <c>bytes31</c>.</summary>
    internal static AbiType<ReadOnlyMemory<byte>> FixedBytes(int length) => new FixedBytesType(length);

    /// <summary><c>T[]</c>.</summary>
    internal static AbiType<IReadOnlyList<T>> Array<T>(AbiType<T> element) => new ArrayType<T>(element);

    /// <summary><c>T[n]</c>.</summary>
    internal static AbiType<IReadOnlyList<T>> FixedArray<T>(AbiType<T> element, int count) => new FixedArrayType<T>(element, count);

    private abstract class WordType<T> : AbiType<T>
    {
        internal sealed override bool IsDynamic => false;

        internal sealed override int HeadSize => AbiWriter.WordSize;
    }

    private sealed class BoolType : WordType<bool>
    {
        internal override string Name => "bool";

        internal override void Write(AbiWriter writer, int at, bool value) => writer.Word(at)[31] = value ? (byte)1 : (byte)0;

        internal override bool Read(ref AbiReader reader, int at)
        {
            var word = reader.Word(at);
            if (word[..31].ContainsAnyExcept((byte)0) || word[31] > 1)
            {
                reader.Refuse("a bool is neither 0 nor 1");
            }

            return word[31] == 1;
        }
    }

    private sealed class AddressType : WordType<Address>
    {
        internal override string Name => "address";

        internal override void Write(AbiWriter writer, int at, Address value) => value.CopyTo(writer.Word(at)[12..]);

        internal override Address Read(ref AbiReader reader, int at)
        {
            var word = reader.Word(at);
            if (word[..12].ContainsAnyExcept((byte)0))
            {
                reader.Refuse("an address has more than 160 bits");
            }

            return new Address(word[12..]);
        }
    }

    private sealed class Bytes32Type : WordType<Bytes32>
    {
        internal override string Name => "bytes32";

        internal override void Write(AbiWriter writer, int at, Bytes32 value) => value.CopyTo(writer.Word(at));

        internal override Bytes32 Read(ref AbiReader reader, int at) => new(reader.Word(at));
    }

    private sealed class FixedBytesType : WordType<ReadOnlyMemory<byte>>
    {
        private readonly int _length;

        internal FixedBytesType(int length)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(length, 32);
            _length = length;
        }

        internal override string Name => "bytes" + _length.ToString(CultureInfo.InvariantCulture);

        internal override void Write(AbiWriter writer, int at, ReadOnlyMemory<byte> value)
        {
            if (value.Length != _length)
            {
                throw new ArgumentException($"{Name} takes {_length} bytes, not {value.Length}.", nameof(value));
            }

            value.Span.CopyTo(writer.Word(at));
        }

        internal override ReadOnlyMemory<byte> Read(ref AbiReader reader, int at)
        {
            var word = reader.Word(at);
            if (word[_length..].ContainsAnyExcept((byte)0))
            {
                reader.Refuse($"a {Name} has more than {_length} bytes");
            }

            return word[.._length].ToArray();
        }
    }

    private sealed class IntegerType<T> : WordType<T>
        where T : IBinaryInteger<T>
    {
        private readonly int _bytes;
        private readonly bool _signed;

        internal IntegerType(int bits, bool signed)
        {
            if (bits is < 8 or > 256 || bits % 8 != 0)
            {
                throw new ArgumentOutOfRangeException(nameof(bits), bits, "Integers have 8 to 256 bits, in steps of 8.");
            }

            _bytes = bits / 8;
            _signed = signed;
            Name = (signed ? "int" : "uint") + bits.ToString(CultureInfo.InvariantCulture);
        }

        internal override string Name { get; }

        internal override void Write(AbiWriter writer, int at, T value)
        {
            // A BigInteger of 2^256 and above, or below -2^255, has 33 bytes and more.
            var length = value.GetByteCount();
            Span<byte> own = stackalloc byte[40], word = stackalloc byte[AbiWriter.WordSize];
            var fits = length <= 33 && (_signed || !T.IsNegative(value));
            if (fits)
            {
                own = own[..length];
                _ = value.WriteBigEndian(own);
                if (length == 33)
                {
                    fits = own[0] == 0 && !_signed;
                    own = own[1..];
                }

                word.Fill(T.IsNegative(value) ? (byte)0xff : (byte)0);
                own.CopyTo(word[(AbiWriter.WordSize - own.Length)..]);
            }

            if (!fits || !IsCanonical(word))
            {
                throw new ArgumentOutOfRangeException(nameof(value), value, $"The value does not fit into {Name}.");
            }

            word.CopyTo(writer.Word(at));
        }

        internal override T Read(ref AbiReader reader, int at)
        {
            var word = reader.Word(at);
            if (!IsCanonical(word) || !T.TryReadBigEndian(word[(AbiWriter.WordSize - _bytes)..], !_signed, out var value))
            {
                reader.Refuse($"a number does not fit into {Name}");
                return default!;
            }

            return value;
        }

        private bool IsCanonical(ReadOnlySpan<byte> word)
        {
            var padding = word[..(AbiWriter.WordSize - _bytes)];
            var sign = _signed && (word[AbiWriter.WordSize - _bytes] & 0x80) != 0 ? (byte)0xff : (byte)0;
            return !padding.ContainsAnyExcept(sign);
        }
    }

    private sealed class EnumType<T>(int count, Func<T, byte> number, Func<byte, T> value) : WordType<T>
        where T : struct, Enum
    {
        internal override string Name => "uint8";

        internal override void Write(AbiWriter writer, int at, T item)
        {
            if (number(item) >= count)
            {
                throw new ArgumentOutOfRangeException(nameof(item), item, $"The value is not one of {typeof(T).Name}.");
            }

            writer.Word(at)[31] = number(item);
        }

        internal override T Read(ref AbiReader reader, int at)
        {
            var word = reader.Word(at);
            if (word[..31].ContainsAnyExcept((byte)0) || word[31] >= count)
            {
                reader.Refuse($"a value is not one of {typeof(T).Name}");
            }

            return value(word[31]);
        }
    }

    private sealed class BytesType : AbiType<ReadOnlyMemory<byte>>
    {
        internal override string Name => "bytes";

        internal override bool IsDynamic => true;

        internal override int HeadSize => AbiWriter.WordSize;

        internal override void Write(AbiWriter writer, int at, ReadOnlyMemory<byte> value) => WriteBytes(writer, value.Span);

        internal override ReadOnlyMemory<byte> Read(ref AbiReader reader, int at) => ReadBytes(ref reader).ToArray();

        internal static void WriteBytes(AbiWriter writer, ReadOnlySpan<byte> value)
        {
            writer.PutSize(writer.Reserve(AbiWriter.WordSize), value.Length);
            value.CopyTo(writer.Slice(writer.Reserve(Padded(value.Length)), value.Length));
        }

        internal static ReadOnlySpan<byte> ReadBytes(ref AbiReader reader)
        {
            if (!reader.TryTake(AbiWriter.WordSize, out var at))
            {
                return default;
            }

            // A length is compared with what is left before it is rounded up, which could overflow.
            var length = reader.ReadSize(at);
            if (length > reader.Remaining || !reader.TryTake(Padded(length), out at))
            {
                reader.Refuse("bytes end early");
                return default;
            }

            if (reader.Slice(at + length, Padded(length) - length).ContainsAnyExcept((byte)0))
            {
                reader.Refuse("the padding of bytes is not zero");
            }

            return reader.Slice(at, length);
        }

        private static int Padded(int length) => checked(length + AbiWriter.WordSize - 1) / AbiWriter.WordSize * AbiWriter.WordSize;
    }

    private sealed class StringType : AbiType<string>
    {
        // Contracts do not check UTF-8: what is none is read with U+FFFD in its place, so that nobody can make an event unreadable. Writing is strict.
        private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

        internal override string Name => "string";

        internal override bool IsDynamic => true;

        internal override int HeadSize => AbiWriter.WordSize;

        internal override void Write(AbiWriter writer, int at, string value) => BytesType.WriteBytes(writer, Strict.GetBytes(value));

        internal override string Read(ref AbiReader reader, int at) => Encoding.UTF8.GetString(BytesType.ReadBytes(ref reader));
    }

    private sealed class ArrayType<T>(AbiType<T> element) : AbiType<IReadOnlyList<T>>
    {
        internal override string Name => element.Name + "[]";

        internal override bool IsDynamic => true;

        internal override int HeadSize => AbiWriter.WordSize;

        internal override void Write(AbiWriter writer, int at, IReadOnlyList<T> value)
        {
            writer.PutSize(writer.Reserve(AbiWriter.WordSize), value.Count);
            var frame = writer.Begin(checked(value.Count * element.HeadSize));
            foreach (var item in value)
            {
                writer.Member(ref frame, element, item);
            }
        }

        internal override IReadOnlyList<T> Read(ref AbiReader reader, int at)
        {
            if (!reader.TryTake(AbiWriter.WordSize, out var place))
            {
                return [];
            }

            // Every element takes at least a word of the head, so the count is bounded by the data before anything is allocated.
            var count = reader.ReadSize(place);
            if ((long)count * element.HeadSize > reader.Remaining)
            {
                reader.Refuse("an array ends early");
                return [];
            }

            return ReadItems(ref reader, element, count, reader.Begin(count * element.HeadSize));
        }

        internal static T[] ReadItems(ref AbiReader reader, AbiType<T> element, int count, AbiFrame frame)
        {
            var items = new T[count];
            for (var i = 0; i < count && reader.Error is null; i++)
            {
                items[i] = reader.Member(ref frame, element);
            }

            return items;
        }
    }

    private sealed class FixedArrayType<T> : AbiType<IReadOnlyList<T>>
    {
        private readonly AbiType<T> _element;
        private readonly int _count;

        internal FixedArrayType(AbiType<T> element, int count)
        {
            // Solidity has no arrays of fixed length 0, and without them every element of every array takes space.
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
            _element = element;
            _count = count;
            Name = $"{element.Name}[{count.ToString(CultureInfo.InvariantCulture)}]";
        }

        internal override string Name { get; }

        internal override bool IsDynamic => _element.IsDynamic;

        internal override int HeadSize => IsDynamic ? AbiWriter.WordSize : _count * _element.HeadSize;

        internal override void Write(AbiWriter writer, int at, IReadOnlyList<T> value)
        {
            if (value.Count != _count)
            {
                throw new ArgumentException($"{Name} takes {_count} elements, not {value.Count}.", nameof(value));
            }

            var frame = IsDynamic ? writer.Begin(_count * _element.HeadSize) : new AbiFrame(at, at);
            foreach (var item in value)
            {
                writer.Member(ref frame, _element, item);
            }
        }

        internal override IReadOnlyList<T> Read(ref AbiReader reader, int at)
        {
            if (IsDynamic && _count * _element.HeadSize > reader.Remaining)
            {
                reader.Refuse("an array ends early");
                return [];
            }

            var frame = IsDynamic ? reader.Begin(_count * _element.HeadSize) : new AbiFrame(at, at);
            return ArrayType<T>.ReadItems(ref reader, _element, _count, frame);
        }
    }
}
