using Shale.Agent.Control;
using Shale.Agent.Files;
using Shale.Agent.Tests.Support;

namespace Shale.Agent.Tests;

public sealed class AgentFilesTests
{
    private const string HostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    [Theory]
    [InlineData("sp.example\n  ProxyCommand touch /tmp/x")]
    [InlineData("-oProxyCommand=x")]
    [InlineData("sp example")]
    [InlineData("\"sp\"")]
    [InlineData("%h")]
    [InlineData("$HOME")]
    [InlineData("fe80::1%eth0")]
    [InlineData("")]
    public void Lease_WithAHostThatAnSshConfigurationReadsOtherwise_IsRefused(string host) =>
        Assert.NotNull(Lease() is var lease ? (lease with { Host = host }).Problem() : null);

    [Theory]
    [InlineData("f0 1")]
    [InlineData("f01\n*")]
    [InlineData("*")]
    [InlineData("f01,other")]
    public void Lease_WithAProviderThatIsNoMinerId_IsRefused(string provider) => Assert.NotNull((Lease() with { Provider = provider }).Problem());

    [Theory]
    [InlineData("ssh-ed25519")]
    [InlineData("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl")]
    [InlineData("ssh-ed25519 AAAA")]
    [InlineData("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl x\n@cert-authority * ssh-ed25519 AAAA")]
    public void Lease_WithAHostKeyThatIsNone_IsRefused(string key) => Assert.NotNull((Lease() with { HostKeys = [key] }).Problem());

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("2001:db8::1")]
    [InlineData("sp-1.example.org")]
    public void Lease_WithANameOrAddress_IsGood(string host) => Assert.Null((Lease() with { Host = host }).Problem());

    [Theory]
    [InlineData("\"version\":2,")]
    [InlineData("\"version\":1,\"hosts\":\"x\",")]
    [InlineData("\"version\":1,\"port\":70000,")]
    public void LeaseFile_OfAnotherVersionOrWithAnUnknownName_IsRefused(string start) => Assert.False(LeaseFile.TryParse(
        System.Text.Encoding.UTF8.GetBytes($$"""{{{start}}"id":42,"host":"sp.example","host_keys":["{{HostKey}}"]}"""), out _, out _));

    [Theory]
    [InlineData("/tmp/with\"quote")]
    [InlineData("/tmp/with%percent")]
    [InlineData("/tmp/with$dollar")]
    [InlineData("/tmp/with\nline")]
    public void Folder_ThatAnSshConfigurationReadsOtherwise_IsRefused(string path) => Assert.Throws<AgentException>(() => new AgentFolder(path));

    [Fact]
    public async Task Folder_TooDeepForSockets_IsSaidSo()
    {
        string deep = Path.Combine(Path.GetTempPath(), "sd" + new string('x', 100));
        try
        {
            using var key = Bn254.BabyJubjub.EdDsaPrivateKey.Generate();
            var problem = await Assert.ThrowsAsync<AgentException>(() => PaymentAgent.StartAsync(new PaymentAgentOptions { Folder = new AgentFolder(deep), Key = key }, CancellationToken.None));
            Assert.Contains("--agent_dir", problem.Hint);
        }
        finally
        {
            Directory.Delete(deep, recursive: true);
        }
    }

    [Fact]
    public async Task Agent_BesideAnotherOnItsFolder_DoesNotStart()
    {
        await using var agent = new TestAgent();
        await agent.StartAsync();
        using var key = Bn254.BabyJubjub.EdDsaPrivateKey.Generate();
        await Assert.ThrowsAsync<AgentException>(() => PaymentAgent.StartAsync(new PaymentAgentOptions { Folder = agent.Folder, Key = key }, CancellationToken.None));

        // The first one is unharmed.
        Assert.NotNull(await new AgentClient(agent.Folder).StatusAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Agent_AfterQuit_LeavesNoSocket()
    {
        await using var agent = new TestAgent();
        await agent.StartAsync();
        Assert.True(await new AgentClient(agent.Folder).QuitAsync(CancellationToken.None));
        await agent.Agent.Quit.WaitAsync(TimeSpan.FromSeconds(120));
        await agent.StopAsync();
        Assert.Empty(Directory.GetFiles(agent.Folder.Root, "*.sock", SearchOption.AllDirectories));
        Assert.False(await new AgentClient(agent.Folder).ReloadAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Policy_ChangedByManyCommandsAtOnce_LosesNone()
    {
        await using var agent = new TestAgent();
        await Task.WhenAll(Enumerable.Range(1, 20).Select(i => Task.Run(() =>
            PolicyFile.UpdateAsync(agent.Folder, p => p with { Stopped = p.Stopped.Add((ulong)i) }, CancellationToken.None))));
        Assert.Equal(20, PolicyFile.Load(agent.Folder).Stopped.Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(604_801)]
    public async Task Policy_WithATimeAheadOutOfItsRange_IsRefused(int seconds)
    {
        await using var agent = new TestAgent();
        await Assert.ThrowsAsync<AgentException>(() => PolicyFile.UpdateAsync(agent.Folder, p => p with { PrepaySeconds = seconds }, CancellationToken.None));
        Assert.False(File.Exists(agent.Folder.PolicyFile));
    }

    [Fact]
    public async Task Configuration_OfAUserWhoHadNone_IsMadeOrItsLinkFollowed()
    {
        await using var agent = new TestAgent();
        agent.Folder.Create();
        string user = Path.Combine(agent.Directory, ".ssh", "config");
        Assert.True(SshConfiguration.Include(agent.Folder, user));
        Assert.Contains("Include ", await File.ReadAllTextAsync(user));

        string link = Path.Combine(agent.Directory, "linked"), target = Path.Combine(agent.Directory, "target");
        await File.WriteAllTextAsync(target, "Host *\n");
        File.CreateSymbolicLink(link, target);
        Assert.True(SshConfiguration.Include(agent.Folder, link));
        Assert.Equal(target, new FileInfo(link).LinkTarget);
        Assert.Contains("Include ", await File.ReadAllTextAsync(target));
    }

    /// <summary>What the configuration means is what OpenSSH says it means.</summary>
    [Fact]
    public async Task Configuration_ReadByOpenSsh_SaysWhatTheProtocolDocumentSays()
    {
        await using var agent = new TestAgent();
        agent.Folder.Create();
        LeaseFile lease = Lease() with { Port = 2222, Payment = null };
        SshConfiguration.Write(agent.Folder, [lease]);
        string user = Path.Combine(agent.Directory, "config");
        await File.WriteAllTextAsync(user, "Host *\n  StrictHostKeyChecking no\n  User somebody\n  UserKnownHostsFile /dev/null\n");
        Assert.True(SshConfiguration.Include(agent.Folder, user));
        Assert.False(SshConfiguration.Include(agent.Folder, user));
        foreach (string file in new[] { user, agent.Folder.SshConfig })
        {
            var meant = await Tool.RunAsync("ssh", ["-F", file, "-G", "lease-42"]);
            Assert.True(meant.ExitCode == 0, meant.Error);
            string[] lines = meant.Output.Split('\n');
            foreach (string expected in new[]
            {
                "hostname sp.example", "port 2222", "user 42", "hostkeyalias shale-f01946720",
                "userknownhostsfile " + agent.Folder.KnownHosts, "globalknownhostsfile /dev/null", "stricthostkeychecking true", "updatehostkeys false", "forwardagent no",
            })
            {
                Assert.Contains(expected, lines);
            }
        }

        SshConfiguration.Write(agent.Folder, [lease with { Payment = Price() }]);
        string[] paid = (await Tool.RunAsync("ssh", ["-F", user, "-G", "lease-42"])).Output.Split('\n');
        Assert.Contains("forwardagent " + agent.Folder.PaySocket(42), paid);
        Assert.Contains("identityagent " + agent.Folder.IdentitySocket, paid);

        // Other hosts are the user's own affair.
        Assert.Contains("user somebody", (await Tool.RunAsync("ssh", ["-F", user, "-G", "elsewhere"])).Output.Split('\n'));
        Assert.Equal($"shale-f01946720 {HostKey}\n", await File.ReadAllTextAsync(agent.Folder.KnownHosts));
    }

    private static LeaseFile Lease() => new() { Id = 42, Host = "sp.example", Provider = "f01946720", HostKeys = [HostKey + " a comment"], Payment = Price() };

    private static LeasePrice Price() => new()
    {
        ChainId = 314,
        Contract = "0x" + new string('1', 40),
        PayerKey = new string('2', 64),
        PricePerSecond = "1",
        Deposit = "100",
    };
}
