using System.Globalization;
using System.Text;
using Shale.Containers.Files;
using Shale.Wire;

namespace Shale.Gateway.Sftp;

/// <summary>File attributes on the wire (draft-ietf-secsh-filexfer-02, section 5).</summary>
internal static class SftpAttributes
{
    private const uint HasSize = 1;
    private const uint HasOwner = 2;
    private const uint HasMode = 4;
    private const uint HasTimes = 8;
    private const uint HasExtended = 0x80000000;

    /// <summary>Reads attributes that a client sets.</summary>
    public static bool TryRead(ref WireReader reader, out FileChange change)
    {
        change = new FileChange();
        if (!reader.TryReadUInt32(out var flags))
        {
            return false;
        }

        if ((flags & HasSize) != 0)
        {
            if (!reader.TryReadUInt64(out var size) || size > long.MaxValue)
            {
                return false;
            }

            change = change with { Size = (long)size };
        }

        if ((flags & HasOwner) != 0)
        {
            if (!reader.TryReadUInt32(out var uid) || !reader.TryReadUInt32(out var gid))
            {
                return false;
            }

            change = change with { Uid = uid, Gid = gid };
        }

        if ((flags & HasMode) != 0)
        {
            if (!reader.TryReadUInt32(out var mode))
            {
                return false;
            }

            change = change with { Mode = mode & 0xfff };
        }

        if ((flags & HasTimes) != 0)
        {
            if (!reader.TryReadUInt32(out var accessed) || !reader.TryReadUInt32(out var modified))
            {
                return false;
            }

            change = change with { Accessed = (accessed, 0), Modified = (modified, 0) };
        }

        if ((flags & HasExtended) != 0)
        {
            if (!reader.TryReadUInt32(out var count) || count > 64)
            {
                return false;
            }

            for (var i = 0; i < count; i++)
            {
                if (!reader.TryReadString(SftpLimits.MaxPath, out _) || !reader.TryReadString(SftpLimits.MaxPath, out _))
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>Writes what a file has.</summary>
    public static void Write(ref WireWriter writer, in FileStatus status)
    {
        writer.WriteUInt32(HasSize | HasOwner | HasMode | HasTimes);
        writer.WriteUInt64((ulong)status.Size);
        writer.WriteUInt32(status.Uid);
        writer.WriteUInt32(status.Gid);
        writer.WriteUInt32(status.Mode);
        writer.WriteUInt32((uint)status.AccessSeconds);
        writer.WriteUInt32((uint)status.ModifySeconds);
    }

    /// <summary>The long name of a directory entry, as <c>ls -l</c> prints it: what sftp shows.</summary>
    public static byte[] LongName(ReadOnlySpan<byte> name, in FileStatus status, DateTimeOffset now, Func<uint, string> user, Func<uint, string> group)
    {
        Span<char> mode = stackalloc char[10];
        mode[0] = (status.Mode & 0xf000) switch { 0x4000 => 'd', 0xa000 => 'l', 0xc000 => 's', 0x1000 => 'p', 0x2000 => 'c', 0x6000 => 'b', _ => '-' };
        for (var i = 0; i < 9; i++)
        {
            mode[9 - i] = (status.Mode & (1u << i)) != 0 ? "xwr"[i % 3] : '-';
        }

        Special(mode, 3, status.Mode & 0x800, 's');
        Special(mode, 6, status.Mode & 0x400, 's');
        Special(mode, 9, status.Mode & 0x200, 't');
        var time = DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(status.ModifySeconds, -62135596800, 253402300799));
        var recent = time > now.AddDays(-182) && time <= now.AddDays(1);
        var stamp = time.ToString(recent ? "MMM d HH:mm" : "MMM d  yyyy", CultureInfo.InvariantCulture);
        var head = string.Create(CultureInfo.InvariantCulture, $"{mode} {status.Links,4} {user(status.Uid),-8} {group(status.Gid),-8} {status.Size,12} {stamp,12} ");
        return [.. Encoding.UTF8.GetBytes(head), .. name];
    }

    private static void Special(Span<char> mode, int at, uint bit, char letter)
    {
        if (bit != 0)
        {
            mode[at] = mode[at] == 'x' ? letter : char.ToUpperInvariant(letter);
        }
    }
}
