using System.CommandLine;
using System.Globalization;
using Shale.Cli.Parsing;
using Shale.Operator;

namespace Shale.Cli.Commands;

/// <summary><c>shale settle</c>: collect what clients signed, or say what that would do and cost.</summary>
internal static class SettleCommand
{
    public static Command Create()
    {
        var options = new OperatorCommandOptions();
        var dryRun = new Option<bool>("--dry_run", "--dry-run", "-n") { Description = "Only say what it would collect and cost." };
        var command = new Command("settle", "Collect what clients signed, by a proof for each page") { dryRun };
        command.Options.Add(options.State);
        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var state = parsed.GetValue(options.State)!;
            if (!parsed.GetValue(dryRun))
            {
                OperatorCommands.SettleNow(state);
                Console.Error.WriteLine("shale: the operator that runs on this folder settles in its next round; its log says what it did");
                return ExitCodes.Success;
            }

            using var session = await options.OpenAsync(parsed, state, cancellation).ConfigureAwait(false);
            var previews = await session.Service.PreviewAsync(cancellation).ConfigureAwait(false);
            if (previews.Count == 0)
            {
                Console.WriteLine("There is nothing to settle.");
            }

            foreach (var page in previews)
            {
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"page {page.Page}: {Print(page)}"));
                foreach (var (lease, reason) in page.LeftOut)
                {
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  without lease {lease}: {reason}"));
                }
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static string Print(SettlementPreview page) =>
        page.IsPending ? "a settlement is under way"
        : page.Cost is not { } cost ? "nothing new"
        : string.Create(CultureInfo.InvariantCulture, $"collects {page.Paid.ToFilString()} FIL of {page.Leases} leases for {cost.Gas} gas, at most {Fil.Print(cost.MaxFee)}");
}
