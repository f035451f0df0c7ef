using Shale.Leases;
using System.CommandLine;
using Shale.Payments.Vouchers;

namespace Shale.Cli.Parsing;

/// <summary>The options that put a price on a lease without a chain, and say what a chain would: who pays, from which deposit.</summary>
internal sealed class PriceOptions
{
    private readonly Option<string?> _price = new("--price") { Description = "What the lease costs: 0.01fil/min. Default: nothing." };
    private readonly Option<string?> _payer = new("--payer") { Description = "The client's payment key (shale agent key prints it); needed with --price." };
    private readonly Option<string> _deposit = new("--deposit") { Description = "The most that the lease can cost.", DefaultValueFactory = _ => "1fil" };
    private readonly Option<ulong> _chain = new("--chain") { Description = "EIP-155 chain ID that vouchers name. Default 0: none." };
    private readonly Option<string> _contract = new("--contract") { Description = "The contract that vouchers name. Default: none (0x00…00).", DefaultValueFactory = _ => "0x" + new string('0', 40) };
    private readonly Option<int> _interval = new("--interval") { Description = "Seconds between charges, 1 to 60.", DefaultValueFactory = _ => 5 };
    private readonly Option<int> _window = new("--window") { Description = "Seconds that are paid ahead.", DefaultValueFactory = _ => 15 };
    private readonly Option<int> _grace = new("--grace") { Description = "Seconds served unpaid before the container is frozen, 0 to 600.", DefaultValueFactory = _ => 10 };

    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _price, _payer, _deposit, _chain, _contract, _interval, _window, _grace })
        {
            command.Options.Add(option);
        }
    }

    /// <summary>The terms of payment; null where there is no price.</summary>
    /// <exception cref="CliError">A value is not what it must be.</exception>
    public PaymentTerms? Read(ParseResult parsed)
    {
        if (parsed.GetValue(_price) is not { } price)
        {
            return parsed.GetValue(_payer) is null ? null : throw new CliError("--payer is given without a --price.", "Write for example --price=0.01fil/min.", ExitCodes.Usage);
        }

        return new PaymentTerms
        {
            ChainId = parsed.GetValue(_chain),
            Contract = parsed.GetValue(_contract)!,
            PayerKey = parsed.GetValue(_payer) ?? throw new CliError("A lease with a price needs --payer, the client's payment key.", "The client gets it from: shale agent key", ExitCodes.Usage),
            PricePerSecond = Rate.TryParse(price, out var rate)
                ? rate.PerSecond.ToString()
                : throw new CliError($"--price={price} is not a price.", "Write for example --price=0.01fil/min.", ExitCodes.Usage),
            Deposit = FilAmount.TryParse(parsed.GetValue(_deposit), out var deposit)
                ? deposit.ToString()
                : throw new CliError($"--deposit={parsed.GetValue(_deposit)} is not an amount.", "Write for example --deposit=1fil.", ExitCodes.Usage),
            IntervalSeconds = Within(parsed, _interval, 1, 60),
            WindowSeconds = Within(parsed, _window, 1, 7 * 86400),
            GraceSeconds = Within(parsed, _grace, 0, 600),
        };
    }

    private static int Within(ParseResult parsed, Option<int> option, int least, int most)
    {
        var value = parsed.GetValue(option);
        return value >= least && value <= most ? value : throw new CliError($"{option.Name}={value} is not between {least} and {most} seconds.", null, ExitCodes.Usage);
    }
}
