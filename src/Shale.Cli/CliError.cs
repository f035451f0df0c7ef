namespace Shale.Cli;

/// <summary>What a command says when it can't do its work: one sentence, what to do next, and the exit code (sysexits.h).</summary>
internal sealed class CliError(string message, string? hint = null, int exitCode = ExitCodes.Failure) : Exception(message)
{
    public string? Hint { get; } = hint;

    public int ExitCode { get; } = exitCode;
}

/// <summary>Exit codes, as sysexits.h has them; <see cref="Failure"/> for a finding or a refusal.</summary>
internal static class ExitCodes
{
    public const int Success = 0;
    public const int Failure = 1;
    public const int Usage = 64;
    public const int NoInput = 66;
    public const int Unavailable = 69;
    public const int Software = 70;
    public const int IoError = 74;
    public const int TemporaryFailure = 75;
    public const int NoPermission = 77;
    public const int Configuration = 78;
    public const int Interrupted = 130;
}
