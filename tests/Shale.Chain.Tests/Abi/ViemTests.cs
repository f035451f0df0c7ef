using System.Text.Json;
using System.Text.Json.Nodes;
using Shale.Chain.Abi;
using Shale.Chain.Contracts;
using Shale.Chain.Tests.Doubles;
using Shale.Chain.Transactions;
using Shale.TestPeers;
using Xunit;

namespace Shale.Chain.Tests.Abi;

/// <summary>Codec, generated code, transactions and typed data against viem, on random types and values.</summary>
public sealed class ViemTests
{
    private const int Seed = 20261121;

    private static readonly string[] ContractNames = ["ShaleMarket", "ShaleRegistry", "Groth16Verifier", "DeclaredMiners", "FilecoinMiners", "PoseidonT3", "PoseidonT6"];

    [Fact]
    public void Codec_OnRandomTypes_WritesWhatViemWritesAndReadsItBack()
    {
        var random = new RandomAbi(Seed);
        var cases = new List<(JsonArray Parameters, JsonArray Values)>();
        for (var i = 0; i < 600; i++)
        {
            JsonArray parameters = [.. Enumerable.Range(0, (i % 4) + 1).Select(n => (JsonNode)random.Parameter("p" + n, i % 5))];
            cases.Add((parameters, [.. parameters.Select(p => random.Value(p!))]));
        }

        var answers = NodePeer.Ask("chain.mjs", new { abi = cases.Select(c => new { parameters = c.Parameters, args = c.Values }) }).GetProperty("abi");
        for (var i = 0; i < cases.Count; i++)
        {
            var (parameters, values) = cases[i];
            var codec = new RandomAbi.BoxedTuple([.. parameters.Select(p => RandomAbi.Codec(p!))]);
            var value = parameters.Select((p, n) => RandomAbi.Build(p!, values[n]!, typeof(object))).ToArray();
            var expected = answers[i].GetString()![2..];
            Assert.Equal(expected, Convert.ToHexStringLower(codec.EncodeMembers(value, [])));

            var data = Convert.FromHexString(expected);
            Assert.True(codec.TryDecodeMembers(data, out var read), parameters.ToJsonString());
            Assert.Equal(RandomAbi.Flatten(value), RandomAbi.Flatten(read));
        }
    }

    [Fact]
    public void Codec_OnDamagedData_RefusesOrReadsSomethingWithThatVeryEncoding()
    {
        // What is read from damaged data must encode to these bytes again (one encoding for one value), and viem must read it too.
        var random = new RandomAbi(Seed + 1);
        var bytes = new Random(Seed);
        var accepted = new List<object>();
        for (var i = 0; i < 300; i++)
        {
            JsonArray parameters = [.. Enumerable.Range(0, 2).Select(n => (JsonNode)random.Parameter("p" + n, 2))];
            var codec = new RandomAbi.BoxedTuple([.. parameters.Select(p => RandomAbi.Codec(p!))]);
            var data = codec.EncodeMembers(parameters.Select(p => RandomAbi.Build(p!, random.Value(p!), typeof(object))).ToArray(), []);
            for (var n = 0; n < 60; n++)
            {
                var damaged = bytes.Next(6) == 0 ? [.. data, .. new byte[32]] : data.ToArray();
                damaged[bytes.Next(damaged.Length)] ^= (byte)(1 << bytes.Next(8));
                if (codec.TryDecodeMembers(damaged, out var value))
                {
                    // Strings are the exception: what is not UTF-8 is read with U+FFFD.
                    if (!RandomAbi.Flatten(value).Contains('\ufffd'))
                    {
                        Assert.Equal(damaged, codec.EncodeMembers(value, []));
                    }

                    accepted.Add(new { parameters, data = "0x" + Convert.ToHexStringLower(damaged) });
                }

                _ = codec.TryDecodeMembers(data.AsSpan(0, bytes.Next(data.Length)), out _);
            }
        }

        Assert.NotEmpty(accepted);
        var answers = NodePeer.Ask("chain.mjs", new { decoded = accepted }).GetProperty("decoded");
        Assert.All(answers.EnumerateArray(), answer => Assert.True(answer.GetBoolean()));
    }

    [Fact]
    public void GeneratedCode_ForEveryFunctionEventAndError_AgreesWithViem()
    {
        var random = new RandomAbi(Seed + 2);
        List<(Type Contract, JsonNode Item, JsonArray Args)> calls = [], results = [], events = [], errors = [];
        foreach (var name in ContractNames)
        {
            var contract = typeof(ShaleMarket).Assembly.GetType("Shale.Chain.Contracts." + name)!;
            foreach (var item in JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Root, "contracts", "abi", name + ".json")))!.AsArray())
            {
                for (var i = 0; i < 3; i++)
                {
                    JsonArray Args(string list) => [.. item![list]!.AsArray().Select(p => random.Value(p!))];
                    switch (item!["type"]!.GetValue<string>())
                    {
                        case "function":
                            calls.Add((contract, item, Args("inputs")));
                            results.Add((contract, item, Args("outputs")));
                            break;
                        case "event":
                            events.Add((contract, item, Args("inputs")));
                            break;
                        case "error":
                            errors.Add((contract, item, Args("inputs")));
                            break;
                    }
                }
            }
        }

        static IEnumerable<object> Questions(List<(Type Contract, JsonNode Item, JsonArray Args)> list) => list.Select(q => new { item = q.Item, args = q.Args });
        var answers = NodePeer.Ask("chain.mjs", new { calls = Questions(calls), results = Questions(results), events = Questions(events), errors = Questions(errors) });

        for (var i = 0; i < calls.Count; i++)
        {
            var (contract, item, args) = calls[i];
            var type = contract.GetNestedType(Pascal(item["name"]!.GetValue<string>()) + "Call")!;
            var call = (IContractCall)RandomAbi.Record(item["inputs"]!.AsArray(), args, type);
            Assert.Equal(answers.GetProperty("calls")[i].GetString()![2..], Convert.ToHexStringLower(call.Encode()));

            if (type.GetMethod("TryDecodeResult") is { } decode)
            {
                var data = Convert.FromHexString(answers.GetProperty("results")[i].GetString()![2..]);
                object?[] arguments = [null, null];
                var (read, value) = ((bool, object?))typeof(ViemTests).GetMethod(nameof(Decode), System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)!
                    .MakeGenericMethod(decode.GetParameters()[1].ParameterType.GetElementType()!).Invoke(null, [call, data])!;
                Assert.True(read, contract.Name + "." + type.Name);
                var outputs = item["outputs"]!.AsArray();
                var expected = outputs.Count == 1
                    ? RandomAbi.Build(outputs[0]!, results[i].Args[0]!, value!.GetType().IsArray ? decode.GetParameters()[1].ParameterType.GetElementType()! : value.GetType())
                    : RandomAbi.Record(outputs, results[i].Args, value!.GetType());
                Assert.Equal(RandomAbi.Flatten(expected), RandomAbi.Flatten(value));
            }
        }

        for (var i = 0; i < events.Count; i++)
        {
            var (contract, item, args) = events[i];
            var answer = answers.GetProperty("events")[i];
            var log = new LogEntry(
                Address.Zero, [.. answer.GetProperty("topics").EnumerateArray().Select(t => Bytes32.Parse(t.GetString()!))], Convert.FromHexString(answer.GetProperty("data").GetString()![2..]), 1, default, default, 0, 0, false);
            var value = DecodeEvent(contract, log);
            var expected = RandomAbi.Record(item["inputs"]!.AsArray(), args, contract.GetNestedType(item["name"]!.GetValue<string>() + "Event")!);
            Assert.Equal(RandomAbi.Flatten(expected), RandomAbi.Flatten(value));
            Assert.Null(DecodeEvent(contract, log with { Data = log.Data.ToArray().Append((byte)0).ToArray() }));
            Assert.Null(DecodeEvent(contract, log with { Topics = [.. log.Topics, default] }));
        }

        for (var i = 0; i < errors.Count; i++)
        {
            var (_, item, args) = errors[i];
            var error = RevertData.Decode(Convert.FromHexString(answers.GetProperty("errors")[i].GetString()![2..]));
            var expected = RandomAbi.Record(item["inputs"]!.AsArray(), args, typeof(ShaleMarket).Assembly.GetType("Shale.Chain.Contracts." + item["name"]!.GetValue<string>() + "Error")!);
            Assert.Equal(expected, error);
            Assert.False(string.IsNullOrEmpty(error.Message));
        }
    }

    [Fact]
    public void Transactions_OfBothKinds_AreTheBytesThatViemSigns()
    {
        var random = new Random(Seed);
        var cases = new List<(string Key, Transaction Transaction)>();
        for (var i = 0; i < 200; i++)
        {
            var key = new byte[32];
            random.NextBytes(key);
            key[0] = 1;
            var data = new byte[random.Next(3) == 0 ? 0 : random.Next(300)];
            random.NextBytes(data);
            var address = new byte[20];
            random.NextBytes(address);
            UInt128 Number() => random.Next(4) == 0 ? 0 : (UInt128)random.NextInt64() << random.Next(60);
            var (fee, tip) = (Number(), Number());
            var price = i % 2 == 0 ? new GasPrice(fee, fee, true) : new GasPrice(UInt128.Max(fee, tip), UInt128.Min(fee, tip), false);
            ulong[] chains = [1, 314, 314159, 31337, 9007199254740991];
            cases.Add((Convert.ToHexStringLower(key), new Transaction(
                chains[random.Next(chains.Length)], (ulong)random.Next(3) * (ulong)random.Next(), price, (ulong)random.Next(), data.Length > 0 && random.Next(4) == 0 ? null : new Address(address), Number(), data)));
        }

        var answers = NodePeer.Ask("chain.mjs", new { transactions = cases.Select(c => new { key = "0x" + c.Key, transaction = ForViem(c.Transaction) }) }).GetProperty("transactions");
        for (var i = 0; i < cases.Count; i++)
        {
            var account = new KeyAccount(cases[i].Key);
            var signed = cases[i].Transaction.Sign(account);
            Assert.Equal(answers[i].GetProperty("address").GetString(), account.Address.ToString());
            Assert.Equal(answers[i].GetProperty("raw").GetString()![2..], Convert.ToHexStringLower(signed.Raw.Span));
            Assert.Equal(answers[i].GetProperty("hash").GetString(), signed.Hash.ToString());
            Assert.True(Transaction.TryDecode(signed.Raw.Span, out var read));
            Assert.Equal(account.Address, read.From);
            Assert.Equal(cases[i].Transaction.SigningHash(), read.Transaction.SigningHash());
        }
    }

    [Fact]
    public void TypedData_OnRandomStructs_HashesAsInViem()
    {
        var random = new RandomAbi(Seed + 3);
        var cases = new List<JsonObject>();
        for (var i = 0; i < 150; i++)
        {
            var types = new JsonObject();
            var message = Struct(types, "Main", [.. Enumerable.Range(0, 4).Select(n => random.Parameter("f" + n, 3))], random);
            var domain = new JsonObject { ["name"] = "Shale", ["version"] = "1", ["chainId"] = 314 };
            if (i % 3 == 0)
            {
                domain["verifyingContract"] = "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC";
            }

            cases.Add(new JsonObject { ["types"] = types, ["primaryType"] = "Main", ["domain"] = domain, ["message"] = message });
        }

        var answers = NodePeer.Ask("chain.mjs", new { typedData = cases }).GetProperty("typedData");
        for (var i = 0; i < cases.Count; i++)
        {
            using var document = JsonDocument.Parse(cases[i].ToJsonString());
            Assert.True(TypedData.TryHash(document.RootElement, out var hash, out var error), error);
            Assert.Equal(answers[i].GetString(), hash.ToString());
        }
    }

    private static object ForViem(Transaction t)
    {
        var basis = new Dictionary<string, object?>
        {
            ["type"] = t.Price.IsLegacy ? "legacy" : "eip1559",
            ["chainId"] = t.ChainId,
            ["nonce"] = t.Nonce,
            ["gas"] = t.GasLimit.ToString(),
            ["value"] = t.Value.ToString(),
            ["data"] = t.Data.IsEmpty ? null : "0x" + Convert.ToHexStringLower(t.Data.Span),
        };
        if (t.To is { } to)
        {
            basis["to"] = to.ToString();
        }

        if (t.Price.IsLegacy)
        {
            basis["gasPrice"] = t.Price.MaxFee.ToString();
        }
        else
        {
            basis["maxFeePerGas"] = t.Price.MaxFee.ToString();
            basis["maxPriorityFeePerGas"] = t.Price.MaxPriorityFee.ToString();
        }

        return basis.Where(p => p.Value is not null).ToDictionary();
    }

    /// <summary>Random ABI tuples become named structs; values become objects by name.</summary>
    private static JsonObject Struct(JsonObject types, string name, List<JsonObject> fields, RandomAbi random)
    {
        var list = new JsonArray();
        var message = new JsonObject();
        types[name] = list;
        foreach (var field in fields)
        {
            var fieldName = field["name"]!.GetValue<string>();
            var type = field["type"]!.GetValue<string>();
            if (type.StartsWith("tuple", StringComparison.Ordinal))
            {
                // One struct, or none at all in arrays: those are covered by plain elements.
                var inner = name + fieldName;
                message[fieldName] = Struct(types, inner, [.. field["components"]!.AsArray().Select(c => c!.AsObject())], random);
                list.Add(new JsonObject { ["name"] = fieldName, ["type"] = inner });
            }
            else
            {
                message[fieldName] = random.Value(field);
                list.Add(new JsonObject { ["name"] = fieldName, ["type"] = type });
            }
        }

        return message;
    }

    private static (bool, object?) Decode<T>(IContractCall<T> call, byte[] data) => (call.TryDecodeResult(data, out var value), value);

    private static object? DecodeEvent(Type contract, LogEntry log)
    {
        object?[] arguments = [log, null];
        return (bool)contract.GetMethod("TryDecodeEvent")!.Invoke(null, arguments)! ? arguments[1] : null;
    }

    private static string Pascal(string name) => char.ToUpperInvariant(name[0]) + name[1..];
}
