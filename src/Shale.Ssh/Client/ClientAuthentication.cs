using Shale.Ssh.Auth;
using Shale.Ssh.Connection;
using Shale.Ssh.Transport;
using Shale.Wire;

namespace Shale.Ssh.Client;

/// <summary>The client's side of user authentication (RFC 4252): one key, signed for at once.</summary>
internal static class ClientAuthentication
{
    /// <summary>How many messages a server may send before its answer: banners, mostly.</summary>
    private const int MaxMessages = 64;

    public static async ValueTask<bool> RunAsync(SshTransport transport, SshClientOptions options)
    {
        transport.Send(new ServiceRequestMessage(ServiceRequestMessage.UserAuth));
        if (!await transport.ReceiveAsync())
        {
            return false;
        }

        if (transport.MessageNumber != MessageNumber.ServiceAccept)
        {
            return transport.Fail(DisconnectReason.ProtocolError, "SERVICE_ACCEPT was expected.");
        }

        transport.Enter(Phase.Authentication);
        var fields = new PublicKeyFields(options.Identity.SignatureAlgorithm, options.Identity.PublicKey.Blob.ToArray(), HostKey: null, Signature: null);
        var signature = options.Identity.Sign(
            fields.SignedData(transport.Exchanger.SessionId, options.UserName, ServiceRequestMessage.Connection));
        transport.Send(new SignedRequest(fields, options.UserName, signature));
        for (var i = 0; i < MaxMessages; i++)
        {
            if (!await transport.ReceiveAsync())
            {
                return false;
            }

            switch (transport.MessageNumber)
            {
                case MessageNumber.UserAuthSuccess:
                    transport.Enter(Phase.Connection);
                    return true;
                case MessageNumber.UserAuthBanner:
                    continue;
                default:
                    return transport.Fail(DisconnectReason.NoMoreAuthMethodsAvailable, "The server refused the key.");
            }
        }

        return transport.Fail(DisconnectReason.ProtocolError, "The server does not answer the authentication request.");
    }

    private readonly record struct SignedRequest(PublicKeyFields Fields, string UserName, byte[] Signature) : IMessage
    {
        public void Write(WireWriter writer)
        {
            Fields.WriteUnsigned(writer, UserName, ServiceRequestMessage.Connection);
            writer.WriteString(Signature);
        }
    }
}
