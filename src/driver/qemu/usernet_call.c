/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/usernet_call.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "sys/clock.h"
#include "sys/sock.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum { ANSWER_MAX = 1 << 20, READ_CHUNK = 16384, CONNECT_MS = 200, WORDS_MAX = 500 };

struct usernet_call {
    int fd;
    char *path;
    struct sbuf out, in;
    size_t sent, body; /* where the body of the answer begins */
};

void usernet_call_free(struct usernet_call *c)
{
    if (!c)
        return;
    close(c->fd);
    free(c->path);
    sbuf_release(&c->out);
    sbuf_release(&c->in);
    free(c);
}
DEFINE_CLEANUP_PTR(usernet_call, usernet_call_free)

struct usernet_call *usernet_call_new(const char *endpoint, const char *path,
                                      const struct json *body, struct err *err)
{
    int fd = unix_connect(endpoint, CONNECT_MS, err);
    _cleanup_free_ char *text = body ? json_dump(body) : NULL;
    struct usernet_call *c;

    if (fd < 0)
        return NULL;
    c = xcalloc(1, sizeof(*c));
    c->fd = fd;
    c->path = xstrdup(path);
    /* 1.0: the answer comes in one piece and ends with the connection. */
    sbuf_addf(&c->out, "%s %s HTTP/1.0\r\nHost: usernet\r\n", text ? "POST" : "GET", path);
    if (text)
        sbuf_addf(&c->out, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                  strlen(text));
    sbuf_addf(&c->out, "\r\n%s", text ? text : "");
    return c;
}

int usernet_call_fd(const struct usernet_call *c)
{
    return c->fd;
}

short usernet_call_wants(const struct usernet_call *c)
{
    return c->sent < c->out.len ? POLLOUT : POLLIN;
}

const char *usernet_call_body(const struct usernet_call *c, size_t *ret_len)
{
    *ret_len = c->in.len - c->body;
    return sbuf_str(&c->in) + c->body;
}

/* The connection has ended: what does it say? */
static int read_answer(struct usernet_call *c, struct err *err)
{
    const char *text = sbuf_str(&c->in), *end = strstr(text, "\r\n\r\n");
    unsigned status = 0;
    size_t len;

    if (!end || sscanf(text, "HTTP/1.%*1u %3u", &status) != 1)
        return err_set(err, ERR_PROTOCOL, "%s: the answer is not HTTP", c->path);
    c->body = (size_t)(end + 4 - text);
    if (status == 200)
        return 1;
    end = usernet_call_body(c, &len);
    while (len && strchr(" \r\n", end[len - 1]))
        len--;
    if (len > WORDS_MAX)
        len = WORDS_MAX;
    _cleanup_sbuf_ struct sbuf words = SBUF_INIT;
    sbuf_add_printable(&words, end, len);
    return err_set(err, ERR_NET, "%s: status %u%s%s", c->path, status, len ? ": " : "",
                   sbuf_str(&words));
}

int usernet_call_step(struct usernet_call *c, struct err *err)
{
    ssize_t n;

    if (c->sent < c->out.len) {
        n = send(c->fd, c->out.buf + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
        if (n > 0)
            c->sent += (size_t)n;
    } else {
        n = recv(c->fd, sbuf_reserve(&c->in, READ_CHUNK), READ_CHUNK, 0);
        if (n > 0)
            sbuf_grown(&c->in, (size_t)n);
    }
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return err_set_errno(err, ERR_NET, "%s", c->path);
    if (c->in.len > ANSWER_MAX)
        return err_set(err, ERR_PROTOCOL, "%s: the answer is too long", c->path);
    return n == 0 ? read_answer(c, err) : 0;
}

int usernet_call_now(const char *endpoint, const char *path, const struct json *body,
                     int timeout_ms, struct err *err)
{
    _cleanup_(usernet_call_freep) struct usernet_call *c =
        usernet_call_new(endpoint, path, body, err);
    int64_t until = deadline_in(timeout_ms);
    int r = c ? 0 : -1;

    while (r == 0) {
        struct pollfd p = {.fd = c->fd, .events = usernet_call_wants(c)};

        if (deadline_left(until) == 0)
            return err_set(err, ERR_TIMEOUT, "%s: no answer within %d ms", path, timeout_ms);
        if (poll(&p, 1, deadline_left(until)) > 0)
            r = usernet_call_step(c, err);
    }
    return r < 0 ? -1 : 0;
}
