using System.CommandLine;
using System.Security.Cryptography;
using Shale.Chain;
using Shale.Cli.Commands;
using Shale.Ssh.Keys;

namespace Shale.Cli.Parsing;

/// <summary>The SSH host keys of a provider, as the chain has them: SHA-256 of each key's blob.</summary>
internal sealed class HostKeyOptions
{
    private const int MaxKeyFile = 64 * 1024;

    private readonly Option<string[]> _keys = new("--host_key", "--host-key") { Description = "A host key: a line as in a .pub file, or such a file. May be given often. Default: the gateway's own, made if need be." };
    private readonly Option<string> _state = new("--state_dir", "--state-dir") { Description = "The gateway's folder.", DefaultValueFactory = _ => GatewayCommand.DefaultState };

    public void AddTo(Command command)
    {
        command.Options.Add(_keys);
        command.Options.Add(_state);
    }

    public IReadOnlyList<Bytes32> Read(ParseResult parsed)
    {
        if (parsed.GetValue(_keys) is { Length: > 0 } named)
        {
            return [.. named.SelectMany(Lines).Select(l => SshPublicKey.TryParseAuthorizedKey(l, out var key)
                ? Hash(key.Key)
                : throw new CliError($"--host_key: '{(l.Length > 40 ? l[..40] + "…" : l)}' is not an SSH public key.", "For example --host_key='ssh-ed25519 AAAA…', or the gateway's .pub file.", ExitCodes.Usage)).Distinct()];
        }

        return OfFolder(Path.Combine(parsed.GetValue(_state)!, "hostkeys"));
    }

    /// <summary>The keys of a gateway's folder, made if need be.</summary>
    public static IReadOnlyList<Bytes32> OfFolder(string folder)
    {
        var keys = HostKeyStore.LoadOrCreate(folder);
        try
        {
            return [.. keys.Select(k => Hash(k.PublicKey))];
        }
        finally
        {
            foreach (var key in keys)
            {
                key.Dispose();
            }
        }
    }

    /// <summary>As <c>ssh-keygen -l</c> prints it.</summary>
    public static string Fingerprint(Bytes32 hash) => "SHA256:" + Convert.ToBase64String(hash.ToArray()).TrimEnd('=');

    private static Bytes32 Hash(SshPublicKey key) => new(SHA256.HashData(key.Blob.Span));

    private static IEnumerable<string> Lines(string text)
    {
        if (!File.Exists(text))
        {
            return [text];
        }

        return new FileInfo(text).Length <= MaxKeyFile
            ? File.ReadAllLines(text).Select(l => l.Trim()).Where(l => l.Length > 0 && l[0] != '#')
            : throw new CliError($"{text} is larger than any public key file.", null, ExitCodes.NoInput);
    }
}
