using System.Diagnostics;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>The user's own ssh-agent in the container: only where provider and user both want it, and only to sign.</summary>
public sealed class AgentForwardingTests : IAsyncLifetime
{
    /// <summary>Asks the agent for its identities and prints their keys in base64 (draft-miller-ssh-agent, section 4.4).</summary>
    internal const string ListIdentities = "python3 -c '" + Ask + """
        a=ask(b"\x0b"); n=int.from_bytes(a[1:5],"big"); a=a[5:]
        for i in range(n):
          l=int.from_bytes(a[:4],"big"); print(base64.b64encode(a[4:4+l]).decode()); a=a[4+l:]; l=int.from_bytes(a[:4],"big"); a=a[4+l:]
        '
        """;

    private const string Ask = """
        import os,socket,base64
        s=socket.socket(socket.AF_UNIX); s.connect(os.environ["SSH_AUTH_SOCK"])
        def read(n):
          b=b""
          while len(b)<n:
            d=s.recv(n-len(b))
            if not d: raise SystemExit("closed")
            b+=d
          return b
        def ask(m):
          s.sendall(len(m).to_bytes(4,"big")+m)
          return read(int.from_bytes(read(4),"big"))
        def st(b): return len(b).to_bytes(4,"big")+b

        """;

    private GatewayProcess _gateway = null!;
    private Process _agent = null!;
    private ulong _allowed;
    private ulong _plain;

    private Dictionary<string, string> Environment => new() { ["SSH_AUTH_SOCK"] = Path.Combine(_gateway.Folder, "agent") };

    public async Task InitializeAsync()
    {
        _gateway = await GatewayProcess.StartAsync();
        _agent = Process.Start(new ProcessStartInfo("ssh-agent", ["-D", "-a", Path.Combine(_gateway.Folder, "agent")]) { RedirectStandardOutput = true })!;

        // Its socket is there before it listens: until ssh-add reaches it (2: it does not).
        var added = await Cli.RunAsync("bash", ["-c", $"for i in $(seq 600); do ssh-add -l >/dev/null 2>&1; [ $? -ne 2 ] && break; sleep 0.1; done; ssh-add -q {_gateway.Folder}/id"], environment: Environment);
        Assert.True(added.ExitCode == 0, added.Error);
        _allowed = await _gateway.LeaseAsync("--image=shale/debian:12", "--allow_agent_forwarding");
        _plain = await _gateway.LeaseAsync("--image=shale/debian:12");
    }

    public async Task DisposeAsync()
    {
        _agent.Kill();
        _agent.Dispose();
        await _gateway.DisposeAsync();
    }

    [Fact]
    public async Task Agent_NotWantedByBoth_IsNotThere()
    {
        Assert.Equal("[]\n", (await SshAsync(_allowed, "-a", "echo \"[$SSH_AUTH_SOCK]\"")).Output);
        Assert.Equal("[]\n", (await SshAsync(_plain, "-A", "echo \"[$SSH_AUTH_SOCK]\"")).Output);
    }

    [Fact]
    public async Task Agent_WantedByBoth_ListsAndSignsAndIsGoneWithItsSession()
    {
        var key = (await File.ReadAllTextAsync(Path.Combine(_gateway.Folder, "id.pub"))).Split(' ')[1];
        var listed = await SshAsync(_allowed, "-A", ListIdentities);
        Assert.True(listed.Output.Trim() == key, listed.Output + listed.Error);
        var signed = await SshAsync(_allowed, "-A", $"stat -c '%a %U' $SSH_AUTH_SOCK; echo $SSH_AUTH_SOCK; python3 -c '{Ask}k=base64.b64decode(\"{key}\")\nfor i in range(20): a=ask(b\"\\x0d\"+st(k)+st(b\"data\")+bytes(4))\nprint(a[0], len(a))'");
        var lines = signed.Output.Split('\n');
        Assert.True(lines.Length > 2, signed.Error);
        Assert.Equal("600 root", lines[0]);
        // SSH_AGENT_SIGN_RESPONSE with a signature blob of Ed25519: 4 + 4 + 11 + 4 + 64 bytes.
        Assert.Equal("14 88", lines[2]);
        Assert.Equal("", (await SshAsync(_allowed, "-a", "ls -d /tmp/ssh-* 2>/dev/null")).Output);
    }

    [Fact]
    public async Task Agent_AskedForMoreThanSignatures_Refuses()
    {
        // Add, remove all, lock, an unknown extension, payment's extension; then it still answers.
        var outcome = await SshAsync(
            _allowed,
            "-A",
            "python3 -c '" + Ask + "print(*[ask(m)[0] for m in (b\"\\x11\"+st(b\"ssh-ed25519\"), b\"\\x13\", b\"\\x16\"+st(b\"x\"), b\"\\x1b\"+st(b\"a@b\"), b\"\\x1b\"+st(b\"pay@shaleprotocol.com\")+b\"\\x01\", b\"\", b\"\\x0b\")])'");
        Assert.True(outcome.Output == "5 5 5 5 5 5 12\n", outcome.Output + outcome.Error);
        Assert.Contains("ED25519", (await Cli.RunAsync("ssh-add", ["-l"], environment: Environment)).Output, StringComparison.Ordinal);
    }

    private Task<Outcome> SshAsync(ulong lease, string option, string command) =>
        Cli.RunAsync("ssh", [.. _gateway.SshOptions(), option, $"{lease}@127.0.0.1", command], environment: Environment);
}
