namespace Shale.Containers.Engine;

/// <summary>Why a call to the Docker Engine failed, as far as a caller decides by it.</summary>
public enum EngineFailure
{
    /// <summary>Nothing answers at the endpoint: the engine is stopped, or the path or the permission is wrong.</summary>
    Unreachable,

    /// <summary>The engine accepted the connection and did not answer in time.</summary>
    TimedOut,

    /// <summary>No such container, image, network or exec (HTTP 404).</summary>
    NotFound,

    /// <summary>The object is in a state that does not allow the call, for example paused (HTTP 409).</summary>
    Conflict,

    /// <summary>The engine refused the request (HTTP 400, 401, 403).</summary>
    Refused,

    /// <summary>The engine failed (HTTP 5xx), for example because a device or a port is not available.</summary>
    Failed,

    /// <summary>The answer is not what the Docker Engine API says.</summary>
    Protocol,
}

/// <summary>A call to the Docker Engine failed; <see cref="Exception.Message"/> says what, where and what to do.</summary>
public sealed class EngineException : IOException
{
    /// <summary>Makes one without details, for the serialization conventions of exceptions.</summary>
    public EngineException()
        : this(EngineFailure.Protocol, "The Docker Engine call failed.")
    {
    }

    /// <summary>Makes one with a message alone.</summary>
    public EngineException(string message)
        : this(EngineFailure.Protocol, message)
    {
    }

    /// <summary>Makes one with a message and its cause.</summary>
    public EngineException(string message, Exception innerException)
        : this(EngineFailure.Protocol, message, innerException)
    {
    }

    /// <summary>Makes one with its kind.</summary>
    public EngineException(EngineFailure failure, string message, Exception? innerException = null)
        : base(message, innerException) => Failure = failure;

    /// <summary>The kind of failure.</summary>
    public EngineFailure Failure { get; }

    /// <summary>The HTTP status that the engine answered with; 0 if it did not answer.</summary>
    public int Status { get; init; }
}
