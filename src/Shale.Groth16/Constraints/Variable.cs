using Shale.Bn254.Fields;

namespace Shale.Groth16.Constraints;

/// <summary>
/// What circuit code calculates with: a linear combination of wires together with its value at the witness that is being
/// computed. Sums, differences and multiples by constants are free; a product of two variables needs
/// <see cref="ConstraintSystem.Multiply"/>. While only a witness is computed no linear combination is kept.
/// </summary>
public readonly struct Variable
{
    private readonly Fr _value;
    private readonly LinearCombination? _terms;
    private readonly bool _varies;

    internal Variable(in Fr value, LinearCombination? terms, bool varies)
    {
        _value = value;
        _terms = terms;
        _varies = varies;
    }

    /// <summary>The value at the witness. It may steer only how a hint is computed, never which constraints there are.</summary>
    public Fr Value => _value;

    /// <summary>True for what is the same in every witness. A product with a constant is free.</summary>
    public bool IsConstant => !_varies;

    /// <summary>The wires; null while only a witness is computed, and for constants, which need none.</summary>
    internal LinearCombination? Terms => _terms;

    internal LinearCombination TermsOrConstant => _terms ?? LinearCombination.OfConstant(_value);

    /// <summary>A constant.</summary>
    public static implicit operator Variable(in Fr constant) => new(constant, null, varies: false);

    /// <summary>A constant.</summary>
    public static Variable FromFr(in Fr constant) => constant;

    /// <summary>a + b.</summary>
    public static Variable operator +(in Variable a, in Variable b) => Combine(a, b, a._value + b._value, Fr.One);

    /// <summary>a − b.</summary>
    public static Variable operator -(in Variable a, in Variable b) => Combine(a, b, a._value - b._value, -Fr.One);

    /// <summary>−a.</summary>
    public static Variable operator -(in Variable a) => new(-a._value, a._terms?.Scale(-Fr.One), a._varies);

    /// <summary>A multiple by a constant.</summary>
    public static Variable operator *(in Fr factor, in Variable a) => new(factor * a._value, a._terms?.Scale(factor), a._varies);

    /// <summary>a + b.</summary>
    public static Variable Add(in Variable a, in Variable b) => a + b;

    /// <summary>a − b.</summary>
    public static Variable Subtract(in Variable a, in Variable b) => a - b;

    /// <summary>−a.</summary>
    public static Variable Negate(in Variable a) => -a;

    /// <summary>A multiple by a constant.</summary>
    public static Variable Multiply(in Fr factor, in Variable a) => factor * a;

    private static Variable Combine(in Variable a, in Variable b, in Fr value, in Fr sign)
    {
        bool varies = a._varies || b._varies;
        bool symbolic = a._terms is not null || b._terms is not null;
        return new Variable(value, symbolic ? LinearCombination.AddScaled(a.TermsOrConstant, b.TermsOrConstant, sign) : null, varies);
    }
}
