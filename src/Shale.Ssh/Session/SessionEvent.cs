namespace Shale.Ssh.Session;

/// <summary>Something that the client tells a running session.</summary>
public abstract record SessionEvent;

/// <summary>The client's terminal has another size (RFC 4254 section 6.7).</summary>
/// <param name="Size">The new size.</param>
public sealed record WindowChanged(TerminalSize Size) : SessionEvent;

/// <summary>The client sends a signal to the process (RFC 4254 section 6.9).</summary>
/// <param name="Name">Its name without "SIG": one of RFC 4254 section 6.10's, or a local one; letters, digits and '@', '.', '-', '_' only, at most 64.</param>
public sealed record SignalReceived(string Name) : SessionEvent;

/// <summary>The client sends a break (RFC 4335).</summary>
/// <param name="Length">How long; already brought into the 0.5 to 3 seconds that the RFC allows, and 0.5 where the client left it open.</param>
public sealed record BreakReceived(TimeSpan Length) : SessionEvent;
