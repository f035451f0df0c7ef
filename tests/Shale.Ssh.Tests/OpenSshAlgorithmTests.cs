using Shale.Ssh.Ciphers;
using Shale.Ssh.KeyExchange;
using Shale.Ssh.Tests.Support;
using Xunit;

namespace Shale.Ssh.Tests;

/// <summary>Every algorithm against OpenSSH's own client, which knows what it should come to.</summary>
public sealed class OpenSshAlgorithmTests
{
    /// <summary>What OpenSSH 9.2 does not have; these are run against our own client only, and against newer ones where the machine has one.</summary>
    private static readonly string[] NotIn92 = ["mlkem768x25519-sha256", "sntrup761x25519-sha512"];

    [Fact]
    public async Task Connection_WithEachKexCipherAndMac_CarriesACommand()
    {
        await using var server = await TestServer.StartAsync(o => o.MaxStartups = new(100, 100, 100));
        using var client = new OpenSshClient(server);
        var offered = OpenSshClient.RunProgram("ssh", "-Q", "kex").Text.Split('\n');
        var kexes = KeyAgreement.Names.Where(offered.Contains).ToArray();
        Assert.Equal(KeyAgreement.Names.Except(NotIn92), kexes.Except(NotIn92));
        var combinations =
            from kex in kexes
            from cipher in CipherSuite.CipherNames
            from mac in CipherSuite.IsAead(cipher) ? ["hmac-sha2-256"] : CipherSuite.MacNames
            select (kex, cipher, mac);
        var failures = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await Parallel.ForEachAsync(combinations, new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (c, _) =>
        {
            var result = await client.SshAsync(
                ["-o", $"KexAlgorithms={c.kex}", "-o", $"Ciphers={c.cipher}", "-o", $"MACs={c.mac}"],
                ["shale-zeros 100000"]);
            if (result.ExitCode != 0 || result.Output.Length != 100_000 || result.Output.AsSpan().ContainsAnyExcept((byte)0))
            {
                failures.Enqueue($"{c}: {result.ExitCode} {result.Output.Length} {result.Error}");
            }
        });
        Assert.Empty(failures);
    }

    [Fact]
    public async Task Client_WithDefaults_AgreesOnAPostQuantumExchange()
    {
        await using var server = await TestServer.StartAsync();
        using var client = new OpenSshClient(server);
        var result = await client.SshAsync(["-v", "-o", "LogLevel=DEBUG1"], ["true"]);
        Assert.Contains("kex: algorithm: sntrup761x25519-sha512", result.Error, StringComparison.Ordinal);
        Assert.Contains("SSH2_MSG_EXT_INFO received", result.Error, StringComparison.Ordinal);
        Assert.Contains("server-sig-algs=<ssh-ed25519,", result.Error, StringComparison.Ordinal);
        Assert.Equal(0, result.ExitCode);
    }

    [Theory]
    [InlineData("ssh-ed25519")]
    [InlineData("ecdsa-sha2-nistp256")]
    [InlineData("rsa-sha2-512")]
    [InlineData("rsa-sha2-256")]
    public async Task HostKey_OfEachAlgorithm_IsProved(string algorithm)
    {
        await using var server = await TestServer.StartAsync();
        using var client = new OpenSshClient(server);
        var result = await client.SshAsync(["-v", "-o", $"HostKeyAlgorithms={algorithm}"], ["true"]);
        Assert.Equal(0, result.ExitCode);
        Assert.Contains($"kex: host key algorithm: {algorithm}\r", result.Error.Replace("\n", "\r\n", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public async Task HostKeys_NewToTheClient_AreAnnouncedAndProved()
    {
        await using var server = await TestServer.StartAsync();
        using var client = new OpenSshClient(server);
        foreach (var algorithm in (string[])["ssh-ed25519", "rsa-sha2-256"])
        {
            // Only a key that it knows lets a client learn others, so the first connection learns that one.
            var file = Path.Combine(client.Folder, "known-" + algorithm);
            string[] options = ["-o", $"HostKeyAlgorithms={algorithm},ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512", "-o", "UpdateHostKeys=yes", "-o", $"UserKnownHostsFile={file}", "-v"];
            await client.SshAsync(options, ["true"]);

            // The server proves the others while the session runs, and ssh writes them down then.
            var result = await client.SshAsync(options, [$"for i in $(seq 1000); do [ $(wc -l < {file}) -ge 3 ] && break; sleep 0.1; done"]);
            Assert.True(result.ExitCode == 0, result.Error);
            var known = (await File.ReadAllLinesAsync(file)).Select(l => l.Split(' ')[1]).Order();
            Assert.True(known.SequenceEqual(["ecdsa-sha2-nistp256", "ssh-ed25519", "ssh-rsa"]), result.Error);
        }
    }

    [Theory]
    [InlineData("KexAlgorithms=diffie-hellman-group-exchange-sha256")]
    [InlineData("Ciphers=aes128-cbc")]
    [InlineData("MACs=hmac-sha1", "Ciphers=aes128-ctr")]
    [InlineData("HostKeyAlgorithms=ecdsa-sha2-nistp521")]
    public async Task Client_WithNothingInCommon_IsToldSo(params string[] options)
    {
        await using var server = await TestServer.StartAsync();
        using var client = new OpenSshClient(server);
        var result = await client.SshAsync([.. options.SelectMany(o => (string[])["-o", o]), "-o", "LogLevel=INFO"], ["true"]);
        Assert.Equal(255, result.ExitCode);
        Assert.Contains("no matching", result.Error, StringComparison.Ordinal);
    }
}
