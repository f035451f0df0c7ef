namespace Shale.Ssh.Session;

/// <summary>A terminal's size. 0 means that the client did not say; values are at most 65,535, as the kernel's winsize holds them.</summary>
/// <param name="Columns">Width in characters.</param>
/// <param name="Rows">Height in characters.</param>
/// <param name="PixelWidth">Width in pixels.</param>
/// <param name="PixelHeight">Height in pixels.</param>
public readonly record struct TerminalSize(int Columns, int Rows, int PixelWidth, int PixelHeight);

/// <summary>A terminal as asked for by pty-req (RFC 4254 section 6.2).</summary>
/// <param name="TerminalType">The value for TERM: printable ASCII, at most 64 characters, may be empty.</param>
/// <param name="Size">The size.</param>
/// <param name="Modes">The modes, in the order they came, each opcode once.</param>
public sealed record PseudoTerminal(string TerminalType, TerminalSize Size, IReadOnlyList<TerminalMode> Modes);

/// <summary>One mode of a terminal.</summary>
/// <param name="Opcode">Which one (RFC 4254 section 8).</param>
/// <param name="Value">Its value: a character for VINTR and the like, 0 or 1 for flags, bits per second for speeds.</param>
public readonly record struct TerminalMode(TerminalModeOpcode Opcode, uint Value);
