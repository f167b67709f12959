/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/sock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sys/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

_Static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) == UNIX_PATH_LIMIT + 1,
               "UNIX_PATH_LIMIT is what fits");

static int unix_address(const char *path, struct sockaddr_un *ret, struct err *err)
{
    size_t len = strlen(path);

    if (len > UNIX_PATH_LIMIT) {
        err_set(err, ERR_IO, "the socket path '%s' is too long: %zu bytes, %d are allowed", path,
                len, UNIX_PATH_LIMIT);
        return err_hint(err, "use a directory with a shorter name");
    }
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, path, len + 1);
    return 0;
}

/* connect() that goes on after signals. */
static int connect_within(int fd, const struct sockaddr_un *addr, int timeout_ms)
{
    int64_t deadline = deadline_in(timeout_ms);

    for (;;) {
        int left = deadline_left(deadline);
        /* A full backlog blocks for the time of SO_SNDTIMEO, then EAGAIN; 0 means for ever. */
        struct timeval t = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};

        if (left == 0)
            t.tv_usec = 1;
        if (left >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) < 0)
            return -1;
        if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
            return 0;
        if (errno != EINTR)
            return -1;
    }
}

/* Makes way for a socket at path: 0 when nothing is there any more. */
static int remove_dead_socket(const char *path, const struct sockaddr_un *addr, struct err *err)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_set_errno(err, ERR_IO, "looking at '%s'", path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, ERR_EXISTS, "'%s' exists and is no socket", path);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set_errno(err, ERR_IO, "making a socket");
    if (connect_within(fd, addr, 0) == 0 || (errno != ECONNREFUSED && errno != ENOENT))
        return err_set(err, ERR_BUSY, "somebody listens on the socket '%s' already", path);
    if (errno == ECONNREFUSED && st.st_uid != geteuid())
        return err_set(err, ERR_EXISTS, "the socket '%s' belongs to user %u, not to us", path,
                       st.st_uid);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_set_errno(err, ERR_IO, "removing the dead socket '%s'", path);
    return 0;
}

int unix_listen(const char *path, int backlog, struct err *err)
{
    _cleanup_close_ int fd = -1;
    struct sockaddr_un addr;

    if (unix_address(path, &addr, err) < 0 || remove_dead_socket(path, &addr, err) < 0)
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set_errno(err, ERR_IO, "making a socket");
    /* On Linux bind() gives the name the mode of the socket itself (less the umask). */
    if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return err_set_errno(err, errno == EADDRINUSE ? ERR_BUSY : ERR_IO,
                             "binding the socket '%s'", path);
    if (listen(fd, backlog) < 0) {
        err_set_errno(err, ERR_IO, "listening on the socket '%s'", path);
        unlink(path);
        return -1;
    }
    return TAKE_FD(fd);
}

static enum err_kind connect_kind(int errnum)
{
    switch (errnum) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EAGAIN:
        return ERR_TIMEOUT;
    case EACCES:
    case EPERM:
        return ERR_PERMISSION;
    default:
        return ERR_NET;
    }
}

int unix_connect(const char *path, int timeout_ms, struct err *err)
{
    _cleanup_close_ int fd = -1;
    struct sockaddr_un addr;

    if (unix_address(path, &addr, err) < 0)
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set_errno(err, ERR_IO, "making a socket");
    if (connect_within(fd, &addr, timeout_ms) < 0) {
        if (errno == EAGAIN)
            return err_set(err, ERR_TIMEOUT,
                           "connecting to the socket '%s': no answer within %d ms", path,
                           timeout_ms);
        return err_set_errno(err, connect_kind(errno), "connecting to the socket '%s'", path);
    }
    if (fd_set_nonblock(fd, true) < 0)
        return err_set_errno(err, ERR_IO, "connecting to the socket '%s'", path);
    return TAKE_FD(fd);
}

/* A line: "Num RefCount Protocol Flags Type St Inode Path" (proc(5)); true when it is a listening
 * socket of that path. */
static bool is_listening_line(const char *line, const char *path)
{
    static const unsigned long accepts = 1UL << 16; /* __SO_ACCEPTCON */
    unsigned long flags = 0;
    int at = 0;

    return sscanf(line, "%*s %*s %*s %lx %*s %*s %*s %n", &flags, &at) == 1 && at > 0 &&
           (flags & accepts) && streq(line + at, path);
}

bool unix_is_listening(const char *path)
{
    _cleanup_fclose_ FILE *f = fopen("/proc/net/unix", "re");
    _cleanup_free_ char *line = NULL;
    bool found = false;
    size_t cap = 0;
    ssize_t n;

    while (f && !found && (n = getline(&line, &cap, f)) > 0) {
        if (line[n - 1] == '\n')
            line[n - 1] = '\0';
        found = is_listening_line(line, path);
    }
    return found;
}

int unix_peer_uid(int fd, unsigned *ret_uid)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return -1;
    *ret_uid = cred.uid;
    return 0;
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Linux lets two sockets with SO_REUSEADDR be bound to one port while at most one of them listens. */
int tcp_reserve_port(uint16_t *ret_port, struct err *err)
{
    struct sockaddr_in addr = loopback(0);
    socklen_t len = sizeof(addr);
    const int on = 1;
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        return err_set_errno(err, ERR_NET, "looking for a free TCP port");
    *ret_port = ntohs(addr.sin_port);
    return TAKE_FD(fd);
}

bool tcp_port_free(uint16_t port)
{
    struct sockaddr_in addr = loopback(port);
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;

    /* As a server would do: connections in TIME_WAIT do not count. */
    return port && fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
           bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
}

int tcp_connect_start(uint16_t port)
{
    struct sockaddr_in addr = loopback(port);
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno != EINPROGRESS &&
        errno != EINTR)
        return -1;
    return TAKE_FD(fd);
}

int fd_set_nonblock(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return -1;
    int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    return wanted == flags ? 0 : fcntl(fd, F_SETFL, wanted);
}
