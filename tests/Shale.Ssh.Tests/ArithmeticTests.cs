using System.Net;
using System.Numerics;
using System.Runtime.InteropServices;
using Shale.Ssh.Connection;
using Shale.Ssh.KeyExchange;
using Shale.Ssh.Listening;
using Shale.Ssh.Tests.Support;
using Shale.Ssh.Transport;
using Shale.Testing;
using Xunit;

namespace Shale.Ssh.Tests;

/// <summary>Numbers: windows, groups, limits.</summary>
public sealed partial class ArithmeticTests
{
    [Fact]
    public void Windows_OverMoreThan4GiB_NeitherOverflowNorStarve()
    {
        // The sender's side as the receiver lets it: 6 GiB in packets of odd sizes, credited in odd pieces, against one plain count.
        var random = new Random(4254);
        var (send, receive) = (new SendWindow(ReceiveWindow.DefaultSize), new ReceiveWindow());
        long sent = 0, consumed = 0, adjusted = ReceiveWindow.DefaultSize;
        while (sent < 6L << 30)
        {
            var taken = send.Take(random.Next(1, ReceiveWindow.MaxPacket + 1));
            Assert.True(taken > 0 || sent - consumed > 0);
            Assert.True(receive.TryConsume(taken));
            sent += taken;
            Assert.True(sent <= adjusted);
            var read = (int)Math.Min(sent - consumed, random.Next(0, 2 * ReceiveWindow.MaxPacket));
            consumed += read;
            var adjust = receive.Credit(read);
            adjusted += adjust;
            Assert.True(adjusted - consumed <= ReceiveWindow.DefaultSize);
            Assert.True(adjust == 0 || send.TryGrow((uint)adjust));
        }
    }

    [Fact]
    public void SendWindow_AtItsLimit_RefusesToGrowFurther()
    {
        var window = new SendWindow(0);
        Assert.Equal(0, window.Take(100));
        Assert.True(window.TryGrow(uint.MaxValue));
        Assert.False(window.TryGrow(1));
        Assert.Equal(100, window.Take(100));
        Assert.True(window.TryGrow(100));
        Assert.False(window.TryGrow(1));
    }

    [Fact]
    public void ReceiveWindow_ConsumedWhole_AllowsNothingMoreUntilCredited()
    {
        var window = new ReceiveWindow(1000);
        Assert.True(window.TryConsume(1000));
        Assert.False(window.TryConsume(1));
        Assert.True(window.TryConsume(0));
        Assert.Equal(0, window.Credit(499));
        Assert.Equal(500, window.Credit(1));
        Assert.False(window.TryConsume(501));
        Assert.True(window.TryConsume(500));
    }

    [Theory]
    [InlineData(2048)]
    [InlineData(4096)]
    [InlineData(8192)]
    public void Group_Computed_IsOpenSsls(int bits)
    {
        var number = bits switch { 2048 => Prime2048(0), 4096 => Prime4096(0), _ => Prime8192(0) };
        var expected = new byte[bits / 8];
        Assert.Equal(bits / 8, ToBytes(number, expected));
        Free(number);
        var group = bits switch { 2048 => ModpGroup.Group14, 4096 => ModpGroup.Group16, _ => ModpGroup.Group18 };
        Assert.Equal(expected, group.Prime);
        var prime = new BigInteger(expected, isUnsigned: true, isBigEndian: true);
        Assert.False(group.IsAcceptable([]));
        Assert.False(group.IsAcceptable([1]));
        Assert.True(group.IsAcceptable([2]));
        Assert.True(group.IsAcceptable((prime - 2).ToByteArray(isUnsigned: true, isBigEndian: true)));
        Assert.False(group.IsAcceptable((prime - 1).ToByteArray(isUnsigned: true, isBigEndian: true)));
        Assert.False(group.IsAcceptable(expected));
        Assert.False(group.IsAcceptable((prime + 5).ToByteArray(isUnsigned: true, isBigEndian: true)));
    }

    [Theory]
    [InlineData(9, 0)]
    [InlineData(10, 30)]
    [InlineData(55, 65)]
    [InlineData(99, 99)]
    [InlineData(100, 100)]
    public void MaxStartups_OfOpenSshsDefault_RefusesAsOpenSshDoes(int count, int percent) =>
        Assert.Equal(percent, StartupLimiter.RefusalPercent(MaxStartups.Default, count));

    [Fact]
    public void Startups_ComingAndGoing_AreCounted()
    {
        var dice = 99;
        var limiter = new StartupLimiter(new MaxStartups(2, 50, 4), _ => dice);
        var places = Enumerable.Range(0, 4).Select(_ => limiter.TryEnter(null)).ToArray();
        Assert.DoesNotContain(null, places);
        Assert.Null(limiter.TryEnter(null));
        places[0]!.Dispose();
        places[0]!.Dispose();
        places[1]!.Dispose();
        dice = 49;
        Assert.Null(limiter.TryEnter(null));
        dice = 50;
        Assert.NotNull(limiter.TryEnter(null));
        Assert.Equal(3, limiter.Count);
    }

    [Fact]
    public void Startups_OfOneSourceThatHoldsMost_MakeRoomForOthers()
    {
        var (greedy, other, sixth) = (new IPEndPoint(IPAddress.Parse("192.0.2.1"), 1), new IPEndPoint(IPAddress.Parse("192.0.2.2"), 1), new IPEndPoint(IPAddress.Parse("2001:db8::1"), 1));
        var limiter = new StartupLimiter(new MaxStartups(10, 30, 10), _ => 0);
        var held = Enumerable.Range(0, 10).Select(_ => limiter.TryEnter(greedy)!).ToArray();
        Assert.Null(limiter.TryEnter(greedy));
        for (var i = 0; i < 4; i++)
        {
            Assert.NotNull(limiter.TryEnter(i % 2 == 0 ? other : sixth));
        }

        // The oldest went; what is left to the greedy is still the most, so a third source gets in too, and its neighbour in the same /64 counts with it.
        Assert.Equal([true, true, true, true, false, false, false, false, false, false], held.Select(h => h.Evicted.IsCancellationRequested));
        Assert.NotNull(limiter.TryEnter(new IPEndPoint(IPAddress.Parse("2001:db8::2"), 1)));
        held[9].Dispose();
        held[0].Dispose();
        Assert.Equal(9, limiter.Count);
    }

    [Fact]
    public void Penalties_AddUpEndAndAreBounded()
    {
        var time = new ManualTimeProvider();
        var options = new SourcePenaltyOptions { MaxSources = 3 };
        options.Exempt.Add(IPNetwork.Parse("10.0.0.0/8"));
        var penalties = new SourcePenalties(options, time);
        var bad = new IPEndPoint(IPAddress.Parse("192.0.2.1"), 1);
        penalties.Add(bad, TimeSpan.FromSeconds(5));
        penalties.Add(bad, TimeSpan.FromSeconds(5));
        Assert.False(penalties.IsRefused(bad));
        penalties.Add(bad, TimeSpan.FromSeconds(5));
        Assert.True(penalties.IsRefused(new IPEndPoint(bad.Address.MapToIPv6(), 2)));
        Assert.False(penalties.IsRefused(new IPEndPoint(IPAddress.Parse("192.0.2.2"), 1)));
        time.Advance(TimeSpan.FromSeconds(16));
        Assert.False(penalties.IsRefused(bad));

        // The maximum holds.
        for (var i = 0; i < 100; i++)
        {
            penalties.Add(bad, TimeSpan.FromSeconds(90));
        }

        time.Advance(TimeSpan.FromMinutes(10) - TimeSpan.FromSeconds(1));
        Assert.True(penalties.IsRefused(bad));
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.False(penalties.IsRefused(bad));

        // An exempt network is never refused; a full table forgets who ends first; IPv6 counts by its /64 and apart.
        penalties.Add(new IPEndPoint(IPAddress.Parse("10.1.2.3"), 1), TimeSpan.FromMinutes(5));
        Assert.False(penalties.IsRefused(new IPEndPoint(IPAddress.Parse("10.1.2.3"), 1)));
        for (var i = 1; i <= 4; i++)
        {
            penalties.Add(new IPEndPoint(IPAddress.Parse($"198.51.100.{i}"), 1), TimeSpan.FromSeconds(100 + i));
        }

        penalties.Add(new IPEndPoint(IPAddress.Parse("2001:db8::1"), 1), TimeSpan.FromSeconds(100));
        Assert.False(penalties.IsRefused(new IPEndPoint(IPAddress.Parse("198.51.100.1"), 1)));
        Assert.True(penalties.IsRefused(new IPEndPoint(IPAddress.Parse("198.51.100.2"), 1)));
        Assert.True(penalties.IsRefused(new IPEndPoint(IPAddress.Parse("2001:db8::ffff"), 1)));
        Assert.False(penalties.IsRefused(new IPEndPoint(IPAddress.Parse("2001:db8:0:1::1"), 1)));
    }

    [Fact]
    public async Task Penalties_OfAServer_RefuseWhoBrokeTheProtocol()
    {
        var server = new MemoryServer(o => o.SourcePenalties = new SourcePenaltyOptions());
        var address = new IPEndPoint(IPAddress.Parse("192.0.2.9"), 1);
        var first = new ClearPeer(server, address);
        first.Identify();
        first.SendKexInit("curve25519-sha256", Negotiation.StrictClient);
        first.Send(MessageNumber.Debug, 0);
        await first.ReadToEndAsync();
        Assert.Equal("Not allowed at this time", await new ClearPeer(server, address).ReadLineAsync());
        Assert.StartsWith("SSH-2.0-", await new ClearPeer(server, new IPEndPoint(IPAddress.Parse("192.0.2.10"), 1)).ReadLineAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task MaxStartups_OfAServer_RefusesInWords()
    {
        var server = new MemoryServer(o => o.MaxStartups = new MaxStartups(2, 100, 2));
        var (_, _) = (new ClearPeer(server), new ClearPeer(server));
        Assert.Equal("Exceeded MaxStartups", await new ClearPeer(server).ReadLineAsync());
    }

    [Fact]
    public void Rules_OfEachMessage_AllowItInItsPhasesAlone()
    {
        var allowed = new Dictionary<Phase, byte[]>
        {
            [Phase.KexInit] = [1, 2, 3, 4, 20],
            [Phase.KexExchange] = [1, 2, 3, 4, 30],
            [Phase.NewKeys] = [1, 2, 3, 4, 21],
            [Phase.ServiceRequest] = [1, 2, 3, 4, 5, 7, 20],
            [Phase.Authentication] = [1, 2, 3, 4, 20, 50],
            [Phase.Connection] = [1, 2, 3, 4, 20, 50, 80, 81, 82, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 192, 193],
        };
        foreach (var (phase, numbers) in allowed)
        {
            for (var number = 0; number < 256; number++)
            {
                var verdict = MessageRules.Judge(Role.Server, phase, strictFirstExchange: false, (byte)number);
                Assert.Equal(numbers.Contains((byte)number), verdict == MessageVerdict.Allowed);
                if (verdict == MessageVerdict.Unknown)
                {
                    Assert.True(number is (>= 8 and <= 19) || (number >= 83 && phase == Phase.Connection), $"{number} in {phase}");
                }
            }
        }

        foreach (var phase in (Phase[])[Phase.KexInit, Phase.KexExchange, Phase.NewKeys])
        {
            for (var number = 0; number < 256; number++)
            {
                var expected = allowed[phase].Contains((byte)number) && number is not (2 or 3 or 4);
                Assert.Equal(expected ? MessageVerdict.Allowed : MessageVerdict.Forbidden, MessageRules.Judge(Role.Server, phase, strictFirstExchange: true, (byte)number));
            }
        }
    }

    [LibraryImport("libcrypto.so.3", EntryPoint = "BN_get_rfc3526_prime_2048")]
    private static partial nint Prime2048(nint number);

    [LibraryImport("libcrypto.so.3", EntryPoint = "BN_get_rfc3526_prime_4096")]
    private static partial nint Prime4096(nint number);

    [LibraryImport("libcrypto.so.3", EntryPoint = "BN_get_rfc3526_prime_8192")]
    private static partial nint Prime8192(nint number);

    [LibraryImport("libcrypto.so.3", EntryPoint = "BN_bn2bin")]
    private static partial int ToBytes(nint number, [Out] byte[] bytes);

    [LibraryImport("libcrypto.so.3", EntryPoint = "BN_free")]
    private static partial void Free(nint number);
}
