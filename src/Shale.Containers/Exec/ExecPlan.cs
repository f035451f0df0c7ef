using System.Text;
using Shale.Containers.Engine;

namespace Shale.Containers.Exec;

/// <summary>What a request comes to in a certain container for a certain user: program, arguments, variables, folder.</summary>
internal sealed record ExecPlan(byte[] Program, IReadOnlyList<byte[]> Arguments, IReadOnlyDictionary<string, string> Environment, string Directory)
{
    private const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <summary>Tried where passwd names no shell or one that is not there.</summary>
    internal static readonly string[] Shells = ["/bin/bash", "/bin/sh", "/bin/ash", "/busybox/sh"];

    public static ExecPlan Make(ExecRequest request, ContainerUser user, ContainerConfigAnswer config, ContainerRoot root)
    {
        var shell = Shell(user, root);
        var environment = new Dictionary<string, string> { ["PATH"] = DefaultPath };
        foreach (var variable in config.Env ?? [])
        {
            var equals = variable.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
            {
                environment[variable[..equals]] = variable[(equals + 1)..];
            }
        }

        environment["HOME"] = user.Home;
        environment["USER"] = environment["LOGNAME"] = user.Name;
        environment["HOSTNAME"] = config.Hostname ?? "";
        if (shell is not null)
        {
            environment["SHELL"] = shell;
        }

        foreach (var (name, value) in request.Environment)
        {
            environment[name] = value;
        }

        var directory = request.WorkingDirectory ?? (root.IsFolder(user.Home) ? user.Home : "/");
        var words = ChooseWords(request, shell);
        return new ExecPlan(words.Program, words.Arguments, environment, directory);
    }

    /// <summary>Whom to run: the request's words, or a shell with the request's command, or words split here where there is no shell.</summary>
    internal static (byte[] Program, IReadOnlyList<byte[]> Arguments) ChooseWords(ExecRequest request, string? shell)
    {
        if (request.Arguments is { } words)
        {
            if (words.Count == 0 || words[0].Length == 0)
            {
                throw new ExecException(ExecFailure.InvalidRequest, "No program is named.");
            }

            return (Encoding.UTF8.GetBytes(words[0]), [.. words.Select(Encoding.UTF8.GetBytes)]);
        }

        if (request.Command is not { } command)
        {
            // A leading '-' makes it a login shell, as login(1) and sshd do.
            return shell is null
                ? throw new ExecException(ExecFailure.NoShell, "This image has no shell. Run one of its programs by name: ssh HOST /program ARGUMENTS")
                : (Encoding.UTF8.GetBytes(shell), [Encoding.UTF8.GetBytes("-" + Path.GetFileName(shell))]);
        }

        if (shell is not null)
        {
            return (Encoding.UTF8.GetBytes(shell), [Encoding.UTF8.GetBytes(Path.GetFileName(shell)), "-c"u8.ToArray(), command.ToArray()]);
        }

        return CommandLine.TrySplit(command.Span, out var split)
            ? (split[0], split)
            : throw new ExecException(ExecFailure.NoShell, "This image has no shell, so a command can only be a program and its arguments (quotes work; pipes, variables and redirections need a shell).");
    }

    /// <summary>Fails as execvp(3) would, for Docker's exec, which tells of it in a text among the output.</summary>
    public void RequireExecutable(ContainerRoot root)
    {
        var program = CommandLine.Text(Program);
        var candidates = program.Contains('/', StringComparison.Ordinal)
            ? [program.StartsWith('/') ? program : Directory + "/" + program]
            : Environment["PATH"].Split(':').Select(folder => folder + "/" + program).ToArray();
        if (!candidates.Any(root.IsExecutable))
        {
            throw candidates.Any(root.Exists)
                ? new ExecException(ExecFailure.NotExecutable, $"{program}: Permission denied")
                : new ExecException(ExecFailure.NotFound, $"{program}: command not found");
        }
    }

    internal static string? Shell(ContainerUser user, ContainerRoot root) =>
        user.Shell.StartsWith('/') && root.IsExecutable(user.Shell) ? user.Shell : Array.Find(Shells, root.IsExecutable);
}
