using System.Text;
using System.Text.Json;
using Shale.Chain.Rpc;
using Shale.Chain.Transactions;

namespace Shale.Fuzz.Chain;

/// <summary>What a node answers over HTTP, down to blocks, receipts, logs and errors.</summary>
public sealed class JsonRpcTarget : IFuzzTarget
{
    private static readonly string Word = "0x" + new string('1', 64);

    private static readonly RpcCall[] One = [RpcCall.Of("eth_getLogs")];

    private static readonly RpcCall[] Three = [RpcCall.Of("eth_call"), RpcCall.Of("eth_getBlockByNumber"), RpcCall.Of("eth_getTransactionReceipt")];

    private static readonly RpcEndpoint Endpoint = new("https://user:secret99@node.example/v3/token1234?key=abcdef12");

    /// <inheritdoc/>
    public string Name => "json-rpc";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => new[]
    {
        $$$"""{"jsonrpc":"2.0","id":1,"result":[{{{Log}}}]}""",
        $$$"""{"jsonrpc":"2.0","id":1,"result":{"number":"0x1","hash":"{{{Word}}}","parentHash":"{{{Word}}}","timestamp":"0x5","gasLimit":"0x7","baseFeePerGas":"0x64"}}""",
        $$$"""{"jsonrpc":"2.0","id":1,"result":{"transactionHash":"{{{Word}}}","blockNumber":"0x1","blockHash":"{{{Word}}}","transactionIndex":"0x0","status":"0x1","gasUsed":"0x5","from":"0x{{{Word[^40..]}}}","contractAddress":null,"logs":[{{{Log}}}]}}""",
        $$$"""[{"jsonrpc":"2.0","id":3,"result":"0x01"},{"id":1,"result":null},{"id":2,"error":{"code":3,"message":"execution reverted","data":"{{{Word}}}"}}]""",
        """{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"token1234 \u001b[31m","data":{"data":{"data":"Reverted 0x08c379a0"}}}}""",
        """{"jsonrpc":"2.0","id":1,"result":"\ud83d\ude80","\ud800":"\udc00"}""",
        """{"jsonrpc":"2.0","id":1,"error":{"code":12,"message":"null round \ud800"}}""",
        """{"id":null,"error":{"code":-32005,"message":"query returned more than 10000 results"}}""",
    }.Select(Encoding.UTF8.GetBytes);

    private static string Log =>
        $$$"""{"address":"0x{{{Word[^40..]}}}","topics":["{{{Word}}}"],"data":"0x12","blockNumber":"0x1","blockHash":"{{{Word}}}","transactionHash":"{{{Word}}}","transactionIndex":"0x0","logIndex":"0x0","removed":false}""";

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        Check(input, One);
        Check(input, Three);
    }

    private static void Check(ReadOnlySpan<byte> input, RpcCall[] calls)
    {
        var answers = RpcResponse.Read(input, calls, 1, Endpoint.Redact, out var whole);
        if ((answers is null) != (whole is not null) || (answers is not null && answers.Length != calls.Length))
        {
            throw new InvalidOperationException("Neither answers nor a failure, or not one for each call.");
        }

        foreach (var answer in answers ?? [RpcAnswer.Of(whole!)])
        {
            if (answer.Failure is { } failure)
            {
                if (failure.Reason.Any(char.IsControl) || failure.Reason.Contains("token1234", StringComparison.OrdinalIgnoreCase))
                {
                    throw new InvalidOperationException("A control character or a secret came through.");
                }

                continue;
            }

            _ = RpcModels.TryReadBlock(answer.Result, out _);
            _ = RpcModels.TryReadReceipt(answer.Result, out _);
            _ = RpcModels.TryReadLogs(answer.Result, out _);
            _ = RpcModels.TryReadTransaction(answer.Result, out _);
            _ = Quantity.TryRead(answer.Result, out UInt128 _);
            _ = Quantity.TryRead(answer.Result, out byte[] _);
        }
    }
}

/// <summary>Signed transactions, as they lie in the journal.</summary>
public sealed class RawTransactionTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "raw-transaction";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds =>
    [
        // EIP-155's example, and a type 2 transaction made of its parts (its signature is by whoever it is by).
        Convert.FromHexString("f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"),
        Convert.FromHexString("02f871820539098504a817c8008504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080c080a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"),
    ];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (Transaction.TryDecode(input, out var signed) && !signed.Raw.Span.SequenceEqual(input))
        {
            throw new InvalidOperationException("It is not the transaction that came in.");
        }
    }
}

/// <summary>Typed data (EIP-712) in JSON.</summary>
public sealed class TypedDataTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "typed-data";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => new[]
    {
        """{"types":{"P":[{"name":"n","type":"string"},{"name":"w","type":"address"}],"M":[{"name":"f","type":"P"},{"name":"l","type":"P[]"},{"name":"x","type":"uint8[2]"},{"name":"b","type":"bytes3"}]},"primaryType":"M","domain":{"name":"D","chainId":1},"message":{"f":{"n":"a","w":"0x0000000000000000000000000000000000000001"},"l":[],"x":[1,"0x2"],"b":"0x010203"}}""",
        """{"types":{"A":[{"name":"a","type":"A[]"}]},"primaryType":"A","domain":{},"message":{"a":[{"a":[]}]}}""",
    }.Select(Encoding.UTF8.GetBytes);

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        JsonElement element;
        try
        {
            var reader = new Utf8JsonReader(input);
            element = JsonElement.ParseValue(ref reader);
        }
        catch (JsonException)
        {
            return;
        }

        if (TypedData.TryHash(element, out _, out var error) != (error is null))
        {
            throw new InvalidOperationException("Refused without a reason, or the other way round.");
        }
    }
}
