using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Shale.Agent.Tests.Support;

/// <summary>OpenSSH's own server on a port of its own.</summary>
internal sealed class RealSshd : IDisposable
{
    private readonly Process _process;

    private RealSshd(Process process, int port) => (_process, Port) = (process, port);

    public int Port { get; }

    public static async Task<RealSshd> StartAsync(string folder, string hostKey, string userKey)
    {
        int port = Ports.Free();
        string keys = Path.Combine(folder, "authorized-" + port), configuration = Path.Combine(folder, "sshd-" + port);
        File.Copy(userKey + ".pub", keys);
        File.SetUnixFileMode(keys, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await File.WriteAllTextAsync(configuration, $"""
            Port {port}
            ListenAddress 127.0.0.1
            HostKey {hostKey}
            AuthorizedKeysFile {keys}
            StrictModes no
            PidFile none
            UsePAM no
            PermitRootLogin yes
            AllowAgentForwarding yes
            """);
        Directory.CreateDirectory("/run/sshd");
        var process = Process.Start(new ProcessStartInfo("/usr/sbin/sshd") { ArgumentList = { "-D", "-e", "-f", configuration }, RedirectStandardError = true })!;
        await Wait.UntilAsync(() => Answers(port), "sshd");
        return new RealSshd(process, port);
    }

    public void Dispose()
    {
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }

    private static bool Answers(int port)
    {
        try
        {
            using var client = new TcpClient();
            client.Connect(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
