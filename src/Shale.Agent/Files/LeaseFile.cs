using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using Shale.Payments.Policy;
using Shale.Payments.Vouchers;
using Shale.Ssh.Keys;

namespace Shale.Agent.Files;

/// <summary>What the client knows of a lease, as the chain shows it: the format of <c>leases/ID/lease.json</c> (docs/AGENT.md).</summary>
public sealed record LeaseFile
{
    /// <summary>The version of the format that this code reads and writes.</summary>
    public const int CurrentVersion = 1;

    private const int MaxHostKeys = 16;

    /// <summary>Format version.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>The lease's number in its contract.</summary>
    public required ulong Id { get; init; }

    /// <summary>Where the gateway is: a name or an address.</summary>
    public required string Host { get; init; }

    /// <summary>Its SSH port.</summary>
    public int Port { get; init; } = 22;

    /// <summary>The provider's miner ID; empty for a lease without a chain.</summary>
    public string Provider { get; init; } = "";

    /// <summary>The provider's host keys: lines as in a .pub file.</summary>
    public required IReadOnlyList<string> HostKeys { get; init; }

    /// <summary>The private key to log in with, an absolute path; empty: those that ssh tries by itself.</summary>
    public string IdentityFile { get; init; } = "";

    /// <summary>What it costs; null for a lease that is free.</summary>
    public LeasePrice? Payment { get; init; }

    /// <summary>The lease's name where a person reads it, and its SSH host.</summary>
    internal string Name => "lease-" + Id.ToString(CultureInfo.InvariantCulture);

    /// <summary>The name under which its host keys stand in known_hosts: one for all leases of a provider.</summary>
    internal string HostKeyAlias => Provider.Length > 0 ? "shale-" + Provider : "shale-" + Name;

    /// <summary>Reads a file's bytes and checks every field.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, [NotNullWhen(true)] out LeaseFile? lease, out string problem)
    {
        lease = null;
        try
        {
            lease = JsonSerializer.Deserialize(json, AgentJson.Default.LeaseFile);
        }
        catch (JsonException cause)
        {
            problem = cause.Message;
            return false;
        }

        problem = lease is null ? "it is empty" : lease.Problem() ?? "";
        if (problem.Length > 0)
        {
            lease = null;
        }

        return lease is not null;
    }

    /// <summary>What is wrong with the fields; null where nothing is.</summary>
    public string? Problem()
    {
        if (Version != CurrentVersion)
        {
            return string.Create(CultureInfo.InvariantCulture, $"version {Version} is not {CurrentVersion}");
        }

        // These end up in an ssh configuration: nothing that could end a word or a line.
        if (Host.Length > 253 || (!IPAddress.TryParse(Host, out _) && (Host.Length == 0 || Host[0] == '-' || !Host.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-'))))
        {
            return $"'{Host}' is not a host name or address";
        }

        if (Host.Contains('%', StringComparison.Ordinal))
        {
            return "an address with a zone can't be used";
        }

        if (Port is < 1 or > 65535)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{Port} is not a port");
        }

        if (Provider.Length > 32 || !Provider.All(char.IsAsciiLetterOrDigit))
        {
            return $"'{Provider}' is not a miner ID";
        }

        if (HostKeys is null || HostKeys.Count is 0 or > MaxHostKeys || HostKeys.Any(k => !TryParseKey(k, out _)))
        {
            return "host_keys are not lines as in a .pub file";
        }

        if (IdentityFile.Length > 0 && (IdentityFile.Length > 1024 || IdentityFile[0] != '/' || IdentityFile.Any(c => char.IsControl(c) || c is '"' or '%' or '\\')))
        {
            return "identity_file is not an absolute path without quotes and percent signs";
        }

        return Payment?.Problem();
    }

    /// <summary>Reads a line as in a .pub file.</summary>
    public static bool TryParseKey(string? line, [NotNullWhen(true)] out SshPublicKey? key)
    {
        key = null;
        string[] parts = (line ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (line is null || line.Length > 2 * SshPublicKey.MaxBlobSize || line.Any(char.IsControl) || parts.Length < 2)
        {
            return false;
        }

        byte[] blob = new byte[SshPublicKey.MaxBlobSize];
        return Convert.TryFromBase64String(parts[1], blob, out int length) &&
            SshPublicKey.TryParse(blob.AsSpan(0, length), out key) && key.KeyType == parts[0];
    }

    /// <summary>The facts that the policy decides by; null for a free lease.</summary>
    internal LeaseFacts? ToFacts() => Payment is not { } payment ? null : new LeaseFacts
    {
        LeaseId = Id,
        ChainId = payment.ChainId,
        Contract = Convert.FromHexString(payment.Contract.AsSpan(2)),
        Provider = Provider,
        PricePerSecond = LeasePrice.Amount(payment.PricePerSecond),
        Deposit = LeasePrice.Amount(payment.Deposit),
        HostKeys = [.. Keys().Select(k => (ReadOnlyMemory<byte>)SHA256.HashData(k.Blob.Span))],
    };

    internal IEnumerable<SshPublicKey> Keys()
    {
        foreach (string line in HostKeys)
        {
            if (TryParseKey(line, out SshPublicKey? key))
            {
                yield return key;
            }
        }
    }
}

/// <summary>What a lease costs, as the chain shows it.</summary>
public sealed record LeasePrice
{
    /// <summary>EIP-155 chain ID.</summary>
    public required ulong ChainId { get; init; }

    /// <summary>The settlement contract: 0x and 40 hexadecimal digits.</summary>
    public required string Contract { get; init; }

    /// <summary>The payment key of the lease: 64 hexadecimal digits.</summary>
    public required string PayerKey { get; init; }

    /// <summary>attoFIL per second, decimal.</summary>
    public required string PricePerSecond { get; init; }

    /// <summary>The deposit that is final, attoFIL, decimal.</summary>
    public required string Deposit { get; init; }

    internal static AttoFil Amount(string text) => AttoFil.TryParse(text, out AttoFil amount) ? amount : throw new FormatException($"{text} is not an amount in attoFIL.");

    internal string? Problem()
    {
        if (Contract is not { Length: 42 } || !Contract.StartsWith("0x", StringComparison.Ordinal) || !Contract.AsSpan(2).ToString().All(char.IsAsciiHexDigit))
        {
            return $"'{Contract}' is not a contract's address (0x and 40 hexadecimal digits)";
        }

        if (PayerKey is not { Length: 64 } || !PayerKey.All(char.IsAsciiHexDigit))
        {
            return $"'{PayerKey}' is not a payment key (64 hexadecimal digits)";
        }

        if (!AttoFil.TryParse(PricePerSecond, out AttoFil price) || price == AttoFil.Zero)
        {
            return $"'{PricePerSecond}' is not a price in attoFIL per second";
        }

        return AttoFil.TryParse(Deposit, out _) ? null : $"'{Deposit}' is not a deposit in attoFIL";
    }
}
