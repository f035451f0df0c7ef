using System.Diagnostics.CodeAnalysis;
using Shale.Bn254.Fields;

namespace Shale.Groth16.Files;

/// <summary>
/// iden3's .r1cs (r1csfile/doc/r1cs_bin_format.md, version 1): section 1 header, 2 constraints, 3 wire to label. Constraint order is
/// kept, so that a file that is read and written again has the same bytes (but for the order of sections and custom gates).
/// </summary>
public static class R1csFile
{
    private const uint HeaderSection = 1;
    private const uint ConstraintSection = 2;
    private const uint LabelSection = 3;
    private const uint CustomGateListSection = 4;
    private const uint CustomGateUseSection = 5;

    // 2^28 is the largest domain of BN254's Fr; no provable system is larger.
    private const uint MaximumCount = 1u << 28;

    /// <summary>Writes the system to a file, whole or not at all.</summary>
    /// <exception cref="IOException">The file can't be written.</exception>
    public static void Write(string path, R1cs r1cs)
    {
        ArgumentNullException.ThrowIfNull(r1cs);
        using var writer = new SectionWriter(path, "r1cs", 1, 3);
        writer.Begin(HeaderSection);
        writer.WritePrime(Fr.Modulus);
        writer.WriteUInt32((uint)r1cs.WireCount);
        writer.WriteUInt32((uint)r1cs.OutputCount);
        writer.WriteUInt32((uint)r1cs.PublicInputCount);
        writer.WriteUInt32((uint)r1cs.PrivateInputCount);
        writer.WriteUInt64(LabelCount(r1cs));
        writer.WriteUInt32((uint)r1cs.ConstraintCount);
        writer.End();

        var encoded = new byte[r1cs.Coefficients.Count][];
        for (var i = 0; i < encoded.Length; i++)
        {
            encoded[i] = new byte[Fr.Size];
            r1cs.Coefficients[i].ToBytesLittleEndian(encoded[i]);
        }

        writer.Begin(ConstraintSection);
        for (var i = 0; i < r1cs.ConstraintCount; i++)
        {
            WriteRow(writer, r1cs.A.Row(i), encoded);
            WriteRow(writer, r1cs.B.Row(i), encoded);
            WriteRow(writer, r1cs.C.Row(i), encoded);
        }

        writer.End();
        writer.Begin(LabelSection);
        for (var i = 0; i < r1cs.WireCount; i++)
        {
            writer.WriteUInt64(r1cs.Labels is null ? (ulong)i : r1cs.Labels[i]);
        }

        writer.End();
        writer.Complete();
    }

    /// <summary>
    /// Reads a file. False with the faulty section for anything that is not a well-formed BN254 system: missing, doubled, short or
    /// overlong sections, wires beyond their number, coefficients not below r, custom gates. Memory is bounded by the file's length,
    /// not by what its header claims.
    /// </summary>
    public static bool TryRead(string path, [NotNullWhen(true)] out R1cs? r1cs, out FileFault fault)
    {
        r1cs = null;
        if (!SectionFile.TryOpen(path, "r1cs", 1, SectionName, out var file, out fault))
        {
            return false;
        }

        using (file)
        {
            if ((file.Has(CustomGateListSection) && !IsEmptyList(file, CustomGateListSection)) ||
                (file.Has(CustomGateUseSection) && !IsEmptyList(file, CustomGateUseSection)))
            {
                fault = file.Fault(CustomGateUseSection, "custom gates (of PLONK) have no meaning in Groth16");
                return false;
            }

            return TryReadHeader(file, out var header, out fault) &&
                TryReadLabels(file, header, out var labels, out fault) &&
                TryReadConstraints(file, header, labels, out r1cs, out fault);
        }
    }

    private static string SectionName(uint type) => type switch
    {
        HeaderSection => "header",
        ConstraintSection => "constraints",
        LabelSection => "wire to label",
        CustomGateListSection => "custom gates list",
        CustomGateUseSection => "custom gates use",
        _ => "unknown",
    };

    private static ulong LabelCount(R1cs r1cs) => r1cs.Labels is null ? (ulong)r1cs.WireCount : r1cs.Labels.Max() + 1;

    private static void WriteRow(SectionWriter writer, ReadOnlySpan<R1csTerm> terms, byte[][] encoded)
    {
        writer.WriteUInt32((uint)terms.Length);
        foreach (var term in terms)
        {
            writer.WriteUInt32((uint)term.Wire);
            writer.Write(encoded[term.Coefficient]);
        }
    }

    private static bool IsEmptyList(SectionFile file, uint type) =>
        file.TryOpenSection(type, out var reader, out _) && reader.TryReadUInt32(out var count) && count == 0;

    private static bool TryReadHeader(SectionFile file, out Header header, out FileFault fault)
    {
        header = default;
        if (!file.TryOpenSection(HeaderSection, out var reader, out fault))
        {
            return false;
        }

        if (!reader.TryReadPrime(Fr.Modulus, "r", out var problem))
        {
            fault = file.Fault(HeaderSection, problem);
            return false;
        }

        if (!reader.TryReadUInt32(out var wires) || !reader.TryReadUInt32(out var outputs) || !reader.TryReadUInt32(out var publicInputs) ||
            !reader.TryReadUInt32(out var privateInputs) || !reader.TryReadUInt64(out _) || !reader.TryReadUInt32(out var constraints))
        {
            fault = file.Fault(HeaderSection, "ends within the counts");
            return false;
        }

        if (reader.Remaining != 0)
        {
            fault = file.Fault(HeaderSection, $"{reader.Remaining} bytes follow the counts");
            return false;
        }

        if (wires is 0 or > MaximumCount || constraints > MaximumCount || 1UL + outputs + publicInputs + privateInputs > wires)
        {
            fault = file.Fault(HeaderSection, $"{wires} wires for 1 + {outputs} + {publicInputs} + {privateInputs} of them and {constraints} constraints make no system");
            return false;
        }

        header = new Header((int)wires, (int)outputs, (int)publicInputs, (int)privateInputs, (int)constraints);
        return true;
    }

    private static bool TryReadLabels(SectionFile file, in Header header, out ulong[]? labels, out FileFault fault)
    {
        labels = null;
        if (!file.Has(LabelSection))
        {
            fault = default;
            return true;
        }

        if (!file.TryOpenSection(LabelSection, out var reader, out fault))
        {
            return false;
        }

        if (reader.Remaining != 8L * header.Wires)
        {
            fault = file.Fault(LabelSection, $"has {reader.Remaining} bytes where {header.Wires} wires need {8L * header.Wires}");
            return false;
        }

        var identity = true;
        labels = new ulong[header.Wires];
        for (var i = 0; i < labels.Length; i++)
        {
            _ = reader.TryReadUInt64(out labels[i]);
            identity &= labels[i] == (ulong)i;
        }

        labels = identity ? null : labels;
        return true;
    }

    private static bool TryReadConstraints(
        SectionFile file, in Header header, ulong[]? labels, [NotNullWhen(true)] out R1cs? r1cs, out FileFault fault)
    {
        r1cs = null;
        if (!file.TryOpenSection(ConstraintSection, out var reader, out fault))
        {
            return false;
        }

        var coefficients = new R1csBuilder();
        var (a, b, c) = (new R1csBuilder.Side(), new R1csBuilder.Side(), new R1csBuilder.Side());
        for (var i = 0; i < header.Constraints; i++)
        {
            if (!TryReadRow(ref reader, header.Wires, a, coefficients, out var problem) ||
                !TryReadRow(ref reader, header.Wires, b, coefficients, out problem) ||
                !TryReadRow(ref reader, header.Wires, c, coefficients, out problem))
            {
                fault = file.Fault(ConstraintSection, $"constraint {i} of {header.Constraints}: {problem}");
                return false;
            }
        }

        if (reader.Remaining != 0)
        {
            fault = file.Fault(ConstraintSection, $"{reader.Remaining} bytes follow the last constraint");
            return false;
        }

        r1cs = new R1cs(header.Wires, header.Outputs, header.PublicInputs, header.PrivateInputs, coefficients.DistinctCoefficients(), a.Build(), b.Build(), c.Build(), labels);
        return true;
    }

    private static bool TryReadRow(
        ref SectionReader reader, int wires, R1csBuilder.Side side, R1csBuilder coefficients, out string problem)
    {
        if (!reader.TryReadUInt32(out var count) || reader.Remaining < (long)count * (4 + Fr.Size))
        {
            problem = "the section ends within it";
            return false;
        }

        for (uint i = 0; i < count; i++)
        {
            _ = reader.TryReadUInt32(out var wire);
            if (wire >= (uint)wires)
            {
                problem = $"names wire {wire} of {wires}";
                return false;
            }

            if (!reader.TryReadCoefficient(out var coefficient))
            {
                problem = $"the coefficient of wire {wire} is not below r";
                return false;
            }

            side.Terms.Add(new R1csTerm((int)wire, coefficients.IndexOf(coefficient)));
        }

        side.EndRow();
        problem = "";
        return true;
    }

    private readonly record struct Header(int Wires, int Outputs, int PublicInputs, int PrivateInputs, int Constraints);
}
