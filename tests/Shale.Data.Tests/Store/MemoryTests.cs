using System.Globalization;
using Shale.Data.Tests.Support;
using Xunit;

namespace Shale.Data.Tests.Store;

/// <summary>Memory does not grow with the data: work on much more than the process may allocate.</summary>
public class MemoryTests
{
    // Three groups of 17 MiB for two cores, more for more; half of what the smallest file here has.
    private static long HeapLimit => (96L << 20) + (Environment.ProcessorCount * (40L << 20));

    private static long Peak(string output) =>
        long.Parse(output.Split('\n').First(l => l.StartsWith("peak ", StringComparison.Ordinal)).Split(' ')[1], CultureInfo.InvariantCulture) << 10;

    [Fact]
    public void ImportAndPiece_OfTwoGibibytes_StayWithinAHeapOfAFraction()
    {
        using var scratch = new Scratch();
        using (var file = File.Create(scratch["f"]))
        {
            file.SetLength(2L << 30);
        }

        var (exit, output) = Child.Run(["hash", scratch["f"]], HeapLimit);
        Assert.True(exit == 0, output);
        Assert.InRange(Peak(output), 0, HeapLimit + (128L << 20));
    }

    [Fact]
    public void PackVerifyAndExtract_OfHalfAGibibyte_StayWithinAHeapOfAFraction()
    {
        using var scratch = new Scratch();
        using (var file = File.Create(scratch["f"]))
        {
            file.SetLength(512L << 20);
        }

        var (exit, output) = Child.Run(["pack", scratch["f"], scratch["results"]], HeapLimit);
        Assert.True(exit == 0, output);
        var car = Path.Combine(Directory.EnumerateDirectories(scratch["results"]).Single(), "result.car");
        var peaks = new[] { output, Child.Run(["verify", car], HeapLimit).Output, Child.Run(["extract", car, scratch["out"]], HeapLimit).Output };
        Assert.All(peaks, o => Assert.EndsWith("done\n", o, StringComparison.Ordinal));
        Assert.All(peaks, o => Assert.InRange(Peak(o), 0, HeapLimit + (128L << 20)));
        Assert.Equal(512L << 20, new FileInfo(scratch["out"]).Length);
    }
}
