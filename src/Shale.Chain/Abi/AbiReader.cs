namespace Shale.Chain.Abi;

/// <summary>Where the members of a tuple or array lie: the start that offsets count from, and the next member's place in the head.</summary>
internal struct AbiFrame(int start, int head)
{
    internal readonly int Start = start;
    internal int Head = head;
}

/// <summary>
/// Reads ABI encoded data (Solidity's "Contract ABI Specification", chapter "Formal Specification of the Encoding") in its one canonical form, the one that solc, viem and ethers
/// write: tails follow each other in order and without gaps, padding is zero (or the sign), nothing is left over. Data in any other form is refused. So every byte is
/// read once at most, whatever the offsets say, and the work is linear in the length of the data. A refusal is remembered; what is read after it is default.
/// </summary>
internal ref struct AbiReader(ReadOnlySpan<byte> data)
{
    private readonly ReadOnlySpan<byte> _data = data;
    private int _end;

    /// <summary>Why the data was refused, or null.</summary>
    internal string? Error { get; private set; }

    /// <summary>Bytes that no frame or tail has taken yet.</summary>
    internal readonly int Remaining => _data.Length - _end;

    /// <summary>Where the next tail has to begin.</summary>
    internal readonly int End => _end;

    internal void Refuse(string reason) => Error ??= reason;

    /// <summary>Takes the next bytes for a head or a tail.</summary>
    internal bool TryTake(int length, out int at)
    {
        at = _end;
        if (Error is not null || length > Remaining)
        {
            Refuse("the data ends early");
            return false;
        }

        _end += length;
        return true;
    }

    /// <summary>Opens the frame of the outermost tuple.</summary>
    internal AbiFrame Begin(int headSize)
    {
        _ = TryTake(headSize, out var at);
        return new AbiFrame(at, at);
    }

    /// <summary>The word at a place that was taken before.</summary>
    internal readonly ReadOnlySpan<byte> Word(int at) => _data.Slice(at, AbiWriter.WordSize);

    internal readonly ReadOnlySpan<byte> Slice(int at, int length) => _data.Slice(at, length);

    /// <summary>Reads a length or an offset: nothing above 2^31 can stand in data that fits into memory.</summary>
    internal int ReadSize(int at)
    {
        var word = Word(at);
        if (word[..28].ContainsAnyExcept((byte)0) || (word[28] & 0x80) != 0)
        {
            Refuse("a length or offset is out of bounds");
            return 0;
        }

        return System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(word[28..]);
    }

    /// <summary>Reads the next member of a frame.</summary>
    internal T Member<T>(ref AbiFrame frame, AbiType<T> type)
    {
        if (Error is not null)
        {
            return default!;
        }

        var at = frame.Head;
        frame.Head += type.HeadSize;
        if (!type.IsDynamic)
        {
            return type.Read(ref this, at);
        }

        var offset = ReadSize(at);
        if (Error is null && offset != _end - frame.Start)
        {
            Refuse("an offset does not lead to the next tail");
        }

        return Error is null ? type.Read(ref this, _end) : default!;
    }

    /// <summary>Whether everything was read and nothing is left.</summary>
    internal bool Complete()
    {
        if (Error is null && Remaining != 0)
        {
            Refuse("there are bytes after the end");
        }

        return Error is null;
    }
}
