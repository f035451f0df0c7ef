using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Shale.Containers.Exec;

/// <summary>The size of a terminal: characters, and pixels where the client knows them (0 where not).</summary>
/// <param name="Columns">Width in characters.</param>
/// <param name="Rows">Height in characters.</param>
/// <param name="PixelWidth">Width in pixels.</param>
/// <param name="PixelHeight">Height in pixels.</param>
public readonly record struct TerminalSize(uint Columns, uint Rows, uint PixelWidth = 0, uint PixelHeight = 0);

/// <summary>A pseudo-terminal that a command is to get.</summary>
public sealed record TerminalRequest
{
    /// <summary>The size that the command sees from its first moment.</summary>
    public TerminalSize Size { get; init; } = new(80, 24);

    /// <summary>Encoded terminal modes as they come in pty-req (RFC 4254 section 8); anything that is not understood is ignored, as the RFC says.</summary>
    public ReadOnlyMemory<byte> Modes { get; init; }
}

/// <summary>
/// A pseudo-terminal on the container's own devpts, so that it has a name there (tty, /dev/pts/0), opened from outside: nothing in the
/// container's file tree is run or trusted, and the kernel answers for what was opened.
/// </summary>
internal static unsafe class Terminal
{
    private const long DevptsMagic = 0x1cd1;

    /// <summary>Opens a pair; the slave has its size and modes and belongs to the user, as grantpt(3) would have it.</summary>
    public static (SafeFileHandle Master, SafeFileHandle Slave) Open(SafeFileHandle root, TerminalRequest request, uint uid, uint ttyGroup)
    {
        var master = Native.TryOpenInRoot(root, "/dev/pts/ptmx\0"u8, Native.O_RDWR | Native.O_NOCTTY | Native.O_NONBLOCK | Native.O_NOFOLLOW, 0, out var error)
            ?? throw Native.Failure("open /dev/pts/ptmx in the container", error);
        SafeFileHandle? slave = null;
        try
        {
            // /dev/pts is a mount that the container's root can't replace, but nothing is lost by asking the kernel.
            if (Native.FileSystemType(master) != DevptsMagic)
            {
                throw new IOException("The container's /dev/pts is not a devpts.");
            }

            var unlock = 0;
            Native.Check(Native.Ioctl(master, Native.TIOCSPTLCK, &unlock), "ioctl(TIOCSPTLCK)");
            slave = Native.Owned(Native.Ioctl(master, Native.TIOCGPTPEER, Native.O_RDWR | Native.O_NOCTTY | Native.O_CLOEXEC), "ioctl(TIOCGPTPEER)");
            Native.Check(Native.Fchown(slave, uid, ttyGroup), "fchown");
            Native.Check(Native.Fchmod(slave, 0x190 /* 0620 */), "fchmod");
            Resize(master, request.Size);
            var settings = stackalloc byte[64];
            Native.Check(Native.Ioctl(slave, Native.TCGETS, settings), "ioctl(TCGETS)");
            TerminalModes.Apply(request.Modes.Span, (uint*)settings, settings + 17);
            Native.Check(Native.Ioctl(slave, Native.TCSETS, settings), "ioctl(TCSETS)");
            return (master, slave);
        }
        catch
        {
            master.Dispose();
            slave?.Dispose();
            throw;
        }
    }

    public static void Resize(SafeHandle master, TerminalSize size)
    {
        var words = stackalloc ushort[4] { Word(size.Rows), Word(size.Columns), Word(size.PixelWidth), Word(size.PixelHeight) };
        Native.Check(Native.Ioctl(master, Native.TIOCSWINSZ, words), "ioctl(TIOCSWINSZ)");

        static ushort Word(uint value) => (ushort)Math.Min(value, ushort.MaxValue);
    }
}

/// <summary>RFC 4254 section 8 (and RFC 8160 for IUTF8): opcodes onto Linux's termios.</summary>
internal static unsafe class TerminalModes
{
    private const int Input = 0, Output = 1, Control = 2, Local = 3;

    // Opcode 1 to 18 → index into c_cc; 255: Linux has none (VDSUSP, VFLUSH, VSTATUS).
    private static ReadOnlySpan<byte> Characters => [255, 0, 1, 2, 3, 4, 11, 16, 8, 9, 10, 255, 12, 14, 15, 255, 7, 255, 13];

    /// <summary>Changes termios' four flag words and its characters by the encoded modes.</summary>
    public static void Apply(ReadOnlySpan<byte> modes, uint* flags, byte* characters)
    {
        while (modes.Length >= 5)
        {
            var opcode = modes[0];
            var value = BinaryPrimitives.ReadUInt32BigEndian(modes[1..]);
            modes = modes[5..];
            if (opcode is 0 or >= 160)
            {
                return; // TTY_OP_END, or opcodes whose arguments' length nobody knows
            }

            if (opcode < Characters.Length)
            {
                if (Characters[opcode] != 255)
                {
                    characters[Characters[opcode]] = value >= 255 ? (byte)0 : (byte)value; // 255: disabled, _POSIX_VDISABLE
                }
            }
            else if (Flag(opcode) is var (word, bit) && bit != 0)
            {
                if (opcode is 90 or 91)
                {
                    // CS7 and CS8 are values of one field (CSIZE): only "on" says something.
                    flags[word] = value != 0 ? (flags[word] & ~0x30u) | bit : flags[word];
                }
                else
                {
                    flags[word] = value != 0 ? flags[word] | bit : flags[word] & ~bit;
                }
            }
        }
    }

    private static (int Word, uint Bit) Flag(byte opcode) => opcode switch
    {
        >= 30 and <= 42 => (Input, 4u << (opcode - 30)), // IGNPAR ... IUTF8 stand in the same order in termios
        50 => (Local, 1),
        51 => (Local, 2),
        52 => (Local, 4),
        53 => (Local, 8),
        54 => (Local, 0x10),
        55 => (Local, 0x20),
        56 => (Local, 0x40),
        57 => (Local, 0x80),
        58 => (Local, 0x100),
        59 => (Local, 0x8000),
        60 => (Local, 0x200),
        61 => (Local, 0x800),
        62 => (Local, 0x4000),
        >= 70 and <= 75 => (Output, 1u << (opcode - 70)), // OPOST ... ONLRET
        90 => (Control, 0x20),
        91 => (Control, 0x30),
        92 => (Control, 0x100),
        93 => (Control, 0x200),
        _ => (0, 0),
    };
}
