using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Shale.Containers.Exec;

/// <summary>The Linux calls that the base class library lacks; numbers are those of 64-bit Linux (x86-64 and arm64).</summary>
internal static unsafe partial class Native
{
    internal const int EPERM = 1, ENOENT = 2, ESRCH = 3, EINTR = 4, EIO = 5, E2BIG = 7, ENOEXEC = 8, EAGAIN = 11, ENOMEM = 12, EACCES = 13, EEXIST = 17,
        ENOTDIR = 20, EISDIR = 21, EINVAL = 22, ENOSPC = 28, EPIPE = 32, ENAMETOOLONG = 36, ENOTEMPTY = 39, ELOOP = 40, EINPROGRESS = 115;

    internal const int O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0x40, O_EXCL = 0x80, O_NOCTTY = 0x100, O_TRUNC = 0x200, O_APPEND = 0x400,
        O_NONBLOCK = 0x800, O_CLOEXEC = 0x80000, O_PATH = 0x200000;

    internal const int EPOLLIN = 1, EPOLLOUT = 4, EPOLLERR = 8, EPOLLHUP = 16, EPOLLRDHUP = 0x2000, EPOLLONESHOT = 1 << 30;
    internal const int EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CTL_MOD = 3;
    internal const int F_SETPIPE_SZ = 1031;
    internal const nuint TIOCSWINSZ = 0x5414, TIOCGPTPEER = 0x5441, TIOCSPTLCK = 0x40045431, TCGETS = 0x5401, TCSETS = 0x5402;

    // These two differ between the architectures (asm-generic and arm64 against x86).
    internal static readonly int O_DIRECTORY = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 0x10000 : 0x4000;
    internal static readonly int O_NOFOLLOW = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 0x20000 : 0x8000;

    internal const int MSG_NOSIGNAL = 0x4000;

    private const int SOL_SOCKET = 1, SCM_RIGHTS = 1, MSG_DONTWAIT = 0x40;
    private const int MaxRights = 3;

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    internal static partial nint Read(SafeHandle fd, byte* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    internal static partial nint Write(SafeHandle fd, byte* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    internal static partial nint Receive(SafeHandle socket, byte* buffer, nuint count, int flags);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    internal static partial nint Send(SafeHandle socket, byte* buffer, nuint count, int flags);

    [LibraryImport("libc", EntryPoint = "pipe2", SetLastError = true)]
    private static partial int Pipe2(int* ends, int flags);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    internal static partial int Fcntl(SafeHandle fd, int command, nint argument);

    [LibraryImport("libc", EntryPoint = "fchown", SetLastError = true)]
    internal static partial int Fchown(SafeHandle fd, uint uid, uint gid);

    [LibraryImport("libc", EntryPoint = "fchmod", SetLastError = true)]
    internal static partial int Fchmod(SafeHandle fd, uint mode);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    internal static partial int Ioctl(SafeHandle fd, nuint request, void* argument);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    internal static partial int Ioctl(SafeHandle fd, nuint request, nint argument);

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    internal static partial int EpollCreate(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    internal static partial int EpollControl(SafeHandle epoll, int operation, SafeHandle fd, byte* change);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    internal static partial int EpollWait(SafeHandle epoll, byte* events, int count, int timeout);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Open(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "getsockopt", SetLastError = true)]
    private static partial int GetSocketOption(SafeHandle fd, int level, int name, void* value, uint* length);

    [LibraryImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    private static partial nint SendMessage(SafeHandle fd, MessageHeader* message, int flags);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint OpenAt2(nint number, SafeHandle folder, byte* path, OpenHow* how, nuint size);

    [LibraryImport("libc", EntryPoint = "fstatfs", SetLastError = true)]
    private static partial int FStatFs(SafeHandle fd, nint* buffer);

    /// <summary>What became of a connection that was begun (SO_ERROR): 0 where it stands.</summary>
    internal static int SocketError(SafeHandle socket)
    {
        const int SOL_SOCKET = 1, SO_ERROR = 4;
        int value;
        var length = (uint)sizeof(int);
        return GetSocketOption(socket, SOL_SOCKET, SO_ERROR, &value, &length) < 0 ? LastError : value;
    }

    internal static SafeFileHandle CreateEpoll() => Owned(EpollCreate(O_CLOEXEC), "epoll_create1");

    internal static int LastError => Marshal.GetLastPInvokeError();

    internal static IOException Failure(string call, int error) => new($"{call}: {Marshal.GetPInvokeErrorMessage(error)}") { HResult = error };

    internal static SafeFileHandle Owned(nint fd, string call) =>
        fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Failure(call, LastError);

    internal static int Check(int result, string call) => result >= 0 ? result : throw Failure(call, LastError);

    /// <summary>A pipe; only this side's end is non-blocking, because the other's mode is seen by the program that gets it.</summary>
    internal static (SafeFileHandle Reader, SafeFileHandle Writer) CreatePipe(bool readHere, int capacity)
    {
        var ends = stackalloc int[2];
        Check(Pipe2(ends, O_CLOEXEC), "pipe2");
        var (reader, writer) = (new SafeFileHandle(ends[0], true), new SafeFileHandle(ends[1], true));
        const int F_SETFL = 4;
        Fcntl(readHere ? reader : writer, F_SETFL, O_NONBLOCK);
        Fcntl(reader, F_SETPIPE_SZ, capacity); // a wish: the stock size works too
        return (reader, writer);
    }

    /// <summary>Opens a path below <paramref name="root"/> as if root were "/": symbolic links, ".." and absolute paths stay inside (openat2(2)).</summary>
    internal static SafeFileHandle? TryOpenInRoot(SafeHandle root, ReadOnlySpan<byte> pathWithNul, int flags, uint mode, out int error)
    {
        const nint SysOpenAt2 = 437;
        const ulong ResolveNoMagicLinks = 2, ResolveInRoot = 16;
        var how = new OpenHow { Flags = (ulong)(uint)(flags | O_CLOEXEC), Mode = mode, Resolve = ResolveInRoot | ResolveNoMagicLinks };
        nint fd;
        fixed (byte* path = pathWithNul)
        {
            // EAGAIN: a rename or mount raced with ".."; the kernel asks for another try. Bounded: the container can race for ever.
            for (var attempt = 0; ; attempt++)
            {
                fd = OpenAt2(SysOpenAt2, root, path, &how, (nuint)sizeof(OpenHow));
                error = fd < 0 ? LastError : 0;
                if (fd >= 0 || attempt >= 64 || (error != EAGAIN && error != EINTR))
                {
                    break;
                }
            }
        }

        return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : null;
    }

    /// <summary>The file system's magic number (statfs(2), f_type).</summary>
    internal static long FileSystemType(SafeHandle fd)
    {
        var buffer = stackalloc nint[32];
        Check(FStatFs(fd, buffer), "fstatfs");
        return buffer[0];
    }

    /// <summary>Sends bytes with descriptors (SCM_RIGHTS, unix(7)); returns bytes sent, or -1 when the socket is full.</summary>
    internal static int SendWithRights(SafeHandle socket, ReadOnlySpan<byte> data, ReadOnlySpan<SafeFileHandle> rights)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rights.Length, MaxRights);
        var control = stackalloc byte[16 + 16];
        var added = 0;
        try
        {
            for (; added < rights.Length; added++)
            {
                var dummy = false;
                rights[added].DangerousAddRef(ref dummy);
                ((int*)(control + 16))[added] = (int)rights[added].DangerousGetHandle();
            }

            *(nuint*)control = (nuint)(16 + (sizeof(int) * rights.Length));
            ((int*)control)[2] = SOL_SOCKET;
            ((int*)control)[3] = SCM_RIGHTS;
            fixed (byte* bytes = data)
            {
                var vector = new IoVector { Base = bytes, Length = (nuint)data.Length };
                var message = new MessageHeader
                {
                    Vectors = &vector,
                    VectorCount = 1,
                    Control = rights.Length > 0 ? control : null,
                    ControlLength = rights.Length > 0 ? (nuint)(16 + ((sizeof(int) * rights.Length + 7) & ~7)) : 0,
                };
                while (true)
                {
                    var sent = SendMessage(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
                    if (sent >= 0)
                    {
                        return (int)sent;
                    }

                    if (LastError == EAGAIN)
                    {
                        return -1;
                    }

                    if (LastError != EINTR)
                    {
                        throw Failure("sendmsg", LastError);
                    }
                }
            }
        }
        finally
        {
            for (var i = 0; i < added; i++)
            {
                rights[i].DangerousRelease();
            }
        }
    }

    /// <summary>Who connected to a Unix socket, as the kernel noted it (SO_PEERCRED): process in this process's pid namespace, user.</summary>
    internal static (int Pid, uint Uid) PeerCredentials(SafeHandle socket)
    {
        const int SO_PEERCRED = 17;
        var credentials = stackalloc uint[3];
        uint length = 12;
        Check(GetSocketOption(socket, SOL_SOCKET, SO_PEERCRED, credentials, &length), "getsockopt(SO_PEERCRED)");
        return ((int)credentials[0], credentials[1]);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct IoVector
    {
        public byte* Base;
        public nuint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct MessageHeader
    {
        public void* Name;
        public uint NameLength;
        public IoVector* Vectors;
        public nuint VectorCount;
        public void* Control;
        public nuint ControlLength;
        public int Flags;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct OpenHow
    {
        public ulong Flags;
        public ulong Mode;
        public ulong Resolve;
    }
}

/// <summary>
/// An array of struct epoll_event {u32 events; u64 data}, which is packed on x86-64 (12 bytes) and nowhere else (16).
/// </summary>
internal readonly ref struct EpollEvents(Span<byte> memory)
{
    private static readonly int DataOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;

    private readonly Span<byte> _memory = memory;

    public static int Size => DataOffset + 8;

    public (int Events, long Data) this[int index]
    {
        get => (BitConverter.ToInt32(_memory[(index * Size)..]), BitConverter.ToInt64(_memory[((index * Size) + DataOffset)..]));
        set
        {
            MemoryMarshal.Write(_memory[(index * Size)..], in value.Events);
            MemoryMarshal.Write(_memory[((index * Size) + DataOffset)..], in value.Data);
        }
    }
}
