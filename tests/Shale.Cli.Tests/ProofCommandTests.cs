using Shale.Groth16.Files;
using Shale.Bn254.Fields;
using Xunit;

namespace Shale.Cli.Tests;

public sealed class ProofCommandTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("shale-proof-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Proof_FromSetupToVerifier_WorksOnFiles()
    {
        // x · y = z with z public.
        var builder = new R1csBuilder();
        builder.AddConstraint([(2, Fr.One)], [(3, Fr.One)], [(1, Fr.One)]);
        R1csFile.Write(At("c.r1cs"), builder.Build(wires: 4, outputs: 1, publicInputs: 0, privateInputs: 2));
        WtnsFile.Write(At("good.wtns"), [Fr.One, Fr.FromUInt64(35), Fr.FromUInt64(5), Fr.FromUInt64(7)]);
        WtnsFile.Write(At("bad.wtns"), [Fr.One, Fr.FromUInt64(36), Fr.FromUInt64(5), Fr.FromUInt64(7)]);

        Assert.Equal(ExitCodes.Usage, await Shell.RunAsync(["proof", "setup", At("c.r1cs"), At("c.dev.zkey")]));
        Assert.Equal(ExitCodes.Usage, await Shell.RunAsync(["proof", "setup", "--dev", At("c.r1cs"), At("c.zkey")]));
        Assert.Equal(ExitCodes.Usage, await Shell.RunAsync(["proof", "setup", "--dev", "--seed", "00ff", At("c.r1cs"), At("c.dev.zkey")]));
        Assert.Equal(ExitCodes.Success, await Shell.RunAsync(["proof", "setup", "--dev", At("c.r1cs"), At("c.dev.zkey")]));
        Assert.Equal(ExitCodes.Success, await Shell.RunAsync(["proof", "inspect", At("c.dev.zkey")]));

        Assert.Equal(ExitCodes.NoInput, await Shell.RunAsync(["proof", "prove", At("c.dev.zkey"), At("bad.wtns"), "--proof", At("p.json"), "--public", At("i.json")]));
        Assert.False(File.Exists(At("p.json")));
        Assert.False(File.Exists(At("i.json")));
        Assert.Equal(ExitCodes.Success, await Shell.RunAsync(["proof", "prove", At("c.dev.zkey"), At("good.wtns"), "--proof", At("p.json"), "--public", At("i.json")]));

        Assert.Equal(ExitCodes.Success, await Shell.RunAsync(["proof", "export-key", At("c.dev.zkey"), "-o", At("vk.json")]));
        Assert.Equal(ExitCodes.Success, await Shell.RunAsync(["proof", "verify", At("vk.json"), At("i.json"), At("p.json")]));
        Assert.Equal(ExitCodes.Success, await Shell.RunAsync(["proof", "verify", At("c.dev.zkey"), At("i.json"), At("p.json")]));
        await File.WriteAllTextAsync(At("i.json"), "[\"36\"]");
        Assert.Equal(ExitCodes.Failure, await Shell.RunAsync(["proof", "verify", At("vk.json"), At("i.json"), At("p.json")]));

        Assert.Equal(ExitCodes.Success, await Shell.RunAsync(["proof", "export-verifier", At("vk.json"), "-o", At("V.sol"), "--name", "Product"]));
        var source = await File.ReadAllTextAsync(At("V.sol"));
        Assert.Contains("contract Product {", source, StringComparison.Ordinal);
        Assert.Contains("isDevelopmentKey = true", source, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.NoInput, await Shell.RunAsync(["proof", "inspect", At("none.zkey")]));
    }

    private string At(string name) => Path.Combine(_folder.FullName, name);
}
