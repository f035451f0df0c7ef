using System.Globalization;

namespace Shale.Chain.Transactions;

/// <summary>What is offered per gas, within the limits that were set.</summary>
internal static class FeePolicy
{
    /// <summary>Geth's pool wants 10 % more for a replacement, others 12.5 %, Lotus 25 % by default: this satisfies all.</summary>
    internal const int RaisePercent = 25;

    /// <summary>The price for a new transaction: room for the base fee to double, which takes six full blocks.</summary>
    /// <exception cref="ChainException">The limits do not allow what the chain asks.</exception>
    internal static GasPrice First(FeeQuote quote, ulong gasLimit, TransactionOptions options)
    {
        var limit = Limit(gasLimit, options);
        var needed = quote.BaseFee is { } baseFee ? baseFee + quote.Price : quote.Price;
        if (needed > limit)
        {
            throw new ChainException(ChainErrorKind.FeeAboveLimit, string.Create(CultureInfo.InvariantCulture,
                $"Gas costs {needed} attoFIL each now, and the limit allows {limit} for a transaction of {gasLimit} gas. Nothing was sent. Wait until gas is cheaper, or raise the limit."));
        }

        if (quote.BaseFee is not { } fee || options.Legacy)
        {
            // A legacy transaction cannot follow the base fee: a fifth more lasts for a block and a half of its fastest rise.
            var price = UInt128.Min(needed + (needed / 5), limit);
            return new GasPrice(price, price, true);
        }

        return new GasPrice(UInt128.Min((2 * fee) + quote.Price, limit), quote.Price, false);
    }

    /// <summary>The price for a replacement: 25 % above the last one, or what the chain asks now if that is more. Null where the limits do not allow it.</summary>
    internal static GasPrice? Raise(GasPrice last, FeeQuote quote, ulong gasLimit, TransactionOptions options)
    {
        var fee = More(last.MaxFee);
        var tip = UInt128.Max(More(last.MaxPriorityFee), last.IsLegacy ? 0 : quote.Price);
        fee = UInt128.Max(fee, last.IsLegacy ? quote.Price + (quote.BaseFee ?? 0) : (2 * (quote.BaseFee ?? 0)) + tip);
        var limit = Limit(gasLimit, options);
        if (fee > limit)
        {
            // The smallest step that every pool takes may still fit.
            fee = More(last.MaxFee);
            tip = UInt128.Min(tip, fee);
        }

        return fee > limit || tip < More(last.MaxPriorityFee) ? null : last.IsLegacy ? new GasPrice(fee, fee, true) : new GasPrice(fee, tip, false);
    }

    private static UInt128 More(UInt128 price) => price + ((price * RaisePercent) + 99) / 100 + 1;

    private static UInt128 Limit(ulong gasLimit, TransactionOptions options)
    {
        var perGas = options.MaxFee / gasLimit;
        return options.MaxFeePerGas is { } limit && limit < perGas ? limit : perGas;
    }
}
