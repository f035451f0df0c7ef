using System.Diagnostics.CodeAnalysis;
using System.Numerics;

namespace Shale.Chain;

/// <summary>What is of use of a block.</summary>
/// <param name="Number">Its number; on Filecoin the epoch.</param>
/// <param name="Hash">Its hash.</param>
/// <param name="ParentHash">The hash of the block before.</param>
/// <param name="Timestamp">Seconds since 1970.</param>
/// <param name="GasLimit">Gas that all of its transactions may use.</param>
/// <param name="BaseFee">attoFIL per gas that is burned (EIP-1559), or null on chains without.</param>
public sealed record BlockHeader(ulong Number, Bytes32 Hash, Bytes32 ParentHash, ulong Timestamp, ulong GasLimit, UInt128? BaseFee);

/// <summary>What became of a mined transaction.</summary>
/// <param name="TransactionHash">The transaction.</param>
/// <param name="BlockNumber">The block that it is in.</param>
/// <param name="BlockHash">That block's hash: after a reorganisation it is another, or the receipt is gone.</param>
/// <param name="TransactionIndex">Its place in the block.</param>
/// <param name="Succeeded">Whether it did what it was to do.</param>
/// <param name="GasUsed">Gas that it used.</param>
/// <param name="GasPrice">attoFIL per gas that it paid.</param>
/// <param name="From">Who sent it.</param>
/// <param name="ContractAddress">The contract that it deployed, if it did.</param>
/// <param name="Logs">What contracts logged.</param>
public sealed record TransactionReceipt(
    Bytes32 TransactionHash,
    ulong BlockNumber,
    Bytes32 BlockHash,
    ulong TransactionIndex,
    bool Succeeded,
    ulong GasUsed,
    UInt128 GasPrice,
    Address From,
    Address? ContractAddress,
    IReadOnlyList<LogEntry> Logs)
{
    /// <summary>The events of one type that a contract logged in this transaction.</summary>
    /// <typeparam name="T">A generated event.</typeparam>
    /// <param name="contract">Whose logs count.</param>
    public IEnumerable<T> Events<T>(Address contract)
        where T : class, IContractEvent<T>
    {
        foreach (var log in Logs)
        {
            if (log.Address == contract && T.TryDecode(log, out var value))
            {
                yield return value;
            }
        }
    }

    /// <summary>The one event of a type that a contract has to have logged in this transaction.</summary>
    /// <typeparam name="T">A generated event.</typeparam>
    /// <param name="contract">Whose logs count.</param>
    /// <exception cref="ChainException">There is none.</exception>
    public T Event<T>(Address contract)
        where T : class, IContractEvent<T> => Events<T>(contract).FirstOrDefault()
            ?? throw new ChainException(ChainErrorKind.Malformed, $"Transaction {TransactionHash} succeeded, but its receipt has no {typeof(T).Name} of {contract}. Is that the right contract?") { TransactionHash = TransactionHash };
}

/// <summary>What is of use of a transaction that a node knows.</summary>
/// <param name="Hash">Its hash.</param>
/// <param name="From">Who sent it.</param>
/// <param name="Nonce">Its number at that account.</param>
/// <param name="BlockNumber">The block that it is in, or null while it waits.</param>
public sealed record TransactionInfo(Bytes32 Hash, Address From, ulong Nonce, ulong? BlockNumber)
{
    /// <summary>The call that it carries.</summary>
    public ReadOnlyMemory<byte> Input { get; init; }
}

/// <summary>What gas costs now.</summary>
/// <param name="BaseFee">attoFIL per gas that the next block burns, or null on chains without EIP-1559.</param>
/// <param name="Price">attoFIL per gas: with a base fee the tip that the node proposes, without one the whole price.</param>
public sealed record FeeQuote(UInt128? BaseFee, UInt128 Price);

/// <summary>Which logs to get: a range of blocks, or one block by its hash.</summary>
/// <param name="FromBlock">The first block.</param>
/// <param name="ToBlock">The last block.</param>
/// <param name="Addresses">Contracts; one at least.</param>
public sealed record LogFilter(ulong FromBlock, ulong ToBlock, IReadOnlyList<Address> Addresses)
{
    /// <summary>Takes the logs of this one block instead of the range, so that they are of that block or there is an error (EIP-234).</summary>
    public Bytes32? BlockHash { get; init; }

    /// <summary>For each place of a log's topics the values that are taken; null or an empty list takes all. At most four places.</summary>
    [SuppressMessage("Usage", "CA2227", Justification = "Set once, by an initialiser.")]
    public IReadOnlyList<IReadOnlyList<Bytes32>?> Topics { get; init; } = [];

    /// <summary>The topic that an indexed number is.</summary>
    /// <param name="number">Below 2^256.</param>
    public static Bytes32 Topic(BigInteger number) => new(Abi.AbiTypes.UInt<BigInteger>(256).Encode(number));

    /// <summary>The topic that an indexed address is.</summary>
    /// <param name="address">The address.</param>
    public static Bytes32 Topic(Address address) => new(Abi.AbiTypes.Address.Encode(address));
}
