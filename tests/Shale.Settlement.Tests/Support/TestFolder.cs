namespace Shale.Settlement.Tests.Support;

/// <summary>A folder for what a test run makes, deleted when it ends.</summary>
internal static class TestFolder
{
    private static readonly Lazy<string> Folder = new(() =>
    {
        string path = Directory.CreateTempSubdirectory("shale-settlement-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(path, recursive: true);
        return path;
    });

    public static string Path => Folder.Value;
}
