namespace Shale.Benchmarks;

/// <summary>One section of docs/benchmarks.md: measures ratios to a named reference, both in the same run.</summary>
internal interface ISection
{
    /// <summary>The name on the command line.</summary>
    string Name { get; }

    /// <summary>What is measured, against what.</summary>
    string Title { get; }

    /// <summary>Measures and reports one row a figure.</summary>
    Task RunAsync(Report report, CancellationToken cancellation);
}
