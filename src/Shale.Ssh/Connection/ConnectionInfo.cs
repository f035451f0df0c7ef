using System.Net;
using Shale.Ssh.Keys;

namespace Shale.Ssh.Connection;

/// <summary>What is known about a connection once its first key exchange is done: where it comes from and what was agreed, nothing about who it is.</summary>
/// <param name="Id">The server's own name for the connection, for logs.</param>
/// <param name="RemoteEndPoint">The peer's address, if the transport has addresses.</param>
/// <param name="LocalEndPoint">The address that the peer connected to, if the transport has addresses.</param>
/// <param name="ClientVersion">The peer's identification string, without line end (printable, at most 253 bytes).</param>
/// <param name="SessionId">The exchange hash of the first key exchange (RFC 4253 section 7.2); what session-bind@openssh.com binds to.</param>
/// <param name="HostKey">The host key that signed the first key exchange.</param>
/// <param name="KeyExchange">The key exchange method that was agreed first.</param>
/// <param name="StartedAt">When the connection was accepted.</param>
public sealed record ConnectionInfo(
    string Id,
    EndPoint? RemoteEndPoint,
    EndPoint? LocalEndPoint,
    string ClientVersion,
    ReadOnlyMemory<byte> SessionId,
    SshPublicKey HostKey,
    string KeyExchange,
    DateTimeOffset StartedAt);
