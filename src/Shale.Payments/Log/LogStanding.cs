using System.Collections.Concurrent;
using Shale.Payments.Audit;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;

namespace Shale.Payments.Log;

/// <summary>What a part of the voucher log says of one lease.</summary>
public sealed record LogStanding
{
    /// <summary>What became of it; null where that part doesn't say.</summary>
    public LoggedPhase? Phase { get; init; }

    /// <summary>Time served at the pause, in milliseconds, where <see cref="Phase"/> is paused.</summary>
    public ulong PausedAt { get; init; }

    /// <summary>The deposit; null where that part names none.</summary>
    public AttoFil? Deposit { get; init; }

    /// <summary>The newest voucher with its statement; null where that part holds none.</summary>
    public (SignedVoucher Voucher, MeterStatement Statement)? Newest { get; init; }

    /// <summary>
    /// Reads the entries from <paramref name="from"/> up to <paramref name="size"/> of the log in a folder, which was opened: its tiles are those of its journal.
    /// The log is the authority on vouchers: after a crash the meters take up from here what their own files don't know yet.
    /// </summary>
    /// <exception cref="IOException">An entry is missing or can't be read.</exception>
    public static async Task<ConcurrentDictionary<ulong, LogStanding>> ReadAsync(string folder, long from, long size, CancellationToken cancellation)
    {
        var standings = new ConcurrentDictionary<ulong, LogStanding>();
        var source = new FolderLogSource(folder);
        using var entries = new LogBundle();
        for (long bundle = from / TilePath.Width; bundle * TilePath.Width < size; bundle++)
        {
            long first = bundle * TilePath.Width;
            int width = (int)Math.Min(TilePath.Width, size - first);
            if (!await entries.TryReadAsync(source, bundle, width, cancellation).ConfigureAwait(false))
            {
                throw new VoucherLogException($"The entries from {first} on of the voucher log in {folder} are missing or malformed. Run shale audit on it, and restore it from a mirror.");
            }

            for (int i = (int)Math.Max(0, from - first); i < entries.Count; i++)
            {
                if (!LogEntry.TryRead(entries[i], out LogEntry? entry))
                {
                    throw new VoucherLogException($"Entry {first + i} of the voucher log in {folder} can't be read. Run shale audit on it, and restore it from a mirror.");
                }

                standings[entry.LeaseId] = standings.GetValueOrDefault(entry.LeaseId, new LogStanding()).With(entry);
            }
        }

        return standings;
    }

    private LogStanding With(LogEntry entry) => entry switch
    {
        LeaseOpened opened => this with { Phase = LoggedPhase.Open, Deposit = opened.Deposit },
        LeasePauseChanged { IsPaused: true } pause => this with { Phase = LoggedPhase.Paused, PausedAt = pause.ActiveMilliseconds },
        LeasePauseChanged => this with { Phase = LoggedPhase.Open },
        LeaseClosed => this with { Phase = LoggedPhase.Closed },
        DepositChanged deposit => this with { Deposit = deposit.Deposit },
        VoucherAccepted voucher when MeterStatement.TryRead(voucher.Statement.Span, out MeterStatement? statement) => this with { Newest = (voucher.Voucher, statement) },
        _ => this,
    };
}
