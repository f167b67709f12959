/* SPDX-License-Identifier: Apache-2.0 */
/* The QMP client: its states, its lists of commands, its deadlines. Bytes go in and out in
 * qmp_input.c and qmp_output.c. */
#include "cima/qemu/qmp.h"
#include "qemu/qmp_internal.h"
#include "qemu/qmp_message.h"
#include "sys/sock.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>

static const char *const qmp_state_names[] = {
    [CIMA_QMP_GREETING] = "waiting for the greeting",
    [CIMA_QMP_NEGOTIATING] = "negotiating",
    [CIMA_QMP_READY] = "ready",
    [CIMA_QMP_DEAD] = "closed",
};
_Static_assert(ARRAY_SIZE(qmp_state_names) == CIMA_QMP_STATE_COUNT, "a name for every state");

const char *cima_qmp_state_to_string(enum cima_qmp_state s)
{
    return (size_t)s < CIMA_QMP_STATE_COUNT ? qmp_state_names[s] : "?";
}

/* ---- the client ------------------------------------------------------------------------------ */

struct cima_qmp *cima_qmp_new(int fd, const struct cima_qmp_handlers *h, void *arg, int step_ms,
                              int64_t now)
{
    struct cima_qmp *q = xcalloc(1, sizeof(*q));

    fd_set_nonblock(fd, true);
    q->fd = fd;
    q->cancel_fd = -1;
    q->state = CIMA_QMP_GREETING;
    if (h)
        q->h = *h;
    q->arg = arg;
    q->next_id = 1;
    cima_qmp_set_step(q, step_ms, now);
    return q;
}

void cima_qmp_set_step(struct cima_qmp *q, int step_ms, int64_t now)
{
    q->step_ms = step_ms > 0 ? step_ms : CIMA_QMP_STEP_MS;
    q->handshake_deadline = now + q->step_ms;
}

void cima_qmp_want_oob(struct cima_qmp *q)
{
    q->want_oob = true;
}

static void cmd_free(struct cmd *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->name);
    free(c->line);
    free(c->shown);
    qmp_filter_release(&c->until);
    free(c->fail_event);
    json_free(c->reply);
    err_clear(&c->problem);
    free(c);
}

static void list_free(struct cmd *c)
{
    while (c) {
        struct cmd *next = c->next;

        cmd_free(c);
        c = next;
    }
}

static void destroy(struct cima_qmp *q)
{
    if (q->fd >= 0)
        close(q->fd);
    list_free(q->queue);
    list_free(q->urgent);
    list_free(q->awaiting);
    qmp_watches_orphan(q);
    json_free(q->greeting);
    sbuf_release(&q->in);
    err_clear(&q->why);
    free(q);
}

void cima_qmp_free(struct cima_qmp *q)
{
    if (!q)
        return;
    if (q->busy || q->pins) {
        /* What is on the stack frees it when the callback has returned. */
        q->freed = true;
        return;
    }
    destroy(q);
}

void qmp_pin(struct cima_qmp *q)
{
    q->pins++;
}

void qmp_unpin(struct cima_qmp *q)
{
    if (--q->pins == 0 && q->freed)
        destroy(q);
}

enum cima_qmp_state cima_qmp_state(const struct cima_qmp *q)
{
    return q->state;
}

const struct err *cima_qmp_why(const struct cima_qmp *q)
{
    return q->state == CIMA_QMP_DEAD ? &q->why : NULL;
}

int cima_qmp_fd(const struct cima_qmp *q)
{
    return q->fd;
}

const struct json *cima_qmp_greeting(const struct cima_qmp *q)
{
    return q->greeting;
}

int cima_qmp_version(const struct cima_qmp *q, unsigned ret_version[3])
{
    return qmp_version(q->greeting, ret_version);
}

bool cima_qmp_has_oob(const struct cima_qmp *q)
{
    return q->oob && q->state == CIMA_QMP_READY;
}

short cima_qmp_wants(const struct cima_qmp *q)
{
    if (q->state == CIMA_QMP_DEAD)
        return 0;
    return (short)(POLLIN | (qmp_may_write(q) ? POLLOUT : 0));
}

static void earliest(int64_t *best, const struct cmd *c)
{
    for (; c; c = c->next)
        if (c->deadline >= 0 && (*best < 0 || c->deadline < *best))
            *best = c->deadline;
}

int64_t cima_qmp_deadline(const struct cima_qmp *q)
{
    int64_t best = -1;

    if (q->state == CIMA_QMP_DEAD)
        return q->closed_told && !q->queue && !q->urgent && !q->awaiting ? -1 : 0;
    if (q->n_problems || q->write_errno)
        return 0;
    if (q->state != CIMA_QMP_READY)
        best = q->handshake_deadline;
    earliest(&best, q->queue);
    earliest(&best, q->urgent);
    earliest(&best, q->awaiting);
    return best;
}

/* ---- which event ----------------------------------------------------------------------------- */

static bool has_text(const struct json *data, const char *key, const char *value)
{
    return streq0(json_get_str(data, key), value);
}

bool qmp_filter_matches(const struct event_filter *f, const struct cima_qmp_event *e)
{
    if (f->name && !streq(f->name, e->name))
        return false;
    if (!f->value)
        return true;
    if (f->key)
        return has_text(e->data, f->key, f->value);
    return has_text(e->data, "device", f->value) || has_text(e->data, "path", f->value);
}

void qmp_filter_release(struct event_filter *f)
{
    free(f->name);
    free(f->key);
    free(f->value);
    *f = (struct event_filter){NULL, NULL, NULL};
}

/* ---- commands -------------------------------------------------------------------------------- */

static void add_text(struct sbuf *out, const char *text)
{
    bool plain = true;

    for (const char *c = text; *c && plain; c++)
        plain = isalnum((unsigned char)*c) || *c == '-' || *c == '_';
    if (plain) {
        sbuf_addf(out, "\"%s\"", text);
    } else {
        _cleanup_json_ struct json *j = json_string_new(text);
        _cleanup_free_ char *quoted = json_dump(j);

        sbuf_addstr(out, quoted);
    }
}

/* The line, and what may be shown of it. As few bytes as it can have: QEMU (7.2) takes its
 * monitor's input byte by byte, each with a turn of its main loop. So the id of a command in the
 * queue has one digit: it is enough to know a reply from those around it, as one is in flight. */
static void compose(struct cima_qmp *q, struct cmd *c, const struct json *args)
{
    struct sbuf line = SBUF_INIT;

    c->wire_id = c->out_of_band ? (int64_t)c->id + 10 : (int64_t)(c->id % 10);
    sbuf_addstr(&line, c->out_of_band ? "{\"exec-oob\":" : "{\"execute\":");
    add_text(&line, c->name);
    if (args) {
        _cleanup_free_ char *text = json_dump(args);

        sbuf_addf(&line, ",\"arguments\":%s", text);
    }
    sbuf_addf(&line, ",\"id\":%" PRId64 "}", c->wire_id);
    if (q->h.line)
        c->shown = qmp_without_passwords(sbuf_str(&line), args);
    sbuf_addch(&line, '\n');
    c->len = line.len;
    c->line = sbuf_detach(&line);
}

static void problem(struct cima_qmp *q, struct cmd *c, struct err *why)
{
    err_move(&c->problem, why);
    q->n_problems++;
}

struct cmd *qmp_cmd_new(struct cima_qmp *q, const struct cima_qmp_call *call, int64_t now)
{
    struct cmd *c = xcalloc(1, sizeof(*c));
    struct err e = ERR_INIT;

    c->id = q->next_id++;
    c->name = xstrdup(call->command);
    c->fd = -1;
    c->out_of_band = call->out_of_band;
    c->deadline =
        call->timeout_ms < 0 ? -1 : now + (call->timeout_ms ? call->timeout_ms : q->step_ms);
    c->until = (struct event_filter){xstrdup0(call->until_event), xstrdup0(call->until_key),
                                     xstrdup0(call->until_value)};
    c->fail_event = xstrdup0(call->fail_event);
    c->done = call->done;
    c->arg = call->arg;
    compose(q, c, call->args);
    json_free(call->args);
    if (call->with_fd && !call->problem) {
        c->fd = fcntl(call->fd, F_DUPFD_CLOEXEC, 3);
        if (c->fd < 0) {
            err_set_errno(&e, ERR_IO, "the descriptor %d can't go along", call->fd);
            problem(q, c, &e);
        }
    }
    if (call->problem) {
        problem(q, c, call->problem);
        cima_error_free(call->problem);
    }
    return c;
}

void qmp_no_oob(struct err *err)
{
    err_set(err, ERR_UNSUPPORTED, "there is no out-of-band execution on this connection");
}

static void append(struct cmd **list, struct cmd *c)
{
    while (*list)
        list = &(*list)->next;
    *list = c;
}

uint64_t cima_qmp_send(struct cima_qmp *q, const struct cima_qmp_call *call, int64_t now)
{
    struct cmd *c = qmp_cmd_new(q, call, now);
    struct err e = ERR_INIT;

    if (c->out_of_band && q->state == CIMA_QMP_READY && !q->oob && !err_is_set(&c->problem)) {
        qmp_no_oob(&e);
        problem(q, c, &e);
    }
    append(c->out_of_band ? &q->urgent : &q->queue, c);
    return c->id;
}

void cima_qmp_call_release(struct cima_qmp_call *call)
{
    json_free(call->args);
    cima_error_free(call->problem);
    call->args = NULL;
    call->problem = NULL;
}

struct cmd *qmp_unlink(struct cmd **list, const struct cmd *c)
{
    for (; *list; list = &(*list)->next)
        if (*list == c) {
            struct cmd *found = *list;

            *list = found->next;
            found->next = NULL;
            return found;
        }
    return NULL;
}

/* Of a command that is in no list any more. */
static void forget(struct cima_qmp *q, struct cmd *c)
{
    if (err_is_set(&c->problem))
        q->n_problems--;
    if (q->writing == c)
        q->writing = NULL;
    cmd_free(c);
}

void cima_qmp_cancel(struct cima_qmp *q, uint64_t id)
{
    struct cmd **lists[] = {&q->queue, &q->urgent, &q->awaiting};

    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        for (struct cmd *c = *lists[i]; c; c = c->next)
            if (c->id == id) {
                if (c->state == CMD_SENT)
                    c->done = NULL;
                else
                    forget(q, qmp_unlink(lists[i], c));
                return;
            }
}

void qmp_answer(struct cima_qmp *q, struct cmd *c, const struct json *ret, struct err *error)
{
    if (error)
        err_wrap(error, "%s", c->name);
    if (c->done)
        c->done(c->arg, error ? NULL : ret, error);
    forget(q, c);
}

/* ---- the end --------------------------------------------------------------------------------- */

void qmp_die(struct cima_qmp *q, struct err *why)
{
    if (q->state == CIMA_QMP_DEAD) {
        err_clear(why);
        return;
    }
    q->state = CIMA_QMP_DEAD;
    if (q->fd >= 0)
        close(q->fd);
    q->fd = -1;
    err_move(&q->why, why);
}

void cima_qmp_shutdown(struct cima_qmp *q)
{
    struct err e = ERR_INIT;

    err_set(&e, ERR_STATE, "the monitor connection was closed");
    qmp_die(q, &e);
}

/* The first command that is older than id, of any list; *ret_list is where. */
static struct cmd *older_than(struct cima_qmp *q, uint64_t id, struct cmd ***ret_list)
{
    struct cmd **lists[] = {&q->awaiting, &q->urgent, &q->queue};

    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        for (struct cmd *c = *lists[i]; c; c = c->next)
            if (c->id < id) {
                *ret_list = lists[i];
                return c;
            }
    return NULL;
}

/* Answers everything with the reason of the end; then says so. What the callbacks send meanwhile
 * waits for the next step: one that tries again for ever must not hold the owner. */
static void bury(struct cima_qmp *q)
{
    uint64_t newest = q->next_id;
    struct cmd **list, *c;

    while (!q->freed && (c = older_than(q, newest, &list))) {
        _cleanup_err_ struct err e = ERR_INIT;

        err_set(&e, q->why.kind, "exitting QMP loop, command cancelled: %s", q->why.msg);
        qmp_answer(q, qmp_unlink(list, c), NULL, &e);
    }
    if (!q->freed && !q->closed_told) {
        q->closed_told = true;
        if (q->h.closed)
            q->h.closed(q->arg, &q->why);
    }
}

/* ---- one step -------------------------------------------------------------------------------- */

/* Commands that can't be sent get their answer. */
static void answer_problems(struct cima_qmp *q)
{
    struct cmd **lists[] = {&q->queue, &q->urgent};
    uint64_t newest = q->next_id;

    for (size_t i = 0; i < ARRAY_SIZE(lists) && !q->freed; i++)
        for (struct cmd *c = *lists[i], *next; c && !q->freed; c = next) {
            _cleanup_err_ struct err e = ERR_INIT;

            next = c->next;
            if (!err_is_set(&c->problem) || c->id >= newest)
                continue;
            err_move(&e, &c->problem);
            q->n_problems--;
            qmp_answer(q, qmp_unlink(lists[i], c), NULL, &e);
            next = *lists[i]; /* the callback may have changed the list */
        }
}

static struct cmd *overdue(struct cmd *c, int64_t now)
{
    while (c && (c->deadline < 0 || c->deadline > now))
        c = c->next;
    return c;
}

static void too_late(struct cima_qmp *q, struct cmd **list, struct cmd *c)
{
    _cleanup_err_ struct err e = ERR_INIT;

    if (c->state == CMD_AWAITING)
        err_set(&e, ERR_TIMEOUT, "the event '%s' did not follow in time", c->until.name);
    else
        err_set(&e, ERR_TIMEOUT, "the QMP command was not answered in time");
    if (c->state == CMD_SENT) {
        /* Its reply, if it ever comes, must not be taken for the next one's. */
        cima_qmp_reply_fn *done = c->done;

        c->deadline = -1;
        c->done = NULL;
        err_wrap(&e, "%s", c->name);
        if (done)
            done(c->arg, NULL, &e);
        return;
    }
    qmp_answer(q, qmp_unlink(list, c), NULL, &e);
}

static void check_deadlines(struct cima_qmp *q, int64_t now)
{
    struct cmd **lists[] = {&q->queue, &q->urgent, &q->awaiting};
    bool greeting = q->state == CIMA_QMP_GREETING;
    struct err e = ERR_INIT;
    struct cmd *c;

    if ((greeting || q->state == CIMA_QMP_NEGOTIATING) && now >= q->handshake_deadline) {
        err_set(&e, ERR_TIMEOUT,
                greeting ? "no greeting from QEMU's monitor within %d ms"
                         : "no answer to qmp_capabilities within %d ms",
                q->step_ms);
        qmp_die(q, &e);
    }
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        while (!q->freed && q->state != CIMA_QMP_DEAD && (c = overdue(*lists[i], now)))
            too_late(q, lists[i], c);
}

/* The other end took no more: what it said before that is read first, and mostly the end as well. */
static void check_writing(struct cima_qmp *q, int64_t now)
{
    struct err e = ERR_INIT;

    if (!q->write_errno || q->state == CIMA_QMP_DEAD)
        return;
    qmp_read(q, now);
    if (q->freed || q->state == CIMA_QMP_DEAD)
        return;
    errno = q->write_errno;
    err_set_errno(&e, ERR_QEMU, "writing to the monitor failed");
    qmp_die(q, &e);
}

static void step(struct cima_qmp *q, int64_t now, bool read)
{
    if (q->n_problems && q->state != CIMA_QMP_DEAD)
        answer_problems(q);
    if (!q->freed)
        qmp_write(q);
    if (!q->freed && read)
        qmp_read(q, now);
    if (!q->freed)
        check_deadlines(q, now);
    if (!q->freed)
        qmp_write(q);
    if (!q->freed)
        check_writing(q, now);
    if (!q->freed && q->state == CIMA_QMP_DEAD)
        bury(q);
}

void qmp_step(struct cima_qmp *q, int64_t now, bool read)
{
    if (q->busy || q->freed)
        return; /* from a callback: the step on the stack goes on and sends what was queued */
    q->busy = true;
    step(q, now, read);
    q->busy = false;
    if (q->freed && !q->pins)
        destroy(q);
}

void cima_qmp_process(struct cima_qmp *q, int64_t now)
{
    qmp_step(q, now, true);
}
