namespace Shale.Ssh.Listening;

/// <summary>
/// A feature of a connection whose transport can hand over the few bytes of a keystroke on the thread that waits for the sockets of all connections: a hop to the thread pool costs more than all
/// else that is done with them. The server turns it on once the user is authenticated, and leaves that thread for everything but a channel's data and windows.
/// </summary>
public interface IInlineReadsFeature
{
    /// <summary>Whether a short read may be handed over there; off to begin with.</summary>
    bool IsEnabled { get; set; }

    /// <summary>Whether the caller runs there now. Nobody may keep that thread.</summary>
    bool IsSharedThread { get; }

    /// <summary>Lets another thread wait in place of this one, until what runs here returns.</summary>
    /// <returns>Whether the caller may take his time. If not, he is to go on in the thread pool.</returns>
    bool TryLeaveSharedThread();
}
