using System.Runtime.InteropServices;
using Shale.Data.Cids;
using Shale.Data.Hashing;

namespace Shale.Data.Car;

/// <summary>What a CAR was found to hold.</summary>
/// <param name="Roots">The roots that its header names.</param>
/// <param name="Blocks">How many blocks.</param>
/// <param name="BlockBytes">How many bytes they have together.</param>
/// <param name="PayloadLength">How long the version 1 payload is, header included.</param>
/// <param name="Version">1 or 2.</param>
public readonly record struct CarSummary(IReadOnlyList<Cid> Roots, long Blocks, long BlockBytes, long PayloadLength, int Version);

/// <summary>Hashes every block of a CAR on all cores. Memory is a few windows, whatever the size of the file.</summary>
public static class CarVerifier
{
    // One window is read while others are hashed; beyond eight, reading is the limit.
    private const int MaxWindows = 9;

    /// <summary>Reads a CAR to its end and checks every block against its CID.</summary>
    /// <param name="stream">Untrusted bytes, from the start of a CAR. Stays the caller's.</param>
    /// <param name="zeroPadded">Whether zeros may follow the last section, as in a piece.</param>
    /// <param name="onBlock">Takes each block after it was checked, in the file's order; its bytes are valid during the call. May be null.</param>
    /// <param name="threads">How many threads hash; 0 for the machine's cores.</param>
    /// <param name="progress">Told how many bytes of the payload were read.</param>
    /// <param name="cancellationToken">Stops between windows.</param>
    /// <returns>What it holds, or the first thing that is wrong.</returns>
    public static DataResult<CarSummary> Verify(
        Stream stream, bool zeroPadded = false, Action<CarBlock>? onBlock = null, int threads = 0, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        var error = CarReader.TryOpen(stream, zeroPadded, out var reader);
        if (error.IsError)
        {
            return error;
        }

        var ring = new (CarWindow Window, Task<DataError> Work)[Math.Clamp((threads == 0 ? Environment.ProcessorCount : threads) + 1, 2, MaxWindows)];
        int next = 0, oldest = 0, running = 0;
        long blocks = 0, bytes = 0;
        var ended = false;
        var readError = DataError.None;
        try
        {
            while (!ended || running > 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (!ended && running < ring.Length)
                {
                    ref var slot = ref ring[next];
                    slot.Window ??= new CarWindow();
                    readError = reader!.TryReadWindow(slot.Window);
                    ended = readError.IsError || slot.Window.Blocks.Count == 0;
                    progress?.Report(reader.Position);
                    if (slot.Window.Blocks.Count > 0)
                    {
                        var window = slot.Window;
                        slot.Work = Task.Run(() => VerifyAll(window.Blocks), CancellationToken.None);
                        next = (next + 1) % ring.Length;
                        running++;
                    }

                    continue;
                }

                error = ring[oldest].Work.GetAwaiter().GetResult();
                if (error.IsError)
                {
                    return error;
                }

                foreach (var block in ring[oldest].Window.Blocks)
                {
                    blocks++;
                    bytes += block.Data.Length;
                    onBlock?.Invoke(block);
                }

                oldest = (oldest + 1) % ring.Length;
                running--;
            }
        }
        finally
        {
            for (; running > 0; running--)
            {
                ring[oldest].Work.Wait(CancellationToken.None);
                oldest = (oldest + 1) % ring.Length;
            }
        }

        return readError.IsError ? readError : new CarSummary(reader!.Roots, blocks, bytes, reader.Position, reader.HeaderV2 is null ? 1 : 2);
    }

    internal static DataError VerifyAll(List<CarBlock> blocks)
    {
        // Runs of SHA-256 blocks go to the lanes sixteen at a time; the others one by one.
        var messages = new ReadOnlyMemory<byte>[Sha256Batch.Width];
        var digests = new byte[32 * Sha256Batch.Width];
        var all = CollectionsMarshal.AsSpan(blocks);
        for (var i = 0; i < all.Length;)
        {
            var n = 0;
            while (n < Sha256Batch.Width && i + n < all.Length && all[i + n].Cid.Hash == MultihashCode.Sha256)
            {
                messages[n] = all[i + n].Data;
                n++;
            }

            if (n == 0)
            {
                var error = all[i].Cid.Verify(all[i].Data.Span);
                if (error.IsError)
                {
                    return error with { Offset = all[i].DataOffset };
                }

                i++;
                continue;
            }

            Sha256Batch.HashMessages(Sha256Batch.BestForMessages, messages.AsSpan(0, n), digests);
            for (var j = 0; j < n; j++)
            {
                if (!all[i + j].Cid.Digest.SequenceEqual(digests.AsSpan(32 * j, 32)))
                {
                    return new DataError(DataFault.HashMismatch, $"the bytes do not hash to {all[i + j].Cid}", all[i + j].DataOffset);
                }
            }

            i += n;
        }

        return DataError.None;
    }
}
