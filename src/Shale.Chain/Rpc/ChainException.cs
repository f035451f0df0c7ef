namespace Shale.Chain;

/// <summary>Why the chain could not be asked or did not do what was asked.</summary>
public enum ChainErrorKind
{
    /// <summary>No endpoint gave an answer.</summary>
    Unreachable,

    /// <summary>Every endpoint that answers is on another chain.</summary>
    WrongChain,

    /// <summary>The answers make no sense.</summary>
    Malformed,

    /// <summary>The node answered with an error that trying again does not change.</summary>
    Refused,

    /// <summary>A contract reverted; see <see cref="ChainException.ContractError"/>.</summary>
    Reverted,

    /// <summary>The epoch has no block (Filecoin's null rounds); ask for the next.</summary>
    NullRound,

    /// <summary>The range or the result is larger than the node gives; ask for less.</summary>
    TooMuch,

    /// <summary>The node has not got so far, or does not know what was asked for.</summary>
    NotFound,

    /// <summary>The node keeps no state or events that old.</summary>
    Pruned,

    /// <summary>The account cannot pay value and gas.</summary>
    InsufficientFunds,

    /// <summary>The fee that the chain asks is above the limit that was set.</summary>
    FeeAboveLimit,

    /// <summary>The transaction was mined and its call failed.</summary>
    Failed,

    /// <summary>Another transaction of the account took the nonce.</summary>
    Replaced,

    /// <summary>The transaction was not mined, or did not become final, in the time given.</summary>
    NotMined,
}

/// <summary>The chain could not be asked, or refused. The message says what was tried, on which endpoint (without its secrets), and what to do.</summary>
public sealed class ChainException : Exception
{
    /// <summary>Makes an exception.</summary>
    /// <param name="kind">Why.</param>
    /// <param name="message">For people; without secrets.</param>
    /// <param name="contractError">What the contract said, if one did.</param>
    public ChainException(ChainErrorKind kind, string message, ContractError? contractError = null)
        : base(message)
    {
        Kind = kind;
        ContractError = contractError;
    }

    /// <summary>Why.</summary>
    public ChainErrorKind Kind { get; }

    /// <summary>What the contract said, where one reverted.</summary>
    public ContractError? ContractError { get; }

    /// <summary>The transaction that this is about, if it was sent.</summary>
    public Bytes32? TransactionHash { get; init; }
}
