using System.Collections.Immutable;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace Shale.Chain.Generator;

/// <summary>
/// Makes code of the contracts' ABI while Shale.Chain is compiled: a record for each function with its encoding and the decoding of what it returns, for each struct, event and custom
/// error, and each contract's deployment. Input are the additional files <c>NAME.json</c> (ABI) and <c>*.sol</c> (enumerations' members and comments).
/// </summary>
[Generator(LanguageNames.CSharp)]
public sealed class ContractGenerator : IIncrementalGenerator
{
    private static readonly DiagnosticDescriptor Broken = new(
        "SHALE001", "An ABI cannot be made into code", "{0}", "Shale.Chain", DiagnosticSeverity.Error, isEnabledByDefault: true);

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        var files = context.AdditionalTextsProvider
            .Where(static file => Path.GetExtension(file.Path) is ".json" or ".sol")
            .Select(static (file, cancel) => (Name: Path.GetFileName(file.Path), Text: file.GetText(cancel)?.ToString() ?? ""))
            .Collect();
        context.RegisterSourceOutput(files, Generate);
    }

    private static void Generate(SourceProductionContext context, ImmutableArray<(string Name, string Text)> files)
    {
        try
        {
            foreach (var (name, code) in Generate(files))
            {
                context.AddSource(name, SourceText.From(code, Encoding.UTF8));
            }
        }
        catch (Exception e) when (e is InvalidDataException or System.Text.Json.JsonException or FormatException or InvalidOperationException)
        {
            context.ReportDiagnostic(Diagnostic.Create(Broken, Location.None, e.Message));
        }
    }

    internal static IEnumerable<(string Name, string Code)> Generate(IEnumerable<(string Name, string Text)> files)
    {
        var notes = new SolidityNotes();
        var contracts = new List<AbiContract>();
        foreach (var (name, text) in files.OrderBy(f => f.Name, StringComparer.Ordinal))
        {
            if (name.EndsWith(".sol", StringComparison.Ordinal))
            {
                notes.Read(text);
            }
            else
            {
                contracts.Add(AbiContract.Parse(Path.GetFileNameWithoutExtension(name), text));
            }
        }

        var emitter = new Emitter(notes);
        foreach (var contract in contracts)
        {
            yield return (contract.Name + ".g.cs", emitter.Contract(contract));
        }

        yield return ("Structs.g.cs", emitter.Structs(contracts));
        yield return ("ContractErrors.g.cs", emitter.Errors(contracts));
    }
}
