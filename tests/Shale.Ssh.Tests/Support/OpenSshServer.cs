using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Shale.Crypto;
using Shale.Ssh.Client;

namespace Shale.Ssh.Tests.Support;

/// <summary>OpenSSH's sshd on a port of the loopback interface, with a configuration of its own.</summary>
internal sealed class OpenSshServer : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("shale-sshd-").FullName;
    private readonly Ed25519PrivateKey _key = new(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));
    private readonly Process _process;
    private readonly int _port;

    public OpenSshServer()
    {
        _port = Ports.Free();
        Identity = ClientIdentity.FromEd25519(_key);
        var hostKey = Path.Combine(_folder, "host");
        OpenSshClient.RunProgram("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", hostKey);
        HostKeyFingerprint = OpenSshClient.FingerprintOf(hostKey + ".pub");
        File.WriteAllText(Path.Combine(_folder, "authorized_keys"), Identity.PublicKey + "\n");
        File.WriteAllText(Path.Combine(_folder, "config"), $"""
            Port {_port}
            ListenAddress 127.0.0.1
            HostKey {hostKey}
            AuthorizedKeysFile {_folder}/authorized_keys
            PidFile none
            StrictModes no
            UsePAM no
            Subsystem sftp internal-sftp
            """);

        // Where privileges are separated, sshd wants this folder.
        Directory.CreateDirectory("/run/sshd");
        _process = Process.Start(new ProcessStartInfo("/usr/sbin/sshd") { ArgumentList = { "-D", "-e", "-f", Path.Combine(_folder, "config") }, RedirectStandardError = true })!;
        _process.BeginErrorReadLine();
    }

    public ClientIdentity Identity { get; }

    public string HostKeyFingerprint { get; }

    public async Task<Socket> ConnectAsync()
    {
        for (var i = 0; ; i++)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, _port);
                return socket;
            }
            catch (SocketException) when (i < 1200)
            {
                socket.Dispose();
                await Task.Delay(100);
            }
        }
    }

    public void Dispose()
    {
        _process.Kill();
        _process.Dispose();
        _key.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
