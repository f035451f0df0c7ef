using System.Text;

namespace Shale.Chain.Abi;

/// <summary>The contracts' creation code (contracts/abi/NAME.bin), which is part of this assembly.</summary>
internal static class CreationCode
{
    internal static byte[] Read(string contract)
    {
        using var stream = typeof(CreationCode).Assembly.GetManifestResourceStream(contract + ".bin")
            ?? throw new InvalidOperationException($"The creation code of {contract} is not part of this assembly.");
        using var reader = new StreamReader(stream, Encoding.ASCII);
        return Convert.FromHexString(reader.ReadToEnd().Trim());
    }
}
