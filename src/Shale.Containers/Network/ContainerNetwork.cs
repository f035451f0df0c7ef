using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Shale.Containers.Exec;
using Shale.Containers.Files;

namespace Shale.Containers.Network;

/// <summary>
/// Sockets inside a container's network and file tree, from outside, so that forwards work with any image. A socket belongs for ever to the
/// network namespace that it was made in, so only its making happens there, on a thread of its own. Unix sockets are named in the
/// container's file tree and opened with the container user's rights.
/// </summary>
internal static unsafe partial class ContainerNetwork
{
    private const int AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10, SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_NONBLOCK = 0x800, SOCK_CLOEXEC = 0x80000;

    /// <summary>Connections that wait to be accepted: OpenSSH's number (SSH_LISTEN_BACKLOG).</summary>
    private const int Backlog = 128;

    /// <summary>Makes an unconnected socket in the container's network namespace.</summary>
    public static Socket NewSocket(ContainerRoot root, AddressFamily family, SocketType type)
    {
        var native = family == AddressFamily.InterNetworkV6 ? AF_INET6 : AF_INET;
        var kind = type == SocketType.Dgram ? SOCK_DGRAM : SOCK_STREAM;
        var (fd, error) = OnThread(root.Network, () => SocketCall(native, kind | SOCK_CLOEXEC, 0));
        return fd >= 0 ? new Socket(new SafeSocketHandle(fd, ownsHandle: true)) : throw Native.Failure("socket in the container's network", error);
    }

    /// <summary>Makes a non-blocking TCP socket in the container's network namespace and begins to connect it.</summary>
    /// <param name="root">The container.</param>
    /// <param name="address">Where to.</param>
    /// <param name="error">0 where it is connected; EINPROGRESS where that takes time; else why it can't be.</param>
    public static SafeSocketHandle BeginConnect(ContainerRoot root, IPEndPoint address, out int error)
    {
        var native = address.AddressFamily == AddressFamily.InterNetworkV6 ? AF_INET6 : AF_INET;
        var (fd, failed) = OnThread(root.Network, () => SocketCall(native, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (fd < 0)
        {
            throw Native.Failure("socket in the container's network", failed);
        }

        var handle = new SafeSocketHandle(fd, ownsHandle: true);
        var bytes = address.Serialize();
        fixed (byte* pointer = bytes.Buffer.Span)
        {
            error = ConnectCall(handle, pointer, (uint)bytes.Size) < 0 ? Native.LastError : 0;
        }

        return handle;
    }

    /// <summary>Connects to a Unix socket by its path in the container; null with the error where it can't be.</summary>
    public static Socket? ConnectUnix(ContainerRoot root, ReadOnlySpan<byte> path, string home, out FileError error)
    {
        error = ContainerPath.TryParse(path, home, out var parsed);
        if (error != FileError.None)
        {
            return null;
        }

        using var found = Native.TryOpenInRoot(root.Handle, parsed.Full, Native.O_PATH, 0, out var missing);
        if (found is null)
        {
            error = (FileError)missing;
            return null;
        }

        if (!FileStatus.TryRead(found, out var status) || !status.IsSocket)
        {
            error = FileError.Invalid;
            return null;
        }

        // By descriptor: the name could mean another file by now.
        return UnixSocketAt(ContainerRoot.DescriptorPath(found), connect: true, out error);
    }

    /// <summary>Binds a Unix socket of mode 0600 in the container and listens; null with the error where it can't be.</summary>
    public static UnixForwardListener? ListenUnix(ContainerRoot root, UserCalls calls, ReadOnlySpan<byte> path, string home, out FileError error)
    {
        error = ContainerPath.TryParse(path, home, out var parsed);
        if (error == FileError.None && !parsed.HasName)
        {
            error = FileError.Invalid;
        }

        if (error != FileError.None)
        {
            return null;
        }

        var folder = Native.TryOpenInRoot(root.Handle, parsed.Folder, Native.O_PATH | Native.O_DIRECTORY, 0, out var missing);
        if (folder is null)
        {
            error = (FileError)missing;
            return null;
        }

        // bind(2) makes the name and follows no symbolic link of that name.
        var socket = UnixSocketAt(ContainerRoot.DescriptorPath(folder) + "/" + Encoding.UTF8.GetString(parsed.Name.AsSpan(0, parsed.Name.Length - 1)), connect: false, out error);
        if (socket is null)
        {
            folder.Dispose();
            return null;
        }

        return new UnixForwardListener(socket, folder, parsed.Name, calls);
    }

    /// <summary>The address where it is one of the file system (107 bytes at most), used by the calling thread with its rights.</summary>
    private static Socket? UnixSocketAt(string path, bool connect, out FileError error)
    {
        var bytes = Encoding.UTF8.GetBytes(path);
        if (bytes.Length > 107)
        {
            error = FileError.NameTooLong;
            return null;
        }

        var fd = SocketCall(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
        {
            error = FileCalls.Error(-1);
            return null;
        }

        var handle = new SafeSocketHandle(fd, ownsHandle: true);
        var address = stackalloc byte[110];
        *(ushort*)address = AF_UNIX;
        bytes.CopyTo(new Span<byte>(address + 2, 108));
        address[2 + bytes.Length] = 0;
        var length = (uint)(2 + bytes.Length + 1);

        // A socket's own mode is what bind(2) gives its name, less the umask: 0600, as with OpenSSH's StreamLocalBindMask.
        var result = connect ? ConnectCall(handle, address, length) : Native.Fchmod(handle, 0x180) is var changed and < 0 ? changed : BindCall(handle, address, length);
        error = FileCalls.Error(result);
        if (result == 0 && !connect)
        {
            result = ListenCall(handle, Backlog);
            error = FileCalls.Error(result);
        }

        if (result == 0)
        {
            return new Socket(handle);
        }

        handle.Dispose();
        return null;
    }

    /// <summary>Makes a call on a thread of its own inside a network namespace.</summary>
    internal static (int Result, int Error) OnThread(SafeFileHandle network, Func<int> call)
    {
        const int CloneNewNet = 0x40000000;
        var result = (Result: -1, Error: 0);
        var thread = new Thread(() =>
        {
            // This thread is in the container's network from here to its end; it is nobody else's.
            result.Result = SetNamespace(network, CloneNewNet);
            if (result.Result == 0)
            {
                result.Result = call();
            }

            result.Error = result.Result < 0 ? Native.LastError : 0;
        }, 128 * 1024)
        { IsBackground = true, Name = "shale-network" };
        thread.Start();
        thread.Join();
        return result;
    }

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static partial int SetNamespace(SafeFileHandle fd, int kind);

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int SocketCall(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "connect", SetLastError = true)]
    private static partial int ConnectCall(SafeHandle fd, byte* address, uint length);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    private static partial int BindCall(SafeHandle fd, byte* address, uint length);

    [LibraryImport("libc", EntryPoint = "listen", SetLastError = true)]
    private static partial int ListenCall(SafeHandle fd, int backlog);
}

/// <summary>A listening socket in a container; disposing it ends it and, for a Unix socket, removes its name.</summary>
public abstract class ContainerListener : IAsyncDisposable
{
    private protected ContainerListener(Socket socket) => Socket = socket;

    /// <summary>The TCP port; 0 for a Unix socket.</summary>
    public int Port => Socket.LocalEndPoint is IPEndPoint ip ? ip.Port : 0;

    private protected Socket Socket { get; }

    /// <summary>The next connection; the caller disposes it.</summary>
    /// <exception cref="SocketException">The listener ended, or this machine is out of descriptors.</exception>
    public ValueTask<Socket> AcceptAsync(CancellationToken cancellationToken) => Socket.AcceptAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Socket.Dispose();
        await CleanUpAsync().ConfigureAwait(false);
        GC.SuppressFinalize(this);
    }

    private protected virtual ValueTask CleanUpAsync() => ValueTask.CompletedTask;
}

internal sealed class TcpForwardListener(Socket socket) : ContainerListener(socket);

internal sealed class UnixForwardListener : ContainerListener
{
    private readonly SafeFileHandle _folder;
    private readonly byte[] _name;
    private readonly UserCalls _calls;
    private readonly FileStatus _made;
    private int _disposed;

    public UnixForwardListener(Socket socket, SafeFileHandle folder, byte[] name, UserCalls calls)
        : base(socket)
    {
        _folder = folder;
        _name = name;
        _calls = calls;
        FileStatus.TryRead(folder, name, out _made);
    }

    private protected override async ValueTask CleanUpAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _calls.RunAsync(Remove, CancellationToken.None).ConfigureAwait(false);
        _calls.Dispose();
        _folder.Dispose();
    }

    private unsafe int Remove()
    {
        // Only what we made; with the user's rights, so a swap in between harms the container alone.
        if (FileStatus.TryRead(_folder, _name, out var now) && now.IsSocket && now.Inode == _made.Inode)
        {
            fixed (byte* name = _name)
            {
                return FileCalls.UnlinkAt(_folder, name, 0);
            }
        }

        return 0;
    }
}
