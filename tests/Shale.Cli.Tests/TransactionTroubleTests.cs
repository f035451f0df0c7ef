using Shale.Chain;
using Shale.Chain.Transactions;
using Shale.Cli.Parsing;
using Xunit;

namespace Shale.Cli.Tests;

/// <summary>What an operator's log says of its transactions.</summary>
public sealed class TransactionTroubleTests
{
    private static readonly Bytes32 Hash = Bytes32.Keccak("transaction"u8);

    [Theory]
    [InlineData(TransactionStage.Signed, false)]
    [InlineData(TransactionStage.TakenUp, true)]
    [InlineData(TransactionStage.Sent, false)]
    [InlineData(TransactionStage.SentAgain, true)]
    [InlineData(TransactionStage.PriceRaised, true)]
    [InlineData(TransactionStage.PriceAtLimit, true)]
    [InlineData(TransactionStage.Mined, false)]
    [InlineData(TransactionStage.TakenBack, true)]
    [InlineData(TransactionStage.Final, false)]
    [InlineData(TransactionStage.Unreachable, true)]
    public void Report_OfAStage_IsALineOnlyWhereItIsNotAsUsual(TransactionStage stage, bool isSaid)
    {
        var said = new List<string>();
        new TransactionTrouble(said.Add).Report(new TransactionProgress(stage, Hash, 7, "in\ntwo lines"));
        Assert.Equal(isSaid ? [$"in two lines (transaction {Hash})"] : [], said);
    }
}
