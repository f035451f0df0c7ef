using System.Net;
using System.Net.Sockets;
using Shale.Data.Cids;
using Shale.Data.Pieces;
using Shale.Data.Store;
using Shale.Data.Tests.Support;
using Shale.Data.Tests.UnixFs;
using Shale.Data.UnixFs;
using Xunit;

namespace Shale.Data.Tests.Store;

public class PieceServerTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Piece_FetchedWithAnInterruption_BecomesADataSet(bool version2)
    {
        using var scratch = new Scratch();
        var tree = scratch.Tree("tree");
        var root = ImportTests.Pack(tree, ImportPreset.UnixFsV1, scratch["data.car"]);
        var piece = PieceHasher.Compute(File.ReadAllBytes(scratch["data.car"]));
        var cid = version2 ? piece.CidV2 : piece.CidV1;
        // As a server that stores sectors has it: zeros up to the piece's size.
        byte[] padded = [.. File.ReadAllBytes(scratch["data.car"]), .. new byte[piece.Padding]];
        using var server = new Server($"/piece/{cid}", padded) { StopAfter = 3 << 20 };
        using var http = new HttpClient();
        var source = new PieceServerSource(http, server.Address);
        Assert.ThrowsAny<Exception>(() => source.Locate(cid.ToString(), scratch["scratch"]));
        server.StopAfter = int.MaxValue;
        var located = source.Locate(cid.ToString(), scratch["scratch"]);
        Assert.Equal(DataError.None, located.Error);
        Assert.InRange(server.LastFrom, 1, padded.Length - 1);
        Assert.Equal(piece.CidV1.ToString(), located.Value.Piece!.CidV1);
        var store = StoreTests.Open(scratch);
        var dataset = StoreTests.Add(store, located.Value);
        Assert.Equal(root, dataset.Cid);
        Assert.Equal(piece.PieceSize, dataset.Manifest.Piece!.Size);
        Assert.Equal(StoreTests.Contents(tree), StoreTests.Contents(dataset.Content));
    }

    [Fact]
    public void Piece_ThatIsNotWhatItsCidSays_IsRefusedAndLeavesNothing()
    {
        using var scratch = new Scratch();
        ImportTests.Pack(scratch.Tree("tree"), ImportPreset.UnixFsV1, scratch["data.car"]);
        var bytes = File.ReadAllBytes(scratch["data.car"]);
        var piece = PieceHasher.Compute(bytes);
        bytes[^1] ^= 1;
        using var http = new HttpClient();
        using (var server = new Server($"/piece/{piece.CidV2}", bytes))
        {
            var source = new PieceServerSource(http, server.Address);
            Assert.Equal(DataFault.HashMismatch, source.Locate(piece.CidV2.ToString(), scratch["scratch"]).Error.Fault);
            Assert.Equal(DataFault.NotFound, source.Locate(piece.CidV1.ToString(), scratch["scratch"]).Error.Fault);
            Assert.Equal(DataFault.PieceSize, source.Locate("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", scratch["scratch"]).Error.Fault);
            Assert.Equal(DataFault.CidLength, source.Locate("x", scratch["scratch"]).Error.Fault);
        }

        using (var server = new Server($"/piece/{piece.CidV2}", new byte[piece.UnpaddedSize + 1]))
        {
            Assert.Equal(DataFault.PieceServer, new PieceServerSource(http, server.Address).Locate(piece.CidV2.ToString(), scratch["scratch"]).Error.Fault);
        }

        Assert.DoesNotContain(Directory.EnumerateFiles(scratch["scratch"]), f => new FileInfo(f).Length > 0);
    }

    /// <summary>One file over HTTP with ranges, and a connection that breaks where a test wants it.</summary>
    private sealed class Server : IDisposable
    {
        private readonly HttpListener _listener = new();

        public Server(string path, byte[] content)
        {
            Address = new Uri($"http://127.0.0.1:{Ports.Free()}/");
            _listener.Prefixes.Add(Address.ToString());
            _listener.Start();
            _ = Task.Run(() => Serve(path, content));
        }

        public Uri Address { get; }

        public int StopAfter { get; set; } = int.MaxValue;

        public int LastFrom { get; private set; }

        public void Dispose() => _listener.Close();

        private void Serve(string path, byte[] content)
        {
            while (_listener.IsListening)
            {
                HttpListenerContext context;
                try
                {
                    context = _listener.GetContext();
                }
                catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
                {
                    return;
                }

                try
                {
                    if (context.Request.Url!.AbsolutePath != path)
                    {
                        context.Response.StatusCode = 404;
                        context.Response.Close();
                        continue;
                    }

                    LastFrom = context.Request.Headers["Range"] is { } range ? int.Parse(range["bytes=".Length..^1]) : 0;
                    if (LastFrom > 0)
                    {
                        context.Response.StatusCode = 206;
                        context.Response.Headers["Content-Range"] = $"bytes {LastFrom}-{content.Length - 1}/{content.Length}";
                    }

                    context.Response.ContentLength64 = content.Length - LastFrom;
                    var length = Math.Min(StopAfter, content.Length - LastFrom);
                    context.Response.OutputStream.Write(content, LastFrom, length);
                    context.Response.OutputStream.Flush();
                    if (length < content.Length - LastFrom)
                    {
                        context.Response.Abort();
                    }
                    else
                    {
                        context.Response.Close();
                    }
                }
                catch (Exception e) when (e is HttpListenerException or IOException or InvalidOperationException)
                {
                    // The client went away, as in one of the tests.
                }
            }
        }
    }
}
