using Shale.Crypto.Native;

namespace Shale.Crypto;

/// <summary>Modular exponentiation for finite-field Diffie-Hellman (RFC 4253 section 8), from libcrypto.</summary>
public static unsafe class ModularArithmetic
{
    /// <summary>The longest modulus accepted, in bytes: twice the largest group of SSH (group18, 8192 bits), so that no argument can hold a core for long.</summary>
    public const int MaxModulusSize = 2048;

    private const int ConstantTimeFlag = 4; // BN_FLG_CONSTTIME

    /// <summary>Computes base^exponent mod modulus in time that does not depend on the exponent's bits (it depends on its length).</summary>
    /// <param name="value">The base, big-endian; reduced by the modulus first.</param>
    /// <param name="exponent">The exponent, big-endian, no longer than the modulus; secret.</param>
    /// <param name="modulus">An odd modulus above one, big-endian.</param>
    /// <param name="result">Receives the result big-endian, padded with zeros to its length, which is the modulus's.</param>
    /// <exception cref="ArgumentException">The modulus is even, one, zero or too long, or another length does not fit to it.</exception>
    public static void ModPow(ReadOnlySpan<byte> value, ReadOnlySpan<byte> exponent, ReadOnlySpan<byte> modulus, Span<byte> result)
    {
        var significant = modulus.TrimStart((byte)0);
        if (modulus.Length > MaxModulusSize || significant.IsEmpty || (significant[^1] & 1) == 0 || (significant.Length == 1 && significant[0] == 1))
        {
            throw new ArgumentException($"The modulus must be odd, above one and at most {MaxModulusSize} bytes long.", nameof(modulus));
        }

        if (value.Length > MaxModulusSize || exponent.Length > MaxModulusSize)
        {
            throw new ArgumentException($"Base and exponent must be at most {MaxModulusSize} bytes long.", nameof(exponent));
        }

        Sizes.Require(result, modulus.Length);
        using var context = LibCrypto.Check(LibCrypto.NewBigNumberContext(), "BN_CTX_new");
        using var b = Import(value, LibCrypto.NewBigNumber());
        using var e = Import(exponent, LibCrypto.NewSecureBigNumber());
        using var m = Import(modulus, LibCrypto.NewBigNumber());
        using var r = LibCrypto.Check(LibCrypto.NewSecureBigNumber(), "BN_secure_new");
        LibCrypto.SetBigNumberFlags(e, ConstantTimeFlag);
        LibCrypto.Check(LibCrypto.ModExpConstantTime(r, b, e, m, context, 0), "BN_mod_exp_mont_consttime");
        fixed (byte* output = result)
        {
            if (LibCrypto.BigNumberToBytes(r, output, result.Length) < 0)
            {
                throw LibCrypto.Failure("BN_bn2binpad");
            }
        }
    }

    private static BigNumberHandle Import(ReadOnlySpan<byte> bytes, BigNumberHandle number)
    {
        LibCrypto.Check(number, "BN_new");
        ReadOnlySpan<byte> safe = bytes.IsEmpty ? [0] : bytes;
        fixed (byte* input = safe)
        {
            if (LibCrypto.BigNumberFromBytes(input, safe.Length, number) == 0)
            {
                number.Dispose();
                throw LibCrypto.Failure("BN_bin2bn");
            }
        }

        return number;
    }
}
