using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Shale.Ssh.Keys;

/// <summary>A line of an authorized_keys file: a key, what it may not do, and a comment (sshd(8), AUTHORIZED_KEYS FILE FORMAT).</summary>
public sealed class AuthorizedKey
{
    /// <summary>The longest line, in characters: OpenSSH's own bound (SSH_MAX_PUBKEY_BYTES).</summary>
    public const int MaxLineLength = 16384;

    private readonly List<KeyValuePair<string, string>> _environment = [];

    private AuthorizedKey()
    {
    }

    /// <summary>The key. With <see cref="IsCertificateAuthority"/> it is the key that signs certificates.</summary>
    public SshPublicKey Key { get; private set; } = null!;

    /// <summary>What follows the key, or "".</summary>
    public string Comment { get; private set; } = "";

    /// <summary>Option cert-authority: the key is trusted to sign user certificates, and does not log in itself.</summary>
    public bool IsCertificateAuthority { get; private set; }

    /// <summary>Option principals=: the names of which a certificate must contain one; null when not given.</summary>
    public IReadOnlyList<string>? Principals { get; private set; }

    /// <summary>Option command=: run in place of whatever is asked for; null when not given.</summary>
    public string? Command { get; private set; }

    /// <summary>Option from=: where a connection must come from; null when not given.</summary>
    public AddressList? From { get; private set; }

    /// <summary>Option expiry-time=: from when on the key is refused; null when not given.</summary>
    public DateTimeOffset? ExpiryTime { get; private set; }

    /// <summary>Options environment="NAME=value", in order.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Environment => _environment;

    /// <summary>Options permitopen=, as written; empty for no limit.</summary>
    public IReadOnlyList<string> PermitOpen { get; private set; } = [];

    /// <summary>Options permitlisten=, as written; empty for no limit.</summary>
    public IReadOnlyList<string> PermitListen { get; private set; } = [];

    /// <summary>Whether a pseudo-terminal may be had.</summary>
    public bool PermitPty { get; private set; } = true;

    /// <summary>Whether ports may be forwarded.</summary>
    public bool PermitPortForwarding { get; private set; } = true;

    /// <summary>Whether the agent may be forwarded.</summary>
    public bool PermitAgentForwarding { get; private set; } = true;

    /// <summary>Whether X11 may be forwarded.</summary>
    public bool PermitX11Forwarding { get; private set; } = true;

    /// <summary>Whether ~/.ssh/rc may run.</summary>
    public bool PermitUserRc { get; private set; } = true;

    /// <summary>What a security key must attest: presence unless no-touch-required, verification with verify-required.</summary>
    public SecurityKeyPolicy SecurityKeyPolicy { get; private set; } = SecurityKeyPolicy.RequirePresence;

    internal static bool TryParse(string line, [NotNullWhen(true)] out AuthorizedKey? result)
    {
        ArgumentNullException.ThrowIfNull(line);
        result = null;
        var rest = line.AsSpan().Trim(" \t\r");
        if (rest.IsEmpty || rest[0] == '#' || line.Length > MaxLineLength || rest.Contains('\n') || rest.Contains('\0'))
        {
            return false;
        }

        // Options come first, if any; only a known key type tells that there are none.
        var parsed = new AuthorizedKey();
        if (parsed.TryParseKey(rest) || (parsed.TryParseOptions(ref rest) && parsed.TryParseKey(rest)))
        {
            result = parsed;
            return true;
        }

        return false;
    }

    private bool TryParseKey(ReadOnlySpan<char> text)
    {
        var type = TakeWord(ref text);
        var encoded = TakeWord(ref text);
        if (encoded.IsEmpty || !Base64.IsValid(encoded))
        {
            return false;
        }

        var blob = new byte[encoded.Length];
        if (!Convert.TryFromBase64Chars(encoded, blob, out var written) || !SshPublicKey.TryParse(blob.AsSpan(0, written), out var key) || !type.SequenceEqual(key.KeyType))
        {
            return false;
        }

        Key = key;
        Comment = text.Trim(" \t").ToString();
        return true;
    }

    private static ReadOnlySpan<char> TakeWord(ref ReadOnlySpan<char> text)
    {
        text = text.TrimStart(" \t");
        var end = text.IndexOfAny(' ', '\t');
        var word = end < 0 ? text : text[..end];
        text = text[word.Length..];
        return word;
    }

    private bool TryParseOptions(ref ReadOnlySpan<char> text)
    {
        while (true)
        {
            var end = text.IndexOfAny("=, \t");
            if (end <= 0)
            {
                return false;
            }

            var name = text[..end].ToString();
            text = text[end..];
            string? value = null;
            if (text[0] == '=' && !TryTakeQuoted(ref text, out value))
            {
                return false;
            }

            if (!TryApply(name, value) || text.IsEmpty)
            {
                return false;
            }

            if (text[0] != ',')
            {
                text = text.TrimStart(" \t");
                return true;
            }

            text = text[1..];
        }
    }

    // ="…", in which \" stands for a quote; other backslashes are themselves.
    private static bool TryTakeQuoted(ref ReadOnlySpan<char> text, [NotNullWhen(true)] out string? value)
    {
        value = null;
        if (text.Length < 2 || text[1] != '"')
        {
            return false;
        }

        var builder = new System.Text.StringBuilder();
        for (var i = 2; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 1 < text.Length && text[i + 1] == '"')
            {
                builder.Append('"');
                i++;
            }
            else if (text[i] == '"')
            {
                value = builder.ToString();
                text = text[(i + 1)..];
                return true;
            }
            else
            {
                builder.Append(text[i]);
            }
        }

        return false;
    }

    // OpenSSH compares names without case. A flag takes no value, and a value may be given once, except where noted.
    private bool TryApply(string name, string? value) => (name.ToLowerInvariant(), value) switch
    {
        ("restrict", null) => Set(() => PermitPty = PermitPortForwarding = PermitAgentForwarding = PermitX11Forwarding = PermitUserRc = false),
        ("pty", null) => Set(() => PermitPty = true),
        ("no-pty", null) => Set(() => PermitPty = false),
        ("port-forwarding", null) => Set(() => PermitPortForwarding = true),
        ("no-port-forwarding", null) => Set(() => PermitPortForwarding = false),
        ("agent-forwarding", null) => Set(() => PermitAgentForwarding = true),
        ("no-agent-forwarding", null) => Set(() => PermitAgentForwarding = false),
        ("x11-forwarding", null) => Set(() => PermitX11Forwarding = true),
        ("no-x11-forwarding", null) => Set(() => PermitX11Forwarding = false),
        ("user-rc", null) => Set(() => PermitUserRc = true),
        ("no-user-rc", null) => Set(() => PermitUserRc = false),
        ("cert-authority", null) => Set(() => IsCertificateAuthority = true),
        ("no-touch-required", null) => Set(() => SecurityKeyPolicy &= ~SecurityKeyPolicy.RequirePresence),
        ("verify-required", null) => Set(() => SecurityKeyPolicy |= SecurityKeyPolicy.RequireVerification),
        ("command", not null) => Command is null && Set(() => Command = value),
        ("principals", not null) => Principals is null && Set(() => Principals = value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)),
        ("from", not null) => From is null && AddressList.TryParse(value, patterns: true, out var list) && Set(() => From = list),
        ("expiry-time", not null) => TryParseTime(value, out var time) && Set(() => ExpiryTime = ExpiryTime is null || time < ExpiryTime ? time : ExpiryTime),
        ("environment", not null) => TryAddEnvironment(value),
        ("permitopen", not null) => Set(() => PermitOpen = [.. PermitOpen, value]),
        ("permitlisten", not null) => Set(() => PermitListen = [.. PermitListen, value]),
        ("tunnel", not null) => true, // tun devices are never forwarded here, so any limit on them holds
        _ => false,
    };

    private static bool Set(Action action)
    {
        action();
        return true;
    }

    private bool TryAddEnvironment(string value)
    {
        var at = value.IndexOf('=', StringComparison.Ordinal);
        if (at <= 0 || value.AsSpan(0, at).ContainsAnyExcept(EnvironmentNameCharacters))
        {
            return false;
        }

        // The first setting of a name counts, as in OpenSSH.
        var name = value[..at];
        if (_environment.TrueForAll(e => e.Key != name))
        {
            _environment.Add(new(name, value[(at + 1)..]));
        }

        return true;
    }

    private static readonly System.Buffers.SearchValues<char> EnvironmentNameCharacters =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

    // YYYYMMDD[HHMM[SS]][Z]; without Z it is the machine's local time.
    private static bool TryParseTime(string value, out DateTimeOffset time)
    {
        var utc = value.EndsWith('Z');
        var style = utc ? DateTimeStyles.AssumeUniversal : DateTimeStyles.AssumeLocal;
        return DateTimeOffset.TryParseExact(utc ? value[..^1] : value, ["yyyyMMdd", "yyyyMMddHHmm", "yyyyMMddHHmmss"], CultureInfo.InvariantCulture, style, out time);
    }
}
