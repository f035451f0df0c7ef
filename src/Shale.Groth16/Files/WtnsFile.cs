using System.Diagnostics.CodeAnalysis;
using Shale.Bn254.Fields;

namespace Shale.Groth16.Files;

/// <summary>
/// iden3's .wtns, version 2: section 1 the prime and the number of values, section 2 the values, 32 bytes each, least significant byte
/// first. Value 0 is the constant one. A witness contains secrets: the file is created for its owner alone.
/// </summary>
public static class WtnsFile
{
    private const uint HeaderSection = 1;
    private const uint ValueSection = 2;

    /// <summary>Writes the values of all wires, whole or not at all.</summary>
    /// <exception cref="IOException">The file can't be written.</exception>
    public static void Write(string path, ReadOnlySpan<Fr> witness)
    {
        using var writer = new SectionWriter(path, "wtns", 2, 2, ownerOnly: true);
        writer.Begin(HeaderSection);
        writer.WritePrime(Fr.Modulus);
        writer.WriteUInt32((uint)witness.Length);
        writer.End();
        writer.Begin(ValueSection);
        foreach (ref readonly var value in witness)
        {
            writer.WriteElement(value);
        }

        writer.End();
        writer.Complete();
    }

    /// <summary>
    /// Reads the values of all wires. False with the faulty section for anything else, values not below r among it; memory is bounded
    /// by the file's length.
    /// </summary>
    public static bool TryRead(string path, [NotNullWhen(true)] out Fr[]? witness, out FileFault fault)
    {
        witness = null;
        if (!SectionFile.TryOpen(path, "wtns", 2, SectionName, out var file, out fault))
        {
            return false;
        }

        using (file)
        {
            if (!file.TryOpenSection(HeaderSection, out var header, out fault))
            {
                return false;
            }

            if (!header.TryReadPrime(Fr.Modulus, "r", out var problem))
            {
                fault = file.Fault(HeaderSection, problem);
                return false;
            }

            if (!header.TryReadUInt32(out var count) || header.Remaining != 0)
            {
                fault = file.Fault(HeaderSection, "does not end after the number of values");
                return false;
            }

            if (!file.TryOpenSection(ValueSection, out var values, out fault))
            {
                return false;
            }

            if (values.Remaining != (long)count * Fr.Size || count == 0)
            {
                fault = file.Fault(ValueSection, $"has {values.Remaining} bytes where {count} values need {(long)count * Fr.Size}");
                return false;
            }

            var read = new Fr[count];
            for (var i = 0; i < read.Length; i++)
            {
                if (!values.TryReadCoefficient(out read[i]))
                {
                    fault = file.Fault(ValueSection, $"value {i} is not below r");
                    return false;
                }
            }

            if (read[0] != Fr.One)
            {
                fault = file.Fault(ValueSection, "value 0, the constant, is not one");
                return false;
            }

            witness = read;
            return true;
        }
    }

    private static string SectionName(uint type) => type switch
    {
        HeaderSection => "header",
        ValueSection => "values",
        _ => "unknown",
    };
}
