using System.Collections;
using System.Numerics;
using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;
using Shale.Chain.Abi;

namespace Shale.Chain.Tests.Abi;

/// <summary>Random ABI types and values, as JSON for viem and as C# values for the codec.</summary>
internal sealed class RandomAbi(int seed)
{
    private readonly Random random = new(seed);

    /// <summary>A random parameter in the form of the ABI's JSON.</summary>
    internal JsonObject Parameter(string name, int depth)
    {
        var kind = random.Next(depth == 0 ? 7 : 10);
        var parameter = kind switch
        {
            0 => new JsonObject { ["type"] = "bool" },
            1 => new JsonObject { ["type"] = "address" },
            2 => new JsonObject { ["type"] = "bytes" + random.Next(1, 33) },
            3 => new JsonObject { ["type"] = "bytes" },
            4 => new JsonObject { ["type"] = "string" },
            5 => new JsonObject { ["type"] = "uint" + (8 * random.Next(1, 33)) },
            6 => new JsonObject { ["type"] = "int" + (8 * random.Next(1, 33)) },
            7 => Tuple(depth),
            _ => Array(Parameter("", depth - 1)),
        };
        parameter["name"] = name;
        return parameter;
    }

    /// <summary>A random value of a parameter, as JSON: numbers are decimal strings, tuples arrays.</summary>
    internal JsonNode Value(JsonNode parameter)
    {
        var type = parameter["type"]!.GetValue<string>();
        if (type.EndsWith(']'))
        {
            var open = type.LastIndexOf('[');
            var element = parameter.DeepClone();
            element["type"] = type[..open];
            var count = type.Length - open > 2 ? int.Parse(type[(open + 1)..^1]) : random.Next(4);
            return new JsonArray([.. Enumerable.Range(0, count).Select(_ => Value(element))]);
        }

        if (type == "tuple")
        {
            return new JsonArray([.. parameter["components"]!.AsArray().Select(c => Value(c!))]);
        }

        if (parameter["internalType"]?.GetValue<string>().StartsWith("enum ", StringComparison.Ordinal) == true)
        {
            return random.Next(8).ToString();
        }

        return type switch
        {
            "bool" => random.Next(2) == 1,
            "address" => new Address(Bytes(20)).ToString(),
            "bytes" => Hex(Bytes(random.Next(100))),
            "string" => Text(),
            _ when type.StartsWith("bytes", StringComparison.Ordinal) => Hex(Bytes(int.Parse(type[5..]))),
            _ when type.StartsWith("uint", StringComparison.Ordinal) => Number(int.Parse(type[4..])).ToString(),
            _ => (Number(int.Parse(type[3..])) - (BigInteger.One << (int.Parse(type[3..]) - 1))).ToString(),
        };
    }

    /// <summary>A codec for a parameter whose values are boxed.</summary>
    internal static AbiType<object> Codec(JsonNode parameter)
    {
        var type = parameter["type"]!.GetValue<string>();
        if (type.EndsWith(']'))
        {
            var open = type.LastIndexOf('[');
            var element = parameter.DeepClone();
            element["type"] = type[..open];
            return type.Length - open > 2
                ? new Boxed<IReadOnlyList<object>>(AbiTypes.FixedArray(Codec(element), int.Parse(type[(open + 1)..^1])))
                : new Boxed<IReadOnlyList<object>>(AbiTypes.Array(Codec(element)));
        }

        return type switch
        {
            "tuple" => new BoxedTuple([.. parameter["components"]!.AsArray().Select(c => Codec(c!))]),
            "bool" => new Boxed<bool>(AbiTypes.Bool),
            "address" => new Boxed<Address>(AbiTypes.Address),
            "bytes" => new Boxed<ReadOnlyMemory<byte>>(AbiTypes.Bytes),
            "string" => new Boxed<string>(AbiTypes.String),
            "bytes32" => new Boxed<Bytes32>(AbiTypes.Bytes32),
            _ when type.StartsWith("bytes", StringComparison.Ordinal) => new Boxed<ReadOnlyMemory<byte>>(AbiTypes.FixedBytes(int.Parse(type[5..]))),
            _ when type.StartsWith("uint", StringComparison.Ordinal) => new Boxed<BigInteger>(AbiTypes.UInt<BigInteger>(int.Parse(type[4..]))),
            _ => new Boxed<BigInteger>(AbiTypes.Int<BigInteger>(int.Parse(type[3..]))),
        };
    }

    /// <summary>The C# value that stands for a JSON value, of a type that generated code or a boxed codec uses.</summary>
    internal static object Build(JsonNode parameter, JsonNode value, Type target)
    {
        var type = parameter["type"]!.GetValue<string>();
        if (type.EndsWith(']'))
        {
            var element = parameter.DeepClone();
            element["type"] = type[..type.LastIndexOf('[')];
            var item = target == typeof(object) ? typeof(object) : target.GetGenericArguments()[0];
            var list = System.Array.CreateInstance(item, value.AsArray().Count);
            for (var i = 0; i < list.Length; i++)
            {
                list.SetValue(Build(element, value[i]!, item), i);
            }

            return list;
        }

        if (type == "tuple")
        {
            var components = parameter["components"]!.AsArray();
            return target == typeof(object)
                ? components.Select((c, i) => Build(c!, value[i]!, typeof(object))).ToArray()
                : Record(components, value, target);
        }

        if (target.IsEnum)
        {
            return Enum.ToObject(target, int.Parse(value.GetValue<string>()));
        }

        return type switch
        {
            "bool" => value.GetValue<bool>(),
            "address" => Address.Parse(value.GetValue<string>()),
            "string" => value.GetValue<string>(),
            "bytes32" => Bytes32.Parse(value.GetValue<string>()),
            _ when type.StartsWith("bytes", StringComparison.Ordinal) => (ReadOnlyMemory<byte>)Convert.FromHexString(value.GetValue<string>()[2..]),
            _ => Integer(BigInteger.Parse(value.GetValue<string>()), target),
        };
    }

    /// <summary>A record of generated code from its positional values.</summary>
    internal static object Record(JsonArray parameters, JsonNode values, Type target)
    {
        var constructor = target.GetConstructors(BindingFlags.Public | BindingFlags.Instance).Single(c => c.GetParameters().Length == parameters.Count);
        var types = constructor.GetParameters();
        return constructor.Invoke([.. types.Select((t, i) => Build(parameters[i]!, values[i]!, t.ParameterType))]);
    }

    /// <summary>All of a value as text, so that two can be compared; lists and bytes by content.</summary>
    internal static string Flatten(object? value) => value switch
    {
        null => "null",
        string text => "\"" + text + "\"",
        ReadOnlyMemory<byte> bytes => Hex(bytes.ToArray()),
        IEnumerable list => "[" + string.Join(",", list.Cast<object>().Select(Flatten)) + "]",
        Enum or bool or Address or Bytes32 => value.ToString()!,
        IFormattable number => number.ToString(null, null),
        _ => value.GetType().Name + "{" + string.Join(",", value.GetType().GetConstructors()[0].GetParameters().Select(p => Flatten(value.GetType().GetProperty(p.Name!)!.GetValue(value)))) + "}",
    };

    private static object Integer(BigInteger value, Type target) => Type.GetTypeCode(target) switch
    {
        TypeCode.Byte => (byte)value,
        TypeCode.UInt16 => (ushort)value,
        TypeCode.UInt32 => (uint)value,
        TypeCode.UInt64 => (ulong)value,
        _ when target == typeof(UInt128) => (object)(UInt128)value,
        _ => value,
    };

    private static string Hex(byte[] bytes) => "0x" + Convert.ToHexStringLower(bytes);

    private JsonObject Tuple(int depth)
    {
        var components = new JsonArray();
        var count = random.Next(1, 5);
        for (var i = 0; i < count; i++)
        {
            components.Add((JsonNode)Parameter("m" + i, depth - 1));
        }

        return new JsonObject { ["type"] = "tuple", ["components"] = components };
    }

    private JsonObject Array(JsonObject element)
    {
        element["type"] = element["type"]!.GetValue<string>() + (random.Next(2) == 0 ? "[]" : $"[{random.Next(1, 4)}]");
        return element;
    }

    private byte[] Bytes(int length)
    {
        var bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }

    // The edges are as likely as all between them.
    private BigInteger Number(int bits) => random.Next(4) switch
    {
        0 => 0,
        1 => (BigInteger.One << bits) - 1,
        2 => BigInteger.One << (bits - 1),
        _ => new BigInteger(Bytes(bits / 8), isUnsigned: true),
    };

    private string Text()
    {
        var text = new StringBuilder();
        for (var i = random.Next(40); i > 0; i--)
        {
            text.Append(random.Next(5) == 0 ? "é漢🚀"[..1] : ((char)random.Next(32, 127)).ToString());
        }

        return text.ToString();
    }

    private sealed class Boxed<T>(AbiType<T> inner) : AbiType<object>
    {
        internal override string Name => inner.Name;

        internal override bool IsDynamic => inner.IsDynamic;

        internal override int HeadSize => inner.HeadSize;

        internal override void Write(AbiWriter writer, int at, object value) => inner.Write(writer, at, (T)value);

        internal override object Read(ref AbiReader reader, int at) => inner.Read(ref reader, at)!;
    }

    internal sealed class BoxedTuple(AbiType<object>[] members) : AbiTuple<object>([.. members])
    {
        protected override void WriteMembers(AbiWriter writer, ref AbiFrame frame, object value)
        {
            for (var i = 0; i < members.Length; i++)
            {
                writer.Member(ref frame, members[i], ((object[])value)[i]);
            }
        }

        protected override object ReadMembers(ref AbiReader reader, ref AbiFrame frame)
        {
            var values = new object[members.Length];
            for (var i = 0; i < values.Length; i++)
            {
                values[i] = reader.Member(ref frame, members[i]);
            }

            return values;
        }
    }
}
