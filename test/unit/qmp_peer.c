/* SPDX-License-Identifier: Apache-2.0 */
#include "qmp_peer.h"
#include "base/log.h"
#include "base/mem.h"
#include "qemu/qmp_message.h"
#include <poll.h>

static void on_ready(void *arg, const struct json *greeting)
{
    struct peer *p = arg;
    unsigned v[3];

    p->ready++;
    cr_assert_eq(qmp_version(greeting, v), 0);
    cr_assert_eq(v[0], 7);
    cr_assert_eq(v[2], 22);
}

static void on_event(void *arg, const struct cima_qmp_event *e)
{
    struct peer *p = arg;

    p->events++;
    p->seconds = e->seconds;
    p->microseconds = e->microseconds;
    snprintf(p->last_event, sizeof(p->last_event), "%s", e->name);
}

static void on_closed(void *arg, const struct err *why)
{
    struct peer *p = arg;

    p->closed++;
    p->why_kind = why->kind;
    snprintf(p->why, sizeof(p->why), "%s", why->msg);
}

static void on_skipped(void *arg, const char *why)
{
    struct peer *p = arg;

    p->skipped++;
    snprintf(p->last_skipped, sizeof(p->last_skipped), "%s", why);
}

const struct cima_qmp_handlers peer_handlers = {
    .ready = on_ready, .event = on_event, .closed = on_closed, .skipped = on_skipped};

void begin(struct peer *p, const struct qmp_step *steps, int step_ms)
{
    int fd = qmp_server_start(steps, &p->pid);

    log_set_level(LOG_ERROR);
    p->q = cima_qmp_new(fd, &peer_handlers, p, step_ms ? step_ms : LONG_MS, monotonic_ms());
}

int end(struct peer *p)
{
    cima_qmp_free(p->q);
    return qmp_server_end(p->pid);
}

void step(struct peer *p)
{
    struct pollfd f = {.fd = cima_qmp_fd(p->q), .events = cima_qmp_wants(p->q)};
    int64_t next = cima_qmp_deadline(p->q), now = monotonic_ms();
    int ms = next < 0 ? 100 : next <= now ? 0 : (int)(next - now);

    p->turns++;
    poll(&f, 1, ms > 100 ? 100 : ms);
    cima_qmp_process(p->q, monotonic_ms());
}

static void on_reply(void *arg, const struct json *ret, const struct err *err)
{
    struct peer *p = arg;
    size_t used = strlen(p->order);
    _cleanup_free_ char *why = err ? err_message(err) : NULL;

    p->replies++;
    cr_assert((ret != NULL) != (err != NULL));
    snprintf(p->order + used, sizeof(p->order) - used, "%s;",
             err                       ? why
             : json_get_str(ret, "is") ? json_get_str(ret, "is")
                                       : "ok");
}

uint64_t ask_call(struct peer *p, struct cima_qmp_call call)
{
    call.done = on_reply;
    call.arg = p;
    return cima_qmp_send(p->q, &call, monotonic_ms());
}

uint64_t ask(struct peer *p, const char *command, int timeout_ms)
{
    return ask_call(p, (struct cima_qmp_call){.command = command, .timeout_ms = timeout_ms});
}
