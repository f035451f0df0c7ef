using System.Text.Json;
using Shale.Chain.Market;
using Shale.Chain.Rpc;

namespace Shale.Chain.Networks;

/// <summary>Sends from the account that anvil itself holds unlocked, which pays for the deployment of a devnet and is of no other use.</summary>
internal sealed class AnvilTransactor(AnvilNode node, ChainClient chain, Address address) : ITransactor
{
    /// <summary>Below anvil's block gas limit of 30 M; the dearest contract takes some 5 M.</summary>
    private const string Gas = "0x1800000";

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    public Address Address => address;

    public static async Task<AnvilTransactor> CreateAsync(AnvilNode node, ChainClient chain, CancellationToken cancellation)
    {
        var accounts = await node.RequestAsync("eth_accounts", cancellation).ConfigureAwait(false);
        return new AnvilTransactor(node, chain, Address.Parse(accounts[0].GetString()!));
    }

    public async Task<TransactionReceipt> SendAsync(Address? to, UInt128 value, IContractCall call, string description, bool final, CancellationToken cancellation)
    {
        var transaction = new Dictionary<string, string>
        {
            ["from"] = address.ToString(),
            ["data"] = "0x" + Convert.ToHexStringLower(call.Encode()),
            ["value"] = "0x" + value.ToString("x", System.Globalization.CultureInfo.InvariantCulture),
            ["gas"] = Gas,
        };
        if (to is { } contract)
        {
            transaction["to"] = contract.ToString();
        }

        JsonElement sent = await node.RequestAsync("eth_sendTransaction", cancellation, transaction).ConfigureAwait(false);
        var hash = Bytes32.Parse(sent.GetString()!);
        while (true)
        {
            if (await chain.GetReceiptAsync(hash, cancellation).ConfigureAwait(false) is { } receipt)
            {
                return receipt.Succeeded ? receipt : throw new ChainException(ChainErrorKind.Failed, $"The transaction for {description} failed.") { TransactionHash = hash };
            }

            await Task.Delay(Poll, cancellation).ConfigureAwait(false);
        }
    }
}
