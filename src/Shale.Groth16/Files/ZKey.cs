using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Ntt;
using Shale.Groth16.Verifier;

namespace Shale.Groth16.Files;

/// <summary>
/// A proving key in iden3's .zkey format (Groth16), mapped into memory. Opening it reads the header and the verification key and checks
/// that every section has exactly the length that the header's counts demand; points of the large sections are not checked one by one,
/// because the prover verifies its own proof: a key with a wrong point yields none.
/// </summary>
public sealed unsafe class ZKey : IDisposable
{
    internal const uint ProtocolSection = 1;
    internal const uint HeaderSection = 2;
    internal const uint InputSection = 3;
    internal const uint CoefficientSection = 4;
    internal const uint ASection = 5;
    internal const uint B1Section = 6;
    internal const uint B2Section = 7;
    internal const uint CSection = 8;
    internal const uint HSection = 9;
    internal const uint ContributionSection = 10;

    // Our own, ignored by snarkjs: present in a key that was made from a seed.
    internal const uint DevelopmentSection = 0x5ade;

    internal const int CoefficientLength = 12 + Fr.Size;
    internal const uint Groth16Protocol = 1;
    private const int HeaderLength = 4 + 32 + 4 + 32 + 12 + (3 * G1Affine.Size) + (3 * G2Affine.Size);

    private readonly SectionFile _file;

    private ZKey(SectionFile file, in Header header, VerificationKey verificationKey, in Sections sections)
    {
        _file = file;
        WireCount = header.Wires;
        DomainLog = header.DomainLog;
        VerificationKey = verificationKey;
        Beta1 = header.Beta1;
        Delta1 = header.Delta1;
        Pointers = sections;
    }

    /// <summary>All wires of the circuit, the constant one included: the length of a witness.</summary>
    public int WireCount { get; }

    /// <summary>Public outputs and inputs.</summary>
    public int PublicCount => VerificationKey.PublicCount;

    /// <summary>Elements of the evaluation domain: a power of two, at least constraints + public inputs + 1.</summary>
    public int DomainSize => 1 << DomainLog;

    /// <summary>Terms of A and B in all constraints.</summary>
    public long CoefficientCount => Pointers.CoefficientCount;

    /// <summary>The verifier's part.</summary>
    public VerificationKey VerificationKey { get; }

    /// <summary>Bytes of the file.</summary>
    public long FileLength => _file.FileLength;

    internal int DomainLog { get; }

    internal G1Affine Beta1 { get; }

    internal G1Affine Delta1 { get; }

    internal Sections Pointers { get; }

    /// <summary>Opens and checks a file. The caller disposes of the key; nothing of it may be used after that.</summary>
    public static bool TryOpen(string path, [NotNullWhen(true)] out ZKey? key, out FileFault fault)
    {
        key = null;
        if (!SectionFile.TryOpen(path, "zkey", 1, SectionName, out var file, out fault))
        {
            return false;
        }

        if (TryReadProtocol(file, out fault) && TryReadHeader(file, out var header, out fault) &&
            TryReadInputs(file, header, out var verificationKey, out fault) && TryFindSections(file, header, out var sections, out fault))
        {
            key = new ZKey(file, header, verificationKey, sections);
            return true;
        }

        file.Dispose();
        return false;
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    /// <summary>Lets the memory of a section go until it is read again: the prover reads each of them once.</summary>
    internal void Release(uint section) => _file.Release(section);

    internal FileFault Fault(uint section, string problem) => _file.Fault(section, problem);

    internal static string SectionName(uint type) => type switch
    {
        ProtocolSection => "protocol",
        HeaderSection => "Groth16 header",
        InputSection => "IC",
        CoefficientSection => "coefficients",
        ASection => "points A",
        B1Section => "points B1",
        B2Section => "points B2",
        CSection => "points C",
        HSection => "points H",
        ContributionSection => "contributions",
        DevelopmentSection => "development key",
        _ => "unknown",
    };

    private static bool TryReadProtocol(SectionFile file, out FileFault fault)
    {
        if (!file.TryOpenSection(ProtocolSection, out var reader, out fault))
        {
            return false;
        }

        if (!reader.TryReadUInt32(out var protocol) || reader.Remaining != 0 || protocol != Groth16Protocol)
        {
            fault = file.Fault(ProtocolSection, "is not 1 (Groth16); PLONK and fflonk keys have others");
            return false;
        }

        return true;
    }

    private static bool TryReadHeader(SectionFile file, out Header header, out FileFault fault)
    {
        header = default;
        if (!file.TryOpenSection(HeaderSection, out var reader, out fault))
        {
            return false;
        }

        if (reader.Remaining != HeaderLength)
        {
            fault = file.Fault(HeaderSection, $"has {reader.Remaining} bytes, a Groth16 header over BN254 has {HeaderLength}");
            return false;
        }

        if (!reader.TryReadPrime(Fp.Modulus, "q", out var problem) || !reader.TryReadPrime(Fr.Modulus, "r", out problem))
        {
            fault = file.Fault(HeaderSection, problem);
            return false;
        }

        _ = reader.TryReadUInt32(out var wires);
        _ = reader.TryReadUInt32(out var publicCount);
        _ = reader.TryReadUInt32(out var domain);
        if (!BitOperations.IsPow2(domain) || domain < 2 || domain > 1u << (Domain.MaximumLog - 1) || wires > 1u << Domain.MaximumLog || publicCount >= wires || publicCount >= domain)
        {
            fault = file.Fault(HeaderSection, $"{wires} wires, {publicCount} of them public, on a domain of {domain} make no key");
            return false;
        }

        if (!TryReadG1(ref reader, out var alpha1) || !TryReadG1(ref reader, out var beta1) ||
            !TryReadG2(ref reader, out var beta2) || !TryReadG2(ref reader, out var gamma2) ||
            !TryReadG1(ref reader, out var delta1) || !TryReadG2(ref reader, out var delta2))
        {
            fault = file.Fault(HeaderSection, "one of alpha, beta, gamma, delta is not a point of its group (or is infinity)");
            return false;
        }

        header = new Header((int)wires, (int)publicCount, BitOperations.Log2(domain), alpha1, beta1, beta2, gamma2, delta1, delta2);
        return true;
    }

    private static bool TryReadInputs(SectionFile file, in Header header, [NotNullWhen(true)] out VerificationKey? key, out FileFault fault)
    {
        key = null;
        var count = header.PublicCount + 1;
        if (!file.TryGetExactly(InputSection, (long)count * G1Affine.Size, $"{count} points", out var bytes, out fault))
        {
            return false;
        }

        var points = new G1Affine[count];
        for (var i = 0; i < count; i++)
        {
            if (!TryDecode(bytes + (i * (long)G1Affine.Size), out points[i]))
            {
                fault = file.Fault(InputSection, $"point {i} is not on the curve");
                return false;
            }
        }

        key = new VerificationKey(header.Alpha1, header.Beta2, header.Gamma2, header.Delta2, points, file.Has(DevelopmentSection));
        return true;
    }

    private static bool TryFindSections(SectionFile file, in Header header, out Sections sections, out FileFault fault)
    {
        sections = default;
        var wires = header.Wires;
        var privateWires = wires - header.PublicCount - 1;
        var domain = 1L << header.DomainLog;
        if (!file.TryGetExactly(ASection, (long)wires * G1Affine.Size, $"{wires} points of G1", out var a, out fault) ||
            !file.TryGetExactly(B1Section, (long)wires * G1Affine.Size, $"{wires} points of G1", out var b1, out fault) ||
            !file.TryGetExactly(B2Section, (long)wires * G2Affine.Size, $"{wires} points of G2", out var b2, out fault) ||
            !file.TryGetExactly(CSection, (long)privateWires * G1Affine.Size, $"{privateWires} points of G1", out var c, out fault) ||
            !file.TryGetExactly(HSection, domain * G1Affine.Size, $"{domain} points of G1", out var h, out fault) ||
            !file.TryOpenSection(CoefficientSection, out var coefficients, out fault))
        {
            return false;
        }

        if (!coefficients.TryReadUInt32(out var count) || coefficients.Remaining != (long)count * CoefficientLength)
        {
            fault = file.Fault(CoefficientSection, $"does not have the {count} coefficients that it claims");
            return false;
        }

        sections = new Sections(
            (Affine<Fp, G1Curve>*)a, (Affine<Fp, G1Curve>*)b1, (Affine<Fp2, G2Curve>*)b2, (Affine<Fp, G1Curve>*)c, (Affine<Fp, G1Curve>*)h,
            coefficients.Current, count);
        return true;
    }

    private static bool TryReadG1(ref SectionReader reader, out G1Affine point)
    {
        point = default;
        return reader.TryReadBytes(G1Affine.Size, out var bytes) && TryDecode(bytes, out point) && !point.IsInfinity;
    }

    private static bool TryReadG2(ref SectionReader reader, out G2Affine point)
    {
        point = default;
        return reader.TryReadBytes(G2Affine.Size, out var bytes) &&
            TryCoordinate(bytes, out var x0) && TryCoordinate(bytes[32..], out var x1) &&
            TryCoordinate(bytes[64..], out var y0) && TryCoordinate(bytes[96..], out var y1) &&
            G2Affine.TryCreate(new Fp2(x0, x1), new Fp2(y0, y1), out point) && !point.IsInfinity;
    }

    private static bool TryDecode(byte* bytes, out G1Affine point) => TryDecode(new ReadOnlySpan<byte>(bytes, G1Affine.Size), out point);

    private static bool TryDecode(ReadOnlySpan<byte> bytes, out G1Affine point)
    {
        point = default;
        return TryCoordinate(bytes, out var x) && TryCoordinate(bytes[32..], out var y) && G1Affine.TryCreate(x, y, out point);
    }

    /// <summary>A coordinate in Montgomery form, as .zkey has them.</summary>
    private static bool TryCoordinate(ReadOnlySpan<byte> bytes, out Fp value)
    {
        var limbs = Limbs4.ReadLittleEndian(bytes);
        value = default;
        if (!Limbs4.LessThan(limbs, Montgomery<FpModulus>.Modulus))
        {
            return false;
        }

        value = Fp.FromMontgomeryLimbs(limbs);
        return true;
    }

    private readonly record struct Header(
        int Wires, int PublicCount, int DomainLog, G1Affine Alpha1, G1Affine Beta1, G2Affine Beta2, G2Affine Gamma2, G1Affine Delta1, G2Affine Delta2);

    /// <summary>Where the large sections lie in the mapping.</summary>
    internal readonly struct Sections(
        Affine<Fp, G1Curve>* a, Affine<Fp, G1Curve>* b1, Affine<Fp2, G2Curve>* b2, Affine<Fp, G1Curve>* c, Affine<Fp, G1Curve>* h, byte* coefficients, long coefficientCount)
    {
        public readonly Affine<Fp, G1Curve>* A = a;
        public readonly Affine<Fp, G1Curve>* B1 = b1;
        public readonly Affine<Fp2, G2Curve>* B2 = b2;
        public readonly Affine<Fp, G1Curve>* C = c;
        public readonly Affine<Fp, G1Curve>* H = h;
        public readonly byte* Coefficients = coefficients;
        public readonly long CoefficientCount = coefficientCount;
    }
}
