namespace Shale.Groth16.Files;

/// <summary>Why a file was refused: the section that is wrong, as the format names it, and what is wrong with it.</summary>
/// <param name="Section">For example "section 2 (constraints)" or "file header".</param>
/// <param name="Problem">What does not hold, for a person to read.</param>
public readonly record struct FileFault(string Section, string Problem)
{
    /// <summary>Section and problem in one line.</summary>
    public override string ToString() => $"{Section}: {Problem}";
}
