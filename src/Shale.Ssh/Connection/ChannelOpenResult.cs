using System.Diagnostics.CodeAnalysis;

namespace Shale.Ssh.Connection;

/// <summary>Why a channel was not opened: the reason codes of RFC 4254 section 5.1.</summary>
public enum ChannelOpenFailure
{
    /// <summary>Not refused.</summary>
    None = 0,

    /// <summary>Not allowed.</summary>
    AdministrativelyProhibited = 1,

    /// <summary>The far end could not be reached.</summary>
    ConnectFailed = 2,

    /// <summary>The peer does not know the type.</summary>
    UnknownChannelType = 3,

    /// <summary>A limit was reached.</summary>
    ResourceShortage = 4,
}

/// <summary>The peer's answer to the opening of a channel.</summary>
/// <param name="Channel">The channel, if it was opened.</param>
/// <param name="Failure">Why not, otherwise.</param>
/// <param name="Description">The peer's words for it; not trusted, control characters replaced.</param>
public readonly record struct ChannelOpenResult(SshChannel? Channel, ChannelOpenFailure Failure, string Description)
{
    /// <summary>Whether there is a channel.</summary>
    [MemberNotNullWhen(true, nameof(Channel))]
    public bool IsOpen => Channel is not null;
}
