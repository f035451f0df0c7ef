namespace Shale.Fuzz;

/// <summary>One parser under attack. Hostile input must return a status: any exception that leaves <see cref="Run"/> is a finding.</summary>
public interface IFuzzTarget
{
    /// <summary>The name on the command line and of the corpus folder <c>fuzz/corpus/NAME</c>.</summary>
    string Name { get; }

    /// <summary>Well-formed inputs to start from, beside those of the corpus.</summary>
    IEnumerable<byte[]> Seeds { get; }

    /// <summary>How many runs the bounded run of the tests makes; fewer where a run takes milliseconds.</summary>
    long BoundedRuns => 20_000;

    /// <summary>Feeds one input to the parser, and checks what must hold of its result (for example that it writes back the same bytes).</summary>
    void Run(ReadOnlySpan<byte> input);
}
