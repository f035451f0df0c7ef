using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Shale.Ssh.Tests.Support;

/// <summary>What a program printed and how it ended.</summary>
internal sealed record ProgramResult(int ExitCode, byte[] Output, string Error)
{
    public string Text => Encoding.UTF8.GetString(Output);
}

/// <summary>The real OpenSSH client with a key and settings of its own, in a folder that goes with it.</summary>
internal sealed class OpenSshClient : IDisposable
{
    private readonly TestServer _server;

    public OpenSshClient(TestServer server, string keyType = "ed25519", bool allow = true, params string[] keygenArguments)
    {
        _server = server;
        Folder = Directory.CreateTempSubdirectory("shale-ssh-").FullName;
        KeyFile = Path.Combine(Folder, "id");
        RunProgram("ssh-keygen", ["-q", "-t", keyType, "-N", "", "-C", "test", "-f", KeyFile, .. keygenArguments]);
        Fingerprint = FingerprintOf(KeyFile + ".pub");
        if (allow)
        {
            server.Authenticator.Allow(Fingerprint);
        }
    }

    public string Folder { get; }

    public string KeyFile { get; }

    public string Fingerprint { get; }

    /// <summary>Options for ssh, scp and sftp that make them use this key, nothing of the user's, and never ask.</summary>
    public string[] Options =>
    [
        "-F", "none",
        "-o", "IdentitiesOnly=yes",
        "-o", $"IdentityFile={KeyFile}",
        "-o", "IdentityAgent=none",
        "-o", "StrictHostKeyChecking=no",
        "-o", $"UserKnownHostsFile={Path.Combine(Folder, "known_hosts")}",
        "-o", "GlobalKnownHostsFile=/dev/null",
        "-o", "BatchMode=yes",
        "-o", "LogLevel=ERROR",
        "-o", $"Port={_server.Port}",
    ];

    public static string FingerprintOf(string publicKeyFile) =>
        RunProgram("ssh-keygen", ["-l", "-E", "sha256", "-f", publicKeyFile]).Text.Split(' ')[1];

    public static ProgramResult RunProgram(string program, params string[] arguments)
    {
        var result = RunProgramAsync(program, arguments, null, TimeSpan.FromSeconds(120)).GetAwaiter().GetResult();
        return result.ExitCode == 0 ? result : throw new InvalidOperationException($"{program} ended with {result.ExitCode}: {result.Error}");
    }

    public static async Task<ProgramResult> RunProgramAsync(
        string program, string[] arguments, Stream? input, TimeSpan timeout, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var output = new MemoryStream();
        var reading = process.StandardOutput.BaseStream.CopyToAsync(output);
        var error = process.StandardError.ReadToEndAsync();
        var feeding = FeedAsync(process, input);
        using var limit = new CancellationTokenSource(timeout);
        try
        {
            await process.WaitForExitAsync(limit.Token);
            await Task.WhenAll(reading, error, feeding).WaitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} {string.Join(' ', arguments)} did not end; it wrote {output.Length} bytes and: {Tail(await error)}");
        }

        return new ProgramResult(process.ExitCode, output.ToArray(), await error);
    }

    private static string Tail(string text) => text.Length > 2000 ? text[^2000..] : text;

    /// <summary>Runs ssh to the server. Options given here go before the fixture's own.</summary>
    public Task<ProgramResult> SshAsync(string[] options, string[] command, Stream? input = null, int timeoutSeconds = 120) =>
        RunProgramAsync("ssh", [.. options, .. Options, "user@127.0.0.1", .. command], input, TimeSpan.FromSeconds(timeoutSeconds));

    /// <summary>Starts ssh and leaves it running.</summary>
    public Process Start(string[] options, string[] command)
    {
        var start = new ProcessStartInfo("ssh") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])[.. options, .. Options, "user@127.0.0.1", .. command])
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start)!;
    }

    /// <summary>Waits until somebody accepts connections on a Unix socket: its file is there a moment before that.</summary>
    public static async Task WaitForSocketAsync(string path)
    {
        for (var start = Stopwatch.GetTimestamp(); ;)
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
                return;
            }
            catch (SocketException) when (Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(120))
            {
                await Task.Delay(50);
            }
        }
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    private static async Task FeedAsync(Process process, Stream? input)
    {
        try
        {
            if (input is not null)
            {
                await input.CopyToAsync(process.StandardInput.BaseStream);
            }

            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading everything.
        }
    }
}
