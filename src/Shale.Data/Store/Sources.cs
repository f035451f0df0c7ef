using System.Net;
using System.Net.Http.Headers;
using Shale.Data.Cids;
using Shale.Data.Pieces;
using Shale.Data.UnixFs;

namespace Shale.Data.Store;

/// <summary>Something in a source that can become a data set.</summary>
/// <param name="Name">How <see cref="IDatasetSource.Locate"/> knows it.</param>
/// <param name="Length">A file's length in bytes; 0 for a directory, and where it is not known.</param>
/// <param name="IsCar">Whether it is a CAR whose tree is the data set.</param>
public readonly record struct SourceItem(string Name, long Length, bool IsCar);

/// <summary>Where a provider's data lies before it is in the store.</summary>
public interface IDatasetSource
{
    /// <summary>What it is, for people.</summary>
    string Description { get; }

    /// <summary>Lists what it has; empty where it cannot be listed.</summary>
    /// <returns>The items, by name.</returns>
    IReadOnlyList<SourceItem> List();

    /// <summary>Says how to add an item; fetches it first where it is elsewhere.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="scratch">A folder for what has to be fetched; what is there is used again.</param>
    /// <param name="progress">Told how many bytes were fetched.</param>
    /// <param name="cancellationToken">Stops; what was fetched stays for the next try.</param>
    /// <returns>What to give to <see cref="DatasetStore.Add"/>, or why there is nothing.</returns>
    DataResult<AddRequest> Locate(string name, string scratch, IProgress<long>? progress = null, CancellationToken cancellationToken = default);
}

/// <summary>A directory whose files and directories are data sets.</summary>
/// <param name="root">Its path.</param>
/// <param name="carsOnly">Whether its <c>.car</c> files are the data sets, each as the tree in it, and nothing else is.</param>
public sealed class DirectorySource(string root, bool carsOnly = false) : IDatasetSource
{
    /// <inheritdoc/>
    public string Description => carsOnly ? $"CARs in {root}" : $"files in {root}";

    /// <inheritdoc/>
    public IReadOnlyList<SourceItem> List() =>
        [.. new HostFileTree(root).List("").Where(e => carsOnly ? e.Kind == EntryKind.File && IsCar(e.Name) : e.Kind is EntryKind.File or EntryKind.Directory)
            .OrderBy(e => e.Name, StringComparer.Ordinal).Select(e => new SourceItem(e.Name, e.Length, carsOnly))];

    /// <inheritdoc/>
    public DataResult<AddRequest> Locate(string name, string scratch, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        var fault = TreeNames.CheckName(name);
        if (fault.IsError)
        {
            return fault;
        }

        return !List().Any(i => i.Name == name)
            ? new DataError(DataFault.NotFound, $"{Description}: there is no {TreeNames.Printable(name)}")
            : new AddRequest { Path = Path.Combine(root, name), IsCar = carsOnly, Source = Path.Combine(root, name) };
    }

    private static bool IsCar(string name) => name.EndsWith(".car", StringComparison.OrdinalIgnoreCase);
}

/// <summary>
/// A read-only mount of another machine's directory, as NFS gives it: the data stays there. Identities of its files are the
/// server's word, so every mount into a lease hashes what it shows (<see cref="DatasetStore.Mount"/>).
/// </summary>
/// <param name="root">Where it is mounted.</param>
public sealed class NetworkMountSource(string root) : IDatasetSource
{
    private readonly DirectorySource _directory = new(root);

    /// <inheritdoc/>
    public string Description => $"files on the network mount {root}";

    /// <inheritdoc/>
    public IReadOnlyList<SourceItem> List() => _directory.List();

    /// <inheritdoc/>
    public DataResult<AddRequest> Locate(string name, string scratch, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        var located = _directory.Locate(name, scratch, progress, cancellationToken);
        return located.Ok ? located.Value with { Placement = PlacementRule.InPlace } : located;
    }
}

/// <summary>
/// A piece server (FRC-0066: <c>GET /piece/{cid}</c> with ranges), as Boost and Curio run one. A piece is fetched, resumed
/// where it was interrupted, checked against its commitment, and read as a CAR with zeros after it.
/// </summary>
/// <param name="http">The client; its timeouts are its owner's.</param>
/// <param name="server">The server's address, up to <c>/piece/</c>.</param>
public sealed class PieceServerSource(HttpClient http, Uri server) : IDatasetSource
{
    /// <summary>The largest piece that is fetched: the largest that a sector of today holds.</summary>
    public const long MaxPieceSize = 64L << 30;

    /// <inheritdoc/>
    public string Description => $"pieces of {server}";

    /// <inheritdoc/>
    public IReadOnlyList<SourceItem> List() => [];

    /// <inheritdoc/>
    public DataResult<AddRequest> Locate(string name, string scratch, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        var error = Cid.TryParse(name, out var cid);
        if (error.IsError)
        {
            return error;
        }

        PieceCommitment? expected = null;
        if (cid!.Codec != Codec.FilCommitmentUnsealed)
        {
            error = PieceCommitment.TryFrom(cid, out expected);
            if (error.IsError)
            {
                return error;
            }
        }

        Directory.CreateDirectory(scratch);
        var path = Path.Combine(scratch, $"{cid}.piece");
        using (var held = HostFiles.TryLock(path + ".lock"))
        {
            if (held is null)
            {
                return new DataError(DataFault.InUse, $"another process fetches {cid}");
            }

            error = Fetch(cid, path, expected?.UnpaddedSize ?? MaxPieceSize, progress, cancellationToken);
            if (!error.IsError)
            {
                error = Check(cid, path, ref expected, cancellationToken);
                if (error.IsError)
                {
                    File.Delete(path);
                }
            }

            File.Delete(path + ".lock");
        }

        return error.IsError ? error : new AddRequest
        {
            Path = path,
            IsCar = true,
            ZeroPadded = true,
            Name = cid.ToString(),
            Source = new Uri(server, $"piece/{cid}").ToString(),
            Piece = new PieceRecord(expected!.CidV1.ToString(), expected.CidV2.ToString(), expected.PieceSize, null),
        };
    }

    private DataError Fetch(Cid cid, string path, long maxLength, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        using var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, bufferSize: 0);
        file.Position = file.Length;
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server, $"piece/{cid}"));
        request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
        if (file.Length > 0)
        {
            request.Headers.Range = new RangeHeaderValue(file.Length, null);
        }

        using var response = http.Send(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        switch (response.StatusCode)
        {
            case HttpStatusCode.RequestedRangeNotSatisfiable when file.Length > 0:
                // All of it is here already; the commitment says whether that is true.
                return DataError.None;
            case HttpStatusCode.PartialContent when response.Content.Headers.ContentRange is { From: { } from } && from == file.Length:
                break;
            case HttpStatusCode.OK:
                file.SetLength(0);
                break;
            case HttpStatusCode.NotFound or HttpStatusCode.Gone:
                File.Delete(path);
                return new DataError(DataFault.NotFound, $"{server} does not have the piece {cid} ({(int)response.StatusCode})");
            default:
                return new DataError(DataFault.PieceServer, $"{server} answered {(int)response.StatusCode} for the piece {cid}");
        }

        if (response.Content.Headers.ContentEncoding.Count > 0)
        {
            return new DataError(DataFault.PieceServer, $"{server} sends the piece {cid} encoded, which was not asked for");
        }

        file.Position = file.Length;
        using var body = response.Content.ReadAsStream(cancellationToken);
        var buffer = new byte[1 << 20];
        int n;
        while ((n = body.Read(buffer)) > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (file.Length + n > maxLength)
            {
                file.SetLength(0);
                return new DataError(DataFault.PieceServer, $"{server} sends more than the {maxLength} bytes that the piece {cid} can have");
            }

            file.Write(buffer, 0, n);
            progress?.Report(file.Length);
        }

        return DataError.None;
    }

    private DataError Check(Cid cid, string path, ref PieceCommitment? expected, CancellationToken cancellationToken)
    {
        using var file = HostFiles.OpenRead(path);
        var actual = PieceHasher.Compute(file, 0, null, cancellationToken);

        // A server may leave out zeros at the end, and a version 1 CID does not say how many there are.
        for (var height = actual.Height; height <= PieceCommitment.HeightFor(MaxPieceSize / 128 * 127); height++)
        {
            var padded = actual.PadTo(height);
            if (expected is null ? padded.CidV1 == cid : padded.SamePiece(expected))
            {
                expected = padded;
                return DataError.None;
            }
        }

        return new DataError(DataFault.HashMismatch, $"what {server} sent for {cid} has the commitment {actual.CidV1}");
    }
}
