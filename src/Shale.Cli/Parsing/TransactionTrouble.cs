using Shale.Chain.Transactions;

namespace Shale.Cli.Parsing;

/// <summary>Says, for the log of a program that runs for long, which of its transactions do not go as usual: what is signed, mined and final in its order is not worth a line each.</summary>
internal sealed class TransactionTrouble(Action<string> say) : IProgress<TransactionProgress>
{
    public void Report(TransactionProgress value)
    {
        if (value.Stage is not (TransactionStage.Signed or TransactionStage.Sent or TransactionStage.Mined or TransactionStage.Final))
        {
            say($"{value.Message.ReplaceLineEndings(" ")} (transaction {value.Hash})");
        }
    }
}
