using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;
using Shale.Agent.Files;
using Shale.Payments.Channel;

namespace Shale.Agent;

/// <summary>
/// Keeps one lease paid without a shell: stock ssh with the lease's <c>pay@shaleprotocol.com</c> subsystem, spoken to over its
/// standard streams, and again when it ends. A connection of its own, whatever ControlMaster says: on the user's it would keep
/// the user's ssh from ending (docs/decisions/0091).
/// </summary>
internal sealed class KeepSession
{
    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(1);

    /// <summary>A provider that is away for an hour is found again within half a minute of its return; the default window and grace have passed long since.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    /// <summary>
    /// A login that is refused is most often a lease that is over, which this agent did not hear of. Gateways count refused logins against their address: asked as often
    /// as a gateway that is away, one dead lease would lock out the living ones.
    /// </summary>
    private static readonly TimeSpan RefusedWait = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan LongestRefusedWait = TimeSpan.FromMinutes(10);

    /// <summary>A connection that held so long was a good one: the next failure is another.</summary>
    private static readonly TimeSpan Held = TimeSpan.FromSeconds(30);

    /// <summary>ssh's own words for its end; more than this is a banner.</summary>
    private const int MaxErrorText = 4096;

    private readonly AgentFolder _folder;
    private readonly LeaseFile _lease;
    private readonly string _ssh;
    private readonly Func<PayerServer> _server;
    private readonly LeaseActivity _activity;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    public KeepSession(AgentFolder folder, LeaseFile lease, string ssh, Func<PayerServer> server, LeaseActivity activity, TimeProvider time, ILogger logger)
    {
        _folder = folder;
        _lease = lease;
        _ssh = ssh;
        _server = server;
        _activity = activity;
        _time = time;
        _logger = logger;
    }

    /// <summary>Runs until the lease ends or it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        TimeSpan wait = FirstWait, refusedWait = RefusedWait;
        try
        {
            while (!cancellation.IsCancellationRequested)
            {
                _activity.Kept(_lease.Id, "connecting");
                long started = _time.GetTimestamp();
                string end = await ConnectAsync(cancellation).ConfigureAwait(false);
                if (_activity.IsEnding(_lease.Id))
                {
                    _activity.Kept(_lease.Id, "the lease ends");
                    return;
                }

                wait = _time.GetElapsedTime(started) >= Held ? FirstWait : wait;
                bool refused = end.Contains("Permission denied", StringComparison.Ordinal);

                // Half of it by chance: after a provider's restart not all its clients come back in one instant.
                TimeSpan pause = (refused ? refusedWait : wait) * (0.5 + (Random.Shared.NextDouble() / 2));
                AgentLog.KeepLost(_logger, _lease.Id, end, Math.Round(pause.TotalSeconds, 1));
                _activity.Kept(_lease.Id, "waiting: " + end);
                await Task.Delay(pause, _time, cancellation).ConfigureAwait(false);
                wait = wait * 2 < LongestWait ? wait * 2 : LongestWait;
                refusedWait = !refused ? RefusedWait : refusedWait * 2 < LongestRefusedWait ? refusedWait * 2 : LongestRefusedWait;
            }
        }
        catch (OperationCanceledException)
        {
            // Nobody keeps it any more.
        }
    }

    /// <summary>One connection; returns why it ended.</summary>
    private async Task<string> ConnectAsync(CancellationToken cancellation)
    {
        using var ssh = new Process { StartInfo = StartInfo() };
        try
        {
            ssh.Start();
        }
        catch (System.ComponentModel.Win32Exception cause)
        {
            return $"{_ssh} can't be started: {cause.Message}";
        }

        Task<string> said = ReadEndAsync(ssh.StandardError.BaseStream);
        try
        {
            // Disposing it closes ssh's standard input, at which it ends.
            await using FrameConnection connection = FrameConnection.Over(new FirstByte(ssh.StandardOutput.BaseStream, Connected), ssh.StandardInput.BaseStream);
            await _server().ServeSubsystemAsync(connection, cancellation).ConfigureAwait(false);
        }
        catch (IOException)
        {
            // It has ended; what it said follows.
        }
        finally
        {
            await EndAsync(ssh).ConfigureAwait(false);
        }

        string text = await said.ConfigureAwait(false);
        return text.Length > 0 ? text : string.Create(CultureInfo.InvariantCulture, $"ssh ended with {ssh.ExitCode}");
    }

    private void Connected()
    {
        AgentLog.Keeping(_logger, _lease.Id);
        _activity.Kept(_lease.Id, "connected");
    }

    private ProcessStartInfo StartInfo()
    {
        var start = new ProcessStartInfo(_ssh)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        string[] options =
        [
            "BatchMode=yes", "ControlMaster=no", "ControlPath=none", "ForwardAgent=no", "ForwardX11=no", "ClearAllForwardings=yes", "PermitLocalCommand=no",
            "RemoteCommand=none", "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3", "LogLevel=ERROR",
        ];
        start.ArgumentList.Add("-F");
        start.ArgumentList.Add(_folder.SshConfig);
        foreach (string option in options)
        {
            start.ArgumentList.Add("-o");
            start.ArgumentList.Add(option);
        }

        foreach (string argument in new[] { "-T", "-s", _lease.Name, PaymentProtocol.Name })
        {
            start.ArgumentList.Add(argument);
        }

        return start;
    }

    private static async Task EndAsync(Process ssh)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(500));
        try
        {
            await ssh.WaitForExitAsync(patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            ssh.Kill();
            await ssh.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        }
    }

    /// <summary>The last line of what ssh has to say, fit for a terminal.</summary>
    private static async Task<string> ReadEndAsync(Stream error)
    {
        byte[] kept = new byte[MaxErrorText];
        int length = 0, count;
        byte[] buffer = new byte[1024];
        while ((count = await error.ReadAsync(buffer).ConfigureAwait(false)) > 0)
        {
            // The newest bytes count.
            int drop = Math.Max(0, length + count - kept.Length);
            kept.AsSpan(drop, length - drop).CopyTo(kept);
            length -= drop;
            buffer.AsSpan(0, count).CopyTo(kept.AsSpan(length));
            length += count;
        }

        string text = Encoding.UTF8.GetString(kept, 0, length).Trim();
        return PaymentProtocol.Printable(text[(text.LastIndexOf('\n') + 1)..]);
    }

    /// <summary>Tells when the other end first says something.</summary>
    private sealed class FirstByte(Stream inner, Action told) : Stream
    {
        private bool _told;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int count = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            if (count > 0 && !_told)
            {
                _told = true;
                told();
            }

            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                inner.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
