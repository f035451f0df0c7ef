using Shale.Bn254.Fields;

namespace Shale.Bn254.Curve;

/// <summary>
/// A point as (X, Y, ZZ, ZZZ) with x = X/ZZ, y = Y/ZZZ, ZZ³ = ZZZ²: additions without inversions (hyperelliptic.org EFD, "xyzz",
/// formulas of Sutherland 2008). The default is infinity (ZZ = 0). Every case is handled: infinity, equal and opposite points.
/// </summary>
internal struct Xyzz<TField, TCurve>
    where TField : unmanaged
    where TCurve : struct, ICurve<TField>
{
    private TField _x, _y, _zz, _zzz;

    public Xyzz(in Affine<TField, TCurve> point)
    {
        this = default;
        if (!point.IsInfinity)
        {
            _x = point.X;
            _y = point.Y;
            _zz = TCurve.One;
            _zzz = TCurve.One;
        }
    }

    public readonly bool IsInfinity => TCurve.IsZero(_zz);

    public readonly TField Zzz => _zzz;

    /// <summary>this ← 2·this (dbl-2008-s-1, a = 0). No point of either curve has order two in the subgroup; y = 0 gives infinity all the same.</summary>
    public void Double()
    {
        var u = TCurve.Add(_y, _y);
        var v = TCurve.Square(u);
        var w = TCurve.Multiply(u, v);
        var s = TCurve.Multiply(_x, v);
        var xx = TCurve.Square(_x);
        var m = TCurve.Add(TCurve.Add(xx, xx), xx);
        var x = TCurve.Subtract(TCurve.Square(m), TCurve.Add(s, s));
        _y = TCurve.Subtract(TCurve.Multiply(m, TCurve.Subtract(s, x)), TCurve.Multiply(w, _y));
        _x = x;
        _zz = TCurve.Multiply(v, _zz);
        _zzz = TCurve.Multiply(w, _zzz);
    }

    /// <summary>this ← this + point (madd-2008-s).</summary>
    public void Add(in Affine<TField, TCurve> point)
    {
        if (point.IsInfinity)
        {
            return;
        }

        if (IsInfinity)
        {
            this = new Xyzz<TField, TCurve>(point);
            return;
        }

        Add(TCurve.Multiply(point.X, _zz), TCurve.Multiply(point.Y, _zzz), _x, _y, TCurve.One, TCurve.One, mixed: true);
    }

    /// <summary>this ← this + other (add-2008-s).</summary>
    public void Add(in Xyzz<TField, TCurve> other)
    {
        if (other.IsInfinity)
        {
            return;
        }

        if (IsInfinity)
        {
            this = other;
            return;
        }

        Add(
            TCurve.Multiply(other._x, _zz), TCurve.Multiply(other._y, _zzz),
            TCurve.Multiply(_x, other._zz), TCurve.Multiply(_y, other._zzz), other._zz, other._zzz, mixed: false);
    }

    public readonly Affine<TField, TCurve> ToAffine()
    {
        if (IsInfinity)
        {
            return default;
        }

        return ToAffine(TCurve.Inverse(_zzz));
    }

    /// <summary>The same with 1/ZZZ at hand (batch inversion). Not for infinity.</summary>
    public readonly Affine<TField, TCurve> ToAffine(in TField zzzInverse)
    {
        // 1/Z from 1/ZZZ: ZZ = Z², ZZZ = Z³.
        var zInverse = TCurve.Multiply(zzzInverse, _zz);
        return new Affine<TField, TCurve>(TCurve.Multiply(_x, TCurve.Square(zInverse)), TCurve.Multiply(_y, zzzInverse));
    }

    /// <summary>Σ of 2^i·bit_i·point: the product with the scalar of four canonical limbs, with windows of four bits. Not in fixed time.</summary>
    public static Xyzz<TField, TCurve> Multiply(in Affine<TField, TCurve> point, in Limbs4 scalar)
    {
        Span<Xyzz<TField, TCurve>> table = stackalloc Xyzz<TField, TCurve>[16];
        table.Clear();
        for (var i = 1; i < 16; i++)
        {
            table[i] = table[i - 1];
            table[i].Add(point);
        }

        var result = default(Xyzz<TField, TCurve>);
        ReadOnlySpan<ulong> limbs = [scalar.L0, scalar.L1, scalar.L2, scalar.L3];
        for (var shift = 252; shift >= 0; shift -= 4)
        {
            for (var i = 0; i < 4; i++)
            {
                result.Double();
            }

            result.Add(table[(int)(limbs[shift >> 6] >> (shift & 63)) & 15]);
        }

        return result;
    }

    private void Add(in TField u2, in TField s2, in TField u1, in TField s1, in TField zz2, in TField zzz2, bool mixed)
    {
        var p = TCurve.Subtract(u2, u1);
        var r = TCurve.Subtract(s2, s1);
        if (TCurve.IsZero(p))
        {
            if (TCurve.IsZero(r))
            {
                Double();
            }
            else
            {
                this = default;
            }

            return;
        }

        var pp = TCurve.Square(p);
        var ppp = TCurve.Multiply(p, pp);
        var q = TCurve.Multiply(u1, pp);
        var x = TCurve.Subtract(TCurve.Subtract(TCurve.Square(r), ppp), TCurve.Add(q, q));
        _y = TCurve.Subtract(TCurve.Multiply(r, TCurve.Subtract(q, x)), TCurve.Multiply(s1, ppp));
        _x = x;
        _zz = TCurve.Multiply(_zz, pp);
        _zzz = TCurve.Multiply(_zzz, ppp);
        if (!mixed)
        {
            _zz = TCurve.Multiply(_zz, zz2);
            _zzz = TCurve.Multiply(_zzz, zzz2);
        }
    }
}
