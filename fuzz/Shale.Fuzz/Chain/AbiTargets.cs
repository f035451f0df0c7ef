using Shale.Chain;
using Shale.Chain.Abi;
using Shale.Chain.Contracts;

namespace Shale.Fuzz.Chain;

/// <summary>Structs of the contracts: what is read has the encoding that it came in, unless a string was no UTF-8.</summary>
public sealed class AbiStructTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "abi-struct";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => [ChainSeeds.Offer.Encode(), ChainSeeds.Order.Encode(), ChainSeeds.Terms.Encode(), ChainSeeds.Settle.Encode()];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        Check(Offer.Codec, input);
        Check(Order.Codec, input);
        Check(Terms.Codec, input);
        Check(Lease.Codec, input);
        if (ShaleMarket.SettleCall.TryDecode(input, out var call) && !call.Encode().AsSpan().SequenceEqual(input))
        {
            throw new InvalidOperationException("The call has another encoding than it came in.");
        }
    }

    private static void Check<T>(AbiType<T> type, ReadOnlySpan<byte> input)
    {
        // U+FFFD in UTF-8: either it was there, or it stands for what was no UTF-8.
        if (type.TryDecode(input, out var value) && type.Encode(value) is var back && back.AsSpan().IndexOf("\ufffd"u8) < 0 && !back.AsSpan().SequenceEqual(input))
        {
            throw new InvalidOperationException($"{type.Name} has another encoding than it came in.");
        }
    }
}

/// <summary>Logs: a byte with the number of topics, the topics, the data.</summary>
public sealed class AbiEventTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "abi-event";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds =>
    [
        [4, .. ShaleMarket.LeaseRatedEvent.Topic.ToArray(), .. new byte[96], .. new byte[64], .. Word(96), .. Word(1), .. Word(0)],
        [3, .. ShaleMarket.LeaseCreatedEvent.Topic.ToArray(), .. new byte[96], .. new byte[64], .. Word(96), .. ChainSeeds.Order.Encode().AsSpan(32)],
        [3, .. ShaleRegistry.OfferPutEvent.Topic.ToArray(), .. new byte[64], .. ChainSeeds.Offer.Encode()],
        [3, .. ShaleMarket.PageSettledEvent.Topic.ToArray(), .. new byte[64], .. new byte[64], .. Word(96), .. Word(5), .. new byte[32]],
    ];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty || input.Length < 1 + (32 * (input[0] % 5)))
        {
            return;
        }

        var topics = new Bytes32[input[0] % 5];
        for (var i = 0; i < topics.Length; i++)
        {
            topics[i] = new Bytes32(input.Slice(1 + (32 * i), 32));
        }

        var log = new LogEntry(default, topics, input[(1 + (32 * topics.Length))..].ToArray(), 0, default, default, 0, 0, false);
        if (ShaleMarket.TryDecodeEvent(log, out var market) && market is null)
        {
            throw new InvalidOperationException("An event without a value.");
        }

        _ = ShaleRegistry.TryDecodeEvent(log, out _);
    }

    private static byte[] Word(byte value)
    {
        var word = new byte[32];
        word[31] = value;
        return word;
    }
}

/// <summary>Revert data: always an error with a message that a terminal can show.</summary>
public sealed class AbiErrorTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "abi-error";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds =>
    [
        WrongStateError.Codec.EncodeMembers(new WrongStateError(1, LeaseState.Active, LeaseState.Closed), Keccak("WrongState(uint64,uint8,uint8)")),
        AbiTypes.String.Encode("no", Keccak("Error(string)")),
        AbiTypes.UInt<ulong>(256).Encode(17, Keccak("Panic(uint256)")),
    ];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        var message = RevertData.Decode(input).Message;
        if (message.Length == 0 || message.Any(char.IsControl))
        {
            throw new InvalidOperationException("No message, or one with control characters.");
        }
    }

    private static byte[] Keccak(string signature) => Bytes32.Keccak(System.Text.Encoding.ASCII.GetBytes(signature)).ToArray()[..4];
}

internal static class ChainSeeds
{
    internal static Resources Resources { get; } = new(8, 1 << 30, 1, "NVIDIA H200", 1000);

    internal static Offer Offer { get; } = new(
        Resources, 5, 6, [new DataSet(new byte[36], 7, new byte[39], ["a/b", "c"])], [new Image("cuda", Bytes32.Keccak([1]))], "DE");

    internal static Order Order { get; } = new(1, 2, 3, 4, 5, 6, Resources, Bytes32.Keccak([2]), ["ssh-ed25519 AAAA"], [new Mount(new byte[36], "/data")]);

    internal static Terms Terms { get; } = new(9, "gw.example:22", [Bytes32.Keccak([3])]);

    internal static ShaleMarket.SettleCall Settle { get; } = new(1, 2, 3, 4, new byte[70], new byte[8], 5, [1, 2, 3, 4, 5, 6, 7, 8]);
}
