namespace Shale.Chain.Abi;

/// <summary>A type of Solidity's contract ABI.</summary>
internal abstract class AbiType
{
    /// <summary>The canonical name, as signatures have it: <c>(uint32,string)[]</c>.</summary>
    internal abstract string Name { get; }

    /// <summary>Whether the length of the encoding depends on the value; it then lies in the tail, behind an offset.</summary>
    internal abstract bool IsDynamic { get; }

    /// <summary>Bytes in the head: one word for a dynamic type, all of it for a static one.</summary>
    internal abstract int HeadSize { get; }
}

/// <summary>A type of Solidity's contract ABI and how its values are written and read.</summary>
/// <typeparam name="T">What a value is in C#.</typeparam>
internal abstract class AbiType<T> : AbiType
{
    /// <summary>Writes a value: a static one into its reserved place, a dynamic one by appending.</summary>
    /// <exception cref="ArgumentException">The value does not fit the type.</exception>
    internal abstract void Write(AbiWriter writer, int at, T value);

    /// <summary>Reads a value: a static one from its place, a dynamic one from the reader's end on. Anything but its canonical form is refused.</summary>
    internal abstract T Read(ref AbiReader reader, int at);

    /// <summary>What Solidity's <c>abi.encode(value)</c> gives, after a prefix.</summary>
    internal byte[] Encode(T value, ReadOnlySpan<byte> prefix = default)
    {
        var writer = new AbiWriter(prefix);
        var frame = writer.Begin(HeadSize);
        writer.Member(ref frame, this, value);
        return writer.ToArray();
    }

    /// <summary>Reads what <see cref="Encode"/> writes.</summary>
    internal bool TryDecode(ReadOnlySpan<byte> data, out T value)
    {
        var reader = new AbiReader(data);
        var frame = reader.Begin(HeadSize);
        value = reader.Member(ref frame, this);
        return reader.Complete();
    }
}

/// <summary>A tuple: a struct, or the arguments of a function, event or error.</summary>
internal abstract class AbiTuple<T> : AbiType<T>
{
    private readonly int _membersSize;

    protected AbiTuple(params AbiType[] members)
    {
        Name = "(" + string.Join(',', members.Select(m => m.Name)) + ")";
        IsDynamic = members.Any(m => m.IsDynamic);
        _membersSize = members.Sum(m => m.HeadSize);
    }

    internal sealed override string Name { get; }

    internal sealed override bool IsDynamic { get; }

    internal sealed override int HeadSize => IsDynamic ? AbiWriter.WordSize : _membersSize;

    internal sealed override void Write(AbiWriter writer, int at, T value)
    {
        var frame = IsDynamic ? writer.Begin(_membersSize) : new AbiFrame(at, at);
        WriteMembers(writer, ref frame, value);
    }

    internal sealed override T Read(ref AbiReader reader, int at)
    {
        var frame = IsDynamic ? reader.Begin(_membersSize) : new AbiFrame(at, at);
        return reader.Error is null ? ReadMembers(ref reader, ref frame) : default!;
    }

    /// <summary>The members alone, as the arguments of a call: after a selector or creation code, without an offset in front.</summary>
    internal byte[] EncodeMembers(T value, ReadOnlySpan<byte> prefix)
    {
        var writer = new AbiWriter(prefix);
        var frame = writer.Begin(_membersSize);
        WriteMembers(writer, ref frame, value);
        return writer.ToArray();
    }

    /// <summary>Reads what <see cref="EncodeMembers"/> wrote after the prefix.</summary>
    internal bool TryDecodeMembers(ReadOnlySpan<byte> data, out T value)
    {
        var reader = new AbiReader(data);
        var frame = reader.Begin(_membersSize);
        value = reader.Error is null ? ReadMembers(ref reader, ref frame) : default!;
        return reader.Complete();
    }

    protected abstract void WriteMembers(AbiWriter writer, ref AbiFrame frame, T value);

    protected abstract T ReadMembers(ref AbiReader reader, ref AbiFrame frame);
}
