namespace Shale.Gateway.Sftp;

/// <summary>Packet types of SFTP version 3 (draft-ietf-secsh-filexfer-02, section 3).</summary>
internal enum SftpType : byte
{
    Init = 1,
    Version = 2,
    Open = 3,
    Close = 4,
    Read = 5,
    Write = 6,
    LStat = 7,
    FStat = 8,
    SetStat = 9,
    FSetStat = 10,
    OpenDir = 11,
    ReadDir = 12,
    Remove = 13,
    MkDir = 14,
    RmDir = 15,
    RealPath = 16,
    Stat = 17,
    Rename = 18,
    ReadLink = 19,
    SymLink = 20,
    Status = 101,
    Handle = 102,
    Data = 103,
    Name = 104,
    Attrs = 105,
    Extended = 200,
    ExtendedReply = 201,
}

/// <summary>Status codes (section 7).</summary>
internal enum SftpStatus : uint
{
    Ok = 0,
    Eof = 1,
    NoSuchFile = 2,
    PermissionDenied = 3,
    Failure = 4,
    BadMessage = 5,
    OpUnsupported = 8,
}

/// <summary>The bounds of the server, told to clients by limits@openssh.com.</summary>
internal static class SftpLimits
{
    /// <summary>The protocol version.</summary>
    public const uint Version = 3;

    /// <summary>The longest packet taken, as OpenSSH's server.</summary>
    public const int MaxPacket = 256 * 1024;

    /// <summary>The most bytes of one read or write: the packet less 1 KiB for everything else, as OpenSSH's.</summary>
    public const int MaxData = MaxPacket - 1024;

    /// <summary>Open files and folders of a session: OpenSSH's client opens a few, sshfs hundreds.</summary>
    public const int MaxHandles = 1000;

    /// <summary>The longest path: PATH_MAX.</summary>
    public const int MaxPath = 4096;

    /// <summary>Names of one answer to readdir: what fits a packet many times over.</summary>
    public const int MaxNames = 100;
}
