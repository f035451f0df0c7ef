using Shale.Chain.Networks;
using Shale.Chain.Rpc;
using Shale.Chain.Transactions;

namespace Shale.Chain.Market;

/// <summary>Sends with a key of this process, by <see cref="TransactionSender"/>: what was signed is on file before it is sent, and a transaction that is stuck is priced up.</summary>
public sealed class WalletTransactor : ITransactor
{
    private readonly TransactionSender _sender;
    private readonly IProgress<TransactionProgress>? _progress;

    /// <summary>Sends for an account.</summary>
    /// <param name="chain">The chain.</param>
    /// <param name="network">The network: how often to ask follows from its epochs.</param>
    /// <param name="account">Who signs and pays.</param>
    /// <param name="folder">Where signed transactions are kept; the same for every program that uses the key. A folder below it belongs to the chain.</param>
    /// <param name="progress">Told each step.</param>
    public WalletTransactor(ChainClient chain, Network network, IAccount account, string folder, IProgress<TransactionProgress>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(network);
        var epoch = TimeSpan.FromSeconds(network.EpochSeconds);
        _progress = progress;
        _sender = new TransactionSender(
            chain,
            account,
            new TransactionOptions
            {
                Folder = folder,
                PollInterval = TimeSpan.FromMilliseconds(Math.Clamp(epoch.TotalMilliseconds / 8, 100, 3000)),
                StuckAfter = Longer(epoch * 6),
                ReplacedAfter = Longer(epoch * 6),
            });
    }

    /// <inheritdoc/>
    public Address Address => _sender.Address;

    /// <inheritdoc/>
    public Task<TransactionReceipt> SendAsync(Address? to, UInt128 value, IContractCall call, string description, bool final, CancellationToken cancellation) =>
        _sender.SendAsync(to, value, call, description, final ? Wait.Final : Wait.Mined, _progress, cancellation);

    /// <summary>Six epochs; on fast chains a busy machine needs more.</summary>
    private static TimeSpan Longer(TimeSpan time) => time > TimeSpan.FromSeconds(30) ? time : TimeSpan.FromSeconds(30);
}
