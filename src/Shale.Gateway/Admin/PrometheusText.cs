using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Shale.Gateway.Admin;

/// <summary>
/// Collects every instrument whose meter begins with <c>Shale.</c> and writes them in Prometheus' text format, version 0.0.4
/// (docs/decisions/0003-prometheus-text.md: why not a package).
/// </summary>
public sealed class PrometheusText : IDisposable
{
    // Label values come from our own code, never from a client: this bounds a mistake, not an attack.
    private const int MaxSeriesPerInstrument = 1000;

    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<Instrument, Family> _families = new();

    /// <summary>Starts to collect.</summary>
    public PrometheusText()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name.StartsWith("Shale.", StringComparison.Ordinal))
            {
                listener.EnableMeasurementEvents(instrument, _families.GetOrAdd(instrument, i => new Family(i)));
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, value, tags, state) => ((Family)state!).Add(value, tags));
        _listener.SetMeasurementEventCallback<int>((_, value, tags, state) => ((Family)state!).Add(value, tags));
        _listener.SetMeasurementEventCallback<double>((_, value, tags, state) => ((Family)state!).Add(value, tags));
        _listener.Start();
    }

    /// <summary>The text, as of now.</summary>
    public string Write()
    {
        _listener.RecordObservableInstruments();
        var text = new StringBuilder();
        foreach (var family in _families.Values.OrderBy(f => f.Name, StringComparer.Ordinal))
        {
            family.Write(text);
        }

        return text.ToString();
    }

    /// <inheritdoc/>
    public void Dispose() => _listener.Dispose();

    private sealed class Family
    {
        private readonly Dictionary<string, Series> _series = new(StringComparer.Ordinal);
        private readonly Lock _gate = new();
        private readonly Instrument _instrument;
        private readonly double[] _bounds;
        private readonly bool _isCounter;
        private readonly bool _isObserved;

        public Family(Instrument instrument)
        {
            _instrument = instrument;
            _isCounter = instrument.GetType().Name.StartsWith("Counter", StringComparison.Ordinal) || instrument.GetType().Name.StartsWith("ObservableCounter", StringComparison.Ordinal);
            _isObserved = instrument.IsObservable;
            _bounds = instrument is Histogram<double> histogram ? [.. histogram.Advice?.HistogramBucketBoundaries ?? [0.005, 0.05, 0.5, 5]] : [];
            Name = instrument.Name.Replace('.', '_');
            var unit = instrument.Unit switch { "s" => "_seconds", "By" => "_bytes", _ => "" };
            Name += Name.EndsWith(unit, StringComparison.Ordinal) ? "" : unit;
            Name += _isCounter ? "_total" : "";
        }

        public string Name { get; }

        public void Add(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var labels = Labels(tags);
            lock (_gate)
            {
                if (!_series.TryGetValue(labels, out var series))
                {
                    if (_series.Count >= MaxSeriesPerInstrument)
                    {
                        return;
                    }

                    _series[labels] = series = new Series { Buckets = new long[_bounds.Length] };
                }

                series.Count++;
                series.Value = _isObserved ? value : series.Value + value;
                for (var i = 0; i < _bounds.Length; i++)
                {
                    if (value <= _bounds[i])
                    {
                        series.Buckets[i]++;
                    }
                }
            }
        }

        public void Write(StringBuilder text)
        {
            lock (_gate)
            {
                text.Append("# HELP ").Append(Name).Append(' ').Append(_instrument.Description).Append('\n');
                text.Append("# TYPE ").Append(Name).Append(' ').Append(_bounds.Length > 0 ? "histogram" : _isCounter ? "counter" : "gauge").Append('\n');
                foreach (var (labels, series) in _series.OrderBy(s => s.Key, StringComparer.Ordinal))
                {
                    if (_bounds.Length == 0)
                    {
                        Line(text, Name, labels, series.Value);
                        continue;
                    }

                    for (var i = 0; i < _bounds.Length; i++)
                    {
                        Line(text, Name + "_bucket", Join(labels, $"le=\"{_bounds[i].ToString(CultureInfo.InvariantCulture)}\""), series.Buckets[i]);
                    }

                    Line(text, Name + "_bucket", Join(labels, "le=\"+Inf\""), series.Count);
                    Line(text, Name + "_sum", labels, series.Value);
                    Line(text, Name + "_count", labels, series.Count);
                }
            }
        }

        private static void Line(StringBuilder text, string name, string labels, double value)
        {
            text.Append(name);
            if (labels.Length > 0)
            {
                text.Append('{').Append(labels).Append('}');
            }

            text.Append(' ').Append(value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
        }

        private static string Join(string labels, string more) => labels.Length == 0 ? more : labels + "," + more;

        private static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            if (tags.IsEmpty)
            {
                return "";
            }

            var text = new StringBuilder();
            foreach (var (key, value) in tags)
            {
                var escaped = Convert.ToString(value, CultureInfo.InvariantCulture)!
                    .Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
                text.Append(text.Length > 0 ? "," : "").Append(key).Append("=\"").Append(escaped).Append('"');
            }

            return text.ToString();
        }

        private sealed class Series
        {
            public double Value { get; set; }

            public long Count { get; set; }

            public required long[] Buckets { get; init; }
        }
    }
}
