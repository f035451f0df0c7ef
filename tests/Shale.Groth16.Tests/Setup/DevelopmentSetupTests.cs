using Shale.Bn254.Fields;
using Shale.Groth16.Files;
using Shale.Groth16.Setup;
using Xunit;

namespace Shale.Groth16.Tests.Setup;

public sealed class DevelopmentSetupTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly R1cs _circuit = ToyCircuit.Chain(10, 2).Circuit;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Create_SameSeed_GivesTheSameBytesAndAnotherSeedOthers()
    {
        var seed = new byte[32];
        DevelopmentSetup.Create(_circuit, seed, _folder["a.dev.zkey"]);
        DevelopmentSetup.Create(_circuit, seed, _folder["b.dev.zkey"]);
        seed[5] = 1;
        DevelopmentSetup.Create(_circuit, seed, _folder["c.dev.zkey"]);
        Assert.Equal(File.ReadAllBytes(_folder["a.dev.zkey"]), File.ReadAllBytes(_folder["b.dev.zkey"]));
        Assert.NotEqual(File.ReadAllBytes(_folder["a.dev.zkey"]), File.ReadAllBytes(_folder["c.dev.zkey"]));
    }

    [Fact]
    public void Create_NameThatHidesTheKindOrShortSeed_Throws()
    {
        Assert.Throws<ArgumentException>(() => DevelopmentSetup.Create(_circuit, new byte[32], _folder["a.zkey"]));
        Assert.Throws<ArgumentException>(() => DevelopmentSetup.Create(_circuit, new byte[31], _folder["a.dev.zkey"]));
        Assert.False(File.Exists(_folder["a.zkey"]));
    }

    [Fact]
    public void Create_Cancelled_LeavesNoFile()
    {
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => DevelopmentSetup.Create(_circuit, new byte[32], _folder["a.dev.zkey"], null, stop.Token));
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(_folder["x"])!));
    }

    [Fact]
    public void Create_WithoutPhase2Contribution_IsNotWhatItMakes()
    {
        DevelopmentSetup.Create(_circuit, new byte[32], _folder["a.dev.zkey"]);
        Assert.True(ZKey.TryOpen(_folder["a.dev.zkey"], out var key, out _));
        using (key)
        {
            Assert.False(key.VerificationKey.LacksPhase2);
            Assert.True(key.VerificationKey.IsDevelopment);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Lagrange_AtAPoint_InterpolatesEveryPolynomial(bool odd)
    {
        // Σ L_i(τ)·f(x_i) = f(τ) for f = x³: on the whole domain of 8; of the doubled one the odd half carries polynomials that vanish on the even half.
        var tau = Fr.FromUInt64(123456789);
        var lagrange = WirePolynomials.Lagrange(tau, 3, odd);
        var x = odd ? Bn254.Ntt.Domain.Root(4) : Fr.One;
        var sum = Fr.Zero;
        foreach (var value in lagrange)
        {
            var f = odd ? (x.Pow(8) - Fr.One) * x.Pow(3) : x.Pow(3);
            sum += value * f;
            x *= Bn254.Ntt.Domain.Root(3);
        }

        Assert.Equal(odd ? (tau.Pow(8) - Fr.One) * tau.Pow(3) : tau.Pow(3), sum);
    }
}
