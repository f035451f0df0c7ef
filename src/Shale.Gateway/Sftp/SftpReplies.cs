using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Shale.Containers.Files;
using Shale.Wire;

namespace Shale.Gateway.Sftp;

/// <summary>Builds answers, one behind the other: length, type, request id, body. Sent together, they take fewer packets than there are.</summary>
internal sealed class SftpReplies : IDisposable
{
    /// <summary>From this size on they are to be sent, before the next request is looked at.</summary>
    public const int Full = 128 * 1024;

    private readonly PooledBufferWriter _buffer = new(Full + SftpLimits.MaxPacket + 1024);
    private int _ended;

    /// <summary>The answers that are ready.</summary>
    public ReadOnlyMemory<byte> Ready => _buffer.WrittenMemory[.._ended];

    /// <summary>Forgets what was sent.</summary>
    public void Clear()
    {
        _buffer.Clear();
        _ended = 0;
    }

    /// <summary>Ends the answer that was begun last.</summary>
    public void End()
    {
        // Begin left room for the length, which is known only now.
        var answer = MemoryMarshal.AsMemory(_buffer.WrittenMemory)[_ended..].Span;
        BinaryPrimitives.WriteUInt32BigEndian(answer, (uint)(answer.Length - sizeof(uint)));
        _ended = _buffer.WrittenCount;
    }

    /// <summary>Begins an answer, in place of one that was begun and not ended.</summary>
    public WireWriter Begin(SftpType type, uint id)
    {
        _buffer.Truncate(_ended);
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
