using System.CommandLine;
using Shale.Agent;
using Shale.Agent.Control;
using Shale.Agent.Files;
using Shale.Cli.Parsing;

namespace Shale.Cli.Commands;

/// <summary><c>shale session</c>: the live panel of a lease.</summary>
internal static class SessionCommand
{
    public static Command Create()
    {
        var options = new AgentCommandOptions();
        var lease = new Argument<string>("lease") { Description = "The lease." };
        var json = new Option<bool>("--json") { Description = "A line of JSON each time; amounts are attoFIL." };
        var once = new Option<bool>("--once") { Description = "Once, and end." };
        var interval = new Option<string>("--interval") { Description = "Time between two.", DefaultValueFactory = _ => "1s" };
        var command = new Command("session", "Show live what a lease costs and how it stands");
        options.AddTo(command);
        command.Arguments.Add(lease);
        foreach (var option in new Option[] { json, once, interval })
        {
            command.Options.Add(option);
        }

        command.SetAction(async (parsed, cancellation) =>
        {
            AgentFolder folder = options.Folder(parsed);
            ulong id = AgentCommandOptions.ParseLease(parsed.GetValue(lease)!);
            TimeSpan pause = Quantity.Duration(parsed.GetValue(interval)!, "--interval");
            _ = AgentCommandOptions.Lease(folder, id);
            await options.EnsureRunningAsync(parsed, cancellation).ConfigureAwait(false);
            return await ShowAsync(folder, id, new Screen(parsed.GetValue(json)), parsed.GetValue(once), pause, cancellation).ConfigureAwait(false);
        });
        return command;
    }

    /// <summary>Shows the panel until the lease is closed.</summary>
    internal static Task<int> ShowAsync(AgentFolder folder, ulong id, CancellationToken cancellation) => ShowAsync(folder, id, new Screen(json: false), once: false, TimeSpan.FromSeconds(1), cancellation);

    private static async Task<int> ShowAsync(AgentFolder folder, ulong id, Screen screen, bool once, TimeSpan pause, CancellationToken cancellation)
    {
        var client = new AgentClient(folder);
        while (true)
        {
            LeaseView view = await client.WatchAsync(id, cancellation).ConfigureAwait(false)
                ?? throw new CliError("The payment agent ended, or forgot the lease.", "shale agent status shows how it stands.", ExitCodes.Unavailable);
            screen.Show(view);
            if (once || view.State == LeaseState.Closed)
            {
                return ExitCodes.Success;
            }

            await Task.Delay(pause, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>In place in a terminal, lines into a pipe.</summary>
    private sealed class Screen(bool json)
    {
        // A terminal that doesn't tell its width is as wide as they used to be.
        private const int UnknownWidth = 79;

        private readonly bool _inPlace = !json && !Console.IsOutputRedirected;
        private int _lines;

        public void Show(LeaseView view)
        {
            if (json)
            {
                Console.WriteLine(view.ToJson());
                return;
            }

            if (!_inPlace)
            {
                Console.WriteLine(SessionPanel.Flat(view));
                return;
            }

            // Up to the panel's first line, and clear from there (ECMA-48 CUU, ED). No line may wrap, or the count is wrong.
            string[] lines = [.. SessionPanel.Above(view), SessionPanel.Line(view)];
            int width = Console.WindowWidth is > 1 and var columns ? columns - 1 : UnknownWidth;
            string up = _lines > 0 ? $"\x1b[{_lines}A\r\x1b[J" : "";
            Console.Write(up + string.Concat(lines.Select(l => (l.Length > width ? l[..width] : l) + "\n")));
            _lines = lines.Length;
        }
    }
}
