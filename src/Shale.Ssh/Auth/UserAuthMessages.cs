using System.Diagnostics.CodeAnalysis;
using Shale.Ssh.Transport;
using Shale.Wire;

namespace Shale.Ssh.Auth;

/// <summary>SSH_MSG_USERAUTH_REQUEST (RFC 4252 section 5): string user name, string service name, string method name, then the method's own fields.</summary>
internal readonly record struct UserAuthRequestMessage(string UserName, string Service, string Method, ReadOnlyMemory<byte> Fields)
{
    /// <summary>No account name is longer; a longer one would only fill logs.</summary>
    public const int MaxUserNameLength = 255;

    public static bool TryRead(ReadOnlyMemory<byte> payload, out UserAuthRequestMessage message)
    {
        message = default;
        var reader = new WireReader(payload.Span);
        if (!reader.TryReadByte(out var number) || number != MessageNumber.UserAuthRequest
            || !reader.TryReadUtf8(MaxUserNameLength, out var user)
            || !reader.TryReadAscii(WireReader.MaxNameLength, out var service)
            || !reader.TryReadAscii(WireReader.MaxNameLength, out var method))
        {
            return false;
        }

        message = new UserAuthRequestMessage(user, service, method, payload[reader.Consumed..]);
        return true;
    }
}

/// <summary>
/// The fields of the method "publickey" (RFC 4252 section 7) and of publickey-hostbound-v00@openssh.com (OpenSSH's PROTOCOL section 3.1), which names the server's host key besides:
/// boolean has signature, string algorithm, string key, [string host key], [string signature].
/// </summary>
internal sealed record PublicKeyFields(string Algorithm, byte[] Key, byte[]? HostKey, byte[]? Signature)
{
    public const string Method = "publickey";
    public const string HostBoundMethod = "publickey-hostbound-v00@openssh.com";

    public static bool TryRead(ReadOnlySpan<byte> fields, bool hostBound, [NotNullWhen(true)] out PublicKeyFields? result)
    {
        result = null;
        var reader = new WireReader(fields);
        if (!reader.TryReadBoolean(out var isSigned)
            || !reader.TryReadAscii(WireReader.MaxNameLength, out var algorithm)
            || !reader.TryReadString(out var key))
        {
            return false;
        }

        ReadOnlySpan<byte> hostKey = default;
        ReadOnlySpan<byte> signature = default;
        if ((hostBound && !reader.TryReadString(out hostKey)) || (isSigned && !reader.TryReadString(out signature)) || !reader.IsAtEnd)
        {
            return false;
        }

        result = new PublicKeyFields(algorithm, key.ToArray(), hostBound ? hostKey.ToArray() : null, isSigned ? signature.ToArray() : null);
        return true;
    }

    /// <summary>What the signature covers (RFC 4252 section 7): the session identifier and the request up to the signature.</summary>
    public byte[] SignedData(ReadOnlySpan<byte> sessionId, string userName, string service)
    {
        using var buffer = new PooledBufferWriter(64 * 1024);
        var writer = new WireWriter(buffer);
        writer.WriteString(sessionId);
        WriteUnsigned(writer, userName, service);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Writes the request up to the signature, as one that is signed.</summary>
    public void WriteUnsigned(WireWriter writer, string userName, string service)
    {
        writer.WriteByte(MessageNumber.UserAuthRequest);
        writer.WriteString(userName);
        writer.WriteString(service);
        writer.WriteString(HostKey is null ? Method : HostBoundMethod);
        writer.WriteBoolean(true);
        writer.WriteString(Algorithm);
        writer.WriteString(Key);
        if (HostKey is not null)
        {
            writer.WriteString(HostKey);
        }
    }
}

/// <summary>SSH_MSG_USERAUTH_FAILURE (RFC 4252 section 5.1): name-list of methods that can continue, boolean partial success.</summary>
internal readonly record struct UserAuthFailureMessage(IReadOnlyList<string> Methods, bool PartialSuccess) : IMessage
{
    public static bool TryRead(ReadOnlySpan<byte> payload, out UserAuthFailureMessage message)
    {
        message = default;
        var reader = new WireReader(payload);
        if (!reader.TryReadByte(out var number) || number != MessageNumber.UserAuthFailure
            || !reader.TryReadNameList(1024, out var methods) || !reader.TryReadBoolean(out var partial) || !reader.IsAtEnd)
        {
            return false;
        }

        message = new UserAuthFailureMessage(methods, partial);
        return true;
    }

    public void Write(WireWriter writer)
    {
        writer.WriteByte(MessageNumber.UserAuthFailure);
        writer.WriteNameList(Methods);
        writer.WriteBoolean(PartialSuccess);
    }
}

/// <summary>SSH_MSG_USERAUTH_SUCCESS (RFC 4252 section 5.1): nothing more.</summary>
internal readonly record struct UserAuthSuccessMessage : IMessage
{
    public void Write(WireWriter writer) => writer.WriteByte(MessageNumber.UserAuthSuccess);
}

/// <summary>SSH_MSG_USERAUTH_BANNER (RFC 4252 section 5.4): string message, string language tag.</summary>
internal readonly record struct UserAuthBannerMessage(string Text) : IMessage
{
    public void Write(WireWriter writer)
    {
        writer.WriteByte(MessageNumber.UserAuthBanner);
        writer.WriteString(Text);
        writer.WriteString("");
    }
}

/// <summary>SSH_MSG_USERAUTH_PK_OK (RFC 4252 section 7): string algorithm, string key, as they were asked about.</summary>
internal readonly record struct UserAuthPkOkMessage(string Algorithm, byte[] Key) : IMessage
{
    public void Write(WireWriter writer)
    {
        writer.WriteByte(MessageNumber.UserAuthPkOk);
        writer.WriteString(Algorithm);
        writer.WriteString(Key);
    }
}
