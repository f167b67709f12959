/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/http_call.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "sys/clock.h"
#include "sys/sock.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum { READ_CHUNK = 16384, WORDS_MAX = 500 };

struct http_call {
    int fd;
    char *path;
    struct sbuf out, in;
    size_t sent, max;
    unsigned status;
    size_t body; /* where the body of the answer begins */
};

struct http_call *http_call_new(const struct http_request *r, struct err *err)
{
    int fd = unix_connect(r->socket, r->connect_ms, err);
    struct http_call *c;

    if (fd < 0)
        return NULL;
    c = xcalloc(1, sizeof(*c));
    c->fd = fd;
    c->path = xstrdup(r->path);
    c->max = r->answer_max;
    /* 1.0: the answer comes in one piece and ends with the connection. */
    sbuf_addf(&c->out, "%s %s HTTP/1.0\r\nHost: localhost\r\n", r->json ? "POST" : "GET", r->path);
    if (r->json)
        sbuf_addf(&c->out, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                  strlen(r->json));
    sbuf_addstr(&c->out, "\r\n");
    if (r->json)
        sbuf_addstr(&c->out, r->json);
    return c;
}

void http_call_free(struct http_call *c)
{
    if (!c)
        return;
    close(c->fd);
    free(c->path);
    sbuf_release(&c->out);
    sbuf_release(&c->in);
    free(c);
}

int http_call_fd(const struct http_call *c)
{
    return c->fd;
}

short http_call_wants(const struct http_call *c)
{
    return c->sent < c->out.len ? POLLOUT : POLLIN;
}

/* The connection has ended: what does it say? */
static int read_answer(struct http_call *c, struct err *err)
{
    const char *text = sbuf_str(&c->in), *end = strstr(text, "\r\n\r\n");

    if (!c->in.len)
        return err_set(err, ERR_PROTOCOL, "%s: the connection ended without an answer", c->path);
    if (!end || sscanf(text, "HTTP/1.%*1u %3u", &c->status) != 1)
        return err_set(err, ERR_PROTOCOL, "%s: the answer is not HTTP", c->path);
    c->body = (size_t)(end + 4 - text);
    return 1;
}

int http_call_step(struct http_call *c, struct err *err)
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
    if (c->in.len > c->max)
        return err_set(err, ERR_PROTOCOL, "%s: the answer is too long", c->path);
    return n == 0 ? read_answer(c, err) : 0;
}

int http_call_finish(struct http_call *c, int64_t until, struct err *err)
{
    int r = 0;

    while (r == 0) {
        struct pollfd p = {.fd = c->fd, .events = http_call_wants(c)};

        int left = deadline_left(until);

        /* What can be done without waiting is done, however late it is. */
        if (poll(&p, 1, left) > 0)
            r = http_call_step(c, err);
        else if (left == 0)
            return err_set(err, ERR_TIMEOUT, "%s: no answer in time", c->path);
    }
    return r < 0 ? -1 : 0;
}

unsigned http_call_status(const struct http_call *c)
{
    return c->status;
}

const char *http_call_body(const struct http_call *c, size_t *ret_len)
{
    *ret_len = c->in.len - c->body;
    return sbuf_str(&c->in) + c->body;
}

int http_call_refused(const struct http_call *c, struct err *err)
{
    _cleanup_sbuf_ struct sbuf words = SBUF_INIT;
    size_t len;
    const char *body = http_call_body(c, &len);

    while (len && strchr(" \r\n", body[len - 1]))
        len--;
    sbuf_add_printable(&words, body, len < WORDS_MAX ? len : WORDS_MAX);
    return err_set(err, ERR_NET, "%s: status %u%s%s", c->path, c->status, len ? ": " : "",
                   sbuf_str(&words));
}
