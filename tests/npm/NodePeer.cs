using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Shale.TestPeers;

/// <summary>
/// Asks a script of tests/npm, run by Node.js, for a second opinion: JSON in on its standard input, JSON out on its standard output.
/// Test projects take this file in with <c>&lt;Compile Include="../npm/NodePeer.cs" /&gt;</c>.
/// </summary>
internal static class NodePeer
{
    private static readonly JsonSerializerOptions Options = new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    internal static string Folder { get; } = FindFolder();

    /// <summary>Runs a script once. A missing Node.js or package, a non-zero exit and a timeout are all failures of the test.</summary>
    internal static JsonElement Ask(string script, object request, TimeSpan? timeout = null)
    {
        if (!Directory.Exists(Path.Combine(Folder, "node_modules")))
        {
            throw new InvalidOperationException("tests/npm/node_modules is missing: run 'npm ci' in tests/npm, or './shale setup'.");
        }

        var start = new ProcessStartInfo("node")
        {
            WorkingDirectory = Folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(false),
        };
        start.ArgumentList.Add(script);
        using var process = Process.Start(start) ?? throw new InvalidOperationException("node did not start.");
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        process.StandardInput.Write(JsonSerializer.Serialize(request, Options));
        process.StandardInput.Close();
        if (!process.WaitForExit(timeout ?? TimeSpan.FromMinutes(2)))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"node {script} did not end in time.");
        }

        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"node {script} ended with {process.ExitCode}: {errors.Result}");
        }

        using var document = JsonDocument.Parse(output.Result);
        return document.RootElement.Clone();
    }

    /// <summary>The same, with the answer read as <typeparamref name="T"/>.</summary>
    internal static T Ask<T>(string script, object request, TimeSpan? timeout = null) =>
        Ask(script, request, timeout).Deserialize<T>(Options) ?? throw new InvalidOperationException($"node {script} answered null.");

    private static string FindFolder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Shale.sln")))
            {
                return Path.Combine(folder.FullName, "tests", "npm");
            }
        }

        throw new DirectoryNotFoundException("Shale.sln was not found above " + AppContext.BaseDirectory + ".");
    }
}
