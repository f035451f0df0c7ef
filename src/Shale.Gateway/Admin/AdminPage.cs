using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Shale.Gateway.Leases;
using Shale.Gateway.Payments;
using Shale.Payments.Vouchers;

namespace Shale.Gateway.Admin;

/// <summary>
/// What a provider looks at: leases, earnings, payments that are behind, settlements. Read-only, one page without scripts, made anew for each request from the
/// gateway's own state and from what the operator last wrote into <c>operator/status.json</c> (docs/OPERATIONS.md).
/// </summary>
internal sealed class AdminPage(LeaseManager leases, PaymentGate payments, string stateDirectory, TimeProvider time)
{
    /// <summary>An operator that wrote nothing for so long is not at work.</summary>
    private static readonly TimeSpan OperatorSilence = TimeSpan.FromMinutes(2);

    private const int MaxStatusBytes = 1 << 20;

    private const string Style = "body{font:14px/1.5 system-ui,sans-serif;margin:2em;max-width:70em}table{border-collapse:collapse;margin:.5em 0 1.5em}"
        + "th,td{text-align:left;padding:.2em 1em .2em 0;border-bottom:1px solid #8884}td.n,th.n{text-align:right}.bad{color:#b00}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}.bad{color:#f66}}";

    /// <summary>The page.</summary>
    public string Html()
    {
        var text = new StringBuilder("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"10\"><title>Shale</title><style>").Append(Style).Append("</style><h1>Shale</h1>");
        Operator(text);
        text.Append("<h2>Leases</h2><table><tr><th>lease<th>state<th class=n>connections<th>image<th class=n>signed, FIL<th class=n>behind, FIL<th>message");
        foreach (var lease in leases.Services.OrderBy(l => l.Id))
        {
            var (signed, behind) = Money(lease.Id);
            text.Append(CultureInfo.InvariantCulture, $"<tr><td>{lease.Id}<td>{lease.State}<td class=n>{lease.Connections.Count}<td>{Encode(lease.Record.Container.Image)}<td class=n>{signed}<td class=\"n{(behind is "" or "0" ? "" : " bad")}\">{behind}<td>{Encode(lease.Message)}");
        }

        return text.Append("</table><p>Metrics for machines: <a href=\"/metrics\">/metrics</a></html>\n").ToString();
    }

    /// <summary>The operator's figures in Prometheus' text format; nothing where no operator works on this folder.</summary>
    public string OperatorMetrics()
    {
        if (ReadOperator() is not { } status)
        {
            return "";
        }

        var text = new StringBuilder();
        void Gauge(string name, string help, double value) => text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
        Gauge("shale_operator_age_seconds", "Seconds since the operator last looked at the chain.", (time.GetUtcNow() - status.At).TotalSeconds);
        Gauge("shale_operator_unsettled_fil", "FIL that clients signed and that are not yet settled.", (double)status.Unsettled / 1e18);
        Gauge("shale_operator_settled_fil", "FIL that are settled and final.", (double)status.Settled / 1e18);
        Gauge("shale_operator_open_leases", "Leases that are open.", status.Open);
        Gauge("shale_operator_settlements_pending", "Settlements that are under way.", status.Settling);
        Gauge("shale_operator_alarms", "What needs a person.", status.Alarms.Count);
        return text.ToString();
    }

    private void Operator(StringBuilder text)
    {
        if (ReadOperator() is not { } status)
        {
            text.Append("<p>No operator works on this folder: leases come from files, and nothing is settled.");
            return;
        }

        var age = time.GetUtcNow() - status.At;
        text.Append(CultureInfo.InvariantCulture, $"<h2>Operator</h2><table><tr><td>provider<td>{status.Provider}<tr><td>epoch<td>{status.Epoch}, final {status.FinalEpoch}");
        text.Append(CultureInfo.InvariantCulture, $"<tr><td>last look<td{(age > OperatorSilence ? " class=bad" : "")}>{Math.Max(0, age.TotalSeconds):0} s ago<tr><td>orders<td>{(status.IsDraining ? "<span class=bad>declined: draining</span>" : "taken")}");
        text.Append(CultureInfo.InvariantCulture, $"<tr><td>signed, not settled<td>{Fil(status.Unsettled)} FIL<tr><td>settled<td>{Fil(status.Settled)} FIL<tr><td>settlements under way<td>{status.Settling}</table>");
        foreach (var alarm in status.Alarms)
        {
            text.Append(CultureInfo.InvariantCulture, $"<p class=bad>{Encode(alarm)}");
        }
    }

    private (string Signed, string Behind) Money(ulong lease)
    {
        if (payments.Find(lease) is not { } paid)
        {
            return ("", "");
        }

        var (state, terms) = (paid.Meter.Snapshot(), paid.Meter.Terms);
        return (state.Authorised.ToFilString(), AttoFil.SubtractToZero(state.Consumed(terms), state.Authorised).ToFilString());
    }

    private OperatorView? ReadOperator()
    {
        var path = new FileInfo(Path.Combine(stateDirectory, "operator", "status.json"));
        try
        {
            if (!path.Exists || path.Length > MaxStatusBytes)
            {
                return null;
            }

            using var json = JsonDocument.Parse(File.ReadAllBytes(path.FullName));
            var root = json.RootElement;
            return new OperatorView(
                root.GetProperty("at").GetDateTimeOffset(), root.GetProperty("provider").GetUInt32(), root.GetProperty("epoch").GetUInt64(), root.GetProperty("final_epoch").GetUInt64(),
                root.GetProperty("is_draining").GetBoolean(), Amount(root, "unsettled"), Amount(root, "settled"),
                root.GetProperty("open").EnumerateObject().Sum(o => o.Value.GetInt32()), root.GetProperty("settling").GetArrayLength(),
                [.. root.GetProperty("alarms").EnumerateArray().Select(a => a.GetString() ?? "")]);
        }
        catch (Exception error) when (error is JsonException or IOException or InvalidOperationException or KeyNotFoundException or FormatException or UnauthorizedAccessException)
        {
            // Another version's, or none that this user may read.
            return null;
        }
    }

    private static UInt128 Amount(JsonElement root, string name) => UInt128.Parse(root.GetProperty(name).GetString() ?? "", NumberStyles.None, CultureInfo.InvariantCulture);

    private static string Fil(UInt128 atto) => AttoFil.TryCreate(atto, out var amount) ? amount.ToFilString() : "over 2^96 atto";

    private static string Encode(string text) => HtmlEncoder.Default.Encode(text);

    private sealed record OperatorView(
        DateTimeOffset At, uint Provider, ulong Epoch, ulong FinalEpoch, bool IsDraining, UInt128 Unsettled, UInt128 Settled, int Open, int Settling, IReadOnlyList<string> Alarms);
}
