using Shale.Payments.Vouchers;

namespace Shale.Operator;

/// <summary>How an operator works. Values are checked when it starts.</summary>
public sealed record OperatorOptions
{
    /// <summary>The gateway's state folder: the lease directory, the voucher log; the operator's own files lie in <c>operator/</c> below it.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>Proving keys (.zkey) by page size.</summary>
    public required IReadOnlyDictionary<int, string> ProvingKeys { get; init; }

    /// <summary>What the machine may lease out in all.</summary>
    public required MachineCapacity Capacity { get; init; }

    /// <summary>Slots of a page that is opened when no other has room: 8, 64 or 256. 0: the smallest for which there is a key.</summary>
    public int PageSize { get; init; }

    /// <summary>How often the chain is asked. Default 5 s, at least 0.2 s.</summary>
    public TimeSpan Poll { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A page is settled when so much was signed and not yet settled. Default 1 FIL.</summary>
    public AttoFil SettleAmount { get; init; } = AttoFil.OneFil;

    /// <summary>A page is settled when something signed has waited so long. Default a day.</summary>
    public TimeSpan SettleInterval { get; init; } = TimeSpan.FromDays(1);

    /// <summary>Epochs before a lease's deadline by which it is settled, whatever else: proving, inclusion and 900 for finality. Default 1,200.</summary>
    public ulong SettleMargin { get; init; } = 1200;

    /// <summary>How long a lease may fail to start before it is given up and refunded. Default 5 minutes.</summary>
    public TimeSpan StartPatience { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The longest lease that is accepted. Default 30 days.</summary>
    public TimeSpan MaxDuration { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Seconds between charges, 1 to 60. Default 5.</summary>
    public int ChargeInterval { get; init; } = 5;

    /// <summary>Seconds that are paid ahead. Default 15.</summary>
    public int ChargeWindow { get; init; } = 15;

    /// <summary>Seconds served unpaid before the container is frozen. Default 10.</summary>
    public int ChargeGrace { get; init; } = 10;

    /// <summary>The operator's own folder.</summary>
    internal string Folder => Path.Combine(StateDirectory, "operator");

    /// <exception cref="OperatorException">A value can't be meant.</exception>
    internal OperatorOptions Validate()
    {
        if (ProvingKeys.Count == 0)
        {
            throw new OperatorException("There is no proving key: nothing could ever be collected.", "Name one with --key=SLOTS:FILE.zkey; the network file of a devnet names its own.");
        }

        foreach (var (slots, path) in ProvingKeys)
        {
            if (!File.Exists(path))
            {
                throw new OperatorException($"The proving key for pages of {slots}, {path}, does not exist.", "Fetch it from where the deployment publishes its keys; it must fit the contract's verifier.");
            }
        }

        if (PageSize != 0 && !ProvingKeys.ContainsKey(PageSize))
        {
            throw new OperatorException($"There is no proving key for pages of {PageSize}.", $"Keys are at hand for {string.Join(", ", ProvingKeys.Keys.Order())}.");
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(Poll, TimeSpan.FromSeconds(0.2));
        ArgumentOutOfRangeException.ThrowIfLessThan(ChargeInterval, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ChargeInterval, 60);
        ArgumentOutOfRangeException.ThrowIfLessThan(ChargeWindow, ChargeInterval);
        ArgumentOutOfRangeException.ThrowIfNegative(ChargeGrace);
        return this with { PageSize = PageSize == 0 ? ProvingKeys.Keys.Min() : PageSize };
    }
}

/// <summary>What a machine may lease out in all; 0 is none of it.</summary>
/// <param name="Cpus">CPU cores.</param>
/// <param name="MemoryBytes">Bytes of memory.</param>
/// <param name="Gpus">GPUs.</param>
public readonly record struct MachineCapacity(uint Cpus, ulong MemoryBytes, uint Gpus);

/// <summary>The operator can't start or go on: what is wrong, and what to do.</summary>
public sealed class OperatorException : Exception
{
    /// <summary>With a sentence and a hint.</summary>
    public OperatorException(string message, string? hint, Exception? cause = null)
        : base(message, cause) => Hint = hint;

    /// <summary>What to do about it.</summary>
    public string? Hint { get; }
}
