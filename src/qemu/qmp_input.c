/* SPDX-License-Identifier: Apache-2.0 */
/* What the QMP client reads: lines, and what each of them means for the commands. */
#include "qemu/qmp_internal.h"
#include "qemu/qmp_message.h"
#include <errno.h>

/* Bytes read in one step, so that a peer that never stops can't hold the owner's loop. */
#define READ_CHUNK     65536U
#define READ_STEPS_MAX 64
/* A buffer that grew for a long line is not kept. */
#define BUFFER_KEPT (4 * READ_CHUNK)

static void skipped(struct cima_qmp *q, const char *why)
{
    if (q->h.skipped)
        q->h.skipped(q->arg, why);
}

/* ---- the handshake --------------------------------------------------------------------------- */

static int check_version(const struct json *greeting, struct err *err)
{
    unsigned v[3];

    if (qmp_version(greeting, v) < 0)
        return err_set(err, ERR_PROTOCOL, "failed to find QMP version information");
    if (v[0] < CIMA_QMP_OLDEST_MAJOR)
        return err_set(err, ERR_UNSUPPORTED,
                       "cima requires qemu version %d.0 or later, this is qemu (%u.%u)",
                       CIMA_QMP_OLDEST_MAJOR, v[0], v[1]);
    return 0;
}

static bool offers(const struct json *greeting, const char *capability)
{
    const struct json *all = json_get(greeting, "capabilities");

    for (size_t i = 0; i < json_len(all); i++)
        if (streq0(json_str(json_at(all, i)), capability))
            return true;
    return false;
}

static void negotiated(void *arg, const struct json *ret, const struct err *err)
{
    struct cima_qmp *q = arg;
    struct err e = ERR_INIT;

    (void)ret;
    if (!err) {
        q->state = CIMA_QMP_READY;
    } else if (q->state != CIMA_QMP_DEAD) {
        err_copy(&e, err);
        qmp_die(q, &e);
    }
}

static void on_greeting(struct cima_qmp *q, const struct json *j, int64_t now)
{
    struct cima_qmp_call call = {
        .command = "qmp_capabilities", .timeout_ms = -1, .done = negotiated, .arg = q};
    struct json *greeting = json_get(j, "QMP");
    struct err e = ERR_INIT;
    struct cmd *c;

    if (q->state != CIMA_QMP_GREETING) {
        skipped(q, "a second greeting");
        return;
    }
    if (check_version(greeting, &e) < 0) {
        qmp_die(q, &e);
        return;
    }
    q->greeting = json_ref(greeting);
    q->state = CIMA_QMP_NEGOTIATING;
    q->handshake_deadline = now + q->step_ms;
    q->oob = q->want_oob && offers(greeting, "oob");
    if (q->oob) {
        struct json *enable = json_array_new();

        json_append(enable, json_string_new("oob"));
        call.args = json_object_new();
        json_set(call.args, "enable", enable);
    }
    c = qmp_cmd_new(q, &call, now);
    c->next = q->queue;
    q->queue = c;
}

/* Out of band was wanted and is not there: those commands can't ever be sent. */
static void refuse_urgent(struct cima_qmp *q)
{
    for (struct cmd *c = q->urgent; c && !q->oob; c = c->next)
        if (!err_is_set(&c->problem)) {
            qmp_no_oob(&c->problem);
            q->n_problems++;
        }
}

/* ---- replies --------------------------------------------------------------------------------- */

static struct cmd *sent_with_id(struct cmd *c, int64_t id)
{
    while (c && !(c->state == CMD_SENT && c->wire_id == id))
        c = c->next;
    return c;
}

/* QEMU's classes of errors that a program may decide by. */
static enum err_kind kind_of(const char *class)
{
    if (streq0(class, "CommandNotFound"))
        return ERR_UNSUPPORTED;
    return streq0(class, "DeviceNotFound") ? ERR_NOT_FOUND : ERR_QEMU;
}

static void refused(struct cima_qmp *q, struct cmd *c, const struct json *error)
{
    const char *desc = json_get_str(error, "desc");
    _cleanup_err_ struct err e = ERR_INIT;

    err_set(&e, kind_of(json_get_str(error, "class")), "QMP command failed: %s",
            desc ? desc : "no reason given");
    qmp_answer(q, c, NULL, &e);
}

static void event_failed(struct cima_qmp *q, struct cmd *c)
{
    _cleanup_err_ struct err e = ERR_INIT;

    err_set(&e, ERR_QEMU, "QMP command failed: event '%s' came", c->fail_event);
    qmp_answer(q, c, NULL, &e);
}

/* What a reply is for. One without an id is for the command in flight, since there is one at a
 * time: QEMU's answer to a line that it could not parse. Out of band, nobody knows. */
static struct cmd *asked(const struct cima_qmp *q, const struct json *reply)
{
    int64_t id = json_get_int(reply, "id", -1);
    struct cmd *c;

    if (!json_get(reply, "id") && !q->oob)
        return q->queue && q->queue->state == CMD_SENT ? q->queue : NULL;
    c = sent_with_id(q->queue, id);
    return c ? c : sent_with_id(q->urgent, id);
}

static void on_reply(struct cima_qmp *q, const struct json *j)
{
    const struct json *error = json_get(j, "error"), *ret = json_get(j, "return");
    bool was_negotiating = q->state == CIMA_QMP_NEGOTIATING;
    struct cmd *c = asked(q, j);
    struct cmd **list = c && c->out_of_band ? &q->urgent : &q->queue;

    if (!c || c == q->writing) {
        skipped(q, "a reply to nothing that was asked");
        return;
    }
    qmp_unlink(list, c);
    if (error) {
        refused(q, c, error);
    } else if (c->until.name && c->event == CMD_EVENT_NONE && c->done) {
        c->state = CMD_AWAITING;
        c->reply = json_ref(json_get(j, "return"));
        c->next = q->awaiting;
        q->awaiting = c;
    } else if (c->event == CMD_EVENT_FAILED) {
        event_failed(q, c);
    } else {
        qmp_answer(q, c, ret, NULL);
    }
    if (q->freed || !was_negotiating || q->state != CIMA_QMP_READY)
        return;
    refuse_urgent(q);
    if (q->h.ready)
        q->h.ready(q->arg, q->greeting);
}

/* ---- events ---------------------------------------------------------------------------------- */

static enum cmd_event outcome(const struct cmd *c, const struct cima_qmp_event *e)
{
    struct event_filter fail = c->until;

    if (c->until.name && qmp_filter_matches(&c->until, e))
        return CMD_EVENT_CAME;
    fail.name = c->fail_event;
    if (c->until.name && c->fail_event && qmp_filter_matches(&fail, e))
        return CMD_EVENT_FAILED;
    return CMD_EVENT_NONE;
}

static void note_sent(struct cmd *c, const struct cima_qmp_event *e)
{
    for (; c; c = c->next)
        if (c->state == CMD_SENT && c->event == CMD_EVENT_NONE)
            c->event = outcome(c, e);
}

static void on_event(struct cima_qmp *q, const struct json *j, size_t size)
{
    const struct json *t = json_get(j, "timestamp"), *data = json_get(j, "data");
    struct cima_qmp_event e = {.name = json_get_str(j, "event"),
                               .data = json_is_object(data) ? data : NULL,
                               .seconds = json_get_int(t, "seconds", -1),
                               .microseconds = json_get_int(t, "microseconds", -1)};

    note_sent(q->queue, &e);
    note_sent(q->urgent, &e);
    qmp_watches_event(q, &e, size);
    if (q->h.event)
        q->h.event(q->arg, &e);
    for (;;) {
        struct cmd *c = q->freed ? NULL : q->awaiting;

        while (c && outcome(c, &e) == CMD_EVENT_NONE)
            c = c->next;
        if (!c)
            return;
        qmp_unlink(&q->awaiting, c);
        if (outcome(c, &e) == CMD_EVENT_FAILED)
            event_failed(q, c);
        else
            qmp_answer(q, c, c->reply, NULL);
    }
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void on_line(struct cima_qmp *q, const char *line, size_t len, int64_t now)
{
    _cleanup_json_ struct json *j = NULL;
    struct err e = ERR_INIT;
    enum qmp_line kind;

    while (len && (line[len - 1] == '\r' || line[len - 1] == ' '))
        len--;
    if (!len)
        return;
    if (q->h.line)
        q->h.line(q->arg, false, line, len);
    if (q->freed || q->state == CIMA_QMP_DEAD)
        return;
    if (qmp_parse_line(line, len, &kind, &j, &e) < 0) {
        qmp_die(q, &e);
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
        on_event(q, j, len);
        break;
    case QMP_LINE_OTHER:
        skipped(q, "a message of no known kind");
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
    if (q->in.len == 0 && q->in.cap > BUFFER_KEPT)
        sbuf_release(&q->in);
    if (q->in.len > CIMA_QMP_LINE_LIMIT) {
        struct err e = ERR_INIT;

        err_set(&e, ERR_PROTOCOL, "QEMU sent a line of more than %u MiB",
                CIMA_QMP_LINE_LIMIT >> 20);
        qmp_die(q, &e);
    }
}

static void on_end(struct cima_qmp *q)
{
    const char *early = q->state == CIMA_QMP_READY ? "" : "lost connection to VM: ";
    struct err e = ERR_INIT;

    err_set(&e, ERR_QEMU,
            q->in.len ? "%sQEMU closed the monitor in the middle of a message"
                      : "%sQEMU closed the monitor",
            early);
    qmp_die(q, &e);
}

/* Whether more may be there: what did not fill the room was all. */
static bool read_some(struct cima_qmp *q, int64_t now)
{
    char *room = sbuf_reserve(&q->in, READ_CHUNK);
    ssize_t n = read(q->fd, room, READ_CHUNK);
    struct err e = ERR_INIT;

    if (n > 0) {
        sbuf_grown(&q->in, (size_t)n);
        on_input(q, now);
        return n == READ_CHUNK;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    if (n == 0) {
        on_end(q);
    } else {
        err_set_errno(&e, ERR_QEMU, "%sreading from the monitor failed",
                      q->state == CIMA_QMP_READY ? "" : "lost connection to VM: ");
        qmp_die(q, &e);
    }
    return false;
}

void qmp_read(struct cima_qmp *q, int64_t now)
{
    for (int i = 0; i < READ_STEPS_MAX && !q->freed && q->state != CIMA_QMP_DEAD; i++)
        if (!read_some(q, now))
            return;
}
