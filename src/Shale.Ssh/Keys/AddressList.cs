using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace Shale.Ssh.Keys;

/// <summary>
/// A list of source addresses: CIDR blocks in a certificate's source-address; in an authorized key's from= also patterns with * and ?, and negation with !
/// (ssh_config(5), PATTERNS). Host names are never looked up: whoever owns the reverse zone would decide.
/// </summary>
public sealed class AddressList
{
    // A certificate's option is bounded by the certificate, a line by its length; this bounds the work of a match.
    private const int MaxEntries = 256;

    private readonly List<Entry> _entries;

    private AddressList(List<Entry> entries, string text)
    {
        _entries = entries;
        Text = text;
    }

    /// <summary>The list as it was written.</summary>
    public string Text { get; }

    /// <summary>Whether a connection from this address is allowed: some entry matches, and no negated one does.</summary>
    /// <param name="address">The peer's address; IPv4 mapped into IPv6 counts as IPv4.</param>
    public bool Matches(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        address = Plain(address);
        var text = address.ToString();
        var found = false;
        foreach (var entry in _entries)
        {
            if (entry.Network is { } network ? network.Contains(address) : MatchesPattern(text, entry.Pattern))
            {
                if (entry.Negated)
                {
                    return false;
                }

                found = true;
            }
        }

        return found;
    }

    /// <inheritdoc/>
    public override string ToString() => Text;

    internal static bool TryParse(string text, bool patterns, [NotNullWhen(true)] out AddressList? list)
    {
        list = null;
        var entries = new List<Entry>();
        foreach (var part in text.Split(','))
        {
            var item = part.Trim();
            var negated = patterns && item.StartsWith('!');
            item = negated ? item[1..] : item;
            if (item.Length == 0 || entries.Count == MaxEntries)
            {
                return false;
            }

            if (TryParseNetwork(item, out var network))
            {
                entries.Add(new(network, "", negated));
            }
            else if (patterns && !item.Contains('/', StringComparison.Ordinal))
            {
                entries.Add(new(null, item, negated));
            }
            else
            {
                return false;
            }
        }

        list = new AddressList(entries, text);
        return true;
    }

    private static bool TryParseNetwork(string text, out IPNetwork network)
    {
        network = default;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var addressText = slash < 0 ? text : text[..slash];

        // Four decimal parts or a colon: the BCL would also take "10.1" for 10.0.0.1.
        if ((!addressText.Contains(':', StringComparison.Ordinal) && addressText.Count(c => c == '.') != 3)
            || !IPAddress.TryParse(addressText, out var address) || address.ScopeId() != 0)
        {
            return false;
        }

        address = Plain(address);
        var most = address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        var length = most;
        if (slash >= 0 && (!int.TryParse(text[(slash + 1)..], System.Globalization.NumberStyles.None, null, out length) || length > most))
        {
            return false;
        }

        // Bits below the prefix must be zero; OpenSSH refuses such a block too, because one of its two halves is a mistake.
        network = new IPNetwork(address, length);
        return network.BaseAddress.Equals(address);
    }

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    // * matches any run and ? one character; iterative, linear in the product of the lengths.
    private static bool MatchesPattern(string text, string pattern)
    {
        int t = 0, p = 0, star = -1, resume = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && (pattern[p] == '?' || char.ToLowerInvariant(pattern[p]) == text[t]))
            {
                p++;
                t++;
            }
            else if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++;
                resume = t;
            }
            else if (star >= 0)
            {
                p = star + 1;
                t = ++resume;
            }
            else
            {
                return false;
            }
        }

        return pattern.AsSpan(p).TrimStart('*').IsEmpty;
    }

    private readonly record struct Entry(IPNetwork? Network, string Pattern, bool Negated);
}

/// <summary>What <see cref="IPAddress"/> makes awkward.</summary>
file static class AddressExtensions
{
    // ScopeId throws for IPv4.
    internal static long ScopeId(this IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? address.ScopeId : 0;
}
