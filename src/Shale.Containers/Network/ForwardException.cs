namespace Shale.Containers.Network;

/// <summary>Why a forward into a container could not be made, in the words of RFC 4254 section 5.1.</summary>
public enum ForwardFailure
{
    /// <summary>Nobody answers, no such name, no such socket: SSH_OPEN_CONNECT_FAILED.</summary>
    ConnectFailed,

    /// <summary>Not allowed: SSH_OPEN_ADMINISTRATIVELY_PROHIBITED. Also while the lease is paused.</summary>
    Prohibited,
}

/// <summary>A forward into a container could not be made; the message is for the SSH user.</summary>
public sealed class ForwardException : IOException
{
    /// <summary>Makes one without details, for the conventions of exceptions.</summary>
    public ForwardException()
        : this(ForwardFailure.ConnectFailed, "The connection failed.")
    {
    }

    /// <summary>Makes one with a message alone.</summary>
    public ForwardException(string message)
        : this(ForwardFailure.ConnectFailed, message)
    {
    }

    /// <summary>Makes one with a message and its cause.</summary>
    public ForwardException(string message, Exception innerException)
        : this(ForwardFailure.ConnectFailed, message, innerException)
    {
    }

    /// <summary>Makes one with its kind.</summary>
    public ForwardException(ForwardFailure failure, string message, Exception? innerException = null)
        : base(message, innerException) => Failure = failure;

    /// <summary>The kind of failure.</summary>
    public ForwardFailure Failure { get; }
}
