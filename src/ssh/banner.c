/* SPDX-License-Identifier: Apache-2.0 */
#include "ssh/banner.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "sys/sock.h"
#include <errno.h>
#include <sys/socket.h>

/* A connection that QEMU has accepted for a guest that does not listen yet hangs until it times
 * out: it must be given up soon, and a new one made. */
#define READ_TIMEOUT_MS 250
#define GREETING_MAX 80

struct banner {
    struct loop *loop;
    int fd;
    struct loop_source *io, *timer;
    bool connected;
    char greeting[GREETING_MAX + 1];
    size_t len;
    banner_fn *fn;
    void *arg;
};

struct banner *banner_free(struct banner *b)
{
    if (!b)
        return NULL;
    loop_source_free(b->io);
    loop_source_free(b->timer);
    if (b->fd >= 0)
        close(b->fd);
    free(b);
    return NULL;
}

static void finish(struct banner *b, enum banner_result result)
{
    banner_fn *fn = b->fn;
    void *arg = b->arg;
    struct sbuf text = SBUF_INIT;

    sbuf_add_printable(&text, b->greeting, strcspn(b->greeting, "\r\n"));
    banner_free(b);
    fn(arg, result, sbuf_str(&text));
    sbuf_release(&text);
}

static void on_timeout(void *arg)
{
    struct banner *b = arg;

    finish(b, b->fd < 0 ? BANNER_REFUSED : b->len ? BANNER_FOREIGN : BANNER_SILENT);
}

static void judge_greeting(struct banner *b, bool over)
{
    static const char want[] = "SSH-";
    size_t n = b->len < strlen(want) ? b->len : strlen(want);

    if (memcmp(b->greeting, want, n) != 0)
        finish(b, BANNER_FOREIGN);
    else if (n == strlen(want))
        finish(b, BANNER_OK);
    else if (over)
        finish(b, BANNER_CLOSED);
}

static void on_ready(void *arg, int fd, unsigned events)
{
    struct banner *b = arg;

    (void)events;
    if (!b->connected) {
        int failure = 0;
        socklen_t len = sizeof(failure);

        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &len) || failure) {
            finish(b, BANNER_REFUSED);
            return;
        }
        b->connected = true;
        loop_fd_want(b->io, LOOP_READ);
        return;
    }
    ssize_t n = read(fd, b->greeting + b->len, GREETING_MAX - b->len);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        b->len += (size_t)n;
    if (n <= 0 && !b->len)
        finish(b, BANNER_CLOSED);
    else
        judge_greeting(b, n <= 0);
}

struct banner *banner_start(struct loop *loop, uint16_t port, banner_fn *fn, void *arg)
{
    struct banner *b = xcalloc(1, sizeof(*b));

    b->loop = loop;
    b->fn = fn;
    b->arg = arg;
    b->fd = tcp_connect_start(port);
    if (b->fd >= 0)
        b->io = loop_add_fd(loop, b->fd, LOOP_WRITE, on_ready, b);
    b->timer = loop_add_timer(loop, b->fd < 0 ? 0 : READ_TIMEOUT_MS, on_timeout, b);
    return b;
}
