using System.Buffers.Binary;
using Shale.Containers.Exec;
using Shale.Ssh.Session;

namespace Shale.Gateway.Sessions;

/// <summary>A terminal as SSH has it, into one as the container has it.</summary>
internal static class Terminals
{
    // What a program is told when the client's terminal has no size, so that nothing divides by zero.
    private const int DefaultColumns = 80;
    private const int DefaultRows = 24;

    public static Containers.Exec.TerminalSize Size(Ssh.Session.TerminalSize size) => new(
        (uint)(size.Columns == 0 ? DefaultColumns : size.Columns),
        (uint)(size.Rows == 0 ? DefaultRows : size.Rows),
        (uint)size.PixelWidth,
        (uint)size.PixelHeight);

    public static TerminalRequest Request(PseudoTerminal terminal)
    {
        var modes = new byte[(terminal.Modes.Count * 5) + 1];
        for (var i = 0; i < terminal.Modes.Count; i++)
        {
            modes[i * 5] = (byte)terminal.Modes[i].Opcode;
            BinaryPrimitives.WriteUInt32BigEndian(modes.AsSpan((i * 5) + 1), terminal.Modes[i].Value);
        }

        return new TerminalRequest { Size = Size(terminal.Size), Modes = modes };
    }
}
