using System.Diagnostics.CodeAnalysis;

namespace Shale.Containers.Files;

/// <summary>
/// Work for a thread that sleeps while there is none. BlockingCollection's wait spins first, which takes a core from those that have the work to do.
/// Not bounded: who adds waits for what he added before, or is one of few.
/// </summary>
internal sealed class WorkQueue
{
    private readonly Queue<Action> _work = new();
    private bool _ended;

    /// <summary>Whether it takes no more.</summary>
    public bool HasEnded
    {
        get
        {
            lock (_work)
            {
                return _ended;
            }
        }
    }

    /// <summary>Adds a piece of work.</summary>
    /// <exception cref="InvalidOperationException">The queue has ended.</exception>
    public void Add(Action work)
    {
        lock (_work)
        {
            if (_ended)
            {
                throw new InvalidOperationException("The queue takes no more work.");
            }

            _work.Enqueue(work);
            Monitor.Pulse(_work);
        }
    }

    /// <summary>Takes the oldest piece of work, and waits for one.</summary>
    /// <returns>False when the queue has ended and is empty.</returns>
    public bool TryTake([NotNullWhen(true)] out Action? work)
    {
        lock (_work)
        {
            while (!_work.TryDequeue(out work))
            {
                if (_ended)
                {
                    return false;
                }

                Monitor.Wait(_work);
            }

            return true;
        }
    }

    /// <summary>Takes no more; what waits is still done.</summary>
    public void End()
    {
        lock (_work)
        {
            _ended = true;
            Monitor.PulseAll(_work);
        }
    }
}
