using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Shale.Payments.Tests.Support;

/// <summary>A real sshd on a port of its own, with its keys in a folder of its own, for one test.</summary>
internal sealed class SshdFixture : IAsyncDisposable
{
    private readonly Process _process;
    private readonly int _port;

    private SshdFixture(string folder, Process process, int port)
    {
        Folder = folder;
        _process = process;
        _port = port;
    }

    /// <summary>Holds the sockets too; short, as a socket's path has at most 107 bytes.</summary>
    public string Folder { get; }

    public byte[] HostKeyBlob => Convert.FromBase64String(File.ReadAllText(Path.Combine(Folder, "host.pub")).Split(' ')[1]);

    public static async Task<SshdFixture> StartAsync(Func<string, string> configuration)
    {
        string folder = Directory.CreateTempSubdirectory("sshd").FullName;
        if (Environment.IsPrivilegedProcess)
        {
            Directory.CreateDirectory("/run/sshd");
        }

        await RunAsync("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", Path.Combine(folder, "host"));
        await RunAsync("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", Path.Combine(folder, "user"));
        int port = Ports.Free();
        string config = Path.Combine(folder, "sshd_config");
        File.WriteAllText(config, string.Create(CultureInfo.InvariantCulture, $"""
            ListenAddress 127.0.0.1
            Port {port}
            HostKey {folder}/host
            AuthorizedKeysFile {folder}/user.pub
            StrictModes no
            UsePAM no
            PermitRootLogin yes
            PidFile none
            {configuration(folder)}

            """));
        var process = Process.Start(new ProcessStartInfo("/usr/sbin/sshd", ["-D", "-e", "-f", config]) { RedirectStandardError = true })
            ?? throw new InvalidOperationException("sshd did not start.");
        Task<string> log = process.StandardError.ReadToEndAsync();
        for (int i = 0; i < 1200; i++)
        {
            if (process.HasExited)
            {
                throw new InvalidOperationException("sshd ended: " + await log);
            }

            try
            {
                using var probe = new TcpClient();
                await probe.ConnectAsync(IPAddress.Loopback, port);
                return new SshdFixture(folder, process, port);
            }
            catch (SocketException)
            {
                await Task.Delay(100);
            }
        }

        throw new TimeoutException("sshd does not listen.");
    }

    /// <summary>Stock ssh with nothing of the user's configuration.</summary>
    public Process Ssh(IEnumerable<string> options, params string[] command)
    {
        var start = new ProcessStartInfo("ssh") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        string[] arguments =
        [
            "-F", "none", "-p", _port.ToString(CultureInfo.InvariantCulture), "-i", Path.Combine(Folder, "user"), "-o", "IdentitiesOnly=yes",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
            .. options, "127.0.0.1", .. command,
        ];
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment.Remove("SSH_AUTH_SOCK");
        return Process.Start(start) ?? throw new InvalidOperationException("ssh did not start.");
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using Process process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} ended with {process.ExitCode}.");
        }
    }
}
