using System.Globalization;

namespace Shale.Payments.Log;

/// <summary>A log's state: origin, number of entries, root (C2SP tlog-checkpoint).</summary>
/// <param name="Origin">The log's name, unique for ever: a log that was lost begins again under another.</param>
/// <param name="Size">Entries.</param>
/// <param name="Root">The Merkle root over them.</param>
public sealed record Checkpoint(string Origin, long Size, MerkleHash Root)
{
    /// <summary>The three lines that are signed.</summary>
    public string Body => string.Create(CultureInfo.InvariantCulture, $"{Origin}\n{Size}\n{Root}\n");

    /// <summary>The signed note.</summary>
    public string Sign(NoteSigner signer) => signer.Sign(Body);

    /// <summary>Opens a signed checkpoint; extension lines behind the root are passed over, as the specification asks.</summary>
    /// <returns>Whether it is one, signed by <paramref name="verifier"/>, whose name is its origin.</returns>
    public static bool TryOpen(string note, NoteVerifier verifier, out Checkpoint checkpoint)
    {
        checkpoint = null!;
        if (!SignedNote.TryOpen(note, verifier, out var text))
        {
            return false;
        }

        var lines = text.Split('\n');
        Span<byte> root = stackalloc byte[MerkleHash.Size];
        if (lines.Length < 4 || lines[0] != verifier.Name ||
            !long.TryParse(lines[1], NumberStyles.None, CultureInfo.InvariantCulture, out var size) ||
            lines[1] != size.ToString(CultureInfo.InvariantCulture) ||
            !Convert.TryFromBase64String(lines[2], root, out var length) || length != root.Length)
        {
            return false;
        }

        checkpoint = new Checkpoint(lines[0], size, new MerkleHash(root));
        return true;
    }
}
