using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using Shale.Bn254.Fields;

namespace Shale.Groth16.Files;

/// <summary>
/// Writes iden3's container into a new file beside the target and moves it there when it is whole, so that a crash or a
/// cancellation never leaves half a file under the name that somebody trusts.
/// </summary>
internal sealed class SectionWriter : IDisposable
{
    private readonly string _path;
    private readonly string _temporary;
    private readonly FileStream _stream;
    private long _lengthPosition = -1;

    public SectionWriter(string path, string type, uint version, uint sections, bool ownerOnly = false)
    {
        _path = path;
        _temporary = $"{path}.{Environment.ProcessId}.partial";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Share = FileShare.None, BufferSize = 1 << 18 };
        if (ownerOnly && !OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        _stream = new FileStream(_temporary, options);
        _stream.Write(Encoding.ASCII.GetBytes(type));
        WriteUInt32(version);
        WriteUInt32(sections);
    }

    public void Begin(uint type)
    {
        WriteUInt32(type);
        _lengthPosition = _stream.Position;
        WriteUInt64(0);
    }

    public void End()
    {
        var end = _stream.Position;
        _stream.Position = _lengthPosition;
        WriteUInt64((ulong)(end - _lengthPosition - 8));
        _stream.Position = end;
    }

    public void Write(ReadOnlySpan<byte> bytes) => _stream.Write(bytes);

    public void WriteUInt32(uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        _stream.Write(bytes);
    }

    public void WriteUInt64(ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        _stream.Write(bytes);
    }

    /// <summary>The number of bytes of a prime, then the prime.</summary>
    public void WritePrime(BigInteger prime)
    {
        Span<byte> bytes = stackalloc byte[Fr.Size];
        bytes.Clear();
        prime.TryWriteBytes(bytes, out _, isUnsigned: true);
        WriteUInt32(Fr.Size);
        _stream.Write(bytes);
    }

    public void WriteElement(in Fr value)
    {
        Span<byte> bytes = stackalloc byte[Fr.Size];
        value.ToBytesLittleEndian(bytes);
        _stream.Write(bytes);
    }

    /// <summary>Everything is written: gives the file its name.</summary>
    public void Complete()
    {
        _stream.Flush(flushToDisk: true);
        _stream.Dispose();
        File.Move(_temporary, _path, overwrite: true);
    }

    /// <summary>Deletes the unfinished file, if <see cref="Complete"/> was not reached.</summary>
    public void Dispose()
    {
        _stream.Dispose();
        File.Delete(_temporary);
    }
}
