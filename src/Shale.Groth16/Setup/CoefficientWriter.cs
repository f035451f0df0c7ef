using System.Buffers.Binary;
using Shale.Bn254.Fields;
using Shale.Groth16.Files;

namespace Shale.Groth16.Setup;

/// <summary>
/// Section 4 of a .zkey: every term of A (matrix 0) and B (matrix 1), constraint by constraint, then the rows of the public wires. A value
/// v is stored as v·2^512 mod r, so that one Montgomery multiplication with a plain witness value gives a Montgomery form.
/// </summary>
internal static class CoefficientWriter
{
    public static void Write(SectionWriter writer, R1cs r1cs)
    {
        writer.Begin(ZKey.CoefficientSection);
        writer.WriteUInt32(checked((uint)((long)r1cs.A.TermCount + r1cs.B.TermCount + r1cs.PublicCount + 1)));
        var encoded = new byte[r1cs.Coefficients.Count][];
        for (var i = 0; i < encoded.Length; i++)
        {
            encoded[i] = Encode(r1cs.Coefficients[i]);
        }

        for (var row = 0; row < r1cs.ConstraintCount; row++)
        {
            foreach (var term in r1cs.A.Row(row))
            {
                WriteTerm(writer, 0, row, term.Wire, encoded[term.Coefficient]);
            }

            foreach (var term in r1cs.B.Row(row))
            {
                WriteTerm(writer, 1, row, term.Wire, encoded[term.Coefficient]);
            }
        }

        var one = Encode(Fr.One);
        for (var i = 0; i <= r1cs.PublicCount; i++)
        {
            WriteTerm(writer, 0, r1cs.ConstraintCount + i, i, one);
        }

        writer.End();
    }

    private static byte[] Encode(in Fr value)
    {
        // The limbs in memory are v·2^256; once more into Montgomery form gives v·2^512.
        var bytes = new byte[Fr.Size];
        Montgomery<FrModulus>.FromCanonical(value.Limbs).WriteLittleEndian(bytes);
        return bytes;
    }

    private static void WriteTerm(SectionWriter writer, uint matrix, int row, int wire, byte[] value)
    {
        Span<byte> place = stackalloc byte[12];
        BinaryPrimitives.WriteUInt32LittleEndian(place, matrix);
        BinaryPrimitives.WriteUInt32LittleEndian(place[4..], (uint)row);
        BinaryPrimitives.WriteUInt32LittleEndian(place[8..], (uint)wire);
        writer.Write(place);
        writer.Write(value);
    }
}
