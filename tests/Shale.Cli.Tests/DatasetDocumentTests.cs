using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace Shale.Cli.Tests;

/// <summary>The commands of docs/DATASETS.md, run as they stand there.</summary>
public sealed partial class DatasetDocumentTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sd").FullName;
    private readonly HttpListener _server = new();

    private static string Root { get; } = FindRoot();

    public void Dispose()
    {
        _server.Close();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Commands_OfTheDocument_RunAndGiveWhatIpfsCarGives()
    {
        Write("mnist.zip", 3_000_000, 1);
        Write("cifar-100/train/1.png", 70_000, 2);
        Write("cifar-100/meta", 100, 3);
        Write("corpus/a.txt", 2_500_000, 4);
        Write("out/model.bin", 1_200_000, 5);
        var peers = new Dictionary<string, string>();
        foreach (string name in new[] { "mnist.zip", "cifar-100", "corpus", "out" })
        {
            string[] wrap = File.Exists(Path.Combine(_folder, name)) ? ["--no-wrap"] : [];
            peers[name] = (await RunAsync("node", [Path.Combine(Root, "tests/npm/node_modules/ipfs-car/bin.js"), "pack", Path.Combine(_folder, name), .. wrap, "--output", Path.Combine(_folder, name + ".car")])).Trim();
        }

        string piece = JsonDocument.Parse(await ShaleAsync("dataset", "piece", "--json", Path.Combine(_folder, "corpus.car"))).RootElement.GetProperty("pieceCid").GetString()!;
        string address = Serve("/piece/" + piece, await File.ReadAllBytesAsync(Path.Combine(_folder, "corpus.car")));
        string block = Assert.Single(Bash().Matches(await File.ReadAllTextAsync(Path.Combine(Root, "docs/DATASETS.md")))).Groups[1].Value;
        string script = $$"""
            set -euo pipefail
            cd {{_folder}}
            SERVER={{address}} PIECE={{piece}}
            shale() { dotnet {{Path.Combine(AppContext.BaseDirectory, "shale.dll")}} "$@"; }
            {{block}}
            echo "file $file"; echo "folder $folder"; echo "tree $tree"; echo "fetched $fetched"; echo "result $result"
            """;
        string output = await RunAsync("bash", ["-c", script]);

        // A file alone has no directory around it in a data set, nor has ipfs-car's of one under --no-wrap.
        Assert.Contains($"file {peers["mnist.zip"]}\n", output);
        Assert.Contains($"folder {peers["cifar-100"]}\n", output);
        Assert.Contains($"tree {peers["corpus"]}\n", output);
        Assert.Contains($"fetched {peers["corpus"]}\n", output);
        Assert.Contains($"result {peers["out"]}\n", output);
        Assert.Matches(@"MNIST  deal f01946720/17\n", output);
        Assert.Contains("train/1.png\n", output);
        Assert.Contains("\"pieceCid", await File.ReadAllTextAsync(Path.Combine(_folder, "results", peers["out"], "manifest.json")));
        Assert.Contains($"{peers["corpus"]} is what it was when it was added", output);
        Assert.Equal(await File.ReadAllBytesAsync(Path.Combine(_folder, "out/model.bin")), await File.ReadAllBytesAsync(Path.Combine(_folder, "copy/model.bin")));
        Assert.False(Directory.Exists(Path.Combine(_folder, "data/datasets", peers["mnist.zip"])));

        // The piece that was named, and the one that was fetched, are kept and shown.
        Assert.Contains($"piece      {piece}\n", await ShaleAsync("dataset", "show", peers["corpus"], "--store=" + Path.Combine(_folder, "data")));
        Assert.Contains("piece      bafkzcib", await ShaleAsync("dataset", "show", peers["corpus"], "--store=" + Path.Combine(_folder, "other")));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_folder, "other/partial")));
    }

    [Theory]
    [InlineData(64, "is not a CID", "dataset", "show", "bafy0nonsense")]
    [InlineData(64, "(character 6)", "dataset", "show", "bafyb0igdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi")]
    [InlineData(66, "the store has no data set", "dataset", "verify", "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy")]
    [InlineData(64, "There is no preset", "dataset", "add", "x", "--preset=trickle")]
    [InlineData(64, "There is no placement", "dataset", "add", "x", "--placement=moved")]
    [InlineData(66, "does not exist", "dataset", "add", "/nowhere/x")]
    public void Command_ThatCannotBe_SaysWhy(int exitCode, string words, params string[] arguments)
    {
        var result = new ShaleProcess(Path.Combine(_folder, "a")).Run([.. arguments, "--store=" + Path.Combine(_folder, "s")]);
        Assert.Contains(words, result.Error);
        Assert.Equal(exitCode, result.ExitCode);
    }

    private void Write(string path, int length, int seed)
    {
        string full = Path.Combine(_folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        File.WriteAllBytes(full, bytes);
    }

    private string Serve(string path, byte[] content)
    {
        int port = Ports.Free();
        _server.Prefixes.Add($"http://127.0.0.1:{port}/");
        _server.Start();
        _ = Task.Run(async () =>
        {
            while (_server.IsListening)
            {
                HttpListenerContext context = await _server.GetContextAsync();
                context.Response.StatusCode = context.Request.Url!.AbsolutePath == path ? 200 : 404;
                if (context.Response.StatusCode == 200)
                {
                    await context.Response.OutputStream.WriteAsync(content);
                }

                context.Response.Close();
            }
        });
        return $"http://127.0.0.1:{port}";
    }

    private Task<string> ShaleAsync(params string[] arguments) => RunAsync("dotnet", [Path.Combine(AppContext.BaseDirectory, "shale.dll"), .. arguments]);

    private static async Task<string> RunAsync(string program, string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync().WaitAsync(TimeSpan.FromMinutes(3));
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {output}{await error}");
        return output;
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Shale.sln")))
        {
            folder = folder.Parent;
        }

        return folder.FullName;
    }

    [GeneratedRegex("^```bash\n(.*?)^```$", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Bash();
}
