/* SPDX-License-Identifier: Apache-2.0 */
#include "forward/listen.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sys/sock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int parse_address(const char *ip, uint16_t port, union address *ret, socklen_t *ret_len)
{
    *ret = (union address){.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)}};
    *ret_len = sizeof(ret->v6);
    if (inet_pton(AF_INET6, ip, &ret->v6.sin6_addr) == 1)
        return 0;
    *ret = (union address){.v4 = {.sin_family = AF_INET, .sin_port = htons(port)}};
    *ret_len = sizeof(ret->v4);
    return inet_pton(AF_INET, ip, &ret->v4.sin_addr) == 1 ? 0 : -1;
}

/* As ssh binds: SO_REUSEADDR, IPv6 alone. 0, or the errno. */
static int try_listen(const char *ip, uint16_t port)
{
    union address a;
    socklen_t len;
    int on = 1;

    if (parse_address(ip, port, &a, &len))
        return EINVAL;
    _cleanup_close_ int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return errno;
    if (a.any.sa_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
        return errno;
    if (bind(fd, &a.any, len) < 0 || listen(fd, 1) < 0)
        return errno;
    return 0;
}

static int explain_port(const struct forward *f, int errnum, struct err *err)
{
    errno = errnum;
    switch (errnum) {
    case EADDRINUSE:
        err_set(err, ERR_BUSY, "another program listens on %s", f->host_addr);
        return err_hint(err, "end it (`ss -ltnp` shows it), or set another `hostPort` in "
                             "portForwards[%u]; it is tried again", f->rule);
    case EACCES:
        err_set(err, ERR_PERMISSION, "ports below 1024 need a privilege that we don't have");
        return err_hint(err, "set a `hostPort` from 1024 on in portForwards[%u], or allow it: "
                             "`sysctl net.ipv4.ip_unprivileged_port_start=%u`", f->rule,
                        f->host_port);
    case EADDRNOTAVAIL:
        err_set(err, ERR_NET, "the host has no address %s", f->host_ip);
        return err_hint(err, "correct `hostIP` in portForwards[%u]", f->rule);
    default:
        return err_set_errno(err, ERR_NET, "listening on %s", f->host_addr);
    }
}

static int make_parent(const char *path, struct err *err)
{
    _cleanup_free_ char *dir = path_dirname(path);

    return path_exists(dir) ? 0 : dir_make(dir, 0750, err);
}

/* unix_listen() has the rules for what may be removed; its own socket goes again at once. */
static int check_socket(const struct forward *f, struct err *err)
{
    if (make_parent(f->host_socket, err))
        return -1;
    _cleanup_close_ int fd = unix_listen(f->host_socket, 1, err);
    if (fd < 0)
        return err_hint(err,
                        "make way at that path, or set another `hostSocket` in portForwards[%u]; "
                        "it is tried again",
                        f->rule);
    unlink(f->host_socket);
    return 0;
}

int forward_check_host(const struct forward *f, struct err *err)
{
    if (!f->spec) {
        err_set(err, ERR_UNSUPPORTED, "ssh can't use a socket path with \"${\"");
        return err_hint(err, "set another path in portForwards[%u]", f->rule);
    }
    if (f->reverse)
        return 0; /* whoever listens there may come later */
    if (f->host_socket)
        return check_socket(f, err);
    int errnum = try_listen(f->host_ip, f->host_port);
    return errnum ? explain_port(f, errnum, err) : 0;
}

void forward_remove_socket(const struct forward *f)
{
    struct stat st;

    if (!f->reverse && f->host_socket && lstat(f->host_socket, &st) == 0 && S_ISSOCK(st.st_mode) &&
        st.st_uid == geteuid())
        unlink(f->host_socket);
}

bool forward_port_shadowed(const struct forward *f)
{
    if (f->host_socket)
        return false;
    if (streq(f->host_ip, "127.0.0.1") || streq(f->host_ip, "0.0.0.0"))
        return try_listen("::1", f->host_port) == EADDRINUSE;
    if (streq(f->host_ip, "::1") || streq(f->host_ip, "::"))
        return try_listen("127.0.0.1", f->host_port) == EADDRINUSE;
    return false;
}
