using System.Numerics;
using System.Text.Json;
using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;
using Shale.TestPeers;
using Xunit;

namespace Shale.Bn254.Tests.Poseidon;

using Poseidon = Shale.Bn254.Poseidon.Poseidon;

public sealed class PoseidonTests
{
    private readonly Random _random = new(4711);

    [Fact]
    public void Parameters_EveryWidth_AreCircomlibs()
    {
        JsonElement constants = NodePeer.Ask("babyjub.mjs", new { poseidonConstants = new[] { 0 } }).GetProperty("poseidonConstants")[0];
        for (int t = PoseidonParameters.MinWidth; t <= PoseidonParameters.MaxWidth; t++)
        {
            PoseidonParameters parameters = PoseidonParameters.ForWidth(t);
            Fr[] c = [.. constants.GetProperty("C")[t - 2].EnumerateArray().Select(ParseHex)];
            Fr[] m = [.. constants.GetProperty("M")[t - 2].EnumerateArray().SelectMany(row => row.EnumerateArray()).Select(ParseHex)];
            Assert.Equal(t, parameters.Width);
            Assert.Equal(t * (parameters.FullRounds + parameters.PartialRounds), c.Length);
            Assert.Equal(c, parameters.RoundConstants.ToArray());
            Assert.Equal(m, parameters.Matrix.ToArray());
        }
    }

    [Fact]
    public void Hash_RandomAndEdgeInputsOfEveryLength_AgreesWithCircomlibjs()
    {
        BigInteger[] edges = [0, 1, 2, Fr.Modulus - 1, Fr.Modulus - 2, Fr.Modulus / 2, ulong.MaxValue];
        var questions = new List<string[]>();
        for (int length = 1; length <= 16; length++)
        {
            foreach (BigInteger edge in edges)
            {
                questions.Add([.. Enumerable.Repeat(edge.ToString(), length)]);
            }

            for (int i = 0; i < 120; i++)
            {
                questions.Add([.. Enumerable.Range(0, length).Select(_ => RandomElement().ToString())]);
            }
        }

        string[] answers = Ask("poseidon", questions.Select(inputs => new { inputs }));
        Assert.Equal(questions.Count, answers.Length);
        for (int i = 0; i < answers.Length; i++)
        {
            Assert.Equal(answers[i], Poseidon.Hash([.. questions[i].Select(Fr.Parse)]).ToString());
        }
    }

    [Fact]
    public void Hash_OfEveryLength_AgreesWithTheUnoptimisedReference()
    {
        string[][] questions = [.. Enumerable.Range(0, 48).Select(i => Enumerable.Range(0, (i % 16) + 1).Select(_ => RandomElement().ToString()).ToArray())];
        string[] answers = Ask("poseidonReference", questions.Select(inputs => new { inputs }));
        for (int i = 0; i < answers.Length; i++)
        {
            Assert.Equal(answers[i], Poseidon.Hash([.. questions[i].Select(Fr.Parse)]).ToString());
        }
    }

    [Fact]
    public void Hash_WithInitialState_AgreesWithCircomlibjs()
    {
        var questions = Enumerable.Range(1, 32)
            .Select(i => new { inputs = Enumerable.Range(0, (i % 16) + 1).Select(_ => RandomElement().ToString()).ToArray(), state = RandomElement().ToString() })
            .ToArray();
        string[] answers = Ask("poseidon", questions);
        for (int i = 0; i < answers.Length; i++)
        {
            Assert.Equal(answers[i], Poseidon.Hash(Fr.Parse(questions[i].state), [.. questions[i].inputs.Select(Fr.Parse)]).ToString());
        }
    }

    [Fact]
    public void Permute_EveryWidth_EqualsThePlainRounds()
    {
        for (int t = PoseidonParameters.MinWidth; t <= PoseidonParameters.MaxWidth; t++)
        {
            Fr[] state = [.. Enumerable.Range(0, t).Select(_ => RandomElement())];
            Fr[] expected = PlainRounds(state);
            Poseidon.Permute(state);
            Assert.Equal(expected, state);
        }
    }

    [Fact]
    public void HashMany_EveryLengthAndManyCounts_EqualsHashOneByOne()
    {
        Fr[] edges = [Fr.Zero, Fr.One, -Fr.One, Fr.FromMontgomeryLimbs(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, 0)];
        for (int length = 1; length <= 16; length++)
        {
            foreach (int count in new[] { 0, 1, 2, 3, 4, 5, 15, 16, 17, 33 })
            {
                Fr[] inputs = [.. Enumerable.Range(0, length * count).Select(i => i % 3 == 0 ? edges[_random.Next(edges.Length)] : RandomElement())];
                var hashes = new Fr[count];
                Poseidon.HashMany(inputs, length, hashes);
                for (int i = 0; i < count; i++)
                {
                    Assert.Equal(Poseidon.Hash(inputs.AsSpan(i * length, length)), hashes[i]);
                }
            }
        }

        Assert.Throws<ArgumentException>(() => Poseidon.HashMany(new Fr[3], 2, new Fr[1]));
    }

    [Fact]
    public void Hash_NoInputOrSeventeen_Throws()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Poseidon.Hash());
        Assert.Throws<ArgumentOutOfRangeException>(() => Poseidon.Hash(new Fr[17]));
    }

    /// <summary>The permutation as the paper writes it, with neither trick.</summary>
    private static Fr[] PlainRounds(Fr[] input)
    {
        int t = input.Length;
        PoseidonParameters parameters = PoseidonParameters.ForWidth(t);
        Fr[] state = [.. input];
        int rounds = parameters.FullRounds + parameters.PartialRounds;
        for (int r = 0; r < rounds; r++)
        {
            bool full = r < parameters.FullRounds / 2 || r >= (parameters.FullRounds / 2) + parameters.PartialRounds;
            for (int i = 0; i < t; i++)
            {
                state[i] += parameters.RoundConstants[(r * t) + i];
                if (full || i == 0)
                {
                    state[i] = state[i].Pow(5);
                }
            }

            var next = new Fr[t];
            for (int i = 0; i < t; i++)
            {
                for (int j = 0; j < t; j++)
                {
                    next[i] += parameters.Matrix[(i * t) + j] * state[j];
                }
            }

            state = next;
        }

        return state;
    }

    private static string[] Ask(string operation, IEnumerable<object> questions) =>
        [.. NodePeer.Ask("babyjub.mjs", new Dictionary<string, object> { [operation] = questions.ToArray() })
            .GetProperty(operation).EnumerateArray().Select(answer => answer.GetString()!)];

    private static Fr ParseHex(JsonElement text) =>
        Fr.FromBigInteger(BigInteger.Parse("0" + text.GetString()![2..], System.Globalization.NumberStyles.HexNumber));

    private Fr RandomElement()
    {
        byte[] bytes = new byte[48];
        _random.NextBytes(bytes);
        return Fr.ReduceBigEndian(bytes);
    }
}
