/* SPDX-License-Identifier: Apache-2.0 */
/* A source wraps one libevent event. Two rules keep freeing safe inside callbacks:
 * - event_free() also takes back an activation that waits in libevent's queue, so a freed source
 *   never fires;
 * - while a callback of a source runs, the source is pinned: freeing it then removes the event at
 *   once but leaves the memory to the trampoline that made the call.
 * The loop knows its sources only to orphan those that outlive it. */
#include "sys/loop.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "sys/proc.h"
#include "sys/sock.h"
#include <errno.h>
#include <event2/event.h>

enum { READ_CHUNK = 16384 };

enum source_kind {
    SOURCE_FD,
    SOURCE_TIMER,
    SOURCE_SIGNAL,
    SOURCE_CHILD,
    SOURCE_PIDFD,
    SOURCE_LINES,
};

struct loop {
    struct event_base *base;
    struct loop_source *sources; /* doubly linked */
};

struct loop_source {
    struct loop *loop; /* NULL when it outlived the loop */
    struct loop_source *prev, *next;
    enum source_kind kind;
    struct event *event;
    int fd; /* fd, signal number; -1 for a timer */
    bool owns_fd;
    bool dead; /* freed while pinned */
    unsigned pins;
    union {
        loop_fd_fn *fd;
        loop_fn *plain;
        loop_signal_fn *signal;
        loop_child_fn *child;
        loop_lines_fn *lines;
    } fn;
    void *arg;
    struct sbuf line; /* SOURCE_LINES: the line so far, at most cap bytes */
    size_t cap;
};

/* libevent would print by itself. What it has to say (an fd that epoll refuses) we handle. */
static void event_log(int severity, const char *msg)
{
    log_at(severity >= EVENT_LOG_ERR ? LOG_ERROR : LOG_DEBUG, "libevent: %s", msg);
}

struct loop *loop_new(struct err *err)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    event_set_log_callback(event_log);
    /* The precise timer costs a timerfd; the coarse clock would be up to 10 ms late. */
    if (config &&
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV |
                                          EVENT_BASE_FLAG_PRECISE_TIMER) == 0)
        base = event_base_new_with_config(config);
    if (config)
        event_config_free(config);
    if (!base) {
        err_set(err, ERR_INTERNAL, "the event loop can't be set up");
        return NULL;
    }
    struct loop *l = xcalloc(1, sizeof(*l));
    l->base = base;
    return l;
}

static void detach(struct loop_source *s)
{
    if (s->event)
        event_free(s->event);
    s->event = NULL;
    if (s->owns_fd && s->fd >= 0)
        close(TAKE_FD(s->fd));
    if (s->loop) {
        if (s->prev)
            s->prev->next = s->next;
        else
            s->loop->sources = s->next;
        if (s->next)
            s->next->prev = s->prev;
    }
    s->loop = NULL;
    s->prev = s->next = NULL;
}

static void destroy(struct loop_source *s)
{
    sbuf_release(&s->line);
    free(s);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    while (l->sources)
        detach(l->sources);
    event_base_free(l->base);
    free(l);
}

void loop_run(struct loop *l)
{
    event_base_dispatch(l->base);
}

void loop_quit(struct loop *l)
{
    event_base_loopbreak(l->base);
}

void loop_turn(struct loop *l)
{
    event_base_loop(l->base, EVLOOP_NONBLOCK);
}

struct event_base *loop_event_base(struct loop *l)
{
    return l->base;
}

struct loop_source *loop_source_free(struct loop_source *s)
{
    if (!s)
        return NULL;
    detach(s);
    if (s->pins)
        s->dead = true;
    else
        destroy(s);
    return NULL;
}

static void pin(struct loop_source *s)
{
    s->pins++;
}

static void unpin(struct loop_source *s)
{
    if (--s->pins == 0 && s->dead)
        destroy(s);
}

/* ---- dispatch --------------------------------------------------------------------------- */

static void fire_child(struct loop_source *s)
{
    int status = 0, r = pidfd_reap(s->fd, &status);

    if (r == 0)
        return; /* not yet: level-triggered, it comes again */
    event_del(s->event);
    /* Somebody else has reaped it (a bug): the end is all we know, and that no status was seen. */
    s->fn.child(s->arg, r < 0 ? 255 << 8 : status);
}

/* Hands out the line so far. False when the callback has freed the source. */
static bool give_line(struct loop_source *s)
{
    s->fn.lines(s->arg, sbuf_str(&s->line), s->line.len);
    if (s->dead)
        return false;
    sbuf_clear(&s->line);
    return true;
}

static void add_capped(struct loop_source *s, const char *data, size_t len)
{
    size_t room = s->cap > s->line.len ? s->cap - s->line.len : 0;

    sbuf_add(&s->line, data, len < room ? len : room);
}

static void split_lines(struct loop_source *s, const char *data, size_t len)
{
    while (len) {
        const char *eol = memchr(data, '\n', len);
        size_t n = eol ? (size_t)(eol - data) : len;

        add_capped(s, data, n);
        if (!eol)
            return;
        if (!give_line(s))
            return;
        data = eol + 1;
        len -= n + 1;
    }
}

static void end_of_lines(struct loop_source *s)
{
    event_del(s->event);
    if (s->line.len && !give_line(s))
        return;
    s->fn.lines(s->arg, NULL, 0);
}

static void fire_lines(struct loop_source *s)
{
    char chunk[READ_CHUNK];
    /* One read each time: a peer that writes for ever must not starve the others. */
    ssize_t n = read(s->fd, chunk, sizeof(chunk));

    if (n > 0)
        split_lines(s, chunk, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        end_of_lines(s); /* EIO: the other side of a terminal has gone */
}

static void dispatch(evutil_socket_t fd, short what, void *arg)
{
    struct loop_source *s = arg;

    pin(s);
    switch (s->kind) {
    case SOURCE_FD:
        s->fn.fd(s->arg, (int)fd,
                 (what & EV_READ ? LOOP_READ : 0U) | (what & EV_WRITE ? LOOP_WRITE : 0U));
        break;
    case SOURCE_TIMER:
        s->fn.plain(s->arg);
        break;
    case SOURCE_SIGNAL:
        s->fn.signal(s->arg, (int)fd);
        break;
    case SOURCE_CHILD:
        fire_child(s);
        break;
    case SOURCE_PIDFD:
        event_del(s->event);
        s->fn.plain(s->arg);
        break;
    case SOURCE_LINES:
        fire_lines(s);
        break;
    }
    unpin(s);
}

/* ---- adding ----------------------------------------------------------------------------- */

static struct loop_source *source_new(struct loop *l, enum source_kind kind, int fd, short what,
                                      void *arg)
{
    struct loop_source *s = xcalloc(1, sizeof(*s));

    s->loop = l;
    s->kind = kind;
    s->fd = fd;
    s->arg = arg;
    s->next = l->sources;
    if (s->next)
        s->next->prev = s;
    l->sources = s;
    s->event = event_new(l->base, fd, what, dispatch, s);
    if (!s->event)
        abort(); /* out of memory */
    return s;
}

static short event_mask(unsigned events)
{
    return (short)(EV_PERSIST | (events & LOOP_READ ? EV_READ : 0) |
                   (events & LOOP_WRITE ? EV_WRITE : 0));
}

struct loop_source *loop_add_fd(struct loop *l, int fd, unsigned events, loop_fd_fn *fn, void *arg)
{
    struct loop_source *s = source_new(l, SOURCE_FD, fd, event_mask(events), arg);

    s->fn.fd = fn;
    if ((events & (LOOP_READ | LOOP_WRITE)) && event_add(s->event, NULL) < 0)
        return loop_source_free(s);
    return s;
}

void loop_fd_want(struct loop_source *s, unsigned events)
{
    if (!s->event)
        return;
    struct event_base *base = event_get_base(s->event);

    event_del(s->event);
    event_assign(s->event, base, s->fd, event_mask(events), dispatch, s);
    if (events & (LOOP_READ | LOOP_WRITE))
        event_add(s->event, NULL);
}

void loop_timer_restart(struct loop_source *s, int64_t ms)
{
    if (!s->event)
        return;
    if (ms < 0)
        ms = 0;
    struct timeval t = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    event_add(s->event, &t);
}

struct loop_source *loop_add_timer(struct loop *l, int64_t ms, loop_fn *fn, void *arg)
{
    struct loop_source *s = source_new(l, SOURCE_TIMER, -1, 0, arg);

    s->fn.plain = fn;
    loop_timer_restart(s, ms);
    return s;
}

struct loop_source *loop_defer(struct loop *l, loop_fn *fn, void *arg)
{
    return loop_add_timer(l, 0, fn, arg);
}

struct loop_source *loop_add_signal(struct loop *l, int signo, loop_signal_fn *fn, void *arg)
{
    struct loop_source *s = source_new(l, SOURCE_SIGNAL, signo, EV_SIGNAL | EV_PERSIST, arg);

    s->fn.signal = fn;
    event_add(s->event, NULL);
    return s;
}

struct loop_source *loop_add_child(struct loop *l, struct child *c, loop_child_fn *fn, void *arg)
{
    struct loop_source *s =
        source_new(l, SOURCE_CHILD, TAKE_FD(c->pidfd), EV_READ | EV_PERSIST, arg);

    s->owns_fd = true;
    s->fn.child = fn;
    event_add(s->event, NULL);
    return s;
}

int loop_child_kill(const struct loop_source *s, int sig)
{
    if (s->fd < 0 || pidfd_signal(s->fd, sig) == 0 || errno == ESRCH)
        return 0;
    return -1;
}

struct loop_source *loop_add_pidfd(struct loop *l, int pidfd, loop_fn *fn, void *arg)
{
    struct loop_source *s = source_new(l, SOURCE_PIDFD, pidfd, EV_READ | EV_PERSIST, arg);

    s->fn.plain = fn;
    event_add(s->event, NULL);
    return s;
}

struct loop_source *loop_add_lines(struct loop *l, int fd, size_t cap, loop_lines_fn *fn, void *arg)
{
    struct loop_source *s = source_new(l, SOURCE_LINES, fd, EV_READ | EV_PERSIST, arg);

    s->owns_fd = true;
    s->cap = cap;
    s->fn.lines = fn;
    fd_set_nonblock(fd, true);
    if (event_add(s->event, NULL) < 0) {
        /* epoll knows no regular files (nor /dev/null): those are always ready, so a timer that
         * is always due reads them. */
        const struct timeval now = {0, 1}; /* libevent does not repeat a timeout of 0 */

        event_assign(s->event, l->base, -1, EV_PERSIST, dispatch, s);
        event_add(s->event, &now);
    }
    return s;
}
