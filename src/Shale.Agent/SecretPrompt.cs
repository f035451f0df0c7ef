using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Shale.Agent;

/// <summary>
/// Asks for a passphrase in the terminal. Echo is off from before the words are written until the line is read: Console.ReadKey
/// switches it for each key alone, and what is pasted or typed fast shows in between.
/// </summary>
public static partial class SecretPrompt
{
    private const int StandardInput = 0;
    private const int AfterOutputDropInput = 2; // TCSAFLUSH
    private const int LocalFlags = 12; // offset of c_lflag in Linux's struct termios
    private const byte Echo = 8;

    /// <summary>Linux's struct termios has 60 bytes with glibc and musl.</summary>
    private const int TermiosSize = 64;

    private const int MaxLine = 1024;

    /// <summary>Reads a line from the terminal at standard input.</summary>
    /// <param name="words">What is asked, on standard error.</param>
    /// <returns>The line without its end; for the caller to erase.</returns>
    /// <exception cref="AgentException">Standard input is no terminal.</exception>
    public static char[] Read(string words)
    {
        byte[] before = new byte[TermiosSize];
        if (GetAttributes(StandardInput, before) != 0)
        {
            throw new AgentException("Standard input is no terminal.");
        }

        byte[] quiet = (byte[])before.Clone();
        quiet[BitConverter.IsLittleEndian ? LocalFlags : LocalFlags + 3] &= unchecked((byte)~Echo);
        void Interrupted(object? sender, ConsoleCancelEventArgs e)
        {
            // The read below can't be cancelled: the process ends here, with the terminal as it was.
            _ = SetAttributes(StandardInput, AfterOutputDropInput, before);
            Console.Error.WriteLine();
            Environment.Exit(130);
        }

        byte[] line = new byte[MaxLine];
        Console.CancelKeyPress += Interrupted;
        try
        {
            _ = SetAttributes(StandardInput, AfterOutputDropInput, quiet);
            Console.Error.Write(words);

            // In line mode the terminal itself does erase and kill, and gives a line at once. Console's own stream would echo by hand.
            using var descriptor = new SafeFileHandle(StandardInput, ownsHandle: false);
            using var input = new FileStream(descriptor, FileAccess.Read, bufferSize: 0);
            int length = 0, count;
            while (length < line.Length && !line.AsSpan(0, length).Contains((byte)'\n') && (count = input.Read(line, length, line.Length - length)) > 0)
            {
                length += count;
            }

            Console.Error.WriteLine();
            ReadOnlySpan<byte> text = line.AsSpan(0, length);
            text = text.IndexOf((byte)'\n') is >= 0 and var end ? text[..end] : text;
            char[] secret = new char[Encoding.UTF8.GetCharCount(text)];
            Encoding.UTF8.GetChars(text, secret);
            return secret;
        }
        finally
        {
            Console.CancelKeyPress -= Interrupted;
            _ = SetAttributes(StandardInput, AfterOutputDropInput, before);
            CryptographicOperations.ZeroMemory(line);
        }
    }

    [LibraryImport("libc", EntryPoint = "tcgetattr", SetLastError = true)]
    private static partial int GetAttributes(int descriptor, [Out] byte[] attributes);

    [LibraryImport("libc", EntryPoint = "tcsetattr", SetLastError = true)]
    private static partial int SetAttributes(int descriptor, int when, byte[] attributes);
}
