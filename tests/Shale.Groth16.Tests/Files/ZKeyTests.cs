using System.Buffers.Binary;
using Shale.Bn254.Fields;
using Shale.Groth16.Files;
using Shale.Groth16.Prover;
using Shale.Groth16.Setup;
using Xunit;

namespace Shale.Groth16.Tests.Files;

public sealed class ZKeyTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly byte[] _bytes;
    private readonly Fr[] _witness;

    public ZKeyTests()
    {
        (var circuit, _witness) = ToyCircuit.Chain(12, 3);
        DevelopmentSetup.Create(circuit, new byte[32], _folder["good.dev.zkey"]);
        _bytes = File.ReadAllBytes(_folder["good.dev.zkey"]);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TryOpen_GoodKey_ReadsItsCounts()
    {
        Assert.True(ZKey.TryOpen(_folder["good.dev.zkey"], out var key, out var fault), fault.ToString());
        using (key)
        {
            Assert.Equal((_witness.Length, 2, 16), (key.WireCount, key.PublicCount, key.DomainSize));
            Assert.Equal(_bytes.Length, key.FileLength);
            Assert.Equal(3, key.VerificationKey.Inputs.Count);
        }
    }

    [Fact]
    public void TryOpen_CutAnywhere_NamesAPlaceAndDoesNotThrow()
    {
        for (var length = 0; length < _bytes.Length; length += length < 800 ? 1 : 61)
        {
            File.WriteAllBytes(_folder["cut.zkey"], _bytes[..length]);
            Assert.False(ZKey.TryOpen(_folder["cut.zkey"], out _, out var fault), $"opened with {length} bytes");
            Assert.False(string.IsNullOrEmpty(fault.Section));
        }
    }

    // Where a section's data begins, and what to put there.
    public static TheoryData<string, uint, int, uint, string> Corruptions => new()
    {
        { "PLONK", 1, 0, 2, "section 1 (protocol)" },
        { "another curve", 2, 4, 1, "section 2 (Groth16 header)" },
        { "bytes of r", 2, 36, 48, "section 2 (Groth16 header)" },
        { "more wires than points", 2, 72, 1 << 20, "section 5 (points A)" },
        { "wires beyond all bounds", 2, 72, uint.MaxValue, "section 2 (Groth16 header)" },
        { "more public wires than there are", 2, 76, 1 << 10, "section 2 (Groth16 header)" },
        { "one public wire more", 2, 76, 3, "section 3 (IC)" },
        { "domain not a power of two", 2, 80, 17, "section 2 (Groth16 header)" },
        { "domain twice as large", 2, 80, 32, "section 9 (points H)" },
        { "domain beyond all bounds", 2, 80, 1u << 31, "section 2 (Groth16 header)" },
        { "alpha off the curve", 2, 84, 12345, "section 2 (Groth16 header)" },
        { "beta2 off the curve", 2, 212, 12345, "section 2 (Groth16 header)" },
        { "IC off the curve", 3, 64, 12345, "section 3 (IC)" },
        { "more coefficients than there are", 4, 0, 1 << 30, "section 4 (coefficients)" },
    };

    [Theory]
    [MemberData(nameof(Corruptions))]
    public void TryOpen_CorruptedField_NamesTheSectionAndAllocatesLittle(string what, uint section, int offset, uint value, string expected)
    {
        var bytes = _bytes.ToArray();
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(Start(section) + offset), value);
        File.WriteAllBytes(_folder["bad.zkey"], bytes);

        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.False(ZKey.TryOpen(_folder["bad.zkey"], out _, out var fault), what);
        Assert.StartsWith(expected, fault.Section, StringComparison.Ordinal);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1 << 20, "memory follows the header's claim");
    }

    [Theory]
    [InlineData(3u)]
    [InlineData(4u)]
    [InlineData(6u)]
    [InlineData(9u)]
    public void TryOpen_SectionMissingOrDoubled_NamesIt(uint section)
    {
        // Renamed to a type that nobody knows, or to one that is there already.
        foreach (var (name, problem) in new[] { (77u, "is missing"), (section == 3 ? 4u : 3u, "appears twice") })
        {
            var bytes = _bytes.ToArray();
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(Start(section) - 12), name);
            File.WriteAllBytes(_folder["bad.zkey"], bytes);
            Assert.False(ZKey.TryOpen(_folder["bad.zkey"], out _, out var fault));
            Assert.Contains(problem, fault.Problem, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void TryOpen_ForeignFile_SaysWhatItExpected()
    {
        WtnsFile.Write(_folder["a.wtns"], _witness);
        Assert.False(ZKey.TryOpen(_folder["a.wtns"], out _, out var fault));
        Assert.Contains("not a .zkey file", fault.Problem, StringComparison.Ordinal);
        Assert.False(WtnsFile.TryRead(_folder["good.dev.zkey"], out _, out fault));
        Assert.Contains("not a .wtns file", fault.Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 2u, "is of matrix 2")]
    [InlineData(4, 1000u, "row 1000")]
    [InlineData(4, uint.MaxValue, "which the key does not have")]
    [InlineData(8, 1000u, "wire 1000")]
    [InlineData(40, uint.MaxValue, "is not below r")]
    public void TryProve_CoefficientThatPointsNowhere_NamesItsSection(int offset, uint value, string problem)
    {
        var bytes = _bytes.ToArray();
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(Start(4) + 4 + offset), value);
        File.WriteAllBytes(_folder["bad.zkey"], bytes);
        Assert.True(ZKey.TryOpen(_folder["bad.zkey"], out var key, out var fault), fault.ToString());
        using (key)
        {
            Assert.False(Groth16Prover.TryProve(key, _witness, out _, out fault));
            Assert.StartsWith("section 4", fault.Section, StringComparison.Ordinal);
            Assert.Contains(problem, fault.Problem, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(4u, 16)]
    [InlineData(5u, 70)]
    [InlineData(6u, 195)]
    [InlineData(7u, 390)]
    [InlineData(8u, 5)]
    [InlineData(9u, 95)]
    public void TryProve_OneBitFlippedInAPointOrCoefficient_GivesNoProof(uint section, int offset)
    {
        var bytes = _bytes.ToArray();
        bytes[Start(section) + offset] ^= 0x40;
        File.WriteAllBytes(_folder["bad.zkey"], bytes);
        Assert.True(ZKey.TryOpen(_folder["bad.zkey"], out var key, out var fault), fault.ToString());
        using (key)
        {
            Assert.False(Groth16Prover.TryProve(key, _witness, out var proof, out fault));
            Assert.Equal(default, proof);
        }
    }

    [Fact]
    public void TryProve_EveryPointAllOnes_DoesNotThrow()
    {
        // Coordinates far above p in all point sections at once.
        var bytes = _bytes.ToArray();
        foreach (var section in new uint[] { 5, 6, 7, 8, 9 })
        {
            var length = BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(Start(section) - 8));
            bytes.AsSpan(Start(section), (int)length).Fill(0xff);
        }

        File.WriteAllBytes(_folder["bad.zkey"], bytes);
        Assert.True(ZKey.TryOpen(_folder["bad.zkey"], out var key, out var fault), fault.ToString());
        using (key)
        {
            Assert.False(Groth16Prover.TryProve(key, _witness, out _, out _));
        }
    }

    private int Start(uint section)
    {
        var position = 12;
        while (BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(position)) != section)
        {
            position += 12 + (int)BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(position + 4));
        }

        return position + 12;
    }
}
