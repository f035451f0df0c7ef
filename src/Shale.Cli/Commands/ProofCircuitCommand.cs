using System.CommandLine;
using Shale.Settlement.Circuit;

namespace Shale.Cli.Commands;

/// <summary><c>shale proof circuit</c>: the settlement circuits' constraints, per slot and gadget, and as .r1cs.</summary>
internal static class ProofCircuitCommand
{
    public static Command Create()
    {
        var slots = new Argument<int>("slots") { Description = "The page size: 8, 64 or 256." };
        var output = new Option<string?>("--output", "-o") { Description = "Write the constraints to this .r1cs as well." };
        var command = new Command("circuit", "Say what the settlement circuit of a page size costs, and write its .r1cs") { slots, output };
        command.SetAction(parsed =>
        {
            int size = parsed.GetValue(slots);
            if (!SettlementCircuit.PageSizes.Contains(size))
            {
                throw new CliError($"There is no page of {size} slots.", "shale proof circuit 8, 64 or 256", ExitCodes.Usage);
            }

            Describe(size);
            if (parsed.GetValue(output) is { } path)
            {
                SettlementCircuitFile.Write(size, path);
            }
        });
        return command;
    }

    /// <summary>Describes settlement-8, settlement-64 or settlement-256; false for any other name.</summary>
    public static bool TryDescribe(string name)
    {
        foreach (int slots in SettlementCircuit.PageSizes.Where(n => name == $"settlement-{n}"))
        {
            Describe(slots);
            return true;
        }

        return false;
    }

    private static void Describe(int slots)
    {
        foreach (string line in SettlementCircuitFile.Describe(slots))
        {
            Console.WriteLine(line);
        }
    }
}
