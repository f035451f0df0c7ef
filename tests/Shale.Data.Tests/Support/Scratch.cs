namespace Shale.Data.Tests.Support;

/// <summary>A folder that is gone after the test.</summary>
internal sealed class Scratch : IDisposable
{
    public Scratch() => Directory.CreateDirectory(Root);

    public string Root { get; } = Path.Combine(Path.GetTempPath(), "shale-data-" + Guid.NewGuid().ToString("n"));

    public string this[string path] => Path.Combine(Root, path);

    /// <summary>Writes a file of reproducible bytes and makes the folders above it.</summary>
    public string File(string path, long length, int seed = 1)
    {
        var full = this[path];
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        using var stream = System.IO.File.Create(full);
        var random = new Random(seed);
        var buffer = new byte[1 << 16];
        for (var left = length; left > 0; left -= buffer.Length)
        {
            random.NextBytes(buffer);
            stream.Write(buffer, 0, (int)Math.Min(left, buffer.Length));
        }

        return full;
    }

    public void Dispose()
    {
        if (Directory.Exists(Root))
        {
            Directory.Delete(Root, recursive: true);
        }
    }

    /// <summary>A tree with what file systems have: empty and small files, chunk edges, names, links, depth.</summary>
    public string Tree(string name, bool links = true)
    {
        File($"{name}/empty", 0);
        File($"{name}/one-byte", 1, 2);
        File($"{name}/chunk-less-one", (1 << 20) - 1, 3);
        File($"{name}/chunk", 1 << 20, 4);
        File($"{name}/chunk-and-one", (1 << 20) + 1, 5);
        File($"{name}/quarter", 256 << 10, 6);
        File($"{name}/several", (3 << 20) + 12345, 7);
        File($"{name}/.hidden", 17, 8);
        File($"{name}/with space/tab\there", 10, 9);
        File($"{name}/ünïcode/日本語/файл-😀.txt", 1000, 10);
        File($"{name}/B", 5, 11);
        File($"{name}/a", 5, 12);
        File($"{name}/a.b/c", 5, 13);
        File($"{name}/" + string.Join('/', Enumerable.Range(0, 60).Select(i => $"d{i}")) + "/deep", 300, 14);
        Directory.CreateDirectory(this[$"{name}/nothing"]);
        if (links)
        {
            System.IO.File.CreateSymbolicLink(this[$"{name}/link"], "a.b/c");
            System.IO.File.CreateSymbolicLink(this[$"{name}/a.b/up"], "../one-byte");
        }

        return this[name];
    }
}
