using System.Net;
using System.Net.Sockets;

namespace Shale.Ssh.Listening;

/// <summary>
/// Counts unauthenticated connections and refuses new ones as <see cref="MaxStartups"/> says. Where OpenSSH would refuse a newcomer, one whose source has at least two places fewer than the source with
/// the most gets the oldest place of that source: whoever holds connections open from a few addresses does not lock out the others. Safe for use from several threads at once.
/// </summary>
internal sealed class StartupLimiter(MaxStartups limits, Func<int, int> random)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<StartupPlace> _places = new();
    private readonly Dictionary<UInt128, int> _held = [];

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _places.Count;
            }
        }
    }

    /// <summary>Lets a connection in, or not.</summary>
    /// <param name="source">Where it comes from.</param>
    /// <returns>Its place, to be left once, when authenticated or gone; <see langword="null"/>: it is refused.</returns>
    public StartupPlace? TryEnter(EndPoint? source)
    {
        var network = Network(source);
        StartupPlace? evicted = null;
        StartupPlace place;
        lock (_gate)
        {
            if (_places.Count >= limits.Full || (_places.Count >= limits.Start && random(100) < RefusalPercent(limits, _places.Count)))
            {
                evicted = FindUnfair(_held.GetValueOrDefault(network));
                if (evicted is null)
                {
                    return null;
                }

                Forget(evicted);
            }

            place = new StartupPlace(this, network);
            _held[network] = _held.GetValueOrDefault(network) + 1;
            place.Node = _places.AddLast(place);
        }

        evicted?.Evict();
        return place;
    }

    public void Leave(StartupPlace place)
    {
        lock (_gate)
        {
            Forget(place);
        }
    }

    /// <summary>OpenSSH's should_drop_connection: from the rate at start linearly to 100 at full.</summary>
    internal static int RefusalPercent(MaxStartups limits, int count)
    {
        if (count < limits.Start)
        {
            return 0;
        }

        if (count >= limits.Full || limits.RatePercent == 100)
        {
            return 100;
        }

        return limits.RatePercent + ((100 - limits.RatePercent) * (count - limits.Start) / (limits.Full - limits.Start));
    }

    /// <summary>One network each, as for penalties: an IPv4 address, or 64 bits of an IPv6 one.</summary>
    private static UInt128 Network(EndPoint? source)
    {
        if (source is not IPEndPoint { Address: var address })
        {
            return 0;
        }

        address = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        address.TryWriteBytes(bytes, out _);
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            bytes[8..].Clear();
            return System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes);
        }

        // Apart from every IPv6 network: those end in zeros.
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(bytes) | (UInt128.One << 32);
    }

    /// <summary>The oldest place of the source that has the most, if that is at least two more than the newcomer's.</summary>
    private StartupPlace? FindUnfair(int newcomers)
    {
        var most = newcomers + 1;
        UInt128 heaviest = 0;
        foreach (var (network, count) in _held)
        {
            if (count > most)
            {
                (most, heaviest) = (count, network);
            }
        }

        return most > newcomers + 1 ? _places.First(p => p.Network == heaviest) : null;
    }

    private void Forget(StartupPlace place)
    {
        if (place.Node is not { } node)
        {
            return;
        }

        _places.Remove(node);
        place.Node = null;
        if (--_held[place.Network] == 0)
        {
            _held.Remove(place.Network);
        }
    }
}

/// <summary>A place among the unauthenticated.</summary>
internal sealed class StartupPlace(StartupLimiter limiter, UInt128 network) : IDisposable
{
    private readonly CancellationTokenSource _evicted = new();

    /// <summary>Set when the place went to somebody else.</summary>
    public CancellationToken Evicted => _evicted.Token;

    public UInt128 Network => network;

    public LinkedListNode<StartupPlace>? Node { get; set; }

    /// <summary>Leaves it; safe to repeat.</summary>
    public void Dispose() => limiter.Leave(this);

    /// <summary>Tells whoever has it that it is gone.</summary>
    public void Evict() => _ = _evicted.CancelAsync();
}
