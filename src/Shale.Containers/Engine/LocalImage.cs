namespace Shale.Containers.Engine;

/// <summary>An image on this machine, named so that it stays the same image.</summary>
/// <param name="Reference">What Docker starts it by: <c>name@sha256:…</c> where a registry gave it, else its ID <c>sha256:…</c>.</param>
/// <param name="Digest">SHA-256 of its manifest as the registry has it; for an image that was built or loaded here, of its configuration: its ID.</param>
public sealed record LocalImage(string Reference, ReadOnlyMemory<byte> Digest)
{
    private const string Algorithm = "sha256:";
    private const int DigestSize = 32;

    /// <summary>Looks an image up.</summary>
    /// <param name="engine">The Docker Engine.</param>
    /// <param name="name">A name, tag, digest or ID.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="EngineException">It is not on this machine, or the engine doesn't answer.</exception>
    public static async Task<LocalImage> FindAsync(EngineEndpoint engine, string name, CancellationToken cancellation)
    {
        await using var client = new EngineClient(engine);
        ImageInspect image;
        try
        {
            image = await client.InspectImageAsync(name, cancellation).ConfigureAwait(false);
        }
        catch (EngineException missing) when (missing.Failure == EngineFailure.NotFound)
        {
            throw new EngineException(EngineFailure.NotFound, $"The image {name} is not on this machine. Get it with 'docker pull {name}', or build it; 'docker images' lists what is there.", missing);
        }

        var reference = image.RepoDigests?.FirstOrDefault(d => d.Contains('@', StringComparison.Ordinal)) ?? image.Id;
        var digest = reference[(reference.IndexOf('@', StringComparison.Ordinal) + 1)..];
        return digest.StartsWith(Algorithm, StringComparison.Ordinal) && digest.Length == Algorithm.Length + (2 * DigestSize)
            ? new LocalImage(reference, Convert.FromHexString(digest.AsSpan(Algorithm.Length)))
            : throw new EngineException(EngineFailure.Protocol, $"The Docker Engine names the image {name} by {digest}, which is no SHA-256.");
    }
}
