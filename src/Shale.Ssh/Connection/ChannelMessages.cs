using Shale.Ssh.Transport;
using Shale.Wire;

namespace Shale.Ssh.Connection;

/// <summary>
/// SSH_MSG_CHANNEL_OPEN (RFC 4254 section 5.1): string channel type, uint32 sender channel, uint32 initial window size, uint32 maximum packet size, then the type's own fields.
/// </summary>
internal readonly record struct ChannelOpenMessage(string ChannelType, uint Sender, uint Window, uint MaxPacket, ReadOnlyMemory<byte> Fields) : IMessage
{
    public static bool TryRead(ReadOnlyMemory<byte> payload, out ChannelOpenMessage message)
    {
        message = default;
        var reader = new WireReader(payload.Span);
        if (!reader.TryReadByte(out _)
            || !reader.TryReadAscii(WireReader.MaxNameLength, out var type)
            || !reader.TryReadUInt32(out var sender)
            || !reader.TryReadUInt32(out var window)
            || !reader.TryReadUInt32(out var maxPacket))
        {
            return false;
        }

        message = new ChannelOpenMessage(type, sender, window, maxPacket, payload[reader.Consumed..]);
        return true;
    }

    public void Write(WireWriter writer)
    {
        writer.WriteByte(MessageNumber.ChannelOpen);
        writer.WriteString(ChannelType);
        writer.WriteUInt32(Sender);
        writer.WriteUInt32(Window);
        writer.WriteUInt32(MaxPacket);
        writer.WriteBytes(Fields.Span);
    }
}

/// <summary>SSH_MSG_CHANNEL_OPEN_CONFIRMATION (RFC 4254 section 5.1): uint32 recipient, uint32 sender, uint32 initial window size, uint32 maximum packet size.</summary>
internal readonly record struct ChannelOpenConfirmationMessage(uint Recipient, uint Sender, uint Window, uint MaxPacket) : IMessage
{
    public static bool TryRead(ReadOnlySpan<byte> payload, out ChannelOpenConfirmationMessage message)
    {
        message = default;
        var reader = new WireReader(payload);
        if (!reader.TryReadByte(out _) || !reader.TryReadUInt32(out var recipient) || !reader.TryReadUInt32(out var sender)
            || !reader.TryReadUInt32(out var window) || !reader.TryReadUInt32(out var maxPacket))
        {
            return false;
        }

        // A type's own fields may follow; no type that we know has any.
        message = new ChannelOpenConfirmationMessage(recipient, sender, window, maxPacket);
        return true;
    }

    public void Write(WireWriter writer)
    {
        writer.WriteByte(MessageNumber.ChannelOpenConfirmation);
        writer.WriteUInt32(Recipient);
        writer.WriteUInt32(Sender);
        writer.WriteUInt32(Window);
        writer.WriteUInt32(MaxPacket);
    }
}

/// <summary>SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254 section 5.1): uint32 recipient, uint32 reason code, string description, string language tag.</summary>
internal readonly record struct ChannelOpenFailureMessage(uint Recipient, uint Reason, string Description) : IMessage
{
    public static bool TryRead(ReadOnlySpan<byte> payload, out ChannelOpenFailureMessage message)
    {
        message = default;
        var reader = new WireReader(payload);
        if (!reader.TryReadByte(out _) || !reader.TryReadUInt32(out var recipient) || !reader.TryReadUInt32(out var reason)
            || !reader.TryReadUtf8(DisconnectMessage.MaxDescriptionLength, out var description) || !reader.TryReadString(64, out _) || !reader.IsAtEnd)
        {
            return false;
        }

        message = new ChannelOpenFailureMessage(recipient, reason, description);
        return true;
    }

    public void Write(WireWriter writer)
    {
        writer.WriteByte(MessageNumber.ChannelOpenFailure);
        writer.WriteUInt32(Recipient);
        writer.WriteUInt32(Reason);
        writer.WriteString(Description);
        writer.WriteString("");
    }
}

/// <summary>SSH_MSG_CHANNEL_WINDOW_ADJUST (RFC 4254 section 5.2): uint32 recipient, uint32 bytes to add.</summary>
internal readonly record struct ChannelWindowAdjustMessage(uint Recipient, uint Count) : IMessage
{
    public static bool TryRead(ReadOnlySpan<byte> payload, out ChannelWindowAdjustMessage message)
    {
        message = default;
        var reader = new WireReader(payload);
        if (!reader.TryReadByte(out _) || !reader.TryReadUInt32(out var recipient) || !reader.TryReadUInt32(out var count) || !reader.IsAtEnd)
        {
            return false;
        }

        message = new ChannelWindowAdjustMessage(recipient, count);
        return true;
    }

    public void Write(WireWriter writer)
    {
        writer.WriteByte(MessageNumber.ChannelWindowAdjust);
        writer.WriteUInt32(Recipient);
        writer.WriteUInt32(Count);
    }
}

/// <summary>
/// SSH_MSG_CHANNEL_DATA and SSH_MSG_CHANNEL_EXTENDED_DATA (RFC 4254 section 5.2), as received: uint32 recipient, [uint32 data type code,] string data. Sending them is
/// <see cref="Channel"/>'s own matter, where the data lies already.
/// </summary>
internal readonly ref struct ChannelDataMessage
{
    public const uint StandardError = 1;

    public uint Recipient { get; private init; }

    /// <summary>0 for plain data.</summary>
    public uint DataType { get; private init; }

    public ReadOnlySpan<byte> Data { get; private init; }

    public static bool TryRead(ReadOnlySpan<byte> payload, out ChannelDataMessage message)
    {
        message = default;
        var reader = new WireReader(payload);
        uint type = 0;
        if (!reader.TryReadByte(out var number) || !reader.TryReadUInt32(out var recipient)
            || (number == MessageNumber.ChannelExtendedData && !reader.TryReadUInt32(out type))
            || !reader.TryReadString(out var data) || !reader.IsAtEnd)
        {
            return false;
        }

        message = new ChannelDataMessage { Recipient = recipient, DataType = type, Data = data };
        return true;
    }
}

/// <summary>
/// SSH_MSG_CHANNEL_EOF, SSH_MSG_CHANNEL_CLOSE (RFC 4254 section 5.3), SSH_MSG_CHANNEL_SUCCESS and SSH_MSG_CHANNEL_FAILURE (section 5.4): uint32 recipient, nothing more.
/// </summary>
internal readonly record struct ChannelSignalMessage(byte Number, uint Recipient) : IMessage
{
    public static bool TryRead(ReadOnlySpan<byte> payload, out ChannelSignalMessage message)
    {
        message = default;
        var reader = new WireReader(payload);
        if (!reader.TryReadByte(out var number) || !reader.TryReadUInt32(out var recipient) || !reader.IsAtEnd)
        {
            return false;
        }

        message = new ChannelSignalMessage(number, recipient);
        return true;
    }

    public void Write(WireWriter writer)
    {
        writer.WriteByte(Number);
        writer.WriteUInt32(Recipient);
    }
}

/// <summary>SSH_MSG_CHANNEL_REQUEST (RFC 4254 section 5.4): uint32 recipient, string request type, boolean want reply, then the type's own fields.</summary>
internal readonly record struct ChannelRequestMessage(uint Recipient, string RequestType, bool WantReply, ReadOnlyMemory<byte> Fields) : IMessage
{
    public static bool TryRead(ReadOnlyMemory<byte> payload, out ChannelRequestMessage message)
    {
        message = default;
        var reader = new WireReader(payload.Span);
        if (!reader.TryReadByte(out _) || !reader.TryReadUInt32(out var recipient)
            || !reader.TryReadAscii(WireReader.MaxNameLength, out var type) || !reader.TryReadBoolean(out var wantReply))
        {
            return false;
        }

        message = new ChannelRequestMessage(recipient, type, wantReply, payload[reader.Consumed..]);
        return true;
    }

    public void Write(WireWriter writer)
    {
        writer.WriteByte(MessageNumber.ChannelRequest);
        writer.WriteUInt32(Recipient);
        writer.WriteString(RequestType);
        writer.WriteBoolean(WantReply);
        writer.WriteBytes(Fields.Span);
    }
}

/// <summary>SSH_MSG_GLOBAL_REQUEST (RFC 4254 section 4): string request name, boolean want reply, then the request's own fields.</summary>
internal readonly record struct GlobalRequestMessage(string Name, bool WantReply, ReadOnlyMemory<byte> Fields) : IMessage
{
    public static bool TryRead(ReadOnlyMemory<byte> payload, out GlobalRequestMessage message)
    {
        message = default;
        var reader = new WireReader(payload.Span);
        if (!reader.TryReadByte(out _) || !reader.TryReadAscii(WireReader.MaxNameLength, out var name) || !reader.TryReadBoolean(out var wantReply))
        {
            return false;
        }

        message = new GlobalRequestMessage(name, wantReply, payload[reader.Consumed..]);
        return true;
    }

    public void Write(WireWriter writer)
    {
        writer.WriteByte(MessageNumber.GlobalRequest);
        writer.WriteString(Name);
        writer.WriteBoolean(WantReply);
        writer.WriteBytes(Fields.Span);
    }
}

/// <summary>SSH_MSG_REQUEST_SUCCESS with the request's own fields, or SSH_MSG_REQUEST_FAILURE (RFC 4254 section 4).</summary>
internal readonly record struct GlobalReplyMessage(bool Success, ReadOnlyMemory<byte> Fields) : IMessage
{
    public void Write(WireWriter writer)
    {
        writer.WriteByte(Success ? MessageNumber.RequestSuccess : MessageNumber.RequestFailure);
        writer.WriteBytes(Fields.Span);
    }
}
