namespace Shale.Chain.Rpc;

/// <summary>How a chain is reached. Checked by <see cref="Validate"/> when a client is made.</summary>
public sealed record ChainOptions
{
    /// <summary>The nodes, in order of preference; at least one.</summary>
    public required IReadOnlyList<RpcEndpoint> Endpoints { get; init; }

    /// <summary>The chain that the nodes have to be on (EIP-155).</summary>
    public required ulong ChainId { get; init; }

    /// <summary>How long one request may take. 1 second to 10 minutes; default 30 seconds: a large <c>eth_getLogs</c> takes long on public nodes.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often a request is tried at most, over all endpoints. 1 to 100; default 6, which is some 8 seconds of waiting.</summary>
    public int Attempts { get; init; } = 6;

    /// <summary>The wait before the first repetition; it doubles. 1 ms to 1 minute; default 250 ms.</summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>The longest wait between repetitions. Up to 10 minutes; default 8 seconds.</summary>
    public TimeSpan LongestDelay { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>How many blocks an endpoint may be behind the others before it is left aside. 1 to 10,000; default 5.</summary>
    public int LargestLag { get; init; } = 5;

    /// <summary>Blocks after which a block counts as final where the node has no <c>finalized</c> tag. 1 to 100,000; default 900, Filecoin's.</summary>
    public int FinalityDepth { get; init; } = 900;

    /// <summary>Calls in one batch at most. 1 to 1,000; default 50: public nodes refuse larger ones.</summary>
    public int BatchSize { get; init; } = 50;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentException">One is out of its range.</exception>
    public void Validate()
    {
        Require(Endpoints is { Count: >= 1 and <= 32 } && Endpoints.All(e => e is not null), nameof(Endpoints), "1 to 32 endpoints");
        Require(ChainId > 0, nameof(ChainId), "a chain ID above 0");
        Require(RequestTimeout >= TimeSpan.FromSeconds(1) && RequestTimeout <= TimeSpan.FromMinutes(10), nameof(RequestTimeout), "1 second to 10 minutes");
        Require(Attempts is >= 1 and <= 100, nameof(Attempts), "1 to 100");
        Require(FirstDelay >= TimeSpan.FromMilliseconds(1) && FirstDelay <= TimeSpan.FromMinutes(1), nameof(FirstDelay), "1 ms to 1 minute");
        Require(LongestDelay >= FirstDelay && LongestDelay <= TimeSpan.FromMinutes(10), nameof(LongestDelay), "the first delay to 10 minutes");
        Require(LargestLag is >= 1 and <= 10_000, nameof(LargestLag), "1 to 10,000 blocks");
        Require(FinalityDepth is >= 1 and <= 100_000, nameof(FinalityDepth), "1 to 100,000 blocks");
        Require(BatchSize is >= 1 and <= 1_000, nameof(BatchSize), "1 to 1,000");
    }

    private static void Require(bool holds, string name, string range)
    {
        if (!holds)
        {
            throw new ArgumentException($"{name} has to be {range}.", name);
        }
    }
}
