using System.Diagnostics;
using System.Text;

namespace Shale.Benchmarks;

/// <summary>Rows of a table: ours, the reference's, their ratio, the goal.</summary>
internal sealed class Report
{
    private readonly StringBuilder _markdown = new();

    public string Markdown => _markdown.ToString();

    public void Section(string title) =>
        Emit($"\n## {title}\n\n| figure | ours | reference | ratio | goal |\n| --- | --- | --- | --- | --- |");

    public void Row(string figure, string ours, string reference, double ratio, string goal) =>
        Emit(FormattableString.Invariant($"| {figure} | {ours} | {reference} | {ratio:0.00} | {goal} |"));

    /// <summary>What has to be known to read the table above.</summary>
    public void Note(string text) => Emit("\n" + text);

    /// <summary>Runs both in turn, A B A B …, after one uncounted run of each; returns the medians in seconds and the median of the pairwise ratios A/B.</summary>
    public static async Task<(double A, double B, double Ratio)> PairAsync(int runs, Func<Task> a, Func<Task> b)
    {
        await a();
        await b();
        var (timesA, timesB) = (new double[runs], new double[runs]);
        for (var i = 0; i < runs; i++)
        {
            timesA[i] = await SecondsAsync(a);
            timesB[i] = await SecondsAsync(b);
        }

        return (Median(timesA), Median(timesB), Median([.. timesA.Zip(timesB, (x, y) => x / y)]));
    }

    public static async Task<double> SecondsAsync(Func<Task> action)
    {
        var started = Stopwatch.GetTimestamp();
        await action();
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    public static double Median(double[] values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    private void Emit(string line)
    {
        Console.WriteLine(line);
        _markdown.AppendLine(line);
    }
}
