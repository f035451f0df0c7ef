using System.Security.Cryptography;
using System.Text;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Ntt;
using Shale.Groth16.Files;

namespace Shale.Groth16.Setup;

/// <summary>
/// Makes a proving key from a seed, for development and tests. Whoever knows the seed can prove anything: the file's name must end in
/// <see cref="RequiredSuffix"/>, the key carries a mark that its verification_key.json repeats, and <see cref="Warning"/> is for whoever
/// shows the result to a person. A key for money comes from a ceremony (docs/CEREMONY.md).
/// </summary>
public static class DevelopmentSetup
{
    /// <summary>The end that the name of a development key must have.</summary>
    public const string RequiredSuffix = ".dev.zkey";

    /// <summary>What a person must read before relying on a development key.</summary>
    public const string Warning =
        "UNSAFE: this key was made from a seed. Whoever knows the seed can prove anything, so it must never protect money. " +
        "For a real deployment run the ceremony of docs/CEREMONY.md.";

    /// <summary>Makes the key of a system and writes it, whole or not at all.</summary>
    /// <param name="r1cs">The system; its size is bounded by 2^27 rows (constraints + public wires + 1).</param>
    /// <param name="seed">32 bytes or more. The same seed and system give the same key.</param>
    /// <param name="path">Where to; ends in <see cref="RequiredSuffix"/>.</param>
    /// <param name="progress">Told the share that is done, 0 to 1.</param>
    /// <param name="cancellation">Stops the work within a fraction of a second; no file is left.</param>
    /// <exception cref="ArgumentException">A name that hides what the key is, a short seed, or a system that is too large.</exception>
    /// <exception cref="IOException">The file can't be written.</exception>
    public static void Create(R1cs r1cs, ReadOnlySpan<byte> seed, string path, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(r1cs);
        ArgumentNullException.ThrowIfNull(path);
        if (!path.EndsWith(RequiredSuffix, StringComparison.Ordinal))
        {
            throw new ArgumentException($"The name of a development key ends in {RequiredSuffix}.", nameof(path));
        }

        if (seed.Length < 32)
        {
            throw new ArgumentException("A seed has at least 32 bytes.", nameof(seed));
        }

        var log = Domain.LogFor(checked(r1cs.ConstraintCount + r1cs.PublicCount + 1));
        if (log >= Domain.MaximumLog)
        {
            throw new ArgumentException($"2^{log} rows exceed the largest domain of BN254.", nameof(r1cs));
        }

        var secrets = new Secrets(seed);
        var polynomials = WirePolynomials.At(r1cs, log, secrets, cancellation);
        WriteFile(r1cs, log, secrets, polynomials, path, progress, cancellation);
    }

    private static void WriteFile(
        R1cs r1cs, int log, Secrets secrets, WirePolynomials polynomials, string path, IProgress<double>? progress, CancellationToken cancellation)
    {
        using var writer = new SectionWriter(path, "zkey", 1, 11);
        using var points = new PointWriter(writer, r1cs, progress, cancellation);
        writer.Begin(ZKey.ProtocolSection);
        writer.WriteUInt32(ZKey.Groth16Protocol);
        writer.End();

        writer.Begin(ZKey.HeaderSection);
        writer.WritePrime(Fp.Modulus);
        writer.WritePrime(Fr.Modulus);
        writer.WriteUInt32((uint)r1cs.WireCount);
        writer.WriteUInt32((uint)r1cs.PublicCount);
        writer.WriteUInt32(1u << log);
        PointWriter.Write(writer, G1Affine.Generator * secrets.Alpha);
        PointWriter.Write(writer, G1Affine.Generator * secrets.Beta);
        PointWriter.Write(writer, G2Affine.Generator * secrets.Beta);
        PointWriter.Write(writer, G2Affine.Generator);
        PointWriter.Write(writer, G1Affine.Generator * secrets.Delta);
        PointWriter.Write(writer, G2Affine.Generator * secrets.Delta);
        writer.End();

        var publicWires = r1cs.PublicCount + 1;
        points.WriteG1(ZKey.InputSection, polynomials.Combined.AsSpan(0, publicWires));
        CoefficientWriter.Write(writer, r1cs);
        points.WriteG1(ZKey.HSection, polynomials.H);
        points.WriteG1(ZKey.CSection, polynomials.Combined.AsSpan(publicWires));
        points.WriteG1(ZKey.ASection, polynomials.A);
        points.WriteG1(ZKey.B1Section, polynomials.B);
        points.WriteG2(ZKey.B2Section, polynomials.B);

        // No ceremony, so no circuit hash and no contributions; then the mark.
        writer.Begin(ZKey.ContributionSection);
        writer.Write(new byte[64]);
        writer.WriteUInt32(0);
        writer.End();
        writer.Begin(ZKey.DevelopmentSection);
        writer.Write(Encoding.ASCII.GetBytes(Warning));
        writer.End();
        writer.Complete();
    }

    /// <summary>The trapdoor: SHA-512 of a tag, the seed and a number, reduced modulo r.</summary>
    internal sealed class Secrets
    {
        public Secrets(ReadOnlySpan<byte> seed)
        {
            Tau = Draw(seed, 0);
            Alpha = Draw(seed, 1);
            Beta = Draw(seed, 2);
            Delta = Draw(seed, 3);
        }

        public Fr Tau { get; }

        public Fr Alpha { get; }

        public Fr Beta { get; }

        public Fr Delta { get; }

        private static Fr Draw(ReadOnlySpan<byte> seed, byte number)
        {
            byte[] input = [.. "shale/groth16/development-setup/v1"u8, number, .. seed];
            return Fr.ReduceBigEndian(SHA512.HashData(input));
        }
    }
}
