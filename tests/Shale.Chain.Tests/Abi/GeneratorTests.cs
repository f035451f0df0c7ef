using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Text;
using Shale.Chain.Generator;
using Xunit;

namespace Shale.Chain.Tests.Abi;

/// <summary>The generator on its own: what it cannot make code of has to stop the build.</summary>
public sealed class GeneratorTests
{
    [Theory]
    [InlineData("[{\"type\":\"function\",\"name\":\"f\",\"inputs\":[{\"name\":\"x\",\"type\":\"fixed128x18\",\"internalType\":\"fixed128x18\"}],\"outputs\":[]}]", "fixed128x18")]
    [InlineData("[{\"type\":\"function\",\"name\":\"f\",\"inputs\":[{\"name\":\"x\",\"type\":\"tuple\",\"internalType\":\"\",\"components\":[]}],\"outputs\":[]}]", "struct")]
    [InlineData("[{\"type\":\"error\",\"name\":\"E\",\"inputs\":[{\"name\":\"x\",\"type\":\"uint8\",\"internalType\":\"enum Unheard\"}]}]", "Unheard")]
    [InlineData("[{\"type\":\"event\",\"name\":\"E\",\"inputs\":[{\"name\":\"x\",\"type\":\"string\",\"internalType\":\"string\",\"indexed\":true}]}]", "topic")]
    [InlineData("[{\"type\":\"event\",\"name\":\"E\",\"anonymous\":true,\"inputs\":[]}]", "Anonymous")]
    [InlineData("[{\"type\":\"error\",\"name\":\"E\",\"inputs\":[]},{\"type\":\"error\",\"name\":\"E\",\"inputs\":[{\"name\":\"x\",\"type\":\"bool\",\"internalType\":\"bool\"}]}]", "E()")]
    [InlineData("[{\"type\":", "")]
    [InlineData("{}", "")]
    public void Abi_ThatCannotBecomeCode_IsAnErrorOfTheBuild(string abi, string named)
    {
        var (_, diagnostics) = Generate(("Some.json", abi));
        var error = Assert.Single(diagnostics);
        Assert.Equal(("SHALE001", DiagnosticSeverity.Error), (error.Id, error.Severity));
        Assert.Contains(named, error.GetMessage(), StringComparison.Ordinal);
    }

    [Fact]
    public void Abi_OfOverloadsFreeContract_BecomesRecordsWithTheSolidityFilesWords()
    {
        const string Abi = """
            [{"type":"error","name":"TooHot","inputs":[{"name":"degrees","type":"int16","internalType":"int16"}]},
             {"type":"function","name":"heat","stateMutability":"payable","inputs":[{"name":"mode","type":"uint8","internalType":"enum Mode"}],"outputs":[{"name":"","type":"bool","internalType":"bool"}]}]
            """;
        const string Solidity = """
            /// @dev How.
            enum Mode {
                Slow,
                Fast
            }

            /// @dev It is too hot in there.
            error TooHot(int16 degrees);
            """;
        var (sources, diagnostics) = Generate(("Oven.json", Abi), ("Oven.sol", Solidity));
        Assert.Empty(diagnostics);
        var all = string.Concat(sources);
        Assert.Contains("public sealed record HeatCall(global::Shale.Chain.Contracts.Mode Mode) : global::Shale.Chain.IContractCall<bool>", all, StringComparison.Ordinal);
        Assert.Contains("Fast = 1,", all, StringComparison.Ordinal);
        Assert.Contains("It is too hot in there: degrees {Degrees}", all, StringComparison.Ordinal);
        Assert.Contains("public sealed record TooHotError(short Degrees)", all, StringComparison.Ordinal);
    }

    private static (IReadOnlyList<string> Sources, ImmutableArray<Diagnostic> Diagnostics) Generate(params (string Name, string Text)[] files)
    {
        GeneratorDriver driver = CSharpGeneratorDriver.Create(
            [new ContractGenerator().AsSourceGenerator()], [.. files.Select(f => (AdditionalText)new File(f.Name, f.Text))]);
        var result = driver.RunGenerators(CSharpCompilation.Create("x")).GetRunResult();
        return ([.. result.GeneratedTrees.Select(t => t.ToString())], result.Diagnostics);
    }

    private sealed class File(string path, string text) : AdditionalText
    {
        public override string Path => path;

        public override SourceText GetText(CancellationToken cancellationToken = default) => SourceText.From(text);
    }
}
