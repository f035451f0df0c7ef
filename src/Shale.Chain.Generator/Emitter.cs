using System.Globalization;
using System.Text;

namespace Shale.Chain.Generator;

/// <summary>Writes the C# files.</summary>
internal sealed class Emitter(SolidityNotes notes)
{
    internal string Contract(AbiContract contract)
    {
        var code = new CodeWriter();
        code.Header();
        code.Summary($"The contract {contract.Name}: its functions as calls, its events, its deployment.");
        code.Open($"public static partial class {contract.Name}");
        var events = new List<string>();
        foreach (var item in contract.Items.OrderBy(i => i.Kind, StringComparer.Ordinal).ThenBy(i => i.Name, StringComparer.Ordinal))
        {
            switch (item.Kind)
            {
                case "function":
                    Function(code, contract.Name, item);
                    break;
                case "event":
                    Event(code, contract.Name, item);
                    events.Add(item.Name + "Event");
                    break;
            }
        }

        Deployment(code, contract);
        if (events.Count > 0)
        {
            code.Summary("Reads any of this contract's events. Whose log it is, is for the caller to check.");
            code.Line("/// <param name=\"log\">From a node.</param>");
            code.Line("/// <param name=\"value\">The event.</param>");
            code.Line("/// <returns>False when it is none of them or not canonically encoded.</returns>");
            code.Open($"public static bool TryDecodeEvent({Chain}LogEntry log, {NotNull} out {Chain}IContractEvent? value)");
            code.Line("value = null;");
            code.Open("if (log.Topics.Count == 0)");
            code.Line("return false;");
            code.Close();
            code.Line("var topic = log.Topics[0];");
            foreach (var name in events)
            {
                code.Open($"if (topic == {name}.Topic && {name}.TryDecode(log, out var {Local(name)}))");
                code.Line($"value = {Local(name)};");
                code.Line("return true;");
                code.Close();
            }

            code.Line("return false;");
            code.Close();
        }

        code.Close();
        return code.ToString();
    }

    internal string Structs(IEnumerable<AbiContract> contracts)
    {
        var code = new CodeWriter();
        code.Header();
        var structs = new SortedDictionary<string, IReadOnlyList<AbiParameter>>(StringComparer.Ordinal);
        foreach (var parameter in contracts.SelectMany(c => c.Items).SelectMany(i => i.Inputs.Concat(i.Outputs)))
        {
            Collect(parameter, structs);
        }

        foreach (var (full, members) in structs)
        {
            var parts = full.Split('.');
            if (parts.Length == 2)
            {
                code.Open($"public static partial class {parts[0]}");
            }

            Struct(code, parts[^1], full, members);
            if (parts.Length == 2)
            {
                code.Close();
            }
        }

        foreach (var (name, members) in notes.Enums.OrderBy(e => e.Key, StringComparer.Ordinal))
        {
            code.Summary(notes.Comment(name, $"Solidity's enum {name}."));
            code.Open($"public enum {name}");
            for (var i = 0; i < members.Count; i++)
            {
                code.Summary($"Number {i.ToString(CultureInfo.InvariantCulture)}.");
                code.Line($"{members[i]} = {i.ToString(CultureInfo.InvariantCulture)},");
            }

            code.Close();
        }

        return code.ToString();
    }

    internal string Errors(IEnumerable<AbiContract> contracts)
    {
        var code = new CodeWriter();
        code.Header();
        var errors = new SortedDictionary<string, AbiItem>(StringComparer.Ordinal);
        foreach (var error in contracts.SelectMany(c => c.Items).Where(i => i.Kind == "error"))
        {
            if (errors.TryGetValue(error.Name, out var other) && other.Signature != error.Signature)
            {
                throw new InvalidDataException($"Two custom errors are called {error.Name} and differ: {other.Signature}, {error.Signature}.");
            }

            errors[error.Name] = error;
        }

        foreach (var error in errors.Values)
        {
            var members = Members(error.Inputs);
            var sentence = notes.Comment(error.Name, CSharpNames.Words(error.Name)).TrimEnd('.');
            code.Summary(sentence + ".");
            Parameters(code, error.Name, members);
            code.Open($"public sealed record {error.Name}Error({List(members)}) : {Chain}ContractError");
            Codec(code, error.Name + "Error", members);
            code.Line("/// <inheritdoc/>");
            code.Line($"public override string Signature => \"{error.Signature}\";");
            code.Line("/// <inheritdoc/>");
            var values = string.Join(", ", members.Select(m => CSharpNames.Words(m.Source.Name) + " {" + m.Property + "}"));
            code.Line($"public override string Message => string.Create(global::System.Globalization.CultureInfo.InvariantCulture, $\"{Literal(sentence)}: {values}\");");
            code.Close();
        }

        code.Summary("Every custom error of the contracts, by its selector.");
        code.Open("public static class ContractErrors");
        code.Summary("Reads the data of a revert.");
        code.Line("/// <param name=\"data\">From a node.</param>");
        code.Line("/// <param name=\"error\">The error.</param>");
        code.Line("/// <returns>False when it is no error of these contracts, or not canonically encoded.</returns>");
        code.Open($"public static bool TryDecode(global::System.ReadOnlySpan<byte> data, {NotNull} out {Chain}ContractError? error)");
        code.Line("error = null;");
        code.Open("if (data.Length < 4)");
        code.Line("return false;");
        code.Close();
        code.Open("switch (global::System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(data))");
        foreach (var error in errors.Values)
        {
            code.Line($"case 0x{Keccak.Selector(error.Signature)}:");
            code.Open($"if ({error.Name}Error.Codec.TryDecodeMembers(data[4..], out var {Local(error.Name)}))");
            code.Line($"error = {Local(error.Name)};");
            code.Close();
            code.Line("break;");
        }

        code.Close();
        code.Line("return error is not null;");
        code.Close();
        code.Close();
        return code.ToString();
    }

    private const string Chain = "global::Shale.Chain.";

    private const string NotNull = "[global::System.Diagnostics.CodeAnalysis.NotNullWhen(true)]";

    private void Function(CodeWriter code, string contract, AbiItem function)
    {
        var members = Members(function.Inputs);
        var name = CSharpNames.Pascal(function.Name) + "Call";
        var results = Members(function.Outputs);
        var result = results.Count switch { 0 => "", 1 => results[0].Type, _ => CSharpNames.Pascal(function.Name) + "Result" };
        code.Summary($"{contract}.{function.Signature}{(function.Payable ? ", payable" : "")}.");
        Parameters(code, function.Name, members);
        code.Open($"public sealed record {name}({List(members)}) : {Chain}IContractCall{(result.Length > 0 ? $"<{result}>" : "")}");
        Codec(code, name, members);
        code.Line("/// <inheritdoc/>");
        code.Line($"public string Signature => \"{function.Signature}\";");
        code.Line("/// <inheritdoc/>");
        code.Line($"public byte[] Encode() => Codec.EncodeMembers(this, [{Keccak.SelectorBytes(function.Signature)}]);");
        code.Summary("Reads the data of a transaction that calls this function.");
        code.Line("/// <param name=\"data\">From a node.</param>");
        code.Line("/// <param name=\"call\">The call.</param>");
        code.Line("/// <returns>False when another function is called, or it is not canonically encoded.</returns>");
        code.Open($"public static bool TryDecode(global::System.ReadOnlySpan<byte> data, {NotNull} out {name}? call)");
        code.Line("call = null;");
        code.Line($"return data.StartsWith((global::System.ReadOnlySpan<byte>)[{Keccak.SelectorBytes(function.Signature)}]) && Codec.TryDecodeMembers(data[4..], out call!);");
        code.Close();
        if (results.Count == 1)
        {
            code.Line("/// <inheritdoc/>");
            code.Line($"public bool TryDecodeResult(global::System.ReadOnlySpan<byte> data, [global::System.Diagnostics.CodeAnalysis.MaybeNullWhen(false)] out {result} result) => Output.TryDecode(data, out result!);");
            code.Line($"private static readonly AbiType<{result}> Output = {results[0].Codec};");
        }
        else if (results.Count > 1)
        {
            code.Line("/// <inheritdoc/>");
            code.Line($"public bool TryDecodeResult(global::System.ReadOnlySpan<byte> data, [global::System.Diagnostics.CodeAnalysis.MaybeNullWhen(false)] out {result} result) => {result}.Codec.TryDecodeMembers(data, out result!);");
        }

        code.Close();
        if (results.Count > 1)
        {
            code.Summary($"What {contract}.{function.Name} returns.");
            Parameters(code, function.Name, results);
            code.Open($"public sealed record {result}({List(results)})");
            Codec(code, result, results);
            code.Close();
        }
    }

    private void Event(CodeWriter code, string contract, AbiItem item)
    {
        var members = Members(item.Inputs);
        var name = item.Name + "Event";
        var indexed = members.Where(m => m.Source.Indexed).ToList();
        if (indexed.Any(m => !m.IsWord))
        {
            throw new InvalidDataException($"Event {item.Name}: indexed values that do not fit into a topic are not supported.");
        }

        code.Summary($"Event {contract}.{item.Signature}.");
        Parameters(code, item.Name, members);
        code.Open($"public sealed record {name}({List(members)}) : {Chain}IContractEvent<{name}>");
        for (var i = 0; i < members.Count; i++)
        {
            code.Line($"private static readonly AbiType<{members[i].Type}> type{i} = {members[i].Codec};");
        }

        var data = Enumerable.Range(0, members.Count).Where(i => !members[i].Source.Indexed).ToList();
        code.Line("/// <inheritdoc/>");
        code.Line($"public static {Chain}Bytes32 Topic {{ get; }} = new([{Keccak.HashBytes(item.Signature)}]);");
        code.Line("/// <inheritdoc/>");
        code.Open($"public static bool TryDecode({Chain}LogEntry log, {NotNull} out {name}? value)");
        code.Line("value = null;");
        code.Open($"if (log.Topics.Count != {1 + indexed.Count} || log.Topics[0] != Topic)");
        code.Line("return false;");
        code.Close();
        var topic = 0;
        for (var i = 0; i < members.Count; i++)
        {
            if (members[i].Source.Indexed)
            {
                topic++;
                code.Open($"if (!type{i}.TryDecode(log.Topics[{topic}].ToArray(), out var value{i}))");
                code.Line("return false;");
                code.Close();
            }
        }

        code.Line("var reader = new AbiReader(log.Data.Span);");
        code.Line($"var frame = reader.Begin({(data.Count == 0 ? "0" : string.Join(" + ", data.Select(i => $"type{i}.HeadSize")))});");
        foreach (var i in data)
        {
            code.Line($"var value{i} = reader.Member(ref frame, type{i});");
        }

        code.Open("if (!reader.Complete())");
        code.Line("return false;");
        code.Close();
        code.Line($"value = new {name}({string.Join(", ", Enumerable.Range(0, members.Count).Select(i => $"value{i}"))});");
        code.Line("return true;");
        code.Close();
        code.Close();
    }

    private void Deployment(CodeWriter code, AbiContract contract)
    {
        var constructor = contract.Items.FirstOrDefault(i => i.Kind == "constructor");
        var members = Members(constructor?.Inputs ?? []);
        code.Summary($"The deployment of {contract.Name}: creation code and constructor arguments, sent to no address.");
        Parameters(code, "constructor", members);
        code.Open($"public sealed record Deployment({List(members)}) : {Chain}IContractCall");
        Codec(code, "Deployment", members);
        code.Line("/// <inheritdoc/>");
        code.Line($"public string Signature => \"constructor({string.Join(",", (constructor?.Inputs ?? []).Select(i => i.CanonicalType))})\";");
        code.Line("/// <inheritdoc/>");
        code.Line($"public byte[] Encode() => Codec.EncodeMembers(this, CreationCode.Read(\"{contract.Name}\"));");
        code.Close();
    }

    private void Struct(CodeWriter code, string name, string full, IReadOnlyList<AbiParameter> parameters)
    {
        var members = Members(parameters);
        code.Summary(notes.Comment(name, $"Solidity's struct {full}."));
        Parameters(code, name, members);
        code.Open($"public sealed record {name}({List(members)})");
        Codec(code, name, members);
        code.Summary("What Solidity's abi.encode gives for this value.");
        code.Line("public byte[] Encode() => Codec.Encode(this);");
        code.Close();
    }

    private static void Codec(CodeWriter code, string name, IReadOnlyList<Member> members)
    {
        code.Line($"internal static readonly AbiTuple<{name}> Codec = new Members();");
        code.Open($"private sealed class Members : AbiTuple<{name}>");
        for (var i = 0; i < members.Count; i++)
        {
            code.Line($"private static readonly AbiType<{members[i].Type}> type{i} = {members[i].Codec};");
        }

        code.Line($"internal Members() : base({string.Join(", ", Enumerable.Range(0, members.Count).Select(i => $"type{i}"))}) {{ }}");
        code.Open($"protected override void WriteMembers(AbiWriter writer, ref AbiFrame frame, {name} value)");
        for (var i = 0; i < members.Count; i++)
        {
            code.Line($"writer.Member(ref frame, type{i}, value.{members[i].Property});");
        }

        code.Close();
        code.Line($"protected override {name} ReadMembers(ref AbiReader reader, ref AbiFrame frame) => new({string.Join(", ", Enumerable.Range(0, members.Count).Select(i => $"reader.Member(ref frame, type{i})"))});");
        code.Close();
    }

    private void Parameters(CodeWriter code, string owner, IReadOnlyList<Member> members)
    {
        foreach (var member in members)
        {
            code.Line($"/// <param name=\"{member.Property}\">{Escape(notes.Comment(owner + "." + member.Source.Name, member.Source.CanonicalType))}.</param>");
        }
    }

    private List<Member> Members(IReadOnlyList<AbiParameter> parameters)
    {
        var members = new List<Member>();
        for (var i = 0; i < parameters.Count; i++)
        {
            var (type, codec) = CSharpNames.Map(parameters[i], notes);
            members.Add(new Member(CSharpNames.Property(parameters[i].Name, i, parameters.Count), type, codec, parameters[i]));
        }

        return members;
    }

    private static void Collect(AbiParameter parameter, SortedDictionary<string, IReadOnlyList<AbiParameter>> structs)
    {
        if (parameter.Type.StartsWith("tuple", StringComparison.Ordinal))
        {
            var name = CSharpNames.StructName(parameter)["global::Shale.Chain.Contracts.".Length..];
            structs[name] = parameter.Components;
            foreach (var component in parameter.Components)
            {
                Collect(component, structs);
            }
        }
    }

    private static string List(IEnumerable<Member> members) => string.Join(", ", members.Select(m => m.Type + " " + m.Property));

    private static string Local(string name) => char.ToLowerInvariant(name[0]) + name[1..] + "Value";

    private static string Literal(string text) => text.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("{", "{{").Replace("}", "}}");

    internal static string Escape(string text) => text.Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;").TrimEnd('.');

    private sealed record Member(string Property, string Type, string Codec, AbiParameter Source)
    {
        internal bool IsWord => !Source.Type.EndsWith(']') && Source.Type is not ("tuple" or "string" or "bytes");
    }
}

/// <summary>Lines with indentation.</summary>
internal sealed class CodeWriter
{
    private readonly StringBuilder _text = new();
    private int _depth;

    internal void Header()
    {
        Line("// <auto-generated/>");
        Line("#nullable enable");
        Line("using Shale.Chain.Abi;");
        Line("namespace Shale.Chain.Contracts;");
    }

    internal void Summary(string sentence) => Line($"/// <summary>{Emitter.Escape(sentence)}.</summary>");

    internal void Line(string line) => _text.Append(' ', _depth * 4).Append(line).Append('\n');

    internal void Open(string line)
    {
        Line(line);
        Line("{");
        _depth++;
    }

    internal void Close()
    {
        _depth--;
        Line("}");
    }

    /// <inheritdoc/>
    public override string ToString() => _text.ToString();
}
