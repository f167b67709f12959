/* SPDX-License-Identifier: Apache-2.0 */
#include "fake/usernet_server.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

struct usernet_server {
    struct usernet_orders orders;
    int listener, log;
    pthread_t thread;
    unsigned looks, exposes;
    _Atomic unsigned over;
};

/* Reads until the body is whole. */
static void read_request(int fd, struct sbuf *in)
{
    for (;;) {
        ssize_t n = read(fd, sbuf_reserve(in, 4096), 4096);
        const char *end, *length;

        if (n <= 0)
            return;
        sbuf_grown(in, (size_t)n);
        end = strstr(sbuf_str(in), "\r\n\r\n");
        length = strstr(sbuf_str(in), "Content-Length: ");
        if (end && (!length || strlen(end + 4) >= (size_t)atoi(length + 16)))
            return;
    }
}

static void answer(int fd, const char *status, const char *body)
{
    _cleanup_free_ char *text =
        xasprintf("HTTP/1.0 %s\r\nContent-Type: text/plain\r\n\r\n%s", status, body);

    (void)fd_write_all(fd, text, strlen(text));
}

static void serve(struct usernet_server *s, int fd, const char *path)
{
    const struct usernet_orders *o = &s->orders;
    bool leases = streq(path, "/services/dhcp/leases");

    if (o->refuse && streq(path, o->refuse))
        answer(fd, "500 Internal Server Error", "it does not want to\n");
    else if (o->garbage && streq(path, o->garbage))
        (void)fd_write_all(fd, "nonsense", 8);
    else if (streq(path, "/services/forwarder/expose") && o->exposed_already && !s->exposes++)
        answer(fd, "500 Internal Server Error", "proxy already running\n");
    else if (leases && o->leases && s->looks++ >= o->looks)
        answer(fd, "200 OK", o->leases);
    else
        answer(fd, "200 OK", leases ? "{}" : "");
}

static void *work(void *arg)
{
    struct usernet_server *s = arg;
    int fd;

    while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
        _cleanup_sbuf_ struct sbuf in = SBUF_INIT;
        char path[128] = "";
        const char *body;

        read_request(fd, &in);
        body = strstr(sbuf_str(&in), "\r\n\r\n");
        if (sscanf(sbuf_str(&in), "%*s %127s", path) == 1) {
            _cleanup_free_ char *line = xasprintf("%s %s\n", path, body ? body + 4 : "");

            (void)fd_write_all(s->log, line, strlen(line));
            if (s->orders.mute && streq(path, s->orders.mute))
                continue; /* left open, and forgotten */
            serve(s, fd, path);
        }
        close(fd);
        s->over++;
    }
    return NULL;
}

struct usernet_server *usernet_server_new(const char *path, const char *log,
                                          const struct usernet_orders *orders)
{
    struct usernet_server *s = xcalloc(1, sizeof(*s));
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    signal(SIGPIPE, SIG_IGN); /* of a client that does not wait */
    s->orders = *orders;
    s->log = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(addr.sun_path, path, strlen(path));
    if (s->log < 0 || bind(s->listener, (struct sockaddr *)&addr, sizeof(addr)) ||
        listen(s->listener, 16) || pthread_create(&s->thread, NULL, work, s))
        abort();
    return s;
}

unsigned usernet_server_over(const struct usernet_server *s)
{
    return s->over;
}

void usernet_server_free(struct usernet_server *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    close(s->log);
    free(s);
}
