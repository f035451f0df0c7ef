using System.Numerics;
using System.Text.RegularExpressions;
using Shale.Chain.Contracts;
using Xunit;

namespace Shale.Chain.Tests.Abi;

public sealed class GeneratedCodeTests
{
    [Fact]
    public void LeaseState_Members_StandAsInTheSolidityFile()
    {
        var source = File.ReadAllText(Path.Combine(Repository.Root, "contracts", "src", "Types.sol"));
        var members = Regex.Match(source, @"enum LeaseState \{([^}]*)\}").Groups[1].Value.Split(',').Select(m => m.Trim());
        Assert.Equal(members, Enum.GetValues<LeaseState>().Select(v => v.ToString()));
    }

    [Fact]
    public void ReservedSolidityErrors_OfTheDocumentation_AreRead()
    {
        // "Panic via assert and Error via require" of Solidity's documentation shows the data of require(false, "Not enough Ether provided.").
        var data = Convert.FromHexString(
            "08c379a0"
            + "0000000000000000000000000000000000000000000000000000000000000020"
            + "000000000000000000000000000000000000000000000000000000000000001a"
            + "4e6f7420656e6f7567682045746865722070726f76696465642e000000000000");
        var reason = Assert.IsType<Shale.Chain.Abi.ReasonError>(Shale.Chain.Abi.RevertData.Decode(data));
        Assert.Equal("Not enough Ether provided.", reason.Reason);

        var panic = Convert.FromHexString("4e487b71" + "0000000000000000000000000000000000000000000000000000000000000011");
        Assert.Equal(new BigInteger(0x11), Assert.IsType<Shale.Chain.Abi.PanicError>(Shale.Chain.Abi.RevertData.Decode(panic)).Code);
    }

    [Theory]
    [InlineData("")]
    [InlineData("08c379a0")]
    [InlineData("08c379a00000000000000000000000000000000000000000000000000000000000000021")]
    [InlineData("01020304ffff")]
    public void RevertData_ThatIsNotOurs_GivesAnUnknownErrorWithAMessage(string hex)
    {
        var error = Assert.IsType<Shale.Chain.Abi.UnknownContractError>(Shale.Chain.Abi.RevertData.Decode(Convert.FromHexString(hex)));
        Assert.NotEmpty(error.Message);
    }

    [Fact]
    public void CustomError_WithAnEnumeration_SaysExpectedAndActualInWords()
    {
        // WrongState(uint64,uint8,uint8)
        var data = Shale.Crypto.Keccak256.Hash("WrongState(uint64,uint8,uint8)"u8)[..4].Concat(Word(7)).Concat(Word(3)).Concat(Word(4)).ToArray();
        var error = Assert.IsType<WrongStateError>(Shale.Chain.Abi.RevertData.Decode(data));
        Assert.Equal(new WrongStateError(7, LeaseState.Active, LeaseState.Closing), error);
        Assert.Contains("lease ID 7, expected Active, actual Closing", error.Message, StringComparison.Ordinal);
    }

    private static byte[] Word(byte value)
    {
        var word = new byte[32];
        word[31] = value;
        return word;
    }
}
