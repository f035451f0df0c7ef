using System.Security.Cryptography;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>A folder here, and the leases of the fixture to copy to and from, for tests of files.</summary>
internal sealed class LeaseFiles(GatewayFixture fixture) : IDisposable
{
    /// <summary>The folder here; its name is nobody else's, in a container either.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("shale-files-").FullName;

    public static ulong Lease(GatewayFixture fixture, string image) => image switch { "debian" => fixture.Debian, "busybox" => fixture.Busybox, _ => fixture.Static };

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    public string Local(string name) => Path.Combine(Folder, name);

    /// <summary>A path in a container as scp and its like name it; by default one that no other test uses.</summary>
    public string Remote(string image, string? path = null) => $"{Lease(fixture, image)}@127.0.0.1:{path ?? "/" + Path.GetFileName(Folder)}";

    public Task<Outcome> ScpAsync(params string[] arguments) => Cli.RunAsync("scp", [.. fixture.Gateway.SshOptions("-P"), .. arguments]);

    public async Task MustScpAsync(params string[] arguments) => Must(await ScpAsync(arguments));

    /// <summary>A file of random bytes there and back by a client's own way to copy.</summary>
    public async Task ThereAndBackAsync(string image, Func<string, string, Task<Outcome>> copy)
    {
        var (there, back) = (Local("there"), Local("back"));
        await File.WriteAllBytesAsync(there, RandomNumberGenerator.GetBytes(5_000_001));
        Must(await copy(there, Remote(image)));
        Must(await copy(Remote(image), back));
        Assert.Equal(await File.ReadAllBytesAsync(there), await File.ReadAllBytesAsync(back));
    }

    /// <summary>A tree of files with a mode, a time, names that need care and an empty file, there and back.</summary>
    public async Task TreeThereAndBackAsync(string image, Func<string, string, Task<Outcome>> copy)
    {
        var (tree, back) = (Local("tree"), Local("tree-back"));
        Directory.CreateDirectory(Path.Combine(tree, "a", "b c"));
        var (one, two) = (Path.Combine(tree, "a", "b c", "näme"), Path.Combine(tree, "empty"));
        await File.WriteAllBytesAsync(one, RandomNumberGenerator.GetBytes(300_001));
        await File.WriteAllTextAsync(two, "");
        File.SetUnixFileMode(one, UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.GroupRead);
        File.SetLastWriteTimeUtc(one, new DateTime(2020, 2, 29, 12, 0, 0, DateTimeKind.Utc));
        Must(await copy(tree, Remote(image)));
        Must(await copy(Remote(image), back));
        var got = Path.Combine(back, "a", "b c", "näme");
        Assert.Equal(await File.ReadAllBytesAsync(one), await File.ReadAllBytesAsync(got));
        Assert.Equal(File.GetUnixFileMode(one), File.GetUnixFileMode(got));
        Assert.Equal(File.GetLastWriteTimeUtc(one), File.GetLastWriteTimeUtc(got));
        Assert.Equal(0, new FileInfo(Path.Combine(back, "empty")).Length);
    }

    private static void Must(Outcome outcome) => Assert.True(outcome.ExitCode == 0, outcome.Output + outcome.Error);
}
