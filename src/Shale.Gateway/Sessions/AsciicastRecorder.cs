using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Shale.Gateway.Leases;
using Shale.Ssh.Session;

namespace Shale.Gateway.Sessions;

/// <summary>Records what terminals show as asciicast v2 files, one a session, in a folder of the provider's. Keystrokes are not recorded.</summary>
internal sealed class AsciicastRecorder(string? folder, TimeProvider time) : ISessionRecorder
{
    // What a day of terminal output comes to; past it a recording ends, the session goes on.
    private const long MaxBytes = 256L << 20;

    public ISessionRecording? Begin(LeaseService lease, SshSession session)
    {
        if (folder is null || !lease.Record.AllowRecording || session.Terminal is not { } terminal)
        {
            return null;
        }

        try
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var now = time.GetUtcNow();
            var name = string.Create(CultureInfo.InvariantCulture, $"{lease.Record.Name}-{now:yyyyMMddTHHmmssfff}-{session.Connection.Info.Id}.cast");
            var file = new StreamWriter(new FileStream(Path.Combine(folder, name), new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            }), new UTF8Encoding(false));
            var size = Terminals.Size(terminal.Size);
            file.WriteLine(new JsonObject
            {
                ["version"] = 2,
                ["width"] = size.Columns,
                ["height"] = size.Rows,
                ["timestamp"] = now.ToUnixTimeSeconds(),
                ["env"] = new JsonObject { ["TERM"] = terminal.TerminalType },
            }.ToJsonString());
            return new Recording(file, time);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // A recording is never worth a session.
            return null;
        }
    }

    private sealed class Recording(StreamWriter file, TimeProvider time) : ISessionRecording
    {
        private readonly long _started = time.GetTimestamp();
        private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
        private readonly Lock _gate = new();
        private long _bytes;
        private bool _broken;

        public void Output(ReadOnlySpan<byte> bytes)
        {
            lock (_gate)
            {
                if ((_bytes += bytes.Length) > MaxBytes)
                {
                    return;
                }

                // A character may be split between two reads: the decoder keeps its first half.
                var characters = new char[Encoding.UTF8.GetMaxCharCount(bytes.Length)];
                var count = _decoder.GetChars(bytes, characters, flush: false);
                Write("o", new string(characters, 0, count));
            }
        }

        public void Resize(int columns, int rows)
        {
            lock (_gate)
            {
                Write("r", string.Create(CultureInfo.InvariantCulture, $"{columns}x{rows}"));
            }
        }

        public void Dispose()
        {
            lock (_gate)
            {
                try
                {
                    file.Dispose();
                }
                catch (IOException)
                {
                    // The disk is full: the recording ends early.
                }
            }
        }

        private void Write(string kind, string data)
        {
            if (_broken)
            {
                return;
            }

            try
            {
                var seconds = time.GetElapsedTime(_started).TotalSeconds.ToString("0.000000", CultureInfo.InvariantCulture);
                file.WriteLine($"[{seconds}, \"{kind}\", {JsonSerializer.Serialize(data, TextJson.Default.String)}]");
            }
            catch (IOException)
            {
                _broken = true;
            }
        }
    }
}

[System.Text.Json.Serialization.JsonSerializable(typeof(string))]
internal sealed partial class TextJson : System.Text.Json.Serialization.JsonSerializerContext;
