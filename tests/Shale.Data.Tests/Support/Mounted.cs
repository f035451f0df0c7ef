using System.Diagnostics;

namespace Shale.Data.Tests.Support;

/// <summary>A file system of its own, mounted for a test; needs root, as the containers do that the product runs.</summary>
internal sealed class Mounted : IDisposable
{
    private readonly string _image;

    private Mounted(string root, string image) => (Root, _image) = (root, image);

    public string Root { get; }

    public string this[string path] => Path.Combine(Root, path);

    /// <summary>A new file system in a file, by way of a loop device.</summary>
    public static Mounted New(Scratch scratch, string kind)
    {
        var image = scratch["image." + kind];
        using (var file = File.Create(image))
        {
            // mkfs.xfs makes none below 300 MiB.
            file.SetLength(320 << 20);
        }

        Run("mkfs." + kind, "-q", image);
        var root = Directory.CreateDirectory(scratch["mounted." + kind]).FullName;
        Run("mount", "-o", "loop", image, root);
        return new Mounted(root, image);
    }

    /// <summary>
    /// A folder through a network file system: sshfs, whose server is OpenSSH's, at the other end of a pipe. Nothing is cached, as between two
    /// machines that know nothing of each other's writes.
    /// </summary>
    public static Mounted Remote(Scratch scratch, string folder, string? at = null)
    {
        var script = scratch["sftp.sh"];
        File.WriteAllText(script, "#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var root = Directory.CreateDirectory(at ?? scratch["mounted.sshfs"]).FullName;
        Run("sshfs", "nowhere:" + folder, root, "-o", "ssh_command=" + script, "-o", "dir_cache=no,attr_timeout=0,entry_timeout=0,ro");
        return new Mounted(root, script);
    }

    /// <summary>Runs a program that must succeed.</summary>
    public static string Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {error.Result}");
    }

    public void Dispose()
    {
        Run("umount", Root);
        File.Delete(_image);
    }
}
