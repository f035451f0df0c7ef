using Shale.Ssh.Connection;
using Shale.Testing;
using Xunit;

namespace Shale.Ssh.Tests;

/// <summary>A sender that follows its peer's pace, over lines of several lengths, on a clock of the test's: little waits in the line, and the line stays full.</summary>
public sealed class SendPaceTests
{
    private const int Window = 2 * 1024 * 1024;

    // OpenSSH gives credit once three packets were taken.
    private const int OpenSshBatch = 96 * 1024;

    [Fact]
    public void Line_WithinAMachine_IsFullAndHoldsAQuarterOfTheWindow()
    {
        var line = new Line(800e6, TimeSpan.FromMicroseconds(50), OpenSshBatch);
        line.Run(TimeSpan.FromMilliseconds(50), TimeSpan.FromMicroseconds(20));
        var (taken, most) = line.Run(TimeSpan.FromMilliseconds(400), TimeSpan.FromMicroseconds(20));
        Assert.InRange(taken, 0.95 * 800e6 * 0.4, double.MaxValue);
        Assert.InRange(most, 1, 640 * 1024);
    }

    [Fact]
    public void Line_AcrossAContinent_IsFull()
    {
        var line = new Line(12.5e6, TimeSpan.FromMilliseconds(50), OpenSshBatch);
        line.Run(TimeSpan.FromSeconds(5), TimeSpan.FromMilliseconds(1));
        var (taken, _) = line.Run(TimeSpan.FromSeconds(25), TimeSpan.FromMilliseconds(1));
        Assert.InRange(taken, 0.9 * 12.5e6 * 25, double.MaxValue);
    }

    [Fact]
    public void Line_ThatBecomesALongerOne_IsFullAgain()
    {
        var line = new Line(12.5e6, TimeSpan.FromMilliseconds(5), OpenSshBatch);
        line.Run(TimeSpan.FromSeconds(10), TimeSpan.FromMilliseconds(1));
        line.Delay = TimeSpan.FromMilliseconds(40);
        line.Run(TimeSpan.FromSeconds(15), TimeSpan.FromMilliseconds(1));
        var (taken, _) = line.Run(TimeSpan.FromSeconds(10), TimeSpan.FromMilliseconds(1));
        Assert.InRange(taken, 0.9 * 12.5e6 * 10, double.MaxValue);
    }

    [Fact]
    public void Peer_ThatGivesCreditForHalfItsWindowAtOnce_IsNeverHeldBack()
    {
        var line = new Line(800e6, TimeSpan.FromMicroseconds(50), Window / 2);
        var (taken, most) = line.Run(TimeSpan.FromMilliseconds(400), TimeSpan.FromMicroseconds(20));
        Assert.InRange(taken, 0.95 * 800e6 * 0.4, double.MaxValue);
        Assert.InRange(most, Window - OpenSshBatch, Window);
    }

    [Fact]
    public void Peer_ThatGivesNoCreditForWhatIsOnItsWay_IsServedAsIfThereWereNoPace()
    {
        var pace = new SendPace(new ManualTimeProvider());
        pace.OnSent(1024);
        pace.OnCredit(1024);
        pace.OnSent(Window);
        Assert.Equal(0, pace.Allow(64 * 1024));
        pace.GiveUp();
        Assert.Equal(64 * 1024, pace.Allow(64 * 1024));
    }

    /// <summary>A channel of 2 MiB over a line of a rate and a length, to a peer that takes what comes and gives credit in batches; its sender always has more.</summary>
    private sealed class Line
    {
        private readonly double _rate;
        private readonly int _batch;
        private readonly ManualTimeProvider _time = new();
        private readonly SendPace _pace;
        private readonly Queue<(DateTimeOffset At, int Count)> _onItsWay = new();
        private readonly Queue<(DateTimeOffset At, int Count)> _credits = new();
        private int _window = Window;
        private double _budget;
        private double _arrived;
        private int _taken;

        public Line(double rate, TimeSpan delay, int batch)
        {
            (_rate, Delay, _batch) = (rate, delay, batch);
            _pace = new SendPace(_time);
        }

        public TimeSpan Delay { get; set; }

        /// <summary>Lets time pass.</summary>
        /// <returns>How many bytes the peer took, and how many were sent and not credited at most.</returns>
        public (double Taken, long Most) Run(TimeSpan time, TimeSpan step)
        {
            var (taken, most) = (0.0, 0L);
            for (var end = _time.GetUtcNow() + time; _time.GetUtcNow() < end; _time.Advance(step))
            {
                while (_credits.TryPeek(out var credit) && credit.At <= _time.GetUtcNow())
                {
                    _credits.Dequeue();
                    _window += credit.Count;
                    _pace.OnCredit(credit.Count);
                }

                for (int count; _window > 0 && (count = _pace.Allow(Math.Min(64 * 1024, _window))) > 0;)
                {
                    _window -= count;
                    _pace.OnSent(count);
                    _onItsWay.Enqueue((_time.GetUtcNow() + Delay, count));
                }

                most = Math.Max(most, Window - _window);
                while (_onItsWay.TryPeek(out var piece) && piece.At <= _time.GetUtcNow())
                {
                    _arrived += _onItsWay.Dequeue().Count;
                }

                // What the line could have carried while nothing was there is lost.
                _budget = Math.Min(_arrived, _budget + (_rate * step.TotalSeconds));
                var now = (int)_budget;
                (_budget, _arrived, _taken, taken) = (_budget - now, _arrived - now, _taken + now, taken + now);
                if (_taken >= _batch)
                {
                    _credits.Enqueue((_time.GetUtcNow() + Delay, _taken));
                    _taken = 0;
                }
            }

            return (taken, most);
        }
    }
}
