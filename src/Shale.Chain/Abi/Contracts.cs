using System.Diagnostics.CodeAnalysis;

namespace Shale.Chain;

/// <summary>A call of a contract's function, or a contract's deployment. The generated records in <c>Shale.Chain.Contracts</c> are these.</summary>
public interface IContractCall
{
    /// <summary>The function's signature as its selector is made from, <c>withdraw()</c>; for people, in messages.</summary>
    string Signature { get; }

    /// <summary>What a transaction carries as its data.</summary>
    /// <exception cref="ArgumentException">A value does not fit its type in the contract.</exception>
    byte[] Encode();
}

/// <summary>A call whose answer is of use.</summary>
/// <typeparam name="TResult">What the function returns.</typeparam>
public interface IContractCall<TResult> : IContractCall
{
    /// <summary>Reads what the function returned.</summary>
    /// <param name="data">From a node.</param>
    /// <param name="result">The value.</param>
    /// <returns>False when it is not the canonical encoding of that type.</returns>
    bool TryDecodeResult(ReadOnlySpan<byte> data, [MaybeNullWhen(false)] out TResult result);
}

/// <summary>An event of a contract, as a record of its values.</summary>
public interface IContractEvent;

/// <summary>What the generated records of events have, so that they can be looked for by type.</summary>
/// <typeparam name="TSelf">The record.</typeparam>
public interface IContractEvent<TSelf> : IContractEvent
    where TSelf : IContractEvent<TSelf>
{
    /// <summary>The first topic: the Keccak-256 of the event's signature.</summary>
    static abstract Bytes32 Topic { get; }

    /// <summary>Reads a log. Whose log it is (<see cref="LogEntry.Address"/>) is for the caller to check.</summary>
    /// <param name="log">From a node.</param>
    /// <param name="value">The event.</param>
    /// <returns>False when it is another event or not canonically encoded.</returns>
    static abstract bool TryDecode(LogEntry log, [NotNullWhen(true)] out TSelf? value);
}

/// <summary>A contract's refusal: one of its custom errors, or Solidity's own <c>Error(string)</c> and <c>Panic(uint256)</c>.</summary>
public abstract record ContractError
{
    /// <summary>The error's signature as its selector is made from.</summary>
    public abstract string Signature { get; }

    /// <summary>A sentence with the expected and the actual values, without a final period.</summary>
    public abstract string Message { get; }

    /// <inheritdoc/>
    public sealed override string ToString() => Message;
}

/// <summary>A log that a contract wrote (<c>eth_getLogs</c>, receipts).</summary>
/// <param name="Address">The contract.</param>
/// <param name="Topics">One to four words; the first names the event. None for an anonymous event.</param>
/// <param name="Data">What is not indexed.</param>
/// <param name="BlockNumber">The block (on Filecoin the epoch).</param>
/// <param name="BlockHash">The block's hash.</param>
/// <param name="TransactionHash">The transaction.</param>
/// <param name="TransactionIndex">The transaction's place in its block.</param>
/// <param name="LogIndex">The log's place in its block.</param>
/// <param name="Removed">Whether a reorganisation took it back.</param>
public sealed record LogEntry(
    Address Address,
    IReadOnlyList<Bytes32> Topics,
    ReadOnlyMemory<byte> Data,
    ulong BlockNumber,
    Bytes32 BlockHash,
    Bytes32 TransactionHash,
    ulong TransactionIndex,
    ulong LogIndex,
    bool Removed);
