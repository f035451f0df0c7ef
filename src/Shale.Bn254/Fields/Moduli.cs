namespace Shale.Bn254.Fields;

/// <summary>
/// The constants of one prime modulus below 2^254. The members are constant expressions: with a struct as type argument the
/// JIT compiles <see cref="Montgomery{TModulus}"/> for that modulus alone and folds them in. The tests recompute each from the
/// modulus.
/// </summary>
internal interface IModulus
{
    static abstract ulong P0 { get; }

    static abstract ulong P1 { get; }

    static abstract ulong P2 { get; }

    static abstract ulong P3 { get; }

    /// <summary>−p⁻¹ mod 2^64.</summary>
    static abstract ulong NegatedInverse { get; }

    /// <summary>2^256 mod p: the number one in Montgomery form.</summary>
    static abstract Limbs4 R { get; }

    /// <summary>2^512 mod p: takes a number into Montgomery form.</summary>
    static abstract Limbs4 R2 { get; }

    /// <summary>2^768 mod p: corrects the inverse of a number in Montgomery form.</summary>
    static abstract Limbs4 R3 { get; }
}

/// <summary>r, the order of the groups of BN254 (EIP-196): the field of its circuits and of BabyJubjub.</summary>
internal readonly struct FrModulus : IModulus
{
    public static ulong P0 => 0x43e1f593f0000001;
    public static ulong P1 => 0x2833e84879b97091;
    public static ulong P2 => 0xb85045b68181585d;
    public static ulong P3 => 0x30644e72e131a029;

    public static ulong NegatedInverse => 0xc2e1f593efffffff;

    public static Limbs4 R => new(0xac96341c4ffffffb, 0x36fc76959f60cd29, 0x666ea36f7879462e, 0x0e0a77c19a07df2f);

    public static Limbs4 R2 => new(0x1bb8e645ae216da7, 0x53fe3ab1e35c59e3, 0x8c49833d53bb8085, 0x0216d0b17f4e44a5);

    public static Limbs4 R3 => new(0x5e94d8e1b4bf0040, 0x2a489cbe1cfbb6b8, 0x893cc664a19fcfed, 0x0cf8594b7fcc657c);
}

/// <summary>p, the prime of BN254's base field (EIP-196).</summary>
internal readonly struct FpModulus : IModulus
{
    public static ulong P0 => 0x3c208c16d87cfd47;
    public static ulong P1 => 0x97816a916871ca8d;
    public static ulong P2 => 0xb85045b68181585d;
    public static ulong P3 => 0x30644e72e131a029;

    public static ulong NegatedInverse => 0x87d20782e4866389;

    public static Limbs4 R => new(0xd35d438dc58f0d9d, 0x0a78eb28f5c70b3d, 0x666ea36f7879462c, 0x0e0a77c19a07df2f);

    public static Limbs4 R2 => new(0xf32cfc5b538afa89, 0xb5e71911d44501fb, 0x47ab1eff0a417ff6, 0x06d89f71cab8351f);

    public static Limbs4 R3 => new(0xb1cd6dafda1530df, 0x62f210e6a7283db6, 0xef7f0b0c0ada0afb, 0x20fd6e902d592544);
}

/// <summary>l, the order of BabyJubjub's prime subgroup (EIP-2494): the field of its scalars.</summary>
internal readonly struct SubgroupModulus : IModulus
{
    public static ulong P0 => 0x677297dc392126f1;
    public static ulong P1 => 0xab3eedb83920ee0a;
    public static ulong P2 => 0x370a08b6d0302b0b;
    public static ulong P3 => 0x060c89ce5c263405;

    public static ulong NegatedInverse => 0x532ce5aebc48f5ef;

    public static Limbs4 R => new(0x073315dea08f9c76, 0xe7acffc6a098f24b, 0xf85a9201d818f015, 0x01f16424e1bb7724);

    public static Limbs4 R2 => new(0x35e44abee7ecb21e, 0x74646cacf5f84ec4, 0xe472df203faa158f, 0x0445b524f1ba50a8);

    public static Limbs4 R3 => new(0x30886e7b42917c21, 0x98dae87b55d7cd2a, 0xeefe3d08cc608b7b, 0x02b4dbffb2bc97aa);
}
