/* SPDX-License-Identifier: Apache-2.0 */
/* The QMP client for callers without a loop. */
#include "cima/qemu/qmp.h"
#include "base/mem.h"
#include "qemu/qemu.h"
#include "sys/clock.h"
#include <poll.h>

/* One turn: waits for the socket, the client's next deadline or `until`. */
static void turn(struct cima_qmp *q, int64_t until)
{
    struct pollfd p = {.fd = cima_qmp_fd(q), .events = cima_qmp_wants(q)};
    int64_t next = cima_qmp_deadline(q);

    if (next < 0 || next > until)
        next = until;
    poll(&p, 1, deadline_left(next));
    cima_qmp_process(q, monotonic_ms());
}

int cima_qmp_wait_ready(struct cima_qmp *q, int timeout_ms, struct err *err)
{
    int64_t until = deadline_in(timeout_ms);

    while (cima_qmp_state(q) == CIMA_QMP_GREETING || cima_qmp_state(q) == CIMA_QMP_NEGOTIATING) {
        if (monotonic_ms() >= until)
            return err_set(err, ERR_TIMEOUT, "QEMU's monitor did not get ready in time");
        turn(q, until);
    }
    if (cima_qmp_state(q) == CIMA_QMP_READY)
        return 0;
    return err_set(err, cima_qmp_why(q)->kind, "%s", cima_qmp_why(q)->msg);
}

struct sync {
    bool done;
    struct json *ret;
    struct err *err;
};

static void sync_done(void *arg, const struct json *ret, const struct err *err)
{
    struct sync *s = arg;

    s->done = true;
    if (err)
        err_set(s->err, err->kind, "%s", err->msg);
    else
        s->ret = json_copy(ret);
}

int cima_qmp_execute(struct cima_qmp *q, const char *command, struct json *args, int timeout_ms,
                     struct json **ret, struct err *err)
{
    _cleanup_err_ struct err e = ERR_INIT;
    struct sync s = {.err = &e};
    struct cima_qmp_call call = {.command = command,
                                 .args = args,
                                 .pass_fd = -1,
                                 .timeout_ms = timeout_ms,
                                 .done = sync_done,
                                 .arg = &s};
    int64_t until = deadline_in(timeout_ms > 0 ? timeout_ms + 1000 : timeout_ms);
    uint64_t id = cima_qmp_send(q, &call, monotonic_ms());

    do
        turn(q, until);
    while (!s.done && (timeout_ms < 0 || monotonic_ms() < until));
    if (!s.done) {
        cima_qmp_cancel(q, id);
        return err_set(err, ERR_TIMEOUT, "QMP command '%s' was not answered in time", command);
    }
    if (err_is_set(&e))
        return err_move(err, &e);
    if (ret)
        *ret = s.ret;
    else
        json_free(s.ret);
    return 0;
}

char *cima_qmp_execute_hmp(struct cima_qmp *q, const char *line, int timeout_ms, struct err *err)
{
    _cleanup_json_ struct json *ret = NULL;
    struct json *args = json_object_new();

    json_set_str(args, "command-line", line);
    if (cima_qmp_execute(q, "human-monitor-command", args, timeout_ms, &ret, err) < 0)
        return NULL;
    return xstrdup(json_str(ret) ? json_str(ret) : "");
}
