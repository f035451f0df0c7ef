using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Shale.Groth16.Files;

/// <summary>
/// The container that iden3's binary formats share (their binfileutils): four bytes of type, version (u32), number of sections
/// (u32), then sections of type (u32), length (u64) and that many bytes; all numbers little-endian, sections in any order.
/// </summary>
internal sealed unsafe class SectionFile : IDisposable
{
    public const int HeaderLength = 12;
    public const int SectionHeaderLength = 12;

    // The formats read here have at most 10 kinds; circom adds two for custom gates. A file with hundreds is none of them.
    private const uint MaximumSections = 64;

    private readonly MappedFile _mapped;
    private readonly Dictionary<uint, (long Start, long Length)> _sections;
    private readonly Func<uint, string> _name;

    private SectionFile(MappedFile mapped, Dictionary<uint, (long Start, long Length)> sections, Func<uint, string> name)
    {
        _mapped = mapped;
        _sections = sections;
        _name = name;
    }

    /// <summary>Bytes of the whole file.</summary>
    public long FileLength => _mapped.Length;

    public IReadOnlyCollection<uint> SectionTypes => _sections.Keys;

    public static bool TryOpen(
        string path, string type, uint maximumVersion, Func<uint, string> name, [NotNullWhen(true)] out SectionFile? file, out FileFault fault)
    {
        file = null;
        if (!MappedFile.TryOpen(path, out var mapped, out fault))
        {
            return false;
        }

        if (!TryReadDirectory(mapped, type, maximumVersion, name, out var sections, out fault))
        {
            mapped.Dispose();
            return false;
        }

        file = new SectionFile(mapped, sections, name);
        return true;
    }

    public bool Has(uint type) => _sections.ContainsKey(type);

    public string Name(uint type) => Describe(type, _name);

    public FileFault Fault(uint type, string problem) => new(Name(type), problem);

    /// <summary>A section as a reader over the mapped bytes.</summary>
    public bool TryOpenSection(uint type, out SectionReader reader, out FileFault fault)
    {
        if (!_sections.TryGetValue(type, out var place))
        {
            reader = default;
            fault = Fault(type, "is missing");
            return false;
        }

        reader = new SectionReader(_mapped.Pointer + place.Start, place.Length);
        fault = default;
        return true;
    }

    /// <summary>The bytes of a section that must have exactly <paramref name="length"/> of them.</summary>
    public bool TryGetExactly(uint type, long length, string because, out byte* bytes, out FileFault fault)
    {
        bytes = null;
        if (!_sections.TryGetValue(type, out var place))
        {
            fault = Fault(type, "is missing");
            return false;
        }

        if (place.Length != length)
        {
            fault = Fault(type, $"has {place.Length} bytes where {because} need {length}");
            return false;
        }

        bytes = _mapped.Pointer + place.Start;
        fault = default;
        return true;
    }

    /// <summary>Lets the memory of a section go until it is read again.</summary>
    public void Release(uint type)
    {
        if (_sections.TryGetValue(type, out var place))
        {
            _mapped.Release(place.Start, place.Length);
        }
    }

    public void Dispose() => _mapped.Dispose();

    private static string Describe(uint type, Func<uint, string> name) => $"section {type} ({name(type)})";

    private static bool TryReadDirectory(
        MappedFile mapped, string type, uint maximumVersion, Func<uint, string> name,
        out Dictionary<uint, (long Start, long Length)> sections, out FileFault fault)
    {
        sections = [];
        fault = default;
        var length = mapped.Length;
        if (length < HeaderLength)
        {
            fault = new FileFault("file header", $"the file ends after {length} bytes");
            return false;
        }

        var header = new ReadOnlySpan<byte>(mapped.Pointer, HeaderLength);
        if (!header[..4].SequenceEqual(Encoding.ASCII.GetBytes(type)))
        {
            fault = new FileFault("file header", $"this is not a .{type} file (it does not begin with \"{type}\")");
            return false;
        }

        var version = BinaryPrimitives.ReadUInt32LittleEndian(header[4..]);
        var count = BinaryPrimitives.ReadUInt32LittleEndian(header[8..]);
        if (version == 0 || version > maximumVersion)
        {
            fault = new FileFault("file header", $"version {version} is unknown (known: 1 to {maximumVersion})");
            return false;
        }

        if (count > MaximumSections)
        {
            fault = new FileFault("file header", $"claims {count} sections; at most {MaximumSections} are read");
            return false;
        }

        long position = HeaderLength;
        for (uint i = 0; i < count; i++)
        {
            if (length - position < SectionHeaderLength)
            {
                fault = new FileFault($"header of section number {i + 1} of {count}", $"the file ends at byte {length}");
                return false;
            }

            var sectionHeader = new ReadOnlySpan<byte>(mapped.Pointer + position, SectionHeaderLength);
            var sectionType = BinaryPrimitives.ReadUInt32LittleEndian(sectionHeader);
            var sectionLength = BinaryPrimitives.ReadUInt64LittleEndian(sectionHeader[4..]);
            position += SectionHeaderLength;
            if (sectionLength > (ulong)(length - position))
            {
                fault = new FileFault(Describe(sectionType, name), $"claims {sectionLength} bytes, the file has {length - position} left");
                return false;
            }

            if (!sections.TryAdd(sectionType, (position, (long)sectionLength)))
            {
                fault = new FileFault(Describe(sectionType, name), "appears twice");
                return false;
            }

            position += (long)sectionLength;
        }

        if (position != length)
        {
            fault = new FileFault("end of file", $"{length - position} bytes follow the last section");
            return false;
        }

        return true;
    }
}
