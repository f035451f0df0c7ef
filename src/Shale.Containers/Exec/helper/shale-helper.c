/* shale-helper: the one program that Shale brings into a lease's container, mounted read-only at /.shale/helper.
 *
 *   shale-helper init [PROGRAM ARG...]  process 1: keeps the container alive in any image, reaps orphans
 *   shale-helper agent SOCKET           started through Docker exec; forks the commands of SSH sessions on request
 *   shale-helper signal NAME=VALUE N S  signals those whose session's leader has that variable: signal number, scope as below;
 *                                       for sessions that Docker's own exec started on another machine
 *
 * The agent speaks to the gateway over a stream socket. The gateway is trusted here; the container is not trusted there,
 * so descriptors travel towards the container only, and what travels back is a fixed frame of 16 bytes.
 * Integers are in the machine's byte order: both ends are the same machine.
 *
 *   request  u32 length of body, u32 operation, u32 id, u32 argument; then the body
 *     1 start   SCM_RIGHTS: stdin, stdout, stderr; or, with flag 1, a terminal's slave side
 *               body: u32 flags, uid, gid, groups, arguments, variables; u32 group[groups];
 *               then strings, each ended by NUL: directory, program, argument[arguments], variable[variables]
 *     2 signal  argument: signal number; body: u32 scope (0 process, 1 its group, 2 its session,
 *               3 its session less what ignores SIGHUP)
 *     3 release the id is not used again
 *   report   u32 kind, u32 id, i32 value, i32 detail
 *     1 started (value: pid), 2 failed (value: errno; detail: 1 fork, 2 chdir, 3 credentials, 4 exec, 5 request),
 *     3 exited (value: wait status)
 *
 * C, because it has to run in an image that has nothing: no shell, no libc. Keep in step with Exec/ExecAgent.cs.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_BODY (4u << 20) /* more than ARG_MAX's default of 2 MiB: execve has the last word */
#define MAX_COUNT 65536u    /* arguments, variables or groups */
#define MAX_FDS 3
#define GRACE_SECONDS 2     /* between SIGHUP and SIGKILL when the gateway is gone */

enum { OP_START = 1, OP_SIGNAL = 2, OP_RELEASE = 3 };
enum { STARTED = 1, FAILED = 2, EXITED = 3 };
enum { AT_FORK = 1, AT_CHDIR = 2, AT_CREDENTIALS = 3, AT_EXEC = 4, AT_REQUEST = 5 };
enum { SCOPE_PROCESS, SCOPE_GROUP, SCOPE_SESSION, SCOPE_SESSION_NOT_DETACHED };
enum { FLAG_TERMINAL = 1 };

struct request { uint32_t length, operation, id, argument; };
struct report { uint32_t kind, id; int32_t value, detail; };
struct start { uint32_t flags, uid, gid, groups, arguments, variables; };
struct failure { int error, stage; };
struct process { uint32_t id; pid_t pid; int running, released; };

static int control = -1;
static struct process *processes;
static size_t process_count, process_room;

static int run_init(char **program)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    if (program[0]) {
        pid_t child = fork();
        if (child == 0) {
            sigprocmask(SIG_UNBLOCK, &all, NULL);
            setsid();
            execvp(program[0], program);
            _exit(127);
        }
    }
    for (;;) {
        int signal = sigwaitinfo(&all, NULL);
        if (signal == SIGTERM || signal == SIGINT) return 0; /* the kernel ends the rest with process 1 */
        while (waitpid(-1, NULL, WNOHANG) > 0) {}
    }
}

static void report(uint32_t kind, uint32_t id, int32_t value, int32_t detail)
{
    struct report r = { kind, id, value, detail };
    const char *at = (const char *)&r;
    size_t left = sizeof r;
    while (left) {
        ssize_t n = send(control, at, left, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return; /* the read side sees the end of the connection too */
        at += n;
        left -= (size_t)n;
    }
}

/* The whole of a block, or -1. Descriptors that come with it go to fds; fds that are too many are closed by the kernel. */
static int receive(void *to, size_t length, int *fds, int *fd_count)
{
    char *at = to;
    while (length) {
        char space[CMSG_SPACE(MAX_FDS * sizeof(int))];
        struct iovec vector = { at, length };
        struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
        ssize_t n = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return -1;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
            if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
            int count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            for (int i = 0; i < count; i++) {
                int fd;
                memcpy(&fd, CMSG_DATA(c) + (size_t)i * sizeof fd, sizeof fd);
                if (fds && *fd_count < MAX_FDS) fds[(*fd_count)++] = fd;
                else close(fd);
            }
        }
        at += n;
        length -= (size_t)n;
    }
    return 0;
}

/* Points array[0..count) at the strings of [*at, end) and ends it with NULL; -1 if there are fewer. */
static int strings(char **at, char *end, char **array, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char *stop = *at < end ? memchr(*at, 0, (size_t)(end - *at)) : NULL;
        if (!stop) return -1;
        array[i] = *at;
        *at = stop + 1;
    }
    array[count] = NULL;
    return 0;
}

static void child_fails(int to, int stage)
{
    struct failure f = { errno, stage };
    ssize_t n = write(to, &f, sizeof f);
    (void)n;
    _exit(127);
}

static void run_child(const struct start *start, const gid_t *groups, char *directory, char *program, char **arguments,
                      char **variables, const int *fds, int failed)
{
    sigset_t none;
    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++) signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    for (int i = 0; i < 3; i++) {
        /* Received descriptors are above 2 (0 to 2 are open from the start), so none is overwritten before its turn. */
        if (dup2(start->flags & FLAG_TERMINAL ? fds[0] : fds[i], i) < 0) child_fails(failed, AT_EXEC);
    }
    if (start->flags & FLAG_TERMINAL) ioctl(0, TIOCSCTTY, 0);
    umask(022);
    if (setgroups(start->groups, groups) || setresgid(start->gid, start->gid, start->gid) ||
        setresuid(start->uid, start->uid, start->uid))
        child_fails(failed, AT_CREDENTIALS);
    if (chdir(directory)) child_fails(failed, AT_CHDIR);
    environ = variables; /* execvp looks the program up in the PATH of the environment that it will have */
    execvp(program, arguments);
    child_fails(failed, AT_EXEC);
}

static int remember(uint32_t id, pid_t pid)
{
    if (process_count == process_room) {
        size_t room = process_room ? process_room * 2 : 64;
        struct process *grown = realloc(processes, room * sizeof *grown);
        if (!grown) return -1;
        processes = grown;
        process_room = room;
    }
    processes[process_count++] = (struct process){ id, pid, 1, 0 };
    return 0;
}

static void start_process(uint32_t id, char *body, uint32_t length, const int *fds, int fd_count)
{
    struct start start;
    char **arguments = NULL, **variables = NULL, *texts[3];
    char *end = body + length, *at = body + sizeof start;
    int failed[2] = { -1, -1 };
    errno = EINVAL;
    if (length < sizeof start) { report(FAILED, id, EINVAL, AT_REQUEST); return; }
    memcpy(&start, body, sizeof start);
    if (start.groups > MAX_COUNT || start.arguments == 0 || start.arguments > MAX_COUNT || start.variables > MAX_COUNT ||
        fd_count != (start.flags & FLAG_TERMINAL ? 1 : 3) || (size_t)(end - at) < start.groups * sizeof(gid_t)) {
        report(FAILED, id, EINVAL, AT_REQUEST);
        return;
    }
    const gid_t *groups = (const gid_t *)(void *)at; /* 24 bytes into a malloc'ed block: aligned */
    at += start.groups * sizeof(gid_t);
    arguments = calloc(start.arguments + 1, sizeof *arguments);
    variables = calloc(start.variables + 1, sizeof *variables);
    if (!arguments || !variables || strings(&at, end, texts, 2) || strings(&at, end, arguments, start.arguments) ||
        strings(&at, end, variables, start.variables)) {
        report(FAILED, id, arguments && variables ? EINVAL : ENOMEM, AT_REQUEST);
    } else if (pipe2(failed, O_CLOEXEC)) {
        report(FAILED, id, errno, AT_FORK);
    } else {
        pid_t child = fork();
        if (child == 0) run_child(&start, groups, texts[0], texts[1], arguments, variables, fds, failed[1]);
        int error = errno;
        close(failed[1]);
        struct failure f;
        ssize_t n = 0;
        if (child > 0)
            while ((n = read(failed[0], &f, sizeof f)) < 0 && errno == EINTR) {}
        close(failed[0]);
        if (child < 0) {
            report(FAILED, id, error, AT_FORK);
        } else if (n == sizeof f) {
            waitpid(child, NULL, 0);
            report(FAILED, id, f.error, f.stage);
        } else if (remember(id, child)) {
            kill(-child, SIGKILL);
            report(FAILED, id, ENOMEM, AT_FORK);
        } else {
            report(STARTED, id, child, 0);
        }
    }
    free(arguments);
    free(variables);
}

/* The session of /proc/PID/stat: the fourth word after the name, which is in parentheses and may hold anything. */
static pid_t session_of(const char *pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return -1;
    text[n] = 0;
    char *name_end = strrchr(text, ')');
    int session = -1;
    if (!name_end || sscanf(name_end + 1, " %*c %*d %*d %d", &session) != 1) return -1;
    return session;
}

static int ignores_hangup(const char *pid)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%s/status", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return 0;
    text[n] = 0;
    char *mask = strstr(text, "\nSigIgn:");
    return mask && (strtoull(mask + 8, NULL, 16) & 1);
}

static void signal_session(pid_t session, int signal, int spare_detached)
{
    DIR *proc = opendir("/proc");
    if (!proc) { kill(-session, signal); return; }
    for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || session_of(entry->d_name) != session) continue;
        if (spare_detached && ignores_hangup(entry->d_name)) continue;
        kill(atoi(entry->d_name), signal);
        if (signal == SIGHUP) kill(atoi(entry->d_name), SIGCONT); /* a stopped process has to run to end */
    }
    closedir(proc);
}

static void signal_process(uint32_t id, int signal, uint32_t scope)
{
    for (size_t i = 0; i < process_count; i++) {
        struct process *p = &processes[i];
        if (p->id != id) continue;
        if (scope >= SCOPE_SESSION) signal_session(p->pid, signal, scope == SCOPE_SESSION_NOT_DETACHED);
        else if (scope == SCOPE_GROUP) kill(-p->pid, signal);
        else if (p->running) kill(p->pid, signal);
        return;
    }
}

static void release(uint32_t id)
{
    for (size_t i = 0; i < process_count; i++)
        if (processes[i].id == id) {
            if (processes[i].running) processes[i].released = 1;
            else processes[i] = processes[--process_count];
            return;
        }
}

static void reap(void)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (size_t i = 0; i < process_count; i++)
            if (processes[i].pid == pid && processes[i].running) {
                processes[i].running = 0;
                if (processes[i].released) processes[i] = processes[--process_count];
                else report(EXITED, processes[i].id, status, 0);
                break;
            }
}

/* One request; -1 when the gateway is gone. */
static int serve(void)
{
    struct request request;
    int fds[MAX_FDS], fd_count = 0, result = -1;
    char *body = NULL;
    if (receive(&request, sizeof request, fds, &fd_count) == 0 && request.length <= MAX_BODY &&
        (body = malloc(request.length + 1)) != NULL && receive(body, request.length, NULL, NULL) == 0) {
        result = 0;
        if (request.operation == OP_START) {
            start_process(request.id, body, request.length, fds, fd_count);
        } else if (request.operation == OP_SIGNAL && request.length == sizeof(uint32_t)) {
            uint32_t scope;
            memcpy(&scope, body, sizeof scope);
            signal_process(request.id, (int)request.argument, scope);
        } else if (request.operation == OP_RELEASE) {
            release(request.id);
        }
    }
    free(body);
    for (int i = 0; i < fd_count; i++) close(fds[i]);
    return result;
}

static void end_sessions(void)
{
    for (size_t i = 0; i < process_count; i++) signal_session(processes[i].pid, SIGHUP, 0);
    if (process_count) {
        struct timespec grace = { GRACE_SECONDS, 0 };
        nanosleep(&grace, NULL);
    }
    for (size_t i = 0; i < process_count; i++) signal_session(processes[i].pid, SIGKILL, 1);
}

/* Whether the process's first environment has the variable, as NAME=VALUE. A long one is looked through in pieces. */
static int has_variable(const char *pid, const char *variable)
{
    char path[64], text[65536];
    size_t length = strlen(variable), filled = 0;
    snprintf(path, sizeof path, "/proc/%s/environ", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC), found = 0, inside = 0;
    if (fd < 0) return 0;
    for (ssize_t n; !found && (n = read(fd, text + filled, sizeof text - filled)) > 0;) {
        filled += (size_t)n;
        char *at = text, *stop;
        while ((stop = memchr(at, 0, filled - (size_t)(at - text))) != NULL) {
            if (!inside && (size_t)(stop - at) == length && !memcmp(at, variable, length)) found = 1;
            inside = 0;
            at = stop + 1;
        }
        filled -= (size_t)(at - text);
        memmove(text, at, filled);
        if (filled == sizeof text) { filled = 0; inside = 1; } /* a variable longer than the buffer is not ours */
    }
    close(fd);
    return found;
}

static int run_signal(const char *variable, int signal, int scope)
{
    DIR *proc = opendir("/proc");
    int any = 0;
    if (!proc || signal < 0 || signal > 64) return 1;
    for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
        pid_t pid = atoi(entry->d_name);
        if (pid <= 1 || session_of(entry->d_name) != pid || !has_variable(entry->d_name, variable)) continue;
        any = 1;
        if (scope >= SCOPE_SESSION) signal_session(pid, signal, scope == SCOPE_SESSION_NOT_DETACHED);
        else if (scope == SCOPE_GROUP) kill(-pid, signal);
        else kill(pid, signal);
    }
    closedir(proc);
    return any ? 0 : 1;
}

static int run_agent(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    sigset_t child;
    int fd;
    do fd = open("/dev/null", O_RDWR); while (fd >= 0 && fd < 3);
    if (fd >= 3) close(fd);
    setsid(); /* a signal to the group of whoever started us is not for us */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    int children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (children < 0 || control < 0 || strlen(path) >= sizeof address.sun_path) return 1;
    strcpy(address.sun_path, path);
    if (connect(control, (struct sockaddr *)&address, sizeof address)) return 1;
    for (;;) {
        struct pollfd polled[2] = { { control, POLLIN, 0 }, { children, POLLIN, 0 } };
        if (poll(polled, 2, -1) < 0) {
            if (errno == EINTR) continue;
            break;
        }
        if (polled[1].revents) {
            struct signalfd_siginfo info;
            while (read(children, &info, sizeof info) == sizeof info) {}
            reap();
        }
        if (polled[0].revents && serve()) break;
    }
    end_sessions();
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 2 && !strcmp(argv[1], "init")) return run_init(argv + 2);
    if (argc == 3 && !strcmp(argv[1], "agent")) return run_agent(argv[2]);
    if (argc == 5 && !strcmp(argv[1], "signal")) return run_signal(argv[2], atoi(argv[3]), atoi(argv[4]));
    fprintf(stderr, "usage: shale-helper init [PROGRAM ARG...] | agent SOCKET | signal NAME=VALUE NUMBER SCOPE\n");
    return 2;
}
