using Shale.Containers.Probes;
using Xunit;

namespace Shale.Containers.Tests;

public sealed class HostResourcesTests
{
    [Fact]
    public async Task Machine_LookedAt_HasWhatTheKernelSays()
    {
        var host = await HostResources.ReadAsync("/var/lib/no/such/folder", CancellationToken.None);
        Assert.Equal(Environment.ProcessorCount, host.Cpus);
        Assert.True(host.MemoryBytes > 64 << 20);
        Assert.True(host.DiskBytes > 0);
        Assert.NotEqual("", host.CpuModel);
    }

    [Theory]
    [InlineData("processor\t: 0\nmodel\t\t: 49\nmodel name\t: AMD EPYC 7742  64-Core Processor\nmodel name\t: other\n", "AMD EPYC 7742 64-Core Processor")]
    [InlineData("processor\t: 0\nBogoMIPS\t: 108.00\n\nHardware\t: BCM2835\nModel\t\t: Raspberry Pi 4 Model B\n", "Raspberry Pi 4 Model B")]
    [InlineData("processor : 0\nmodel name :\n", null)]
    [InlineData("", null)]
    public void CpuModel_OfCpuinfo_IsItsFirstName(string text, string? expected) => Assert.Equal(expected, HostResources.ParseCpuModel(text));

    [Theory]
    [InlineData("MemTotal:       131072000 kB\nMemFree: 1 kB\n", 134217728000)]
    [InlineData("MemFree: 1 kB\n", null)]
    [InlineData("MemTotal: x kB\n", null)]
    public void Memory_OfMeminfo_IsInBytes(string text, long? expected) => Assert.Equal(expected, HostResources.ParseMemory(text));

    // As nvidia-smi 570 prints it; one card fell off the bus.
    [Fact]
    public void Gpus_OfNvidiaSmi_AreThoseThatAnswer()
    {
        var gpus = HostResources.ParseGpus("NVIDIA H200, 143771, GPU-7d2ee9d4-7a4b-f1b5-4c3f-0f1a2b3c4d5e\nUnable to determine the device handle for GPU0000:41:00.0: Unknown Error\nNVIDIA H200, [N/A], GPU-1\n");
        Assert.Equal([new HostGpu("NVIDIA H200", 143771L << 20, "GPU-7d2ee9d4-7a4b-f1b5-4c3f-0f1a2b3c4d5e")], gpus);
    }

    [Theory]
    [InlineData("no-such-program")]
    [InlineData("false")]
    public async Task Gpus_WithoutADriver_AreNone(string program) => Assert.Empty(await HostResources.ReadGpusAsync(program, CancellationToken.None));
}
