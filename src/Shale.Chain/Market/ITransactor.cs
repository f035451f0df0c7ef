namespace Shale.Chain.Market;

/// <summary>Who sends transactions and sees them through: what <see cref="MarketWriter"/> and <see cref="MarketDeployment"/> need of a wallet.</summary>
public interface ITransactor
{
    /// <summary>Whose transactions they are.</summary>
    Address Address { get; }

    /// <summary>Sends a transaction and waits for its receipt.</summary>
    /// <param name="to">The contract; null deploys one.</param>
    /// <param name="value">attoFIL that go along.</param>
    /// <param name="call">What is called.</param>
    /// <param name="description">What it is for, in messages: "accepting lease 42".</param>
    /// <param name="final">Whether to wait until the receipt is final, and not only until it is mined.</param>
    /// <param name="cancellation">Ends the wait; the transaction may be mined all the same.</param>
    /// <returns>The receipt of a transaction that succeeded.</returns>
    /// <exception cref="ChainException">It was refused, reverted, or not mined; the message says what to do.</exception>
    Task<TransactionReceipt> SendAsync(Address? to, UInt128 value, IContractCall call, string description, bool final, CancellationToken cancellation);
}
