using System.Net;
using System.Net.Sockets;

namespace Shale.Ssh.Listening;

/// <summary>
/// Remembers how addresses behaved (OpenSSH's srclimit.c): penalties add up, end with time, and refuse once they reach the minimum. IPv4 and IPv6 are kept apart, so that a flood from one
/// doesn't push out the other. Safe for use from several threads at once.
/// </summary>
internal sealed class SourcePenalties(SourcePenaltyOptions options, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly Family _v4 = new();
    private readonly Family _v6 = new();

    /// <summary>Whether an address is to be refused now.</summary>
    public bool IsRefused(EndPoint? source)
    {
        if (!TryGetNetwork(source, out var network, out var family))
        {
            return false;
        }

        lock (_gate)
        {
            return family.Sources.TryGetValue(network, out var penalty) && penalty.Active && penalty.Ends > time.GetUtcNow();
        }
    }

    /// <summary>Adds to an address's penalty.</summary>
    public void Add(EndPoint? source, TimeSpan penalty)
    {
        if (penalty == TimeSpan.Zero || !TryGetNetwork(source, out var network, out var family))
        {
            return;
        }

        var now = time.GetUtcNow();
        lock (_gate)
        {
            var known = family.Sources.TryGetValue(network, out var old) && old.Ends > now;
            if (!known && family.Sources.Count >= options.MaxSources)
            {
                family.Evict(now);
            }

            var left = (known ? old.Ends - now : TimeSpan.Zero) + penalty;
            if (left > options.Maximum)
            {
                left = options.Maximum;
            }

            family.Sources[network] = new Penalty(now + left, (known && old.Active) || left >= options.Minimum);
            family.Ends.Enqueue(network, now + left);
            family.Trim();
        }
    }

    private bool TryGetNetwork(EndPoint? source, out UInt128 network, out Family family)
    {
        network = 0;
        family = _v4;
        if (source is not IPEndPoint { Address: var address })
        {
            return false;
        }

        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }

        foreach (var exempt in options.Exempt)
        {
            if (exempt.Contains(address))
            {
                return false;
            }
        }

        var isV4 = address.AddressFamily == AddressFamily.InterNetwork;
        family = isV4 ? _v4 : _v6;
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var length);
        foreach (var b in bytes[..length])
        {
            network = (network << 8) | b;
        }

        var hostBits = (length * 8) - (isV4 ? options.Ipv4PrefixLength : options.Ipv6PrefixLength);
        network = hostBits >= 128 ? 0 : (network >> hostBits) << hostBits;
        return true;
    }

    private readonly record struct Penalty(DateTimeOffset Ends, bool Active);

    private sealed class Family
    {
        public Dictionary<UInt128, Penalty> Sources { get; } = [];

        /// <summary>Sources by when they end, with entries that were prolonged since; those are skipped.</summary>
        public PriorityQueue<UInt128, DateTimeOffset> Ends { get; } = new();

        public void Evict(DateTimeOffset now)
        {
            var removed = 0;
            while (Ends.TryPeek(out var network, out var ends) && (ends <= now || removed == 0))
            {
                Ends.Dequeue();
                if (Sources.TryGetValue(network, out var penalty) && penalty.Ends == ends)
                {
                    Sources.Remove(network);
                    removed++;
                }
            }
        }

        /// <summary>Keeps the queue within twice the sources, whatever one source does.</summary>
        public void Trim()
        {
            if (Ends.Count <= (2 * Sources.Count) + 16)
            {
                return;
            }

            Ends.Clear();
            foreach (var (network, penalty) in Sources)
            {
                Ends.Enqueue(network, penalty.Ends);
            }
        }
    }
}
