using System.Globalization;
using System.Numerics;
using System.Text.Json;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Groth16.Files;
using Shale.Groth16.Prover;
using Shale.Groth16.Setup;
using Shale.Groth16.Verifier;
using Shale.TestPeers;
using Xunit;

namespace Shale.Groth16.Tests.Verifier;

public sealed class SolidityVerifierTests : IDisposable
{
    private const string Address = "0x00000000000000000000000000000000000c0de0";
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Contract_OnAnEvm_AgreesWithTheVerifier()
    {
        var (circuit, witness) = ToyCircuit.Chain(20, 5);
        DevelopmentSetup.Create(circuit, new byte[32], _folder["c.dev.zkey"]);
        Assert.True(ZKey.TryOpen(_folder["c.dev.zkey"], out var key, out var fault), fault.ToString());
        Proof proof;
        Fr[] inputs;
        string source;
        using (key)
        {
            Assert.True(Groth16Prover.TryProve(key, witness, out proof, out fault), fault.ToString());
            inputs = Groth16Prover.PublicInputs(key, witness);
            source = SolidityVerifier.Write(key.VerificationKey, "ToyVerifier");
        }

        var compiled = NodePeer.Ask("solc.mjs", new { source, contract = "ToyVerifier" });
        Assert.Equal("[]", compiled.GetProperty("errors").ToString());
        var selectors = compiled.GetProperty("selectors");
        var selector = selectors.GetProperty("verify(uint256[8],uint256[2])").GetString();

        BigInteger[] words = [.. SolidityVerifier.ProofWords(proof).Select(w => BigInteger.Parse(w, CultureInfo.InvariantCulture)), .. inputs.Select(i => i.ToBigInteger())];
        var calls = new List<object> { Call(selector!, words), new { to = Address, data = "0x" + selectors.GetProperty("isDevelopmentKey()").GetString() } };
        var expected = new List<string?> { Bool(true), Bool(true) };

        // Any other word: another point (or none), another statement.
        for (var i = 0; i < words.Length; i++)
        {
            var changed = words.ToArray();
            changed[i] += 1;
            calls.Add(Call(selector!, changed));
            expected.Add(Bool(false));
        }

        // Second spellings of the same field elements: coordinates give false, inputs revert.
        for (var i = 0; i < words.Length; i++)
        {
            var changed = words.ToArray();
            changed[i] += i < 8 ? Fp.Modulus : Fr.Modulus;
            calls.Add(Call(selector!, changed));
            expected.Add(i < 8 ? Bool(false) : null);
        }

        // The negated proof points, G2's halves swapped, all zeros, all ones.
        calls.Add(Call(selector!, [words[0], Fp.Modulus - words[1], .. words[2..]]));
        calls.Add(Call(selector!, [.. words[..2], words[3], words[2], words[5], words[4], .. words[6..]]));
        calls.Add(Call(selector!, [.. Enumerable.Repeat(BigInteger.Zero, 8), .. words[8..]]));
        calls.Add(Call(selector!, [.. Enumerable.Repeat(BigInteger.Pow(2, 256) - 1, 8), .. words[8..]]));
        expected.AddRange([Bool(false), Bool(false), Bool(false), Bool(false)]);

        // A re-randomised proof is as valid: (a·A, B/a, C).
        var a = Fr.FromUInt64(12345);
        var other = new Proof(proof.A * a, proof.B * a.Inverse(), proof.C);
        Assert.NotEqual(proof, other);
        calls.Add(Call(selector!, [.. SolidityVerifier.ProofWords(other).Select(w => BigInteger.Parse(w, CultureInfo.InvariantCulture)), .. words[8..]]));
        expected.Add(Bool(true));

        var code = new Dictionary<string, string> { [Address] = compiled.GetProperty("runtime").GetString()! };
        var answers = NodePeer.Ask<string?[]>("precompiles.mjs", new { calls, code });
        Assert.Equal(expected, answers);
    }

    [Fact]
    public void Write_KeyWithoutPhase2OrBadName_Throws()
    {
        var key = new VerificationKey(G1Affine.Generator, G2Affine.Generator, G2Affine.Generator, G2Affine.Generator, [G1Affine.Generator], development: false);
        Assert.Throws<ArgumentException>(() => SolidityVerifier.Write(key));
        var good = new VerificationKey(G1Affine.Generator, G2Affine.Generator, G2Affine.Generator, G2Affine.Generator * Fr.FromUInt64(2), [G1Affine.Generator], development: false);
        Assert.Throws<ArgumentException>(() => SolidityVerifier.Write(good, "A {} contract B"));
        Assert.Contains("isDevelopmentKey = false", SolidityVerifier.Write(good), StringComparison.Ordinal);
    }

    private static object Call(string selector, IEnumerable<BigInteger> words) => new
    {
        to = Address,
        data = "0x" + selector + string.Concat(words.Select(w => Convert.ToHexStringLower(Word(w)))),
    };

    private static byte[] Word(BigInteger value)
    {
        var bytes = new byte[32];
        var text = value.ToByteArray(isUnsigned: true, isBigEndian: true);
        text.CopyTo(bytes, 32 - text.Length);
        return bytes;
    }

    private static string Bool(bool value) => "0x" + (value ? "1" : "0").PadLeft(64, '0');
}
