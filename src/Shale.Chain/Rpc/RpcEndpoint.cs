using System.Text;

namespace Shale.Chain.Rpc;

/// <summary>
/// A node's address. Providers put access tokens into user info, path or query, so none of these is ever printed: <see cref="ToString"/> gives scheme, host and port only.
/// </summary>
public sealed class RpcEndpoint
{
    // Shorter pieces of a path ("v1", "rpc") are no secrets, and replacing them would garble messages.
    private const int ShortestSecret = 6;

    private readonly List<string> _secrets = [];

    /// <summary>Takes a node's address.</summary>
    /// <param name="address">http or https; user info becomes HTTP basic authentication.</param>
    /// <exception cref="ArgumentException">It is no such address; the message does not repeat it.</exception>
    public RpcEndpoint(string address)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.Host.Length == 0)
        {
            throw new ArgumentException("An endpoint is an http:// or https:// address.", nameof(address));
        }

        Uri = new UriBuilder(uri) { UserName = "", Password = "", Fragment = "" }.Uri;
        if (uri.UserInfo.Length > 0)
        {
            var user = System.Uri.UnescapeDataString(uri.UserInfo);
            Authorization = Convert.ToBase64String(Encoding.UTF8.GetBytes(user.Contains(':', StringComparison.Ordinal) ? user : user + ":"));
            _secrets.Add(Authorization);
            AddSecrets(uri.UserInfo.Split(':'), 1);
        }

        AddSecrets(uri.AbsolutePath.Split('/'), ShortestSecret);
        AddSecrets(uri.Query.TrimStart('?').Split('&', '='), ShortestSecret);
        _secrets.Sort(static (a, b) => b.Length.CompareTo(a.Length));
    }

    internal Uri Uri { get; }

    /// <summary>The credentials of HTTP basic authentication, or null.</summary>
    internal string? Authorization { get; }

    /// <summary>Scheme, host and port.</summary>
    public override string ToString() => $"{Uri.Scheme}://{(Uri.HostNameType == UriHostNameType.IPv6 ? Uri.Host : Uri.IdnHost)}{(Uri.IsDefaultPort ? "" : ":" + Uri.Port.ToString(System.Globalization.CultureInfo.InvariantCulture))}";

    /// <summary>Takes every secret part of the address out of a text that a node or a library wrote, and makes it printable.</summary>
    internal string Redact(string text)
    {
        foreach (var secret in _secrets)
        {
            text = text.Replace(secret, "…", StringComparison.OrdinalIgnoreCase);
        }

        return Text.Printable(text, 400);
    }

    private void AddSecrets(IEnumerable<string> parts, int shortest)
    {
        foreach (var part in parts)
        {
            if (part.Length >= shortest)
            {
                _secrets.Add(part);
                _secrets.Add(System.Uri.UnescapeDataString(part));
            }
        }
    }
}
