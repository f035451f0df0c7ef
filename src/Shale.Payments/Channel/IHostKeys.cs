namespace Shale.Payments.Channel;

/// <summary>Checks signatures of SSH host keys; the agent's SSH library does.</summary>
public interface IHostKeyVerifier
{
    /// <summary>True when the signature over the data is the host key's. Malformed blobs are false, never an exception.</summary>
    /// <param name="hostKey">The public key blob (RFC 4253, 6.6).</param>
    /// <param name="signature">The signature blob.</param>
    /// <param name="data">What was signed.</param>
    bool Verify(ReadOnlySpan<byte> hostKey, ReadOnlySpan<byte> signature, ReadOnlySpan<byte> data);
}

/// <summary>Signs with the gateway's host key; the SSH server does.</summary>
public interface IHostKeySigner
{
    /// <summary>The public key blob of the key that signs: the one that the connection's key exchange used.</summary>
    ReadOnlyMemory<byte> HostKey { get; }

    /// <summary>A signature blob over the data.</summary>
    byte[] Sign(ReadOnlySpan<byte> data);
}
