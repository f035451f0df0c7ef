namespace Shale.Containers.Bandwidth;

/// <summary>
/// Divides one limit between two users of it, the container's network and the lease's SSH streams, so that the shares always add up to the
/// limit: who is hungry gets what the other leaves, and half when both are. Arithmetic alone; called every tick.
/// </summary>
internal sealed class BandwidthShare(double limit)
{
    /// <summary>A share that is used to this part is taken to be too small.</summary>
    private const double Hungry = 0.85;

    /// <summary>What one keeps beyond its use, as room to show that it wants more.</summary>
    private const double Headroom = 1.3;

    /// <summary>The smallest share: a shell stays usable, and a download can show that it wants more.</summary>
    private const double Least = 0.05;

    /// <summary>A tick's fading of the network's peak: half of it in four ticks.</summary>
    private const double PeakDecay = 0.85;

    private double _networkPeak;

    /// <summary>Bytes a second for the container's network.</summary>
    public double Network { get; private set; } = limit * (1 - Least);

    /// <summary>Bytes a second for SSH streams.</summary>
    public double Streams => limit - Network;

    /// <summary>
    /// Takes in what both used in the last tick, in bytes a second. Streams that want nothing leave the network all but a little, whether it
    /// is used or not: TCP is slow to take what it is given, and a rate that went up and down with it would cost it packets.
    /// </summary>
    public void Update(double network, double streams, bool streamsWaited)
    {
        // The peak of the last half second or so: TCP pauses after a loss, which is not a wish for less.
        _networkPeak = Math.Max(network, _networkPeak * PeakDecay);
        var networkHungry = _networkPeak >= Hungry * Network;
        var streamsHungry = streamsWaited || streams >= Hungry * Streams;
        Network = (networkHungry, streamsHungry) switch
        {
            (_, false) => limit - Kept(streams),
            (false, true) => Kept(_networkPeak),
            (true, true) => limit / 2,
        };

        double Kept(double used) => Math.Clamp(used * Headroom, limit * Least, limit / 2);
    }
}
