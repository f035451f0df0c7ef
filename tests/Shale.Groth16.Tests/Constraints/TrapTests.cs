using Shale.Bn254.Fields;
using Shale.Groth16.Constraints;
using Shale.Groth16.Constraints.Gadgets;
using Shale.Groth16.Tests.Constraints.Support;
using Xunit;

namespace Shale.Groth16.Tests.Constraints;

/// <summary>Mistakes that circuits are known for, and that the hunt for second witnesses does find what it is there to find.</summary>
public sealed class TrapTests
{
    private static readonly Fr Five = Fr.FromUInt64(5);

    [Fact]
    public void Hunt_WhereNothingConstrainsAHint_FindsTheWire()
    {
        // "Is it zero?", answered by the prover's word alone.
        var circuit = Compile(1, (s, i) => [s.Hint("claim", i[0].Value.IsZero ? Fr.One : Fr.Zero)]);
        Assert.Contains(2, SecondWitness.Hunt(circuit, [Five], 2, new Random(1), _ => false));
        Assert.Equal([0], new Jacobian(circuit.Constraints, circuit.Solve([Five]).Values.Span, 2).Unforced);
    }

    [Fact]
    public void Hunt_WhereAnIsZeroLacksItsSecondConstraint_FindsTheWire()
    {
        var circuit = Compile(1, (s, i) => [s.Multiply(i[0], s.Hint("inverse", i[0].Value.Inverse()))]);
        Assert.NotEmpty(SecondWitness.Hunt(circuit, [Five], 2, new Random(1), _ => false));
    }

    [Fact]
    public void Hunt_WhereAnOutputHasTwoRoots_FindsTheOther()
    {
        // A square root: to first order it is forced, and yet there are two.
        var circuit = Compile(1, (s, i) =>
        {
            Variable root = s.Hint("root", Five);
            s.AssertProduct(root, root, i[0], "root^2");
            return [root];
        });
        Assert.Empty(new Jacobian(circuit.Constraints, circuit.Solve([Five * Five]).Values.Span, 2).Unforced);
        Assert.Contains(2, SecondWitness.Hunt(circuit, [Five * Five], 2, new Random(1), _ => false));
    }

    [Fact]
    public void Divide_WhereBothAreZero_LeavesTheQuotientFree()
    {
        var circuit = Compile(2, (s, i) => [s.Divide(i[0], i[1])]);
        Assert.NotEmpty(SecondWitness.Hunt(circuit, [Fr.Zero, Fr.Zero], 3, new Random(1), _ => false));
        Assert.NotNull(circuit.Solve([Five, Fr.Zero]).Failure);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(254)]
    public void Decompose_IntoAsManyBitsAsTheField_IsRefused(int count) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Compile(1, (s, i) => Bits.Decompose(s, i[0], count)));

    [Fact]
    public void Decompose_OfASumThatWraps_IsRefused()
    {
        // 3 − 5 wraps to r − 2, which is no amount.
        var circuit = Compile(2, (s, i) => { Bits.AssertRange(s, i[0] - i[1], 96); return []; });
        Assert.Null(circuit.Solve([Five, Fr.FromUInt64(3)]).Failure);
        Assert.NotNull(circuit.Solve([Fr.FromUInt64(3), Five]).Failure);
    }

    [Fact]
    public void AssertEqual_OfLinearExpressions_IsAConstraintAndNeverDropped()
    {
        var circuit = Compile(3, (s, i) => { s.AssertEqual(i[0] + i[1], Five * i[2], "equal"); s.AssertEqual(i[0], i[0], "the same"); return []; });
        Assert.Equal(2, circuit.Constraints.ConstraintCount);
        Assert.Equal(0, circuit.Constraints.FindUnsatisfied(circuit.Solve([Five, Five, Five]).Values.Span));
    }

    [Fact]
    public void Input_ThatNoConstraintNames_KeepsItsWire()
    {
        var circuit = Compile(2, (s, i) => { s.AssertBoolean(i[0]); return []; });
        Assert.Equal(3, circuit.Constraints.WireCount);
        Assert.Equal(2, circuit.Constraints.PrivateInputCount);
    }

    [Fact]
    public void Sums_TakeNoConstraint()
    {
        var circuit = Compile(3, (s, i) => [i[0] + (Five * i[1]) - i[2] + Five]);
        Assert.Equal(0, circuit.Constraints.ConstraintCount);
        Assert.Equal(4, circuit.Constraints.WireCount);
    }

    [Fact]
    public void PublicInput_AfterAPrivateOne_IsRefused() =>
        Assert.Throws<InvalidOperationException>(() => Compile(1, (s, _) => [s.PublicInput("late", Fr.Zero)]));

    [Fact]
    public void ForEach_WithPartsThatDiffer_IsRefused()
    {
        var circuit = Compile(1, (s, i) =>
        {
            s.ForEach(3, (part, index) => part.Multiply(i[0], i[0], index.ToString(System.Globalization.CultureInfo.InvariantCulture)));
            return [];
        });
        Assert.Equal(3, circuit.Constraints.ConstraintCount);
        var uneven = new GadgetCase("uneven", 1, _ => [Fr.One], (s, i) =>
        {
            bool recording = i[0].Value.IsZero;
            s.ForEach(3, (part, index) =>
            {
                part.Multiply(i[0], i[0]);
                if (!recording && index == 1)
                {
                    part.Multiply(i[0], i[0]);
                }
            });
            return [];
        });
        Assert.ThrowsAny<Exception>(() => CircuitCompiler.Compile(uneven).Solve([Fr.One]));
    }

    [Fact]
    public void Witness_OfCodeThatTakesOtherWiresThanWhenCompiled_IsRefused()
    {
        var unsteady = new GadgetCase("unsteady", 1, _ => [Fr.One], (s, i) => i[0].Value.IsZero ? [] : [s.Square(i[0])]);
        Assert.ThrowsAny<Exception>(() => CircuitCompiler.Compile(unsteady).Solve([Fr.One]));
    }

    private static CompiledCircuit<Fr[]> Compile(int inputs, Func<ConstraintSystem, Variable[], Variable[]> define) =>
        CircuitCompiler.Compile(new GadgetCase("trap", inputs, r => GadgetCases.Randoms(r, inputs), define), keepNames: true);
}
