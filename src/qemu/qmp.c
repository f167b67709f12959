/* SPDX-License-Identifier: Apache-2.0 */
#include "cima/qemu/qmp.h"
#include "base/enum.h"
#include "base/log.h"
#include "base/mem.h"
#include "qemu/qemu.h"
#include "qemu/qmp_message.h"
#include "base/sbuf.h"
#include "sys/sock.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/socket.h>

/* Bytes read in one process() step, so that a peer that never stops can't hold the owner's loop. */
#define READ_CHUNK     65536U
#define READ_STEPS_MAX 64

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

/* QUEUED and SENT commands are in the queue, where only the first can be SENT; one that has its
 * reply and waits for its event is in `awaiting`. */
enum cmd_state { CMD_QUEUED, CMD_SENT, CMD_AWAITING };

struct cmd {
    struct cmd *next;
    uint64_t id;
    enum cmd_state state;
    char *name;
    char *line; /* with the newline */
    size_t len, sent;
    int pass_fd;
    int64_t deadline; /* -1: none */
    char *until_event, *until_value;
    bool event_seen;
    struct json *reply;      /* kept while the event is awaited */
    cima_qmp_reply_fn *done; /* NULL also after a cancel */
    void *arg;
};

struct cima_qmp {
    int fd;
    enum cima_qmp_state state;
    struct cima_qmp_handlers h;
    void *arg;
    int step_ms;
    int64_t handshake_deadline;
    uint64_t next_id;
    struct cmd *queue, *awaiting;
    struct sbuf in;
    size_t scanned; /* bytes of `in` known to hold no newline */
    struct err why; /* of DEAD */
    bool closed_told;
    bool busy; /* process() is on the stack: a callback may call it, or cima_qmp_free */
    bool freed;
};

static void cmd_free(struct cmd *c)
{
    free(c->name);
    free(c->line);
    free(c->until_event);
    free(c->until_value);
    json_free(c->reply);
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

struct cima_qmp *cima_qmp_new(int fd, const struct cima_qmp_handlers *h, void *arg, int step_ms,
                              int64_t now)
{
    struct cima_qmp *q = xcalloc(1, sizeof(*q));

    fd_set_nonblock(fd, true);
    q->fd = fd;
    q->state = CIMA_QMP_GREETING;
    if (h)
        q->h = *h;
    q->arg = arg;
    q->step_ms = step_ms > 0 ? step_ms : CIMA_QMP_STEP_MS;
    q->handshake_deadline = now + q->step_ms;
    q->next_id = 1;
    return q;
}

void cima_qmp_set_step(struct cima_qmp *q, int step_ms, int64_t now)
{
    q->step_ms = step_ms;
    q->handshake_deadline = now + step_ms;
}

static void destroy(struct cima_qmp *q)
{
    if (q->fd >= 0)
        close(q->fd);
    list_free(q->queue);
    list_free(q->awaiting);
    sbuf_release(&q->in);
    err_clear(&q->why);
    free(q);
}

void cima_qmp_free(struct cima_qmp *q)
{
    if (!q)
        return;
    if (q->busy) {
        /* The step that is on the stack frees it when the callback has returned. */
        q->freed = true;
        return;
    }
    destroy(q);
}

enum cima_qmp_state cima_qmp_state(const struct cima_qmp *q)
{
    return q->state;
}

const struct err *cima_qmp_why(const struct cima_qmp *q)
{
    return &q->why;
}

int cima_qmp_fd(const struct cima_qmp *q)
{
    return q->fd;
}

static bool may_send(const struct cima_qmp *q)
{
    return q->queue && (q->state == CIMA_QMP_READY || q->state == CIMA_QMP_NEGOTIATING) &&
           q->queue->sent < q->queue->len;
}

short cima_qmp_wants(const struct cima_qmp *q)
{
    return (short)(q->state == CIMA_QMP_DEAD ? 0 : POLLIN | (may_send(q) ? POLLOUT : 0));
}

static void earlier(int64_t *best, int64_t t)
{
    if (t >= 0 && (*best < 0 || t < *best))
        *best = t;
}

int64_t cima_qmp_deadline(const struct cima_qmp *q)
{
    int64_t best = -1;

    if (q->state == CIMA_QMP_DEAD)
        return q->closed_told && !q->queue && !q->awaiting ? -1 : 0;
    if (q->state != CIMA_QMP_READY)
        earlier(&best, q->handshake_deadline);
    for (const struct cmd *c = q->queue; c; c = c->next)
        earlier(&best, c->deadline);
    for (const struct cmd *c = q->awaiting; c; c = c->next)
        earlier(&best, c->deadline);
    return best;
}

/* ---- commands -------------------------------------------------------------------------------- */

static struct cmd *cmd_new(struct cima_qmp *q, const struct cima_qmp_call *call, int64_t now)
{
    _cleanup_json_ struct json *j = json_object_new();
    struct cmd *c = xcalloc(1, sizeof(*c));
    char *text;

    c->id = q->next_id++;
    c->name = xstrdup(call->command);
    c->pass_fd = call->pass_fd;
    c->deadline =
        call->timeout_ms < 0 ? -1 : now + (call->timeout_ms ? call->timeout_ms : q->step_ms);
    c->until_event = xstrdup0(call->until_event);
    c->until_value = xstrdup0(call->until_value);
    c->done = call->done;
    c->arg = call->arg;
    json_set_str(j, "execute", call->command);
    if (call->args)
        json_set(j, "arguments", call->args);
    json_set_int(j, "id", (int64_t)c->id);
    text = json_dump(j);
    c->line = xasprintf("%s\n", text);
    free(text);
    c->len = strlen(c->line);
    return c;
}

uint64_t cima_qmp_send(struct cima_qmp *q, const struct cima_qmp_call *call, int64_t now)
{
    struct cmd *c = cmd_new(q, call, now), **tail = &q->queue;

    while (*tail)
        tail = &(*tail)->next;
    *tail = c;
    return c->id;
}

static struct cmd *unlink_cmd(struct cmd **list, const struct cmd *c)
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

void cima_qmp_cancel(struct cima_qmp *q, uint64_t id)
{
    for (struct cmd *c = q->queue; c; c = c->next)
        if (c->id == id) {
            if (c->state == CMD_SENT)
                c->done = NULL;
            else
                cmd_free(unlink_cmd(&q->queue, c));
            return;
        }
    for (struct cmd *c = q->awaiting; c; c = c->next)
        if (c->id == id) {
            cmd_free(unlink_cmd(&q->awaiting, c));
            return;
        }
}

/* Answers a command that is in no list any more, and frees it. */
static void answer(struct cmd *c, const struct json *ret, const struct err *err)
{
    if (c->done)
        c->done(c->arg, ret, err);
    cmd_free(c);
}

static void die(struct cima_qmp *q, struct err *why)
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
    die(q, &e);
}

/* Answers everything with the reason of the end; then says so. */
static void bury(struct cima_qmp *q)
{
    while (!q->freed && (q->queue || q->awaiting)) {
        struct cmd **list = q->awaiting ? &q->awaiting : &q->queue;
        struct cmd *c = unlink_cmd(list, *list);
        _cleanup_err_ struct err e = ERR_INIT;

        err_set(&e, q->why.kind, "QMP command '%s' cancelled: %s", c->name, q->why.msg);
        answer(c, NULL, &e);
    }
    if (!q->freed && !q->closed_told) {
        q->closed_told = true;
        if (q->h.closed)
            q->h.closed(q->arg, &q->why);
    }
}

/* ---- what comes in --------------------------------------------------------------------------- */

static void negotiated(void *arg, const struct json *ret, const struct err *err)
{
    struct cima_qmp *q = arg;
    struct err e = ERR_INIT;

    (void)ret;
    if (!err) {
        q->state = CIMA_QMP_READY;
    } else if (q->state != CIMA_QMP_DEAD) {
        err_set(&e, err->kind, "%s", err->msg);
        die(q, &e);
    }
}

static void on_greeting(struct cima_qmp *q, const struct json *j, int64_t now)
{
    struct cima_qmp_call call = {.command = "qmp_capabilities",
                                 .pass_fd = -1,
                                 .timeout_ms = -1,
                                 .done = negotiated,
                                 .arg = q};
    struct json *greeting = json_get(j, "QMP");
    struct err e = ERR_INIT;
    struct cmd *c;
    unsigned v[3];

    if (q->state != CIMA_QMP_GREETING) {
        log_warn("QMP: a second greeting, ignoring");
        return;
    }
    if (qmp_version(greeting, v) < 0) {
        err_set(&e, ERR_PROTOCOL, "no QMP version information in the greeting");
        die(q, &e);
        return;
    }
    q->state = CIMA_QMP_NEGOTIATING;
    q->handshake_deadline = now + q->step_ms;
    c = cmd_new(q, &call, now);
    c->reply = json_ref(greeting); /* for ready() */
    c->next = q->queue;
    q->queue = c;
}

static void on_reply(struct cima_qmp *q, const struct json *j)
{
    struct cmd *c = q->queue;
    const struct json *error = json_get(j, "error");
    _cleanup_err_ struct err e = ERR_INIT;
    bool was_negotiating = q->state == CIMA_QMP_NEGOTIATING;

    if (!c || c->state != CMD_SENT || json_get_int(j, "id", -1) != (int64_t)c->id) {
        /* Also QEMU's answer to a line that it could not parse: that has no id. */
        log_warn("QMP: a reply to nothing that was asked, ignoring");
        return;
    }
    unlink_cmd(&q->queue, c);
    if (error) {
        const char *desc = json_get_str(error, "desc");

        err_set(&e, ERR_QEMU, "QMP command '%s' failed: %s", c->name,
                desc ? desc : "no reason given");
        answer(c, NULL, &e);
    } else if (was_negotiating) {
        _cleanup_json_ struct json *greeting = TAKE_PTR(c->reply);

        answer(c, json_get(j, "return"), NULL);
        if (q->state == CIMA_QMP_READY && q->h.ready)
            q->h.ready(q->arg, greeting);
    } else if (c->until_event && !c->event_seen && c->done) {
        c->state = CMD_AWAITING;
        c->reply = json_ref(json_get(j, "return"));
        c->next = q->awaiting;
        q->awaiting = c;
    } else {
        answer(c, json_get(j, "return"), NULL);
    }
}

static bool event_ends(const struct cmd *c, const char *name, const struct json *data)
{
    return c->until_event && streq(c->until_event, name) &&
           (!c->until_value || streq0(c->until_value, json_get_str(data, "device")));
}

static void on_event(struct cima_qmp *q, const struct json *j)
{
    const char *name = json_get_str(j, "event");
    const struct json *data = json_get(j, "data");

    if (q->queue && q->queue->state == CMD_SENT && event_ends(q->queue, name, data))
        q->queue->event_seen = true;
    if (q->h.event)
        q->h.event(q->arg, name, data);
    for (;;) {
        struct cmd *c = q->freed ? NULL : q->awaiting;

        while (c && !event_ends(c, name, data))
            c = c->next;
        if (!c)
            return;
        unlink_cmd(&q->awaiting, c);
        answer(c, c->reply, NULL);
    }
}

static void on_line(struct cima_qmp *q, const char *line, size_t len, int64_t now)
{
    _cleanup_json_ struct json *j = NULL;
    struct err e = ERR_INIT;
    enum qmp_line kind;

    while (len && (line[len - 1] == '\r' || line[len - 1] == ' '))
        len--;
    if (!len)
        return;
    if (qmp_parse_line(line, len, &kind, &j, &e) < 0) {
        die(q, &e);
        return;
    }
    switch (kind) {
    case QMP_LINE_GREETING:
        on_greeting(q, j, now);
        break;
    case QMP_LINE_REPLY:
        on_reply(q, j);
        break;
    case QMP_LINE_EVENT:
        on_event(q, j);
        break;
    case QMP_LINE_OTHER:
        log_warn("QMP: a message of no known kind, ignoring");
        break;
    }
}

/* Handles the whole lines in the buffer. */
static void on_input(struct cima_qmp *q, int64_t now)
{
    size_t start = 0;

    while (!q->freed && q->state != CIMA_QMP_DEAD) {
        const char *from = q->in.buf + start + q->scanned;
        size_t left = q->in.len - start - q->scanned;
        const char *nl = left ? memchr(from, '\n', left) : NULL;
        size_t len;

        if (!nl) {
            q->scanned += left;
            break;
        }
        len = (size_t)(nl - (q->in.buf + start));
        on_line(q, q->in.buf + start, len, now);
        start += len + 1;
        q->scanned = 0;
    }
    if (q->freed)
        return;
    sbuf_consume(&q->in, start);
    if (q->in.len > CIMA_QMP_LINE_LIMIT) {
        struct err e = ERR_INIT;

        err_set(&e, ERR_PROTOCOL, "QEMU sent a line of more than %u MiB",
                CIMA_QMP_LINE_LIMIT >> 20);
        die(q, &e);
    }
}

static void read_step(struct cima_qmp *q, int64_t now)
{
    for (int i = 0; i < READ_STEPS_MAX && !q->freed && q->state != CIMA_QMP_DEAD; i++) {
        char *room = sbuf_reserve(&q->in, READ_CHUNK);
        ssize_t n = read(q->fd, room, READ_CHUNK);
        struct err e = ERR_INIT;

        if (n > 0) {
            sbuf_grown(&q->in, (size_t)n);
            on_input(q, now);
        } else if (n == 0) {
            err_set(&e, ERR_QEMU,
                    q->in.len ? "QEMU closed the monitor in the middle of a message"
                              : "QEMU closed the monitor");
            die(q, &e);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            err_set_errno(&e, ERR_QEMU, "reading from the monitor failed");
            die(q, &e);
        }
    }
}

/* ---- what goes out --------------------------------------------------------------------------- */

static ssize_t send_some(int fd, const char *data, size_t len, int pass_fd)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    union {
        char buf[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (pass_fd >= 0) {
        struct cmsghdr *h;

        m.msg_control = control.buf;
        m.msg_controllen = sizeof(control.buf);
        h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(h), &pass_fd, sizeof(int));
    }
    return sendmsg(fd, &m, MSG_NOSIGNAL);
}

static void write_step(struct cima_qmp *q)
{
    while (may_send(q)) {
        struct cmd *c = q->queue;
        ssize_t n =
            send_some(q->fd, c->line + c->sent, c->len - c->sent, c->sent ? -1 : c->pass_fd);

        if (n >= 0) {
            c->sent += (size_t)n;
            c->state = CMD_SENT;
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            /* What QEMU said before it went may still be there to read: reading finds the end. */
            c->sent = c->len;
            c->state = CMD_SENT;
            return;
        }
    }
}

/* ---- deadlines ------------------------------------------------------------------------------- */

static struct cmd *overdue(struct cmd *c, int64_t now)
{
    while (c && (c->deadline < 0 || c->deadline > now))
        c = c->next;
    return c;
}

static void check_deadlines(struct cima_qmp *q, int64_t now)
{
    struct err e = ERR_INIT;

    if ((q->state == CIMA_QMP_GREETING || q->state == CIMA_QMP_NEGOTIATING) &&
        now >= q->handshake_deadline) {
        err_set(&e, ERR_TIMEOUT,
                q->state == CIMA_QMP_GREETING ? "no greeting from QEMU's monitor within %d ms"
                                              : "no answer to qmp_capabilities within %d ms",
                q->step_ms);
        die(q, &e);
    }
    while (!q->freed && q->state != CIMA_QMP_DEAD) {
        struct cmd *c = overdue(q->queue, now), *mine;
        _cleanup_err_ struct err late = ERR_INIT;

        if (!c && !(c = overdue(q->awaiting, now)))
            return;
        if (c->state == CMD_AWAITING)
            err_set(&late, ERR_TIMEOUT, "event '%s' did not follow QMP command '%s' in time",
                    c->until_event, c->name);
        else
            err_set(&late, ERR_TIMEOUT, "QMP command '%s' was not answered in time", c->name);
        if (c->state == CMD_SENT) {
            /* Its reply, if it ever comes, must not be taken for the next one's. */
            cima_qmp_reply_fn *done = c->done;

            c->deadline = -1;
            c->done = NULL;
            if (done)
                done(c->arg, NULL, &late);
            continue;
        }
        mine = unlink_cmd(c->state == CMD_AWAITING ? &q->awaiting : &q->queue, c);
        answer(mine, NULL, &late);
    }
}

void cima_qmp_process(struct cima_qmp *q, int64_t now)
{
    if (q->busy)
        return; /* from a callback: the step on the stack goes on and sends what was queued */
    q->busy = true;
    if (q->state != CIMA_QMP_DEAD) {
        write_step(q);
        read_step(q, now);
    }
    if (!q->freed)
        check_deadlines(q, now);
    if (!q->freed && q->state != CIMA_QMP_DEAD)
        write_step(q);
    if (!q->freed && q->state == CIMA_QMP_DEAD)
        bury(q);
    q->busy = false;
    if (q->freed)
        destroy(q);
}
