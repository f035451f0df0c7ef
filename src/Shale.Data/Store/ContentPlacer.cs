using Shale.Data.UnixFs;

namespace Shale.Data.Store;

/// <summary>What may be done to bring a source's bytes into a store.</summary>
public enum PlacementRule
{
    /// <summary>Reflink where the file system can, else hard link, else copy.</summary>
    Auto,

    /// <summary>Reflink, else copy: later changes of the source never touch the store.</summary>
    Independent,

    /// <summary>Nothing: the data set stays where it is.</summary>
    InPlace,
}

/// <summary>Brings a file or a tree into a store without following links.</summary>
internal static class ContentPlacer
{
    private const int CopyBuffer = 4 << 20;

    /// <summary>Places what stands at a path; says by which means, the weakest one where several were needed.</summary>
    public static DataResult<Placement> Place(string source, string destination, PlacementRule rule, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        long done = 0;
        var weakest = Placement.Reflink;
        var error = PlaceEntry(source, destination, rule, 0, ref weakest, ref done, progress, cancellationToken);
        return error.IsError ? error : weakest;
    }

    private static DataError PlaceEntry(string source, string destination, PlacementRule rule, int depth, ref Placement weakest, ref long done, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (HostFiles.Describe(source) is not { } entry)
        {
            return new DataError(DataFault.NotFound, $"{source} does not exist");
        }

        switch (entry.Kind)
        {
            case EntryKind.File:
                var used = PlaceFile(source, destination, rule, cancellationToken);
                weakest = used > weakest ? used : weakest;
                done += entry.Length;
                progress?.Report(done);
                return DataError.None;
            case EntryKind.Symlink when depth > 0:
                File.CreateSymbolicLink(destination, new FileInfo(source).LinkTarget!);
                return DataError.None;
            case EntryKind.Directory when depth < TreeImporter.MaxDepth:
                Directory.CreateDirectory(destination);
                foreach (var child in Directory.EnumerateFileSystemEntries(source, "*", new EnumerationOptions { AttributesToSkip = 0, IgnoreInaccessible = false }))
                {
                    var error = PlaceEntry(child, Path.Combine(destination, Path.GetFileName(child)), rule, depth + 1, ref weakest, ref done, progress, cancellationToken);
                    if (error.IsError)
                    {
                        return error;
                    }
                }

                File.SetUnixFileMode(destination, (UnixFileMode)(entry.Mode & 0x1ff) | UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                File.SetLastWriteTimeUtc(destination, DateTime.UnixEpoch.AddSeconds(entry.ModifiedAt.Seconds).AddTicks((entry.ModifiedAt.Nanoseconds ?? 0) / 100));
                return DataError.None;
            case EntryKind.Directory:
                return new DataError(DataFault.TooDeep, $"{source} is deeper than {TreeImporter.MaxDepth} directories");
            default:
                return new DataError(DataFault.WrongType, $"{source} is neither a file nor a directory");
        }
    }

    public static Placement PlaceFile(string source, string destination, PlacementRule rule, CancellationToken cancellationToken)
    {
        using var input = HostFiles.OpenRead(source);
        var mode = File.GetUnixFileMode(input.SafeFileHandle);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, BufferSize = 0, UnixCreateMode = mode | UnixFileMode.UserRead | UnixFileMode.UserWrite };
        var linked = false;
        Placement used;
        using (var output = new FileStream(destination, options))
        {
            if (HostFiles.TryReflink(input.SafeFileHandle, output.SafeFileHandle))
            {
                used = Placement.Reflink;
            }
            else if (rule == PlacementRule.Auto)
            {
                // The name is taken by the empty file that the reflink was tried with.
                File.Delete(destination);
                linked = HostFiles.TryHardLink(source, destination);
                used = linked ? Placement.HardLink : Placement.Copy;
            }
            else
            {
                Copy(input, output, cancellationToken);
                used = Placement.Copy;
            }
        }

        if (used == Placement.Copy && rule == PlacementRule.Auto)
        {
            using var output = new FileStream(destination, options);
            Copy(input, output, cancellationToken);
        }

        if (!linked)
        {
            File.SetLastWriteTimeUtc(destination, File.GetLastWriteTimeUtc(input.SafeFileHandle));
        }

        return used;
    }

    private static void Copy(FileStream input, FileStream output, CancellationToken cancellationToken)
    {
        var buffer = GC.AllocateUninitializedArray<byte>((int)Math.Min(CopyBuffer, Math.Max(1, input.Length)));
        int n;
        while ((n = input.Read(buffer)) > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            output.Write(buffer, 0, n);
        }
    }
}
