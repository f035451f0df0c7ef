using System.IO.Pipelines;
using Shale.Payments.Channel;

namespace Shale.Payments.Tests.Support;

/// <summary>Two connected ends in memory.</summary>
internal static class DuplexPipe
{
    public static (FrameConnection Gateway, FrameConnection Agent) Create()
    {
        var toAgent = new Pipe();
        var toGateway = new Pipe();
        return (End(toGateway.Reader, toAgent.Writer), End(toAgent.Reader, toGateway.Writer));
    }

    private static FrameConnection End(PipeReader reader, PipeWriter writer) => new(
        reader,
        async (bytes, cancellation) =>
        {
            FlushResult result = await writer.WriteAsync(bytes, cancellation);
            if (result.IsCompleted)
            {
                throw new IOException("The other end is closed.");
            }
        },
        async () => await writer.CompleteAsync());
}
