using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Shale.Containers.Files;
using Shale.Wire;

namespace Shale.Gateway.Sftp;

/// <summary>Builds one answer: length, type, request id, body.</summary>
internal sealed class SftpReply : IDisposable
{
    private readonly PooledBufferWriter _buffer = new(SftpLimits.MaxPacket + 1024);

    /// <summary>The packet, with its length in front.</summary>
    public ReadOnlyMemory<byte> Packet
    {
        get
        {
            // Begin left room for the length, which is known only now.
            BinaryPrimitives.WriteUInt32BigEndian(MemoryMarshal.AsMemory(_buffer.WrittenMemory).Span, (uint)(_buffer.WrittenCount - 4));
            return _buffer.WrittenMemory;
        }
    }

    public WireWriter Begin(SftpType type, uint id)
    {
        _buffer.Clear();
        var writer = new WireWriter(_buffer);
        writer.WriteUInt32(0);
        writer.WriteByte((byte)type);
        writer.WriteUInt32(id);
        return writer;
    }

    /// <summary>Begins an answer of data, which are read to where they are sent from; <see cref="EndData"/> says how many came.</summary>
    public Memory<byte> BeginData(uint id, int length)
    {
        _ = Begin(SftpType.Data, id);
        return _buffer.GetMemory(sizeof(uint) + length).Slice(sizeof(uint), length);
    }

    public void EndData(int count)
    {
        BinaryPrimitives.WriteUInt32BigEndian(_buffer.GetSpan(sizeof(uint) + count), (uint)count);
        _buffer.Advance(sizeof(uint) + count);
    }

    public void Status(uint id, SftpStatus status, string message)
    {
        var writer = Begin(SftpType.Status, id);
        writer.WriteUInt32((uint)status);
        writer.WriteString(message);
        writer.WriteString("");
    }

    public void Status(uint id, FileError error) => Status(id, Code(error), error == FileError.None ? "Success" : Describe(error));

    public void Dispose() => _buffer.Dispose();

    /// <summary>As OpenSSH's server maps errno.</summary>
    private static SftpStatus Code(FileError error) => error switch
    {
        FileError.None => SftpStatus.Ok,
        FileError.NotFound or FileError.NotAFolder or FileError.BadDescriptor or FileError.TooManyLinks => SftpStatus.NoSuchFile,
        FileError.NotPermitted or FileError.AccessDenied => SftpStatus.PermissionDenied,
        FileError.NameTooLong or FileError.Invalid => SftpStatus.BadMessage,
        FileError.NotSupported => SftpStatus.OpUnsupported,
        _ => SftpStatus.Failure,
    };

    /// <summary>Words for a user, as strerror(3) has them.</summary>
    public static string Describe(FileError error) => error switch
    {
        FileError.NotFound => "No such file or directory",
        FileError.NotPermitted => "Operation not permitted",
        FileError.AccessDenied => "Permission denied",
        FileError.Exists => "File exists",
        FileError.NotAFolder => "Not a directory",
        FileError.IsAFolder => "Is a directory",
        FileError.NoSpace => "No space left on device",
        FileError.ReadOnly => "Read-only file system",
        FileError.NotEmpty => "Directory not empty",
        FileError.QuotaExceeded => "Disk quota exceeded",
        FileError.TooManyLinks => "Too many levels of symbolic links",
        FileError.CrossDevice => "Invalid cross-device link",
        _ => "Failure (" + error + ")",
    };
}
