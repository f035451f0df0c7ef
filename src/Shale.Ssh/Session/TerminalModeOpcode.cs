namespace Shale.Ssh.Session;

/// <summary>The opcodes of encoded terminal modes (RFC 4254 section 8, RFC 8160); termios names, spelled as .NET spells names.</summary>
public enum TerminalModeOpcode : byte
{
    /// <summary>Interrupt character; 255 if none.</summary>
    VIntr = 1,

    /// <summary>The quit character.</summary>
    VQuit = 2,

    /// <summary>Erase the character to the left of the cursor.</summary>
    VErase = 3,

    /// <summary>Kill the current input line.</summary>
    VKill = 4,

    /// <summary>End-of-file character.</summary>
    VEof = 5,

    /// <summary>End-of-line character besides carriage return and line feed.</summary>
    VEol = 6,

    /// <summary>Additional end-of-line character.</summary>
    VEol2 = 7,

    /// <summary>Continues paused output.</summary>
    VStart = 8,

    /// <summary>Pauses output.</summary>
    VStop = 9,

    /// <summary>Suspends the current program.</summary>
    VSusp = 10,

    /// <summary>Another suspend character.</summary>
    VDsusp = 11,

    /// <summary>Reprints the current input line.</summary>
    VReprint = 12,

    /// <summary>Erases a word left of the cursor.</summary>
    VWErase = 13,

    /// <summary>Enter the next character typed literally.</summary>
    VLNext = 14,

    /// <summary>Character to flush output.</summary>
    VFlush = 15,

    /// <summary>Switch to a different shell layer.</summary>
    VSwtch = 16,

    /// <summary>Prints system status line.</summary>
    VStatus = 17,

    /// <summary>Toggles the flushing of terminal output.</summary>
    VDiscard = 18,

    /// <summary>The ignore parity flag.</summary>
    IgnPar = 30,

    /// <summary>Mark parity and framing errors.</summary>
    ParMrk = 31,

    /// <summary>Enable checking of parity errors.</summary>
    InPck = 32,

    /// <summary>Strip the eighth bit off characters.</summary>
    IStrip = 33,

    /// <summary>Map NL into CR on input.</summary>
    INlCr = 34,

    /// <summary>Ignore CR on input.</summary>
    IgnCr = 35,

    /// <summary>Map CR to NL on input.</summary>
    ICrNl = 36,

    /// <summary>Translate uppercase characters to lowercase.</summary>
    IUclc = 37,

    /// <summary>Enable output flow control.</summary>
    IXon = 38,

    /// <summary>Any character will restart after stop.</summary>
    IXany = 39,

    /// <summary>Enable input flow control.</summary>
    IXoff = 40,

    /// <summary>Ring bell on input queue full.</summary>
    IMaxBel = 41,

    /// <summary>Terminal input and output is assumed to be encoded in UTF-8 (RFC 8160).</summary>
    IUtf8 = 42,

    /// <summary>Enable signals INTR, QUIT and SUSP.</summary>
    ISig = 50,

    /// <summary>Canonicalize input lines.</summary>
    ICanon = 51,

    /// <summary>Enable input and output of uppercase characters by preceding them with a backslash.</summary>
    XCase = 52,

    /// <summary>Enable echoing.</summary>
    Echo = 53,

    /// <summary>Visually erase characters.</summary>
    EchoE = 54,

    /// <summary>Kill character discards current line.</summary>
    EchoK = 55,

    /// <summary>Echo NL even if echo is off.</summary>
    EchoNl = 56,

    /// <summary>Don't flush after interrupt.</summary>
    NoFlsh = 57,

    /// <summary>Stop background jobs from output.</summary>
    ToStop = 58,

    /// <summary>Enable extensions.</summary>
    IExten = 59,

    /// <summary>Echo control characters as ^(Char).</summary>
    EchoCtl = 60,

    /// <summary>Visual erase for line kill.</summary>
    EchoKe = 61,

    /// <summary>Retype pending input.</summary>
    PendIn = 62,

    /// <summary>Enable output processing.</summary>
    OPost = 70,

    /// <summary>Convert lowercase to uppercase.</summary>
    OLcUc = 71,

    /// <summary>Map NL to CR-NL.</summary>
    ONlCr = 72,

    /// <summary>Translate carriage return to newline (output).</summary>
    OCrNl = 73,

    /// <summary>Translate newline to carriage return-newline (output).</summary>
    ONoCr = 74,

    /// <summary>Newline performs a carriage return (output).</summary>
    ONlRet = 75,

    /// <summary>7 bit mode.</summary>
    Cs7 = 90,

    /// <summary>8 bit mode.</summary>
    Cs8 = 91,

    /// <summary>Parity enable.</summary>
    ParEnb = 92,

    /// <summary>Odd parity, else even.</summary>
    ParOdd = 93,

    /// <summary>The input baud rate in bits per second.</summary>
    InputSpeed = 128,

    /// <summary>The output baud rate in bits per second.</summary>
    OutputSpeed = 129,
}
