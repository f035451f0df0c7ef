using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Shale.Containers.Exec;

/// <summary>A listening Unix socket whose accepted descriptors can carry SCM_RIGHTS; Socket hides its descriptor's ownership.</summary>
internal sealed partial class UnixListener : IDisposable
{
    private const int AF_UNIX = 1, SOCK_STREAM = 1, SOCK_NONBLOCK = 0x800, SOCK_CLOEXEC = 0x80000;

    private readonly PolledHandle _handle;
    private readonly string _path;

    /// <summary>Binds and listens; the file is made with mode 0600.</summary>
    public unsafe UnixListener(string path)
    {
        _path = path;
        var address = stackalloc byte[110];
        var length = Address(path, address);
        var fd = Native.Owned(NewSocket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
        try
        {
            Native.Check(Bind(fd, address, length), "bind " + path);
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            Native.Check(Listen(fd, 8), "listen");
            _handle = new PolledHandle(fd);
        }
        catch
        {
            fd.Dispose();
            throw;
        }
    }

    public async ValueTask<SafeFileHandle> AcceptAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var fd = Accept4(_handle.Fd, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd >= 0)
            {
                return new SafeFileHandle(fd, ownsHandle: true);
            }

            var error = Native.LastError;
            if (error == Native.EAGAIN)
            {
                await _handle.WaitReadableAsync(cancellationToken).ConfigureAwait(false);
            }
            else if (error is not (Native.EINTR or 103 /* ECONNABORTED */))
            {
                throw Native.Failure("accept4", error);
            }
        }
    }

    public void Dispose()
    {
        _handle.Dispose();
        try
        {
            File.Delete(_path);
        }
        catch (IOException)
        {
            // The lease's folder may be gone already.
        }
    }

    /// <summary>Fills a sockaddr_un (family, path, NUL) of at most 110 bytes and returns its length.</summary>
    private static unsafe uint Address(string path, byte* address)
    {
        var bytes = Encoding.UTF8.GetBytes(path);
        if (bytes.Length > 107)
        {
            throw new IOException($"The path {path} is longer than the 107 bytes that a Unix socket's may have; choose a shorter state directory.");
        }

        *(ushort*)address = AF_UNIX;
        bytes.CopyTo(new Span<byte>(address + 2, 108));
        address[2 + bytes.Length] = 0;
        return (uint)(2 + bytes.Length + 1);
    }

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int NewSocket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    private static unsafe partial int Bind(SafeHandle fd, byte* address, uint length);

    [LibraryImport("libc", EntryPoint = "listen", SetLastError = true)]
    private static partial int Listen(SafeHandle fd, int backlog);

    [LibraryImport("libc", EntryPoint = "accept4", SetLastError = true)]
    private static partial int Accept4(SafeHandle fd, nint address, nint length, int flags);
}
