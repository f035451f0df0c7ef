namespace Shale.Agent.Control;

/// <summary>Lines over a socket, bounded.</summary>
internal static class LineStream
{
    /// <summary>Reads up to a line feed; null where the stream ends before, or the line is longer than it may be.</summary>
    public static async ValueTask<byte[]?> ReadLineAsync(Stream stream, int most, CancellationToken cancellation)
    {
        using var line = new MemoryStream();
        byte[] buffer = new byte[4096];
        while (true)
        {
            int count = await stream.ReadAsync(buffer, cancellation).ConfigureAwait(false);
            int end = buffer.AsSpan(0, count).IndexOf((byte)'\n');
            line.Write(buffer.AsSpan(0, end < 0 ? count : end));
            if (line.Length > most || (count == 0 && end < 0))
            {
                return null;
            }

            if (end >= 0)
            {
                return line.ToArray();
            }
        }
    }
}
