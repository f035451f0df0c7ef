using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Shale.Payments.Metering;
using Shale.Payments.Policy;
using Shale.Payments.Vouchers;

namespace Shale.Agent.Files;

/// <summary>What the user allows: the format of <c>policy.json</c> (docs/AGENT.md). Amounts are attoFIL in decimal.</summary>
public sealed record PolicyFile
{
    /// <summary>The version of the format that this code reads and writes.</summary>
    public const int CurrentVersion = 1;

    private const int DefaultPrepaySeconds = 15;

    /// <summary>How long a command waits for another that changes the policy.</summary>
    private static readonly TimeSpan LockWait = TimeSpan.FromSeconds(5);

    /// <summary>Format version.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>The highest price per second; null: whatever was confirmed.</summary>
    public string? MaxPricePerSecond { get; init; }

    /// <summary>The most that one lease may cost in all; null: its deposit.</summary>
    public string? LeaseBudget { get; init; }

    /// <summary>The most that all leases may cost on one day (UTC); null: no limit.</summary>
    public string? DayBudget { get; init; }

    /// <summary>The leases that are paid; null: all of this payment key.</summary>
    public ImmutableSortedSet<ulong>? Leases { get; init; }

    /// <summary>Seconds paid ahead, 1 to 604,800.</summary>
    public int PrepaySeconds { get; init; } = DefaultPrepaySeconds;

    /// <summary>Leases that are paid over clients that don't say which host they reached.</summary>
    public ImmutableSortedSet<ulong> AllowUnbound { get; init; } = [];

    /// <summary>Leases that the user stopped paying.</summary>
    public ImmutableSortedSet<ulong> Stopped { get; init; } = [];

    /// <summary>True when nothing is paid at all.</summary>
    public bool StopAll { get; init; }

    /// <summary>Leases that the agent keeps paid by connections of its own.</summary>
    public ImmutableSortedSet<ulong> Keep { get; init; } = [];

    /// <summary>Reads the policy of a folder; the default where there is none.</summary>
    /// <exception cref="AgentException">The file can't be used: a limit that can't be read must not become no limit.</exception>
    public static PolicyFile Load(AgentFolder folder)
    {
        try
        {
            if (PrivateFile.Read(folder.PolicyFile) is not { } json)
            {
                return new PolicyFile();
            }

            PolicyFile policy = JsonSerializer.Deserialize(json, AgentJson.Default.PolicyFile) ?? throw new JsonException("it is empty");
            _ = policy.Version == CurrentVersion ? policy.ToSpending() : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"version {policy.Version} is not {CurrentVersion}"));
            return policy;
        }
        catch (Exception cause) when (cause is IOException or JsonException or FormatException)
        {
            throw new AgentException($"The policy {folder.PolicyFile} can't be used: {cause.Message}", "Put it right, or remove it and set it anew with: shale agent policy");
        }
    }

    /// <summary>Changes the policy; two commands at once change it one after the other.</summary>
    /// <exception cref="AgentException">The file can't be used, or the change makes it invalid.</exception>
    public static async Task<PolicyFile> UpdateAsync(AgentFolder folder, Func<PolicyFile, PolicyFile> change, CancellationToken cancellation)
    {
        folder.Create();
        await using FileStream turn = await LockAsync(folder.PolicyFile + ".lock", cancellation).ConfigureAwait(false);
        PolicyFile changed = change(Load(folder));
        try
        {
            _ = changed.ToSpending();
        }
        catch (FormatException cause)
        {
            throw new AgentException(cause.Message);
        }

        PrivateFile.Replace(folder.PolicyFile, JsonSerializer.SerializeToUtf8Bytes(changed, AgentJson.Default.PolicyFile));
        return changed;
    }

    /// <summary>As the payment policy takes it.</summary>
    /// <exception cref="FormatException">A value is not what it must be.</exception>
    public SpendingPolicy ToSpending()
    {
        TimeSpan prepay = TimeSpan.FromSeconds(PrepaySeconds);
        if (prepay < TimeSpan.FromSeconds(1) || prepay > MeterTerms.LongestWindow)
        {
            throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"{PrepaySeconds} s is not a time to pay ahead (1 s to 7 days)."));
        }

        return new SpendingPolicy
        {
            MaxPricePerSecond = Amount(MaxPricePerSecond),
            LeaseBudget = Amount(LeaseBudget),
            DayBudget = Amount(DayBudget),
            Leases = Leases,
            Prepay = prepay,
            AllowUnbound = AllowUnbound ?? [],
            Stopped = Stopped ?? [],
            StopAll = StopAll,
        };
    }

    private static AttoFil? Amount(string? text) => text is null ? null : LeasePrice.Amount(text);

    private static async Task<FileStream> LockAsync(string path, CancellationToken cancellation)
    {
        for (long started = Environment.TickCount64; ;)
        {
            try
            {
                return new FileStream(path, new FileStreamOptions
                {
                    Mode = FileMode.OpenOrCreate,
                    Access = FileAccess.ReadWrite,
                    Share = FileShare.None,
                    UnixCreateMode = AgentFolder.FileMode,
                });
            }
            catch (IOException) when (Environment.TickCount64 - started < LockWait.TotalMilliseconds)
            {
                await Task.Delay(20, cancellation).ConfigureAwait(false);
            }
        }
    }
}
