using System.Diagnostics;

namespace Shale.Agent.Tests.Support;

/// <summary>Runs OpenSSH's programs. A missing one is a failure.</summary>
internal static class Tool
{
    public static async Task<(int ExitCode, string Output, string Error)> RunAsync(
        string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null, double seconds = 120)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach ((string name, string? value) in environment ?? new Dictionary<string, string?>())
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} {string.Join(' ', arguments)} did not end in {seconds} s: {await error}");
        }

        return (process.ExitCode, await output, await error);
    }

    /// <summary>A key made by ssh-keygen.</summary>
    public static async Task<string> KeyAsync(string folder, string name, string type = "ed25519")
    {
        string path = Path.Combine(folder, name);
        var made = await RunAsync("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", name, "-f", path]);
        return made.ExitCode == 0 ? path : throw new InvalidOperationException(made.Error);
    }
}
