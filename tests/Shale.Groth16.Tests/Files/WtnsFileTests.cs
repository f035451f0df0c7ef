using System.Buffers.Binary;
using Shale.Bn254.Fields;
using Shale.Groth16.Files;
using Xunit;

namespace Shale.Groth16.Tests.Files;

public sealed class WtnsFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TryRead_OwnFile_GivesTheValues()
    {
        var witness = ToyCircuit.Chain(30, 5).Witness;
        WtnsFile.Write(_folder["a.wtns"], witness);
        Assert.True(WtnsFile.TryRead(_folder["a.wtns"], out var read, out var fault), fault.ToString());
        Assert.Equal(witness, read);
    }

    [Fact]
    public void Write_NewFile_IsForItsOwnerAlone()
    {
        WtnsFile.Write(_folder["a.wtns"], [Fr.One]);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder["a.wtns"]));
    }

    [Fact]
    public void TryRead_CutAtAnyByte_NamesAPlaceAndDoesNotThrow()
    {
        WtnsFile.Write(_folder["a.wtns"], ToyCircuit.Chain(3, 5).Witness);
        var whole = File.ReadAllBytes(_folder["a.wtns"]);
        for (var length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(_folder["cut.wtns"], whole[..length]);
            Assert.False(WtnsFile.TryRead(_folder["cut.wtns"], out _, out var fault));
            Assert.False(string.IsNullOrEmpty(fault.Section));
        }
    }

    [Theory]
    [InlineData(0, 0u, "file header")]
    [InlineData(24, 31u, "section 1 (header)")]
    [InlineData(28, 3u, "section 1 (header)")]
    [InlineData(60, 0x7fffffffu, "section 2 (values)")]
    [InlineData(60, 0u, "section 2 (values)")]
    [InlineData(76, 2u, "section 2 (values)")]
    [InlineData(136, 0xffffffffu, "section 2 (values)")]
    public void TryRead_CorruptedField_NamesTheSection(int offset, uint value, string section)
    {
        WtnsFile.Write(_folder["a.wtns"], ToyCircuit.Chain(3, 5).Witness);
        var bytes = File.ReadAllBytes(_folder["a.wtns"]);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(offset), value);
        File.WriteAllBytes(_folder["bad.wtns"], bytes);

        Assert.False(WtnsFile.TryRead(_folder["bad.wtns"], out _, out var fault));
        Assert.StartsWith(section, fault.Section, StringComparison.Ordinal);
    }
}
