using Xunit;

namespace Shale.Settlement.Tests.Model;

public sealed class LedgerGameTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(2, 3)]
    [InlineData(4, 4)]
    public void Ledger_UnderADishonestProvider_KeepsItsPromises(int slots, int seed)
    {
        int settled = 0, refused = 0, finished = 0;
        for (int round = 0; round < 40; round++)
        {
            var game = new LedgerGame(slots, (1000 * seed) + round);
            for (int step = 0; step < 60; step++)
            {
                game.Step();
            }

            settled += game.Settled;
            refused += game.Refused;
            finished += game.Finished;
        }

        // The game must have gone somewhere: entries settled, cheats refused, clients got out alone.
        Assert.True(settled > 100 && refused > 100 && finished > 20, $"{settled} settled, {refused} refused, {finished} finished");
    }
}
