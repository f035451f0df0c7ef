using System.Globalization;
using System.Numerics;
using Shale.Chain.Contracts;

namespace Shale.Chain.Abi;

/// <summary>Solidity's <c>Error(string)</c>: a reason in words.</summary>
/// <param name="Reason">From the contract; untrusted text.</param>
public sealed record ReasonError(string Reason) : ContractError
{
    /// <inheritdoc/>
    public override string Signature => "Error(string)";

    /// <inheritdoc/>
    public override string Message => "the contract says \"" + Text.Printable(Reason, 300) + "\"";
}

/// <summary>Solidity's <c>Panic(uint256)</c>: a check of the compiler's failed.</summary>
/// <param name="Code">The code ("Panic via assert and Error via require", Solidity documentation).</param>
public sealed record PanicError(BigInteger Code) : ContractError
{
    /// <inheritdoc/>
    public override string Signature => "Panic(uint256)";

    /// <inheritdoc/>
    public override string Message => "the contract panicked with code 0x" + Code.ToString("x2", CultureInfo.InvariantCulture) + Meaning();

    private string Meaning() => (int)BigInteger.Min(Code, 0xff) switch
    {
        0x01 => " (an assertion)",
        0x11 => " (an arithmetic overflow or underflow)",
        0x12 => " (a division by zero)",
        0x21 => " (a number outside of an enumeration)",
        0x32 => " (an index out of bounds)",
        0x41 => " (too much memory)",
        _ => "",
    };
}

/// <summary>An error that no contract of this project has.</summary>
/// <param name="Data">All of the revert data.</param>
public sealed record UnknownContractError(ReadOnlyMemory<byte> Data) : ContractError
{
    // Longer data says nothing more to a reader.
    private const int Shown = 68;

    /// <inheritdoc/>
    public override string Signature => "";

    /// <inheritdoc/>
    public override string Message => Data.IsEmpty
        ? "the contract gave no reason"
        : "the contract gave a reason that is not one of ours: 0x" + Convert.ToHexStringLower(Data.Span[..Math.Min(Data.Length, Shown)]) + (Data.Length > Shown ? "…" : "");
}

/// <summary>What a reverted call says.</summary>
public static class RevertData
{
    private static readonly byte[] ErrorSelector = [0x08, 0xc3, 0x79, 0xa0];
    private static readonly byte[] PanicSelector = [0x4e, 0x48, 0x7b, 0x71];
    private static readonly AbiType<BigInteger> Code = AbiTypes.UInt<BigInteger>(256);

    /// <summary>Reads revert data; whatever it is gives an error with a message.</summary>
    /// <param name="data">From a node.</param>
    public static ContractError Decode(ReadOnlySpan<byte> data)
    {
        if (ContractErrors.TryDecode(data, out var error))
        {
            return error;
        }

        if (data.StartsWith(ErrorSelector) && AbiTypes.String.TryDecode(data[4..], out var reason))
        {
            return new ReasonError(reason);
        }

        if (data.StartsWith(PanicSelector) && Code.TryDecode(data[4..], out var code))
        {
            return new PanicError(code);
        }

        return new UnknownContractError(data.ToArray());
    }
}
