/* SPDX-License-Identifier: Apache-2.0 */
/* The QMP client for callers without a loop. */
#include "qemu/qmp_internal.h"
#include "sys/clock.h"
#include "sys/sock.h"
#include <poll.h>

struct cima_qmp *cima_qmp_connect(const char *path, const struct cima_qmp_handlers *h, void *arg,
                                  int timeout_ms, struct err *error)
{
    int fd = unix_connect(path, timeout_ms, error);

    return fd < 0 ? NULL : cima_qmp_new(fd, h, arg, timeout_ms, monotonic_ms());
}

void cima_qmp_set_cancel_fd(struct cima_qmp *q, int fd)
{
    q->cancel_fd = fd;
}

int qmp_may_wait(const struct cima_qmp *q, struct err *error)
{
    if (q->busy)
        return err_set(error, ERR_STATE, "a callback of the client can't wait for it");
    return 0;
}

int qmp_turn(struct cima_qmp *q, int64_t until, struct err *error)
{
    struct pollfd p[] = {{.fd = cima_qmp_fd(q), .events = cima_qmp_wants(q)},
                         {.fd = q->cancel_fd, .events = POLLIN}};
    int64_t next = cima_qmp_deadline(q);

    if (next < 0 || next > until)
        next = until;
    if (poll(p, 2, deadline_left(next)) > 0 && p[1].revents)
        return err_set(error, ERR_INTERRUPTED, "canceled by caller");
    cima_qmp_process(q, monotonic_ms());
    return 0;
}

/* With the client pinned. */
static int wait_ready(struct cima_qmp *q, int64_t until, struct err *error)
{
    while (!q->freed && (q->state == CIMA_QMP_GREETING || q->state == CIMA_QMP_NEGOTIATING)) {
        if (monotonic_ms() >= until)
            return err_set(error, ERR_TIMEOUT, "QEMU's monitor did not get ready in time");
        if (qmp_turn(q, until, error) < 0)
            return -1;
    }
    if (q->freed)
        return err_set(error, ERR_STATE, "the client was freed");
    if (q->state == CIMA_QMP_READY)
        return 0;
    return error ? err_copy(error, &q->why) : -1;
}

int cima_qmp_wait_ready(struct cima_qmp *q, int timeout_ms, struct err *error)
{
    int r;

    if (qmp_may_wait(q, error) < 0)
        return -1;
    qmp_pin(q);
    r = wait_ready(q, deadline_in(timeout_ms), error);
    qmp_unpin(q);
    return r;
}

struct answer {
    bool done;
    struct json *ret;
    struct err err;
};

static void on_answer(void *arg, const struct json *ret, const struct err *err)
{
    struct answer *a = arg;

    a->done = true;
    if (err)
        err_copy(&a->err, err);
    else
        a->ret = json_ref((struct json *)(uintptr_t)ret); /* nobody changes it any more */
}

static int run(struct cima_qmp *q, struct cima_qmp_call *call, struct json **ret_value,
               struct err *error)
{
    struct answer a = {.err = ERR_INIT};
    int64_t now = monotonic_ms();
    uint64_t id;

    call->done = on_answer;
    call->arg = &a;
    id = cima_qmp_send(q, call, now);
    qmp_step(q, now, false); /* writes it without asking whether it may */
    while (!a.done && !q->freed)
        if (qmp_turn(q, INT64_MAX, error) < 0) {
            cima_qmp_cancel(q, id);
            return err_wrap(error, "%s", call->command);
        }
    if (!a.done)
        return err_set(error, ERR_STATE, "%s: the client was freed", call->command);
    if (err_is_set(&a.err))
        return err_move(error, &a.err);
    if (ret_value)
        *ret_value = a.ret;
    else
        json_free(a.ret);
    return 0;
}

int cima_qmp_run(struct cima_qmp *q, struct cima_qmp_call call, struct json **ret_value,
                 struct err *error)
{
    int r;

    if (qmp_may_wait(q, error) < 0) {
        err_wrap(error, "%s", call.command);
        cima_qmp_call_release(&call);
        return -1;
    }
    qmp_pin(q);
    r = run(q, &call, ret_value, error);
    qmp_unpin(q);
    return r;
}

int cima_qmp_execute(struct cima_qmp *q, const char *command, struct json *args, int timeout_ms,
                     struct json **ret_value, struct err *error)
{
    struct cima_qmp_call call = {.command = command, .args = args, .timeout_ms = timeout_ms};

    return cima_qmp_run(q, call, ret_value, error);
}

char *cima_qmp_execute_hmp(struct cima_qmp *q, const char *line, int timeout_ms, struct err *error)
{
    _cleanup_json_ struct json *ret = NULL;
    struct json *args = json_object_new();

    json_set_str(args, "command-line", line);
    if (cima_qmp_execute(q, "human-monitor-command", args, timeout_ms, &ret, error) < 0)
        return NULL;
    return xstrdup(json_str(ret) ? json_str(ret) : "");
}

int cima_hmp_check(const char *printed, struct err *error)
{
    static const char *const signs[] = {"Error:", "Error ", "unknown command:", "invalid option"};
    /* Behind a line that it could not read ("savevm: extraneous characters …"). */
    bool wrong = strstr(printed, "\nTry \"help ") != NULL;

    for (size_t i = 0; i < ARRAY_SIZE(signs) && !wrong; i++)
        wrong = str_starts(printed, signs[i]);
    if (!wrong)
        return 0;
    if (str_starts(printed, signs[0]))
        printed += strlen(signs[0]) + strspn(printed + strlen(signs[0]), " ");
    return err_set(error, ERR_QEMU, "QEMU says: %.*s", (int)strcspn(printed, "\r\n"), printed);
}
