using System.Buffers.Binary;
using Shale.Bn254.Fields;
using Shale.Groth16.Files;
using Xunit;

namespace Shale.Groth16.Tests.Files;

public sealed class R1csFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Write_ToyCircuit_HasTheBytesOfTheSpecification()
    {
        // 2·w1 · w2 = w3 − w0, laid out by hand after r1cs_bin_format.md.
        var builder = new R1csBuilder();
        builder.AddConstraint([(1, Fr.FromUInt64(2))], [(2, Fr.One)], [(3, Fr.One), (0, -Fr.One)]);
        R1csFile.Write(_folder["toy.r1cs"], builder.Build(wires: 4, outputs: 1, publicInputs: 1, privateInputs: 1));

        var prime = Little(Fr.Modulus);
        var minusOne = Little(Fr.Modulus - 1);
        byte[] header = [.. U32(32), .. prime, .. U32(4), .. U32(1), .. U32(1), .. U32(1), .. U64(4), .. U32(1)];
        byte[] constraints =
        [
            .. U32(1), .. U32(1), .. Little(2),
            .. U32(1), .. U32(2), .. Little(1),
            .. U32(2), .. U32(3), .. Little(1), .. U32(0), .. minusOne,
        ];
        byte[] labels = [.. U64(0), .. U64(1), .. U64(2), .. U64(3)];
        byte[] expected =
        [
            .. "r1cs"u8, .. U32(1), .. U32(3),
            .. U32(1), .. U64((ulong)header.Length), .. header,
            .. U32(2), .. U64((ulong)constraints.Length), .. constraints,
            .. U32(3), .. U64((ulong)labels.Length), .. labels,
        ];
        Assert.Equal(Convert.ToHexString(expected), Convert.ToHexString(File.ReadAllBytes(_folder["toy.r1cs"])));
    }

    [Fact]
    public void TryRead_OwnFile_GivesTheSameBytesAgain()
    {
        var (circuit, witness) = ToyCircuit.Chain(20, 3);
        R1csFile.Write(_folder["a.r1cs"], circuit);

        Assert.True(R1csFile.TryRead(_folder["a.r1cs"], out var read, out var fault), fault.ToString());
        R1csFile.Write(_folder["b.r1cs"], read);

        Assert.Equal(File.ReadAllBytes(_folder["a.r1cs"]), File.ReadAllBytes(_folder["b.r1cs"]));
        Assert.Equal(circuit.ConstraintCount, read.ConstraintCount);
        Assert.Equal((circuit.WireCount, 1, 1, 2), (read.WireCount, read.OutputCount, read.PublicInputCount, read.PublicCount));
        Assert.Equal(-1, read.FindUnsatisfied(witness));
    }

    [Fact]
    public void FindUnsatisfied_OneWireChanged_NamesItsConstraint()
    {
        var (circuit, witness) = ToyCircuit.Chain(20, 3);
        witness[5] += Fr.One;
        Assert.Equal(2, circuit.FindUnsatisfied(witness));
    }

    [Fact]
    public void TryRead_CutAtAnyByte_NamesAPlaceAndDoesNotThrow()
    {
        R1csFile.Write(_folder["a.r1cs"], ToyCircuit.Chain(4, 3).Circuit);
        var whole = File.ReadAllBytes(_folder["a.r1cs"]);
        for (var length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(_folder["cut.r1cs"], whole[..length]);
            Assert.False(R1csFile.TryRead(_folder["cut.r1cs"], out _, out var fault));
            Assert.False(string.IsNullOrEmpty(fault.Section));
            Assert.False(string.IsNullOrEmpty(fault.Problem));
        }
    }

    public static TheoryData<string, int, uint, string> Corruptions => new()
    {
        { "type", 0, 0x30303030, "file header" },
        { "version", 4, 9, "file header" },
        { "section count", 8, 1000, "file header" },
        { "one more section than there is", 8, 4, "header of section number 4" },
        { "length of section 1", 16, 0x7fffffff, "section 1 (header)" },
        { "section 1 called 2", 12, 2, "section 2 (constraints)" },
        { "bytes of the prime", 24, 48, "section 1 (header)" },
        { "prime", 28, 7, "section 1 (header)" },
        { "wires beyond bounds", 60, 0xffffffff, "section 1 (header)" },
        { "no wires", 60, 0, "section 1 (header)" },
        { "outputs", 64, 0xfffffff0, "section 1 (header)" },
        { "constraints", 84, 0x0fffffff, "section 2 (constraints)" },
        { "terms of the first row", 100, 0x0fffffff, "section 2 (constraints)" },
        { "wire of the first term", 104, 77, "section 2 (constraints)" },
        { "coefficient not below r", 136, 0xffffffff, "section 2 (constraints)" },
    };

    [Theory]
    [MemberData(nameof(Corruptions))]
    public void TryRead_CorruptedField_NamesTheSection(string what, int offset, uint value, string section)
    {
        R1csFile.Write(_folder["a.r1cs"], ToyCircuit.Chain(4, 3).Circuit);
        var bytes = File.ReadAllBytes(_folder["a.r1cs"]);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(offset), value);
        File.WriteAllBytes(_folder["bad.r1cs"], bytes);

        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.False(R1csFile.TryRead(_folder["bad.r1cs"], out _, out var fault), what);
        Assert.StartsWith(section, fault.Section, StringComparison.Ordinal);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1 << 20, "memory follows the header's claim");
    }

    [Fact]
    public void TryRead_TrailingBytes_IsRefused()
    {
        R1csFile.Write(_folder["a.r1cs"], ToyCircuit.Chain(4, 3).Circuit);
        File.AppendAllText(_folder["a.r1cs"], "x");
        Assert.False(R1csFile.TryRead(_folder["a.r1cs"], out _, out var fault));
        Assert.Equal("end of file", fault.Section);
    }

    [Fact]
    public void TryRead_MissingFile_SaysSo()
    {
        Assert.False(R1csFile.TryRead(_folder["none.r1cs"], out _, out var fault));
        Assert.Equal("file", fault.Section);
    }

    [Fact]
    public void Build_WireOutOfRange_Throws()
    {
        var builder = new R1csBuilder();
        builder.AddConstraint([(4, Fr.One)], [(0, Fr.One)], []);
        Assert.Throws<ArgumentException>(() => builder.Build(4, 0, 0, 0));
    }

    private static byte[] U32(uint value) => BitConverter.GetBytes(value);

    private static byte[] U64(ulong value) => BitConverter.GetBytes(value);

    private static byte[] Little(System.Numerics.BigInteger value)
    {
        var bytes = new byte[32];
        value.TryWriteBytes(bytes, out _, isUnsigned: true);
        return bytes;
    }
}
