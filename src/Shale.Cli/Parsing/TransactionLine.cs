using Shale.Chain.Transactions;

namespace Shale.Cli.Parsing;

/// <summary>How far a transaction is, as one line on a terminal's standard error; nothing where that is a file.</summary>
internal sealed class TransactionLine : IProgress<TransactionProgress>, IDisposable
{
    private readonly bool _shown = !Console.IsErrorRedirected;
    private bool _written;

    public void Report(TransactionProgress value)
    {
        if (_shown)
        {
            var text = value.Message.ReplaceLineEndings(" ");
            Console.Error.Write("\r\e[K" + (text.Length < Console.WindowWidth ? text : text[..Math.Max(0, Console.WindowWidth - 1)]));
            _written = true;
        }
    }

    public void Dispose()
    {
        if (_written)
        {
            Console.Error.Write("\r\e[K");
            _written = false;
        }
    }
}
