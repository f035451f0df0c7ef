using System.Diagnostics.CodeAnalysis;
using Shale.Wire;

namespace Shale.Ssh.Session;

/// <summary>The fields of the channel requests of sessions (RFC 4254 section 6, RFC 4335), each read with its bounds and to its end.</summary>
internal static class SessionRequests
{
    public const string PtyReq = "pty-req";
    public const string Env = "env";
    public const string Shell = "shell";
    public const string Exec = "exec";
    public const string Subsystem = "subsystem";
    public const string WindowChange = "window-change";
    public const string Signal = "signal";
    public const string Break = "break";
    public const string ExitStatus = "exit-status";
    public const string ExitSignal = "exit-signal";
    public const string AuthAgentReq = "auth-agent-req@openssh.com";
    public const string EndOfWrite = "eow@openssh.com";

    private const int MaxEnvironmentName = 256;
    private const int MaxEnvironmentValue = 32 * 1024;

    /// <summary>pty-req: string TERM, uint32 columns, uint32 rows, uint32 pixel width, uint32 pixel height, string encoded modes.</summary>
    public static bool TryReadPty(ReadOnlySpan<byte> fields, [NotNullWhen(true)] out PseudoTerminal? terminal)
    {
        terminal = null;
        var reader = new WireReader(fields);
        if (!reader.TryReadAscii(64, out var type) || !TryReadSize(ref reader, out var size)
            || !reader.TryReadString(4096, out var encoded) || !reader.IsAtEnd)
        {
            return false;
        }

        terminal = new PseudoTerminal(type, size, ReadModes(encoded));
        return true;
    }

    /// <summary>window-change: the four sizes of pty-req.</summary>
    public static bool TryReadWindowChange(ReadOnlySpan<byte> fields, out TerminalSize size)
    {
        var reader = new WireReader(fields);
        return TryReadSize(ref reader, out size) && reader.IsAtEnd;
    }

    /// <summary>env: string name, string value. Neither may hold NUL, and a name no '=': they could not be given to a process as what they are.</summary>
    public static bool TryReadEnvironment(ReadOnlySpan<byte> fields, [NotNullWhen(true)] out string? name, [NotNullWhen(true)] out string? value)
    {
        value = null;
        var reader = new WireReader(fields);
        return reader.TryReadUtf8(MaxEnvironmentName, out name)
            && reader.TryReadUtf8(MaxEnvironmentValue, out value)
            && reader.IsAtEnd
            && name.Length > 0 && !name.AsSpan().ContainsAny('\0', '=') && !value.Contains('\0');
    }

    /// <summary>exec: string command, without NUL.</summary>
    public static bool TryReadExec(ReadOnlySpan<byte> fields, out byte[] command)
    {
        var reader = new WireReader(fields);
        var read = reader.TryReadString(256 * 1024, out var bytes) && reader.IsAtEnd && !bytes.Contains((byte)0);
        command = read ? bytes.ToArray() : [];
        return read;
    }

    /// <summary>subsystem: string name.</summary>
    public static bool TryReadSubsystem(ReadOnlySpan<byte> fields, [NotNullWhen(true)] out string? name)
    {
        var reader = new WireReader(fields);
        return reader.TryReadAscii(256, out name) && reader.IsAtEnd && name.Length > 0;
    }

    /// <summary>signal: string name without "SIG".</summary>
    public static bool TryReadSignal(ReadOnlySpan<byte> fields, [NotNullWhen(true)] out string? name)
    {
        var reader = new WireReader(fields);
        return reader.TryReadAscii(64, out name) && reader.IsAtEnd && name.Length > 0
            && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '@' or '.' or '-' or '_');
    }

    /// <summary>break: uint32 length in milliseconds; 0 for the default. RFC 4335 section 3 brings it into 500 to 3,000 ms.</summary>
    public static bool TryReadBreak(ReadOnlySpan<byte> fields, out TimeSpan length)
    {
        var reader = new WireReader(fields);
        var read = reader.TryReadUInt32(out var milliseconds) && reader.IsAtEnd;
        length = TimeSpan.FromMilliseconds(Math.Clamp(milliseconds, 500, 3000));
        return read;
    }

    /// <summary>Reads encoded terminal modes (RFC 4254 section 8): opcodes 1 to 159 with a uint32 each, until 0 or an opcode above.</summary>
    internal static List<TerminalMode> ReadModes(ReadOnlySpan<byte> encoded)
    {
        var modes = new List<TerminalMode>();
        Span<bool> seen = stackalloc bool[160];
        var reader = new WireReader(encoded);
        while (reader.TryReadByte(out var opcode) && opcode is >= 1 and < 160 && reader.TryReadUInt32(out var value))
        {
            if (!seen[opcode])
            {
                seen[opcode] = true;
                modes.Add(new TerminalMode((TerminalModeOpcode)opcode, value));
            }
        }

        return modes;
    }

    private static bool TryReadSize(ref WireReader reader, out TerminalSize size)
    {
        var read = reader.TryReadUInt32(out var columns) & reader.TryReadUInt32(out var rows)
            & reader.TryReadUInt32(out var width) & reader.TryReadUInt32(out var height);
        size = new TerminalSize(Clamp(columns), Clamp(rows), Clamp(width), Clamp(height));
        return read;
    }

    private static int Clamp(uint value) => (int)Math.Min(value, ushort.MaxValue);
}
