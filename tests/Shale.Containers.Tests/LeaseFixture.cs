using System.Text;
using Shale.Containers.Exec;
using Shale.Containers.Leases;
using Xunit;

namespace Shale.Containers.Tests;

/// <summary>A host on the machine's own engine, and one running lease of each image; removed with everything at the end.</summary>
public sealed class LeaseFixture : IAsyncLifetime
{
    public const string Debian = "shale/debian:12", Busybox = "shale/busybox:1", Static = "shale/static:1";

    private readonly string _run = Guid.NewGuid().ToString("N")[..8];
    private readonly List<LeaseContainer> _made = [];
    private int _count;

    public LeaseFixture()
    {
        Folder = Path.Combine(Path.GetTempPath(), "shale-t-" + _run);
        Options = new LeaseHostOptions { StateDirectory = Folder, Network = "shale-test" };
        Host = new LeaseHost(Options);
    }

    public string Folder { get; }

    public LeaseHostOptions Options { get; }

    public LeaseHost Host { get; }

    public LeaseContainer DebianLease { get; private set; } = null!;

    public LeaseContainer BusyboxLease { get; private set; } = null!;

    public LeaseContainer StaticLease { get; private set; } = null!;

    public static CancellationToken Soon => new CancellationTokenSource(TimeSpan.FromSeconds(120)).Token;

    public string NewId() => $"t{_run}-{Interlocked.Increment(ref _count)}";

    public async Task<LeaseContainer> CreateAsync(LeaseSpec spec)
    {
        var lease = await Host.CreateAsync(NewId(), spec, null, Soon);
        lock (_made)
        {
            _made.Add(lease);
        }

        return lease;
    }

    public async Task InitializeAsync()
    {
        DebianLease = await CreateAsync(new LeaseSpec { Image = Debian, PullMissingImage = false });
        BusyboxLease = await CreateAsync(new LeaseSpec { Image = Busybox, PullMissingImage = false });
        StaticLease = await CreateAsync(new LeaseSpec { Image = Static, PullMissingImage = false });
    }

    public async Task DisposeAsync()
    {
        foreach (var lease in _made)
        {
            await lease.RemoveAsync(Soon);
            await lease.DisposeAsync();
        }

        await Host.DisposeAsync();
        if (Directory.Exists(Folder))
        {
            Directory.Delete(Folder, recursive: true);
        }
    }

    public static ExecRequest Shell(string command) => new() { Command = Encoding.UTF8.GetBytes(command) };

    /// <summary>Runs to the end, with input, and gives back everything.</summary>
    public static async Task<(ExitStatus Status, string Out, string Error)> RunAsync(LeaseContainer lease, ExecRequest request, string input = "")
    {
        await using var process = await lease.StartAsync(request, Soon);
        var stdout = ReadAllAsync(process.Stdout);
        var stderr = process.Stderr is null ? Task.FromResult("") : ReadAllAsync(process.Stderr);
        if (input.Length > 0)
        {
            await process.Stdin.WriteAsync(Encoding.UTF8.GetBytes(input), Soon);
        }

        await process.Stdin.DisposeAsync();
        return (await process.Exited.WaitAsync(Soon), await stdout, await stderr);
    }

    public static async Task<string> ReadAllAsync(Stream stream)
    {
        using var buffer = new MemoryStream();
        await stream.CopyToAsync(buffer, Soon);
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    /// <summary>Reads until the text is there; fails after two minutes or at the end of the stream.</summary>
    public static async Task<string> ReadUntilAsync(Stream stream, string expected)
    {
        var text = new StringBuilder();
        var buffer = new byte[4096];
        while (!text.ToString().Contains(expected, StringComparison.Ordinal))
        {
            var read = await stream.ReadAsync(buffer, Soon);
            Assert.True(read > 0, $"The stream ended; '{expected}' is not in: {text}");
            text.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }

        return text.ToString();
    }

    public static async Task EventuallyAsync(Func<Task<bool>> condition, string what, double seconds = 120)
    {
        var until = DateTime.UtcNow.AddSeconds(seconds);
        while (!await condition())
        {
            Assert.True(DateTime.UtcNow < until, "Not in time: " + what);
            await Task.Delay(50);
        }
    }
}

[CollectionDefinition("leases")]
public sealed class LeaseGroup : ICollectionFixture<LeaseFixture>;
