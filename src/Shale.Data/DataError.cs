namespace Shale.Data;

/// <summary>What is wrong with a piece of untrusted data: one value for each cause a caller can act on.</summary>
public enum DataFault
{
    /// <summary>Nothing is wrong.</summary>
    None,

    /// <summary>A varint is longer than nine bytes or exceeds 2^63-1 (multiformats unsigned-varint).</summary>
    VarintTooLong,

    /// <summary>A varint is not in its shortest form.</summary>
    VarintNotMinimal,

    /// <summary>A varint ends before its last byte.</summary>
    VarintTruncated,

    /// <summary>A CID's text has a length that no CID has.</summary>
    CidLength,

    /// <summary>A CID's text starts with a multibase prefix that is unknown or not supported.</summary>
    CidMultibase,

    /// <summary>A CID's text has a character that its base does not have.</summary>
    CidCharacter,

    /// <summary>A CID's text ends with bits that are not zero and stand for no byte.</summary>
    CidTrailingBits,

    /// <summary>A CID has a version other than 0 and 1, or a version 0 form where none is allowed.</summary>
    CidVersion,

    /// <summary>A CID's multihash has a digest length that its hash function does not have.</summary>
    CidDigestLength,

    /// <summary>A CID's bytes end too early.</summary>
    CidTruncated,

    /// <summary>Bytes follow a CID that should have ended.</summary>
    CidTrailingBytes,

    /// <summary>The hash function of a CID is not one that this library computes.</summary>
    HashUnsupported,

    /// <summary>A block's bytes do not hash to its CID.</summary>
    HashMismatch,

    /// <summary>A CAR ends in the middle of its header or of a section.</summary>
    CarTruncated,

    /// <summary>A CAR's header is not the DAG-CBOR map that the specification asks for.</summary>
    CarHeader,

    /// <summary>A CAR has a version other than 1 and 2.</summary>
    CarVersion,

    /// <summary>A CAR names no root, or more than one where one is needed.</summary>
    CarRoots,

    /// <summary>A CAR's header or section is longer than the limit.</summary>
    CarTooLarge,

    /// <summary>A CAR's section has a length that cannot hold its CID.</summary>
    CarSection,

    /// <summary>A CAR version 2 header has offsets that do not fit the file.</summary>
    CarOffsets,

    /// <summary>A CAR version 2 index is malformed or disagrees with the data.</summary>
    CarIndex,

    /// <summary>A block that is linked to is not there.</summary>
    BlockMissing,

    /// <summary>A dag-pb node is malformed (https://ipld.io/specs/codecs/dag-pb/spec/).</summary>
    DagPb,

    /// <summary>A UnixFS message is malformed.</summary>
    UnixFs,

    /// <summary>A block has a codec that is not part of UnixFS.</summary>
    CodecUnsupported,

    /// <summary>A file's parts do not have the sizes that it declares.</summary>
    SizeMismatch,

    /// <summary>A tree is deeper than the limit, or contains itself.</summary>
    TooDeep,

    /// <summary>A tree expands to more entries or bytes than the limit.</summary>
    TooLarge,

    /// <summary>A name is empty, `.`, `..`, or contains a slash or a zero byte.</summary>
    UnsafeName,

    /// <summary>A symbolic link is absolute or leads out of its tree.</summary>
    UnsafeLink,

    /// <summary>Two entries of a directory have the same name.</summary>
    DuplicateName,

    /// <summary>A HAMT shard is malformed.</summary>
    Hamt,

    /// <summary>A path does not exist in the data set.</summary>
    NotFound,

    /// <summary>A path exists, and is of another type than was asked for.</summary>
    WrongType,

    /// <summary>A source file changed while or after it was read.</summary>
    Changed,

    /// <summary>A piece has a size that no piece has, or exceeds the largest.</summary>
    PieceSize,

    /// <summary>A server answered with something other than the piece.</summary>
    PieceServer,

    /// <summary>The store, or a manifest in it, is malformed.</summary>
    Store,

    /// <summary>What was to be added is there already.</summary>
    AlreadyExists,

    /// <summary>Something is in use and cannot be removed.</summary>
    InUse,
}

/// <summary>Why untrusted data was refused.</summary>
/// <param name="Fault">The cause.</param>
/// <param name="Detail">One sentence for a person, without a final full stop: what is wrong and where.</param>
/// <param name="Offset">Where in the input, in bytes or characters from its start; -1 where no place can be named.</param>
public readonly record struct DataError(DataFault Fault, string Detail, long Offset = -1)
{
    /// <summary>The value that says that nothing is wrong.</summary>
    public static DataError None => default;

    /// <summary>Whether this says that something is wrong.</summary>
    public bool IsError => Fault != DataFault.None;

    /// <summary>The same error, with its place shifted by <paramref name="by"/> and <paramref name="where"/> put before its text.</summary>
    /// <param name="by">Bytes to add to a known place.</param>
    /// <param name="where">What was being read.</param>
    /// <returns>The error as seen from outside.</returns>
    public DataError Within(long by, string where) =>
        new(Fault, $"{where}: {Detail}", Offset < 0 ? -1 : Offset + by);

    /// <inheritdoc/>
    public override string ToString() => !IsError ? "none" : Offset < 0 ? $"{Fault}: {Detail}" : $"{Fault} at {Offset}: {Detail}";
}

/// <summary>A value, or why there is none.</summary>
/// <typeparam name="T">The type of the value.</typeparam>
public readonly struct DataResult<T>
{
    private readonly T? _value;

    private DataResult(T? value, DataError error)
    {
        _value = value;
        Error = error;
    }

    /// <summary>Why there is no value; <see cref="DataError.None"/> when there is one.</summary>
    public DataError Error { get; }

    /// <summary>Whether there is a value.</summary>
    public bool Ok => !Error.IsError;

    /// <summary>The value.</summary>
    /// <exception cref="InvalidOperationException">There is none: the caller did not look at <see cref="Error"/>.</exception>
    public T Value => Ok ? _value! : throw new InvalidOperationException(Error.ToString());

    /// <summary>A result with a value.</summary>
    /// <param name="value">The value.</param>
    public static implicit operator DataResult<T>(T value) => new(value, default);

    /// <summary>A result without a value.</summary>
    /// <param name="error">Why.</param>
    public static implicit operator DataResult<T>(DataError error) => new(default, error);
}
