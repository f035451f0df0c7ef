using System.Numerics;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Pairing;
using Shale.Bn254.Tests.Curve;
using Shale.TestPeers;
using Xunit;

namespace Shale.Bn254.Tests.Pairing;

/// <summary>The precompiled contracts of EIP-196 and EIP-197 in a local node give the same answers as we do, refusals included.</summary>
public sealed class PrecompileTests
{
    [Fact]
    public void AddMultiplyAndPairing_RandomAndEdgeInputs_AgreeWithAnEvm()
    {
        var calls = new List<object>();
        var expected = new List<string?>();
        AddCalls(calls, expected);
        MultiplyCalls(calls, expected);
        PairingCalls(calls, expected);

        var answers = NodePeer.Ask<string?[]>("precompiles.mjs", new { calls });

        Assert.Equal(expected.Count, answers.Length);
        for (var i = 0; i < answers.Length; i++)
        {
            Assert.True(expected[i] == answers[i], $"call {i}: {System.Text.Json.JsonSerializer.Serialize(calls[i])}: we {expected[i]}, the EVM {answers[i]}");
        }
    }

    private static List<byte[]> EdgePoints()
    {
        var p = G1Affine.Generator * CurveTests.RandomFr();
        var overflow = Encode(G1Affine.Generator);
        (Fp.Modulus + 1).ToByteArray(isUnsigned: true, isBigEndian: true).CopyTo(overflow, 0);
        var off = Encode(p);
        off[63] ^= 1;
        var xOnly = new byte[64];
        xOnly[31] = 1;
        return [Encode(p), Encode(-p), Encode(p + p), new byte[64], Encode(G1Affine.Generator), overflow, off, xOnly, [.. Enumerable.Repeat((byte)0xff, 64)]];
    }

    private static void AddCalls(List<object> calls, List<string?> expected)
    {
        var points = EdgePoints();
        points.AddRange(Enumerable.Range(0, 5).Select(_ => Encode(G1Affine.Generator * CurveTests.RandomFr())));
        foreach (var a in points)
        {
            foreach (var b in points)
            {
                calls.Add(new { to = Address(6), data = Hex([.. a, .. b]) });
                expected.Add(G1Affine.TryFromBytesBigEndian(a, out var p) && G1Affine.TryFromBytesBigEndian(b, out var q) ? Hex(Encode(p + q)) : null);
            }
        }
    }

    private static void MultiplyCalls(List<object> calls, List<string?> expected)
    {
        var scalars = new List<BigInteger> { 0, 1, 2, 3, Fr.Modulus - 1, Fr.Modulus, Fr.Modulus + 1, Fp.Modulus, BigInteger.Pow(2, 256) - 1, BigInteger.Pow(2, 128) };
        scalars.AddRange(Enumerable.Range(0, 8).Select(_ => CurveTests.RandomFr().ToBigInteger()));
        foreach (var point in EdgePoints())
        {
            foreach (var scalar in scalars)
            {
                var bytes = new byte[32];
                var text = scalar.ToByteArray(isUnsigned: true, isBigEndian: true);
                text.CopyTo(bytes, 32 - text.Length);
                calls.Add(new { to = Address(7), data = Hex([.. point, .. bytes]) });
                expected.Add(G1Affine.TryFromBytesBigEndian(point, out var p) ? Hex(Encode(p * Fr.FromBigInteger(scalar))) : null);
            }
        }
    }

    private static void PairingCalls(List<object> calls, List<string?> expected)
    {
        var (a, b) = (CurveTests.RandomFr(), CurveTests.RandomFr());
        var (p, q) = (G1Affine.Generator * a, G2Affine.Generator * b);
        var outside = new byte[128];
        for (ulong i = 1; ; i++)
        {
            // On the twist, outside the subgroup (the precompile refuses it; so must we).
            var x = new Fp2(Fp.FromUInt64(i), Fp.Zero);
            var yy = (x.Square() * x) + G2Curve.B;
            if (CurveTests.TrySqrt(yy, out var y))
            {
                new G2Affine(new Affine<Fp2, G2Curve>(x, y)).ToBytesBigEndian(outside);
                break;
            }
        }

        var off = Encode(q);
        off[127] ^= 1;
        var encoded = Encode(q);
        byte[] swapped = [.. encoded[32..64], .. encoded[..32], .. encoded[64..]];
        byte[][] inputs =
        [
            [],
            [.. Encode(p), .. Encode(q), .. Encode(-(G1Affine.Generator * b)), .. Encode(G2Affine.Generator * a)],
            [.. Encode(p), .. Encode(q), .. Encode(-G1Affine.Generator), .. Encode(G2Affine.Generator * (a * b))],
            [.. Encode(p), .. Encode(q), .. Encode(G1Affine.Generator), .. Encode(G2Affine.Generator * (a * b))],
            [.. Encode(p), .. Encode(q)],
            [.. Encode(p), .. new byte[128]],
            [.. new byte[64], .. Encode(q)],
            [.. new byte[192]],
            [.. Encode(p), .. outside],
            [.. new byte[64], .. outside],
            [.. Encode(p), .. off],
            [.. Encode(p), .. swapped],
            [.. Encode(p), .. Encode(q), .. Encode(-p), .. Encode(q)],
            [.. Encode(p), .. Encode(q), .. Encode(p), .. Encode(-q), .. new byte[192]],
        ];
        foreach (var input in inputs)
        {
            calls.Add(new { to = Address(8), data = Hex(input) });
            expected.Add(Ours(input));
        }

        static string? Ours(byte[] input)
        {
            var (g1, g2) = (new List<G1Affine>(), new List<G2Affine>());
            for (var i = 0; i < input.Length; i += 192)
            {
                if (!G1Affine.TryFromBytesBigEndian(input.AsSpan(i, 64), out var p) || !G2Affine.TryFromBytesBigEndian(input.AsSpan(i + 64, 128), out var q))
                {
                    return null;
                }

                g1.Add(p);
                g2.Add(q);
            }

            return "0x" + (OptimalAte.ProductIsOne([.. g1], [.. g2]) ? "1" : "0").PadLeft(64, '0');
        }
    }

    private static byte[] Encode(G1Affine point)
    {
        var bytes = new byte[64];
        point.ToBytesBigEndian(bytes);
        return bytes;
    }

    private static byte[] Encode(G2Affine point)
    {
        var bytes = new byte[128];
        point.ToBytesBigEndian(bytes);
        return bytes;
    }

    private static string Hex(ReadOnlySpan<byte> bytes) => "0x" + Convert.ToHexStringLower(bytes);

    private static string Address(int number) => "0x" + number.ToString("x40", System.Globalization.CultureInfo.InvariantCulture);
}
