using System.CommandLine;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Shale.Cli.Commands;

/// <summary><c>shale doctor</c>: what this machine has and lacks for each role, and how to get it.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var json = new Option<bool>("--json") { Description = "Print the findings as JSON." };
        var command = new Command("doctor", "Say what this machine lacks for Shale, and how to get it") { json };
        command.SetAction(async (parsed, cancellation) =>
        {
            var findings = await ExamineAsync(cancellation).ConfigureAwait(false);
            Print(findings, parsed.GetValue(json));
            return findings.Any(f => f is { Present: false, Required: true }) ? ExitCodes.Failure : ExitCodes.Success;
        });
        return command;
    }

    private static async Task<Finding[]> ExamineAsync(CancellationToken cancellation) =>
    [
        await ProgramAsync("ssh", "client, agent", "OpenSSH client 8.9 or later", true, "apt-get install openssh-client", ["ssh", "-V"], cancellation).ConfigureAwait(false),
        await ProgramAsync("docker", "provider", "Docker Engine 20.10 or later, running", true, "apt-get install docker.io iptables, then start dockerd", ["docker", "version", "--format", "{{.Server.Version}}"], cancellation).ConfigureAwait(false),
        Library("libcrypto.so.3", "all", "OpenSSL 3 (X25519, Ed25519, ChaCha20)", "apt-get install libssl3"),
        Library("libsecp256k1.so.1", "wallet", "secp256k1 signatures", "apt-get install libsecp256k1-1"),
        await ProgramAsync("gcc", "provider, build", "compiles the container helper (with a static libc)", true, "apt-get install gcc libc6-dev", ["gcc", "--version"], cancellation).ConfigureAwait(false),
        await ProgramAsync("tc", "provider", "traffic shaping for --bandwidth", false, "apt-get install iproute2", ["tc", "-V"], cancellation).ConfigureAwait(false),
        await ProgramAsync("debootstrap", "provider", "makes images without a registry", false, "apt-get install debootstrap", ["debootstrap", "--version"], cancellation).ConfigureAwait(false),
        await ProgramAsync("nvidia-smi", "provider", "an NVIDIA GPU to lease", false, "install NVIDIA's driver and nvidia-container-toolkit; without them offers carry no GPU", ["nvidia-smi", "-L"], cancellation).ConfigureAwait(false),
        await ProgramAsync("node", "devnet, tests", "Node.js 20 or later with npm", false, "install Node.js from your distribution", ["node", "--version"], cancellation).ConfigureAwait(false),
    ];

    private static async Task<Finding> ProgramAsync(string name, string role, string purpose, bool required, string remedy, string[] probe, CancellationToken cancellation)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(probe[0], probe[1..]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            limit.CancelAfter(TimeSpan.FromSeconds(10));
            var output = process.StandardOutput.ReadToEndAsync(limit.Token);
            var error = process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
            var text = (await output.ConfigureAwait(false)).Trim();
            var version = (text.Length > 0 ? text : (await error.ConfigureAwait(false)).Trim()).Split('\n')[0];
            return new Finding(name, role, purpose, required, process.ExitCode == 0, process.ExitCode == 0 ? version : version + " (does not answer)", remedy);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return new Finding(name, role, purpose, required, false, "not installed", remedy);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return new Finding(name, role, purpose, required, false, "does not answer within 10 s", remedy);
        }
    }

    private static Finding Library(string name, string role, string purpose, string remedy)
    {
        var present = NativeLibrary.TryLoad(name, out var handle);
        if (present)
        {
            NativeLibrary.Free(handle);
        }

        return new Finding(name, role, purpose, true, present, present ? "found" : "not installed", remedy);
    }

    private static void Print(Finding[] findings, bool json)
    {
        if (json)
        {
            using var writer = new Utf8JsonWriter(Console.OpenStandardOutput(), new JsonWriterOptions { Indented = true });
            writer.WriteStartArray();
            foreach (var finding in findings)
            {
                writer.WriteStartObject();
                writer.WriteString("name", finding.Name);
                writer.WriteString("role", finding.Role);
                writer.WriteString("purpose", finding.Purpose);
                writer.WriteBoolean("required", finding.Required);
                writer.WriteBoolean("present", finding.Present);
                writer.WriteString("found", finding.Found);
                writer.WriteString("remedy", finding.Remedy);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.Flush();
            Console.WriteLine();
            return;
        }

        foreach (var finding in findings)
        {
            var mark = finding.Present ? "ok     " : finding.Required ? "MISSING" : "absent ";
            Console.WriteLine($"{mark}  {finding.Name,-18} {finding.Purpose} [{finding.Role}]: {finding.Found}");
            if (!finding.Present)
            {
                Console.WriteLine($"         {"",-18} {finding.Remedy}");
            }
        }
    }

    private sealed record Finding(string Name, string Role, string Purpose, bool Required, bool Present, string Found, string Remedy);
}
