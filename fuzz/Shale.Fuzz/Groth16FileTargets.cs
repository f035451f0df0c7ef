using System.Text;
using Shale.Bn254.Fields;
using Shale.Groth16.Files;

namespace Shale.Fuzz;

/// <summary>Constraint systems in iden3's .r1cs; one that is taken is written back and read again with the same bytes.</summary>
public sealed class R1csFileTarget : IFuzzTarget
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"shale-fuzz-{Environment.ProcessId}.r1cs");

    // A written file is flushed to the disk; twenty thousand of them would measure that.
    private int _roundTripsLeft = 300;

    /// <inheritdoc/>
    public string Name => "r1cs";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds
    {
        get
        {
            var builder = new R1csBuilder();
            builder.AddConstraint([(1, Fr.FromUInt64(2))], [(2, Fr.One)], [(3, Fr.One), (0, -Fr.One)]);
            builder.AddConstraint([(3, Fr.One)], [(3, Fr.One), (0, -Fr.One)], []);
            R1csFile.Write(_path, builder.Build(wires: 5, outputs: 1, publicInputs: 1, privateInputs: 1));
            return [File.ReadAllBytes(_path)];
        }
    }

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        File.WriteAllBytes(_path, input);
        if (!R1csFile.TryRead(_path, out var r1cs, out _) || _roundTripsLeft-- <= 0)
        {
            return;
        }

        R1csFile.Write(_path, r1cs);
        var written = File.ReadAllBytes(_path);
        if (!R1csFile.TryRead(_path, out var again, out var fault))
        {
            throw new InvalidOperationException("A written system is refused: " + fault);
        }

        R1csFile.Write(_path, again);
        if (!written.AsSpan().SequenceEqual(File.ReadAllBytes(_path)))
        {
            throw new InvalidOperationException("A system changes when it is written twice.");
        }
    }
}

/// <summary>Witnesses in iden3's .wtns.</summary>
public sealed class WtnsFileTarget : IFuzzTarget
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"shale-fuzz-{Environment.ProcessId}.wtns");

    /// <inheritdoc/>
    public string Name => "wtns";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds
    {
        get
        {
            WtnsFile.Write(_path, [Fr.One, -Fr.One, Fr.Zero, Fr.FromUInt64(7)]);
            return [File.ReadAllBytes(_path)];
        }
    }

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        File.WriteAllBytes(_path, input);
        if (WtnsFile.TryRead(_path, out var witness, out _) && witness.Length > input.Length)
        {
            throw new InvalidOperationException("More values than the file has bytes.");
        }
    }
}

/// <summary>snarkjs' public.json and proof.json: text that is taken is written back with the same values.</summary>
public sealed class SnarkJsJsonTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "snarkjs-json";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds =>
    [
        Encoding.UTF8.GetBytes(SnarkJsJson.Write([Fr.Zero, Fr.One, -Fr.One])),
        Encoding.UTF8.GetBytes("""{"pi_a":["1","2","1"],"pi_b":[["0","0"],["1","0"],["0","0"]],"pi_c":["0","1","0"],"protocol":"groth16","curve":"bn128"}"""),
    ];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        var text = Encoding.UTF8.GetString(input);
        if (SnarkJsJson.TryReadPublic(text, out var inputs, out _) &&
            (!SnarkJsJson.TryReadPublic(SnarkJsJson.Write(inputs), out var again, out _) || !again.AsSpan().SequenceEqual(inputs)))
        {
            throw new InvalidOperationException("Public inputs change when they are written.");
        }

        if (SnarkJsJson.TryReadProof(text, out var proof, out _) &&
            (!SnarkJsJson.TryReadProof(SnarkJsJson.Write(proof), out var other, out _) || other != proof))
        {
            throw new InvalidOperationException("A proof changes when it is written.");
        }

        _ = SnarkJsJson.TryReadVerificationKey(text, out _, out _);
    }
}
