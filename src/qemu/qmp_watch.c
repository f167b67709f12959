/* SPDX-License-Identifier: Apache-2.0 */
/* Events that are collected for somebody who waits for them. */
#include "qemu/qmp_internal.h"
#include "sys/clock.h"

#define KEPT_EVENTS 64
#define KEPT_BYTES  ((size_t)1 << 20)

struct kept {
    char *name;
    struct json *data;
    int64_t seconds, microseconds;
    size_t size;
};

struct cima_qmp_watch {
    struct cima_qmp_watch *next;
    struct cima_qmp *q; /* NULL: it is gone */
    struct event_filter filter;
    struct kept v[KEPT_EVENTS]; /* a ring */
    size_t first, n, bytes;
    struct kept given; /* to the last wait */
    uint64_t dropped;
};

struct cima_qmp_watch *cima_qmp_watch_new(struct cima_qmp *q, const char *name, const char *key,
                                          const char *value)
{
    struct cima_qmp_watch *w = xcalloc(1, sizeof(*w));

    w->filter = (struct event_filter){xstrdup0(name), xstrdup0(key), xstrdup0(value)};
    w->q = q;
    w->next = q->watches;
    q->watches = w;
    return w;
}

static void kept_release(struct kept *k)
{
    free(k->name);
    json_free(k->data);
    *k = (struct kept){.name = NULL};
}

static struct kept take_first(struct cima_qmp_watch *w)
{
    struct kept k = w->v[w->first];

    w->v[w->first] = (struct kept){.name = NULL};
    w->first = (w->first + 1) % KEPT_EVENTS;
    w->n--;
    w->bytes -= k.size;
    return k;
}

static void drop_first(struct cima_qmp_watch *w)
{
    struct kept k = take_first(w);

    kept_release(&k);
    w->dropped++;
}

void cima_qmp_watch_free(struct cima_qmp_watch *w)
{
    if (!w)
        return;
    for (struct cima_qmp_watch **p = w->q ? &w->q->watches : NULL; p && *p; p = &(*p)->next)
        if (*p == w) {
            *p = w->next;
            break;
        }
    while (w->n)
        drop_first(w);
    kept_release(&w->given);
    qmp_filter_release(&w->filter);
    free(w);
}

void qmp_watches_orphan(struct cima_qmp *q)
{
    while (q->watches) {
        struct cima_qmp_watch *w = q->watches;

        q->watches = w->next;
        w->next = NULL;
        w->q = NULL;
    }
}

void qmp_watches_event(struct cima_qmp *q, const struct cima_qmp_event *e, size_t size)
{
    for (struct cima_qmp_watch *w = q->watches; w; w = w->next) {
        if (!qmp_filter_matches(&w->filter, e))
            continue;
        while (w->n && (w->n == KEPT_EVENTS || w->bytes + size > KEPT_BYTES))
            drop_first(w);
        w->v[(w->first + w->n) % KEPT_EVENTS] =
            (struct kept){xstrdup(e->name), json_ref((struct json *)(uintptr_t)e->data), e->seconds,
                          e->microseconds, size};
        w->n++;
        w->bytes += size;
    }
}

uint64_t cima_qmp_watch_dropped(const struct cima_qmp_watch *w)
{
    return w->dropped;
}

static int wait_for_one(struct cima_qmp_watch *w, int64_t until, struct err *error)
{
    struct cima_qmp *q = w->q;

    while (!w->n) {
        if (q->freed || q->state == CIMA_QMP_DEAD)
            return err_set(error, q->freed ? ERR_STATE : q->why.kind,
                           "waiting for the event '%s': %s", w->filter.name ? w->filter.name : "*",
                           q->freed ? "the client was freed" : q->why.msg);
        if (monotonic_ms() >= until)
            return err_set(error, ERR_TIMEOUT, "the event '%s' did not come in time",
                           w->filter.name ? w->filter.name : "*");
        if (qmp_turn(q, until, error) < 0)
            return -1;
    }
    return 0;
}

int cima_qmp_watch_wait(struct cima_qmp_watch *w, int timeout_ms, struct cima_qmp_event *ret_event,
                        struct err *error)
{
    struct cima_qmp *q = w->q;
    int r = 0;

    if (!w->n) {
        if (!q)
            return err_set(error, ERR_STATE, "the client was freed");
        if (qmp_may_wait(q, error) < 0)
            return -1;
        qmp_pin(q);
        r = wait_for_one(w, deadline_in(timeout_ms), error);
        qmp_unpin(q);
    }
    if (r < 0)
        return -1;
    kept_release(&w->given);
    w->given = take_first(w);
    if (ret_event)
        *ret_event = (struct cima_qmp_event){w->given.name, w->given.data, w->given.seconds,
                                             w->given.microseconds};
    return 0;
}
