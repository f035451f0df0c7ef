namespace Shale.Bn254.Fields;

/// <summary>Square roots modulo p ≡ 3 mod 4: a^((p+1)/4), where a has a root at all.</summary>
internal static class FpSquareRoot
{
    private static ReadOnlySpan<ulong> Exponent =>
        [0x4f082305b61f3f52, 0x65e05aa45a1c72a3, 0x6e14116da0605617, 0x0c19139cb84c680a];

    public static bool TryCompute(in Limbs4 value, out Limbs4 root)
    {
        Limbs4 candidate = Montgomery<FpModulus>.Power(value, Exponent);
        bool ok = Limbs4.FixedTimeEquals(Montgomery<FpModulus>.Square(candidate), value);
        root = ok ? candidate : default;
        return ok;
    }
}
