using Shale.Payments.Channel;
using Shale.Ssh.Keys;
using Shale.Wire;

namespace Shale.Agent.Sockets;

/// <summary>Checks host key signatures with the SSH library: of session-bind@openssh.com, and of hellos on carrier B.</summary>
internal sealed class SshHostKeys : IHostKeyVerifier
{
    /// <inheritdoc/>
    public bool Verify(ReadOnlySpan<byte> hostKey, ReadOnlySpan<byte> signature, ReadOnlySpan<byte> data)
    {
        // The algorithm was agreed in a key exchange that the agent did not see: any that this key makes will do. SHA-1 is among none.
        var reader = new WireReader(signature);
        return reader.TryReadAscii(WireReader.MaxNameLength, out string? algorithm) &&
            SshPublicKey.TryParse(hostKey, out SshPublicKey? key) &&
            key.Verify(data, signature, algorithm) == SignatureCheck.Ok;
    }
}
