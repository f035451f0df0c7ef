using System.Text.Json;

namespace Shale.Chain.Rpc;

/// <summary>Reads a node's answer (JSON-RPC 2.0, sections 5 and 6). Whatever the bytes are, every call of the request gets a result or a failure.</summary>
internal static class RpcResponse
{
    private static readonly JsonReaderOptions Options = new() { MaxDepth = 64 };

    /// <summary>Answers in the order of the calls, whose IDs count on from <paramref name="firstId"/>. <paramref name="whole"/> is set instead if nothing in it is an answer.</summary>
    internal static RpcAnswer[]? Read(ReadOnlySpan<byte> body, IReadOnlyList<RpcCall> calls, long firstId, Func<string, string> redact, out RpcFailure? whole)
    {
        whole = null;
        JsonElement root;
        if (!IsText(body))
        {
            whole = Malformed("the answer has text that is no Unicode");
            return null;
        }

        try
        {
            var reader = new Utf8JsonReader(body, Options);
            root = JsonElement.ParseValue(ref reader);
            if (reader.Read())
            {
                whole = Malformed("the answer goes on after its end");
                return null;
            }
        }
        catch (JsonException)
        {
            whole = Malformed("the answer is not JSON");
            return null;
        }

        var answers = new RpcAnswer[calls.Count];
        if (root.ValueKind == JsonValueKind.Array)
        {
            foreach (var element in root.EnumerateArray())
            {
                if (element.ValueKind == JsonValueKind.Object && element.TryGetProperty("id", out var id) && id.ValueKind == JsonValueKind.Number && id.TryGetInt64(out var number)
                    && number >= firstId && number - firstId < calls.Count && answers[number - firstId] is { Failure: null, Result.ValueKind: JsonValueKind.Undefined })
                {
                    answers[number - firstId] = ReadOne(element, calls[(int)(number - firstId)].Method, redact);
                }
            }
        }
        else if (root.ValueKind == JsonValueKind.Object && calls.Count == 1 && root.TryGetProperty("id", out var id)
            && ((id.ValueKind == JsonValueKind.Number && id.TryGetInt64(out var number) && number == firstId) || (id.ValueKind == JsonValueKind.Null && Quantity.Has(root, "error"))))
        {
            answers[0] = ReadOne(root, calls[0].Method, redact);
        }
        else if (root.ValueKind == JsonValueKind.Object && Quantity.Has(root, "error"))
        {
            // One error for a whole batch: how nodes say that they take none, or not so large ones, or that we ask too often.
            whole = ReadOne(root, "", redact).Failure;
            return null;
        }

        for (var i = 0; i < answers.Length; i++)
        {
            if (answers[i] is { Failure: null, Result.ValueKind: JsonValueKind.Undefined })
            {
                answers[i] = RpcAnswer.Of(Malformed("the answer does not answer the request"));
            }
        }

        return answers;
    }

    internal static RpcFailure Malformed(string reason) => new(ChainErrorKind.Malformed, Retry: true, reason);

    /// <summary>
    /// Whether every string in it can be read: the parser takes strings that are not UTF-8, and escapes of single surrogates, and throws only when somebody asks for their text.
    /// </summary>
    private static bool IsText(ReadOnlySpan<byte> json)
    {
        if (!System.Text.Unicode.Utf8.IsValid(json))
        {
            return false;
        }

        while (json.IndexOf((byte)'\\') is var at && at >= 0 && at + 1 < json.Length)
        {
            json = json[at..];
            if (json[1] != 'u' || !TryReadEscape(json, out var first) || !char.IsSurrogate(first))
            {
                json = json[2..];
                continue;
            }

            if (!char.IsHighSurrogate(first) || !TryReadEscape(json[6..], out var second) || !char.IsLowSurrogate(second))
            {
                return false;
            }

            json = json[12..];
        }

        return true;
    }

    private static bool TryReadEscape(ReadOnlySpan<byte> json, out char unit)
    {
        var read = System.Buffers.Text.Utf8Parser.TryParse(json.Length >= 6 && json.StartsWith("\\u"u8) ? json[2..6] : default, out ushort value, out var consumed, 'x') && consumed == 4;
        unit = (char)value;
        return read;
    }

    private static RpcAnswer ReadOne(JsonElement element, string method, Func<string, string> redact)
    {
        if (Quantity.Has(element, "error"))
        {
            var error = element.GetProperty("error");
            if (error.ValueKind != JsonValueKind.Object)
            {
                return RpcAnswer.Of(Malformed("the answer's error is not an object"));
            }

            var code = error.TryGetProperty("code", out var c) && c.ValueKind == JsonValueKind.Number && c.TryGetInt64(out var n) ? n : 0;
            var message = error.TryGetProperty("message", out var m) && m.ValueKind == JsonValueKind.String ? m.GetString() ?? "" : "";
            return RpcAnswer.Of(RpcErrors.Classify(method, code, message, error.TryGetProperty("data", out var data) ? data : default, redact));
        }

        return element.TryGetProperty("result", out var result) ? new RpcAnswer(result, null) : RpcAnswer.Of(Malformed("the answer has neither result nor error"));
    }
}
