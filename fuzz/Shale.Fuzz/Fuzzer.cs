namespace Shale.Fuzz;

/// <summary>A plain mutation fuzzer: no coverage feedback (see docs/decisions/0002-fuzzing.md), reproducible from its seed.</summary>
public static class Fuzzer
{
    /// <summary>All targets of this assembly.</summary>
    public static IReadOnlyList<IFuzzTarget> Targets { get; } =
        [.. typeof(IFuzzTarget).Assembly.GetTypes()
            .Where(t => t is { IsClass: true, IsAbstract: false } && t.IsAssignableTo(typeof(IFuzzTarget)))
            .Select(t => (IFuzzTarget)Activator.CreateInstance(t)!)
            .OrderBy(t => t.Name, StringComparer.Ordinal)];

    /// <summary>Runs <paramref name="target"/> until a bound is reached.</summary>
    /// <returns>How many inputs were run.</returns>
    /// <exception cref="FuzzFindingException">An input made the parser throw; the exception holds it.</exception>
    public static long Run(IFuzzTarget target, IEnumerable<byte[]> corpus, int seed, long maxRuns, TimeSpan maxTime)
    {
        var random = new Random(seed);
        var inputs = target.Seeds.Concat(corpus).ToList();
        if (inputs.Count == 0)
        {
            inputs.Add([]);
        }

        var deadline = TimeProvider.System.GetTimestamp();
        long runs = 0;
        foreach (var input in inputs)
        {
            Try(target, input);
            runs++;
        }

        while (runs < maxRuns && TimeProvider.System.GetElapsedTime(deadline) < maxTime)
        {
            var input = Mutate(inputs[random.Next(inputs.Count)], inputs, random);
            Try(target, input);
            runs++;
        }

        return runs;
    }

    private static void Try(IFuzzTarget target, byte[] input)
    {
        try
        {
            target.Run(input);
        }
        catch (Exception exception)
        {
            throw new FuzzFindingException(target.Name, input, exception);
        }
    }

    private static byte[] Mutate(byte[] source, List<byte[]> inputs, Random random)
    {
        var bytes = source.ToList();
        for (var i = random.Next(1, 6); i > 0; i--)
        {
            var at = random.Next(bytes.Count + 1);
            switch (random.Next(8))
            {
                case 0 when at < bytes.Count:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1 when at < bytes.Count:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes.Insert(at, (byte)random.Next(256));
                    break;
                case 3 when at < bytes.Count:
                    bytes.RemoveRange(at, random.Next(1, Math.Min(16, bytes.Count - at) + 1));
                    break;
                case 4 when at + 4 <= bytes.Count:
                    // A length field that lies: the values where sizes overflow or turn negative.
                    var length = Interesting[random.Next(Interesting.Length)];
                    for (var j = 0; j < 4; j++)
                    {
                        bytes[at + j] = (byte)(length >> (24 - (8 * j)));
                    }

                    break;
                case 5 when at < bytes.Count:
                    bytes.InsertRange(at, bytes.GetRange(at, random.Next(1, Math.Min(32, bytes.Count - at) + 1)));
                    break;
                case 6:
                    var other = inputs[random.Next(inputs.Count)];
                    var from = random.Next(other.Length + 1);
                    bytes.InsertRange(at, other[from..]);
                    break;
                case 7:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
            }

            // Inputs beyond this size only make the runs slower; the parsers' own bounds have tests of their own.
            if (bytes.Count > 1 << 16)
            {
                bytes.RemoveRange(1 << 16, bytes.Count - (1 << 16));
            }
        }

        return [.. bytes];
    }

    private static readonly uint[] Interesting = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
}
