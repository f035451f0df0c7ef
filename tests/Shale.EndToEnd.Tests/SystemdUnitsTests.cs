using Shale.EndToEnd.Tests.Worlds;
using Xunit;

namespace Shale.EndToEnd.Tests;

/// <summary>The units in docs/examples/systemd, as systemd reads them.</summary>
public sealed class SystemdUnitsTests : IDisposable
{
    private static readonly string Root = Programs.Root;

    private readonly string _folder = Directory.CreateTempSubdirectory("shale-units-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Every directive is known and has a value that can be; the program is where this build has it.</summary>
    [Fact]
    public async Task Units_VerifiedBySystemd_HaveNoFault()
    {
        var units = Directory.GetFiles(Path.Combine(Root, "docs/examples/systemd"), "*.service");
        Assert.Equal(3, units.Length);
        foreach (var unit in units)
        {
            await File.WriteAllTextAsync(Path.Combine(_folder, Path.GetFileName(unit)), (await File.ReadAllTextAsync(unit)).Replace("/usr/local/bin/shale", Path.Combine(Root, "shale"), StringComparison.Ordinal));
        }

        var (code, output) = await RunAsync("systemd-analyze", ["verify", "--man=no", .. Directory.GetFiles(_folder)]);

        // Of units that are not ours (docker.service may be missing here) it may say what it likes.
        Assert.DoesNotContain(output.Split('\n'), l => l.Contains("shale", StringComparison.Ordinal));
        Assert.True(code == 0, output);
    }

    /// <summary>A directive that systemd does not know is noticed: the test above would see one of ours.</summary>
    [Fact]
    public async Task Units_WithAnUnknownDirective_AreNoticed()
    {
        var unit = Path.Combine(_folder, "shale-wrong.service");
        await File.WriteAllTextAsync(unit, "[Service]\nExecStart=/bin/true\nNoSuchThing=yes\n");
        var (_, output) = await RunAsync("systemd-analyze", ["verify", "--man=no", unit]);
        Assert.Contains("NoSuchThing", output, StringComparison.Ordinal);
    }

    /// <summary>The folders for two users, made in a root of their own.</summary>
    [Fact]
    public async Task Folders_MadeBySystemd_HaveTheModesThatTwoUsersNeed()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "etc"));
        await File.WriteAllTextAsync(Path.Combine(_folder, "etc/passwd"), "root:x:0:0::/:/bin/sh\nshale-operator:x:901:901::/:/bin/false\n");
        await File.WriteAllTextAsync(Path.Combine(_folder, "etc/group"), "root:x:0:\nshale:x:901:\n");
        var (code, output) = await RunAsync("systemd-tmpfiles", ["--create", "--root=" + _folder, Path.Combine(Root, "docs/examples/systemd/shale-folders.conf")]);
        Assert.True(code == 0, output);
        var (_, modes) = await RunAsync("stat", ["-c", "%a %u %g", .. new[] { "shale", "shale/leases", "shale/status", "shale/operator", "shale-operator" }.Select(f => Path.Combine(_folder, "var/lib", f))]);
        Assert.Equal(["2750 0 901", "2770 0 901", "2750 0 901", "700 901 901", "700 901 901"], modes.Trim().Split('\n'));
    }

    private static async Task<(int Code, string Output)> RunAsync(string program, string[] arguments)
    {
        var (code, output, error) = await Script.TryAsync(program, arguments, TimeSpan.FromMinutes(1));
        return (code, output + error);
    }
}
