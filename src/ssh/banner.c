/* SPDX-License-Identifier: Apache-2.0 */
#include "ssh/banner.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "sys/sock.h"
#include <errno.h>
#include <sys/socket.h>

/* A new connection every interval, in the place of an older one: every second one in the first
 * place, every fourth in the second, and so on, so that they live for 2, 4 and twice for 8
 * intervals. The short ones find a guest that has just begun to listen, the long ones bear with one
 * that takes seconds for a greeting. More of them at a time would be too many for a server that has
 * just come up (dropbear drops those of one address from the 6th on, sshd some from the 10th). */
#define TRIES 4
#define GREETING_MAX 80

static const struct {
    int64_t until_ms, interval_ms;
} pace[] = {
    {30 * 1000, 250},
    {300 * 1000, 1000},
    {INT64_MAX, 5000},
};

struct try {
    struct banner_wait *wait;
    int fd; /* -1: none */
    struct loop_source *io;
    bool connected;
    char greeting[GREETING_MAX + 1];
    size_t len;
};

struct banner_wait {
    struct loop *loop;
    uint16_t port;
    banner_fn *fn;
    void *arg;
    struct try tries[TRIES];
    unsigned made;
    int64_t since;
    struct loop_source *timer;
};

static void end_try(struct try *t)
{
    t->io = loop_source_free(t->io);
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

struct banner_wait *banner_wait_free(struct banner_wait *w)
{
    if (!w)
        return NULL;
    for (size_t i = 0; i < TRIES; i++)
        end_try(&w->tries[i]);
    loop_source_free(w->timer);
    free(w);
    return NULL;
}

/* The last thing that a caller does: fn may have freed everything. */
static void report(struct try *t, enum banner_result result)
{
    struct banner_wait *w = t->wait;
    banner_fn *fn = w->fn;
    void *arg = w->arg;
    _cleanup_sbuf_ struct sbuf text = SBUF_INIT;

    sbuf_add_printable(&text, t->greeting, strcspn(t->greeting, "\r\n"));
    if (result == BANNER_OK)
        banner_wait_free(w);
    else
        end_try(t);
    fn(arg, result, sbuf_str(&text));
}

static void judge_greeting(struct try *t, bool over)
{
    static const char want[] = "SSH-";
    size_t n = t->len < strlen(want) ? t->len : strlen(want);

    if (memcmp(t->greeting, want, n) != 0)
        report(t, BANNER_FOREIGN);
    else if (n == strlen(want))
        report(t, BANNER_OK);
    else if (over)
        report(t, BANNER_CLOSED);
}

static void on_ready(void *arg, int fd, unsigned events)
{
    struct try *t = arg;

    (void)events;
    if (!t->connected) {
        int failure = 0;
        socklen_t len = sizeof(failure);

        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &len) || failure) {
            report(t, BANNER_REFUSED);
            return;
        }
        t->connected = true;
        loop_fd_want(t->io, LOOP_READ);
        return;
    }
    ssize_t n = read(fd, t->greeting + t->len, GREETING_MAX - t->len);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        t->len += (size_t)n;
    judge_greeting(t, n <= 0);
}

static int64_t interval(const struct banner_wait *w)
{
    int64_t waited = monotonic_ms() - w->since;
    size_t i = 0;

    while (waited >= pace[i].until_ms)
        i++;
    return pace[i].interval_ms;
}

/* The place of the next connection: as often as its number can be halved. */
static struct try *next_place(struct banner_wait *w)
{
    unsigned number = ++w->made, place = 0;

    for (; place < TRIES - 1 && number % 2 == 0; number /= 2)
        place++;
    return &w->tries[place];
}

static void on_time(void *arg)
{
    struct banner_wait *w = arg;
    struct try *t = next_place(w);
    bool silent = t->fd >= 0;

    end_try(t);
    *t = (struct try){.wait = w, .fd = tcp_connect_start(w->port)};
    if (t->fd >= 0)
        t->io = loop_add_fd(w->loop, t->fd, LOOP_WRITE, on_ready, t);
    loop_timer_restart(w->timer, interval(w));
    if (t->fd < 0)
        w->fn(w->arg, BANNER_REFUSED, "");
    else if (silent)
        w->fn(w->arg, BANNER_SILENT, "");
}

struct banner_wait *banner_wait_start(struct loop *loop, uint16_t port, banner_fn *fn, void *arg)
{
    struct banner_wait *w = xcalloc(1, sizeof(*w));

    w->loop = loop;
    w->port = port;
    w->fn = fn;
    w->arg = arg;
    w->since = monotonic_ms();
    for (size_t i = 0; i < TRIES; i++)
        w->tries[i].fd = -1;
    w->timer = loop_add_timer(loop, 0, on_time, w);
    return w;
}
