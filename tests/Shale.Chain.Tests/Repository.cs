namespace Shale.Chain.Tests;

/// <summary>Finds the repository's root from where the test runs.</summary>
internal static class Repository
{
    internal static string Root { get; } = Find();

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Shale.sln")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException("Shale.sln was not found above " + AppContext.BaseDirectory + ".");
    }
}
