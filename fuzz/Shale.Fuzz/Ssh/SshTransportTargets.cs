using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Shale.Ssh.Ciphers;
using Shale.Ssh.KeyExchange;
using Shale.Ssh.Transport;
using Shale.Wire;

namespace Shale.Fuzz.Ssh;

/// <summary>The identification line and what comes before and after it.</summary>
public sealed class SshIdentificationTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "ssh-identification";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => new[] { "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "SSH-1.99-x\n", "hello\r\nSSH-2.0-x\r\nrest", "SSH-2.0-" + new string('x', 300) + "\r\n" }.Select(Encoding.ASCII.GetBytes);

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        using var reader = new PacketReader(SshInput.Pipe(input));
        var taken = 0;
        while (true)
        {
            var (status, line) = SshInput.Now(reader.ReadLineAsync(255));
            if (status != PacketStatus.Packet)
            {
                return;
            }

            if (line.Length > 254 || line.Contains((byte)'\n') || (taken += line.Length + 1) > input.Length)
            {
                throw new InvalidOperationException("A line is longer than it may be.");
            }
        }
    }
}

/// <summary>Packets in clear, as anybody may send them.</summary>
public sealed class SshPacketTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "ssh-packet";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds =>
    [
        SshInput.Seal(new ClearSealer(), [MessageNumber.Ignore, 0, 0, 0, 0], [MessageNumber.NewKeys]),
        SshInput.Seal(new ClearSealer(), new byte[30_000]),
    ];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        using var reader = new PacketReader(SshInput.Pipe(input));
        while (SshInput.Now(reader.ReadAsync()) == PacketStatus.Packet)
        {
            if (reader.Payload.IsEmpty || reader.Payload.Length > PacketReader.MaxLengthBeforeAuthentication)
            {
                throw new InvalidOperationException("A payload has a length that cannot be.");
            }
        }
    }
}

/// <summary>Packets under keys: the first byte chooses the cipher. Nothing is taken that was not sealed.</summary>
public sealed class SshSealedPacketTarget : IFuzzTarget
{
    private static readonly (string Cipher, string Mac)[] Suites =
    [
        ("chacha20-poly1305@openssh.com", ""), ("aes128-gcm@openssh.com", ""), ("aes256-ctr", "hmac-sha2-256-etm@openssh.com"), ("aes128-ctr", "hmac-sha2-512"),
    ];

    private static readonly byte[][] Payloads = [[MessageNumber.Ignore, 0, 0, 0, 0], new byte[2000], [MessageNumber.ChannelEof, 0, 0, 0, 1]];

    private static DirectionKeys Keys(CipherSuite suite) => new(new byte[16], new byte[suite.KeySize], new byte[64]);

    /// <inheritdoc/>
    public string Name => "ssh-packet-sealed";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => Suites.Select((s, i) => (byte[])[(byte)i, .. SshInput.Seal(Suite(i).CreateSealer(Keys(Suite(i))), Payloads)]);

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty)
        {
            return;
        }

        using var reader = new PacketReader(SshInput.Pipe(input[1..]));
        var suite = Suite(input[0] % Suites.Length);
        reader.SwitchKeys(suite.CreateOpener(Keys(suite)), resetSequence: true);
        for (var i = 0; SshInput.Now(reader.ReadAsync()) == PacketStatus.Packet; i++)
        {
            if (i >= Payloads.Length || !reader.Payload.Span.SequenceEqual(Payloads[i]))
            {
                throw new InvalidOperationException("A packet was taken that nobody sealed.");
            }
        }
    }

    private static CipherSuite Suite(int index) => new(Suites[index].Cipher, Suites[index].Mac.Length == 0 ? null : Suites[index].Mac);
}

/// <summary>KEXINIT, and what two of them agree on.</summary>
public sealed class SshKexInitTarget : IFuzzTarget
{
    private static readonly KexInit Ours = KexInit.Offer(KeyAgreement.Names, ["ssh-ed25519", "rsa-sha2-512"], CipherSuite.CipherNames, CipherSuite.MacNames);

    /// <inheritdoc/>
    public string Name => "ssh-kexinit";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds =>
    [
        SshMessageTarget.Fields(Ours.Write),
        SshMessageTarget.Fields((KexInit.Offer(["curve25519-sha256", Negotiation.StrictClient], ["ssh-ed25519"], ["aes128-ctr"], ["hmac-sha2-256"]) with { FirstPacketFollows = true }).Write),
    ];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (!KexInit.TryRead(input, out var read))
        {
            return;
        }

        var written = SshMessageTarget.Fields(read.Write);
        if (!KexInit.TryRead(written, out var again) || !again.KexAlgorithms.SequenceEqual(read.KexAlgorithms) || !again.MacsServerToClient.SequenceEqual(read.MacsServerToClient))
        {
            throw new InvalidOperationException("KEXINIT is another one after it was written.");
        }

        _ = Negotiation.TryNegotiate(read, Ours, out _, out _);
    }
}

/// <summary>Helpers of the SSH targets.</summary>
internal static class SshInput
{
    public static PipeReader Pipe(ReadOnlySpan<byte> input)
    {
        // In several segments, so that what lies across a border is met too.
        var pipe = new Pipe(new PipeOptions(minimumSegmentSize: 16, pauseWriterThreshold: 0, resumeWriterThreshold: 0, useSynchronizationContext: false));
        var cut = input.Length / 2;
        pipe.Writer.Write(input[..cut]);
        pipe.Writer.Write(input[cut..]);
        Now(pipe.Writer.FlushAsync());
        pipe.Writer.Complete();
        return pipe.Reader;
    }

    public static T Now<T>(ValueTask<T> task) => task.AsTask().GetAwaiter().GetResult();

    public static byte[] Bytes(IMessage message)
    {
        var buffer = new ArrayBufferWriter<byte>();
        message.Write(new WireWriter(buffer));
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>RFC 4253 section 6, with padding of zeros.</summary>
    public static byte[] Seal(PacketSealer sealer, params byte[][] payloads)
    {
        using (sealer)
        {
            var output = new List<byte>();
            for (var i = 0u; i < payloads.Length; i++)
            {
                var padding = sealer.PaddingFor(payloads[i].Length);
                var packet = new byte[5 + payloads[i].Length + padding];
                System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(packet, packet.Length - 4);
                packet[4] = (byte)padding;
                payloads[i].CopyTo(packet, 5);
                var wire = new byte[packet.Length + sealer.TagSize];
                sealer.Seal(i, packet, wire);
                output.AddRange(wire);
            }

            return [.. output];
        }
    }
}
