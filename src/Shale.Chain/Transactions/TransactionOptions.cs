namespace Shale.Chain.Transactions;

/// <summary>How transactions are sent. Checked when a sender is made.</summary>
public sealed record TransactionOptions
{
    /// <summary>Where signed transactions are kept until they are done. Every program that uses the same key on this machine has to name the same folder; it is made if it is not there.</summary>
    public required string Folder { get; init; }

    /// <summary>What the estimate of gas is multiplied by. 1 to 5; default 1.2: Filecoin burns for gas limits far above what is used.</summary>
    public double GasMargin { get; init; } = 1.2;

    /// <summary>attoFIL that one transaction may cost in fees at most. Above 0; default 2 FIL.</summary>
    public UInt128 MaxFee { get; init; } = 2 * (UInt128)1_000_000_000_000_000_000;

    /// <summary>attoFIL per gas at most, or null for no limit but <see cref="MaxFee"/>.</summary>
    public UInt128? MaxFeePerGas { get; init; }

    /// <summary>Sends legacy transactions (EIP-155) also where the chain has a base fee.</summary>
    public bool Legacy { get; init; }

    /// <summary>How often the chain is asked about a transaction. 10 ms to 1 minute; default 2 seconds.</summary>
    public TimeSpan PollInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>After how long a transaction that is not mined is sent again with a higher price. 100 ms to 1 day; default 3 minutes, six epochs: on Filecoin 90 seconds are usual.</summary>
    public TimeSpan StuckAfter { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>How often it is asked whether a node still knows a transaction that is not mined. 10 ms to 1 day; default 30 seconds, an epoch.</summary>
    public TimeSpan SendAgainAfter { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>After how long of no receipt with the nonce taken, it counts as taken by somebody else's transaction. 10 ms to 1 day; default 3 minutes: receipts lag behind nonces.</summary>
    public TimeSpan ReplacedAfter { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>After how long of waiting <see cref="TransactionSender"/> gives up; what was signed stays on file. 100 ms to 30 days; default 12 hours: finality alone can take 7.5 on Filecoin.</summary>
    public TimeSpan GiveUpAfter { get; init; } = TimeSpan.FromHours(12);

    /// <summary>For how long a transaction that a program left behind, and that was mined meanwhile, is taken for the one that the same program asks for again. Default 1 hour.</summary>
    public TimeSpan TakeUpFor { get; init; } = TimeSpan.FromHours(1);

    internal void Validate()
    {
        Require(!string.IsNullOrEmpty(Folder), nameof(Folder), "a folder's name");
        Require(GasMargin is >= 1 and <= 5, nameof(GasMargin), "1 to 5");
        Require(MaxFee > 0, nameof(MaxFee), "above 0");
        Require(MaxFeePerGas is null || MaxFeePerGas > 0, nameof(MaxFeePerGas), "above 0");
        Require(PollInterval >= TimeSpan.FromMilliseconds(10) && PollInterval <= TimeSpan.FromMinutes(1), nameof(PollInterval), "10 ms to 1 minute");
        Require(StuckAfter >= TimeSpan.FromMilliseconds(100) && StuckAfter <= TimeSpan.FromDays(1), nameof(StuckAfter), "100 ms to 1 day");
        Require(SendAgainAfter >= TimeSpan.FromMilliseconds(10) && SendAgainAfter <= TimeSpan.FromDays(1), nameof(SendAgainAfter), "10 ms to 1 day");
        Require(ReplacedAfter >= TimeSpan.FromMilliseconds(10) && ReplacedAfter <= TimeSpan.FromDays(1), nameof(ReplacedAfter), "10 ms to 1 day");
        Require(GiveUpAfter >= TimeSpan.FromMilliseconds(100) && GiveUpAfter <= TimeSpan.FromDays(30), nameof(GiveUpAfter), "100 ms to 30 days");
        Require(TakeUpFor >= TimeSpan.Zero && TakeUpFor <= TimeSpan.FromDays(30), nameof(TakeUpFor), "0 to 30 days");
    }

    private static void Require(bool holds, string name, string range)
    {
        if (!holds)
        {
            throw new ArgumentException($"{name} has to be {range}.", name);
        }
    }
}

/// <summary>What is waited for.</summary>
public enum Wait
{
    /// <summary>That the transaction is in a block. A reorganisation may still take it back.</summary>
    Mined,

    /// <summary>That this block is final.</summary>
    Final,
}

/// <summary>How far a transaction is.</summary>
public enum TransactionStage
{
    /// <summary>Signed and on file, not sent.</summary>
    Signed,

    /// <summary>The same call was found signed and not done: it goes on instead of a second one.</summary>
    TakenUp,

    /// <summary>A node has it.</summary>
    Sent,

    /// <summary>No node knew it any more; sent again.</summary>
    SentAgain,

    /// <summary>Not mined for long: signed again with the same nonce and a higher price.</summary>
    PriceRaised,

    /// <summary>Not mined for long, and its price can't be raised within the limit: waited for as it is.</summary>
    PriceAtLimit,

    /// <summary>In a block.</summary>
    Mined,

    /// <summary>A reorganisation took it out of its block; it waits again.</summary>
    TakenBack,

    /// <summary>Its block is final.</summary>
    Final,

    /// <summary>Nothing could be learned; asked again.</summary>
    Unreachable,
}

/// <summary>A step of a transaction, for people.</summary>
/// <param name="Stage">How far it is.</param>
/// <param name="Hash">The transaction; another after its price was raised.</param>
/// <param name="Nonce">Its nonce.</param>
/// <param name="Message">A sentence.</param>
public sealed record TransactionProgress(TransactionStage Stage, Bytes32 Hash, ulong Nonce, string Message);
