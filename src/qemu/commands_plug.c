/* SPDX-License-Identifier: Apache-2.0 */
/* What needs several commands: whole devices with a way back, processors, jobs. The client is pinned
 * meanwhile: a handler may free it between two of them. */
#include "qemu/commands_internal.h"
#include "qemu/qmp_internal.h"
#include "sys/clock.h"

/* ---- whole devices --------------------------------------------------------------------------- */

static void close_names(struct cima_qmp *q, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *name = cima_cmdline_fd_name(3 + (int)i);

        /* One that a part has taken is not there any more: no error of ours. */
        cima_qmp_run(q, cima_cmd_closefd(name), NULL, NULL);
    }
}

/* the descriptors get the names under which the parts mean them. */
static int pass_names(struct cima_qmp *q, const struct cima_cmdline *c, size_t *ret_n,
                      struct err *error)
{
    const int *fds;

    *ret_n = cima_cmdline_fds(c, &fds);
    for (size_t i = 0; i < *ret_n; i++) {
        _cleanup_free_ char *name = cima_cmdline_fd_name(3 + (int)i);

        if (cima_qmp_run(q, cima_cmd_getfd(name, fds[i]), NULL, error) < 0) {
            *ret_n = i;
            return -1;
        }
    }
    return 0;
}

/* Takes the first n parts away again; what could not be goes into the error's detail. */
static void roll_back(struct cima_qmp *q, const struct cima_cmdline *c, size_t n, struct err *error)
{
    _cleanup_sbuf_ struct sbuf left = SBUF_INIT;

    while (n--) {
        _cleanup_err_ struct err e = ERR_INIT;
        _cleanup_free_ char *why = NULL;

        if (cima_qmp_run(q, cima_cmd_undo_part(c, n), NULL, &e) == 0)
            continue;
        why = err_message(&e);
        sbuf_addf(&left, "%scould not be taken away again: %s", left.len ? "\n" : "", why);
    }
    if (left.len)
        err_detail(error, sbuf_str(&left));
}

static int plug(struct cima_qmp *q, const struct cima_cmdline *c, struct err *error)
{
    int cancel_fd = q->cancel_fd;
    size_t n_fds = 0, done = 0;
    int r = pass_names(q, c, &n_fds, error);

    while (r == 0 && done < cima_cmdline_len(c)) {
        r = cima_qmp_run(q, cima_cmd_part(c, done), NULL, error);
        if (r == 0)
            done++;
    }
    if (r == 0)
        return 0;
    if (q->state == CIMA_QMP_READY && !q->freed) {
        /* The way back is gone to its end, also when the caller has had enough. */
        q->cancel_fd = -1;
        roll_back(q, c, done, error);
        close_names(q, n_fds);
        q->cancel_fd = cancel_fd;
    }
    return -1;
}

int cima_qmp_plug(struct cima_qmp *q, const struct cima_cmdline *c, struct err *error)
{
    _cleanup_err_ struct err e = ERR_INIT;
    int r;

    qmp_pin(q);
    r = plug(q, c, &e);
    qmp_unpin(q);
    return r < 0 ? err_move(error, &e) : 0;
}

static int unplug(struct cima_qmp *q, const struct cima_cmdline *c, int timeout_ms,
                  struct err *error)
{
    for (size_t i = cima_cmdline_len(c); i--;) {
        struct cima_qmp_call call = cima_cmd_undo_part(c, i);

        if (timeout_ms)
            call.timeout_ms = timeout_ms;
        if (cima_qmp_run(q, call, NULL, error) < 0)
            return -1;
    }
    return 0;
}

int cima_qmp_unplug(struct cima_qmp *q, const struct cima_cmdline *c, int timeout_ms,
                    struct err *error)
{
    int r;

    qmp_pin(q);
    r = unplug(q, c, timeout_ms, error);
    qmp_unpin(q);
    return r;
}

int cima_qmp_plug_device(struct cima_qmp *q, const struct cima_device *d, struct err *error)
{
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();

    if (cima_add_device(c, d, error) < 0)
        return -1;
    return cima_qmp_plug(q, c, error);
}

int cima_qmp_plug_dimm(struct cima_qmp *q, const struct cima_dimm *d, struct err *error)
{
    struct cima_device device = {.kind = CIMA_DEVICE_DIMM, .is = {.as_dimm = d}};

    return cima_qmp_plug_device(q, &device, error);
}

static int plug_cpu(struct cima_qmp *q, const char *id, struct err *error)
{
    struct cima_hotpluggable_cpus slots = {.json = NULL};
    int r = 1;

    if (cima_query_hotpluggable_cpus(q, &slots, error) < 0)
        return -1;
    /* QEMU lists the last slot first; a guest wants them filled from below. */
    for (size_t i = slots.n; i-- && r > 0;)
        if (!slots.v[i].qom_path)
            r = cima_qmp_run(q, cima_cmd_cpu_add(slots.v[i].type, id, &slots.v[i].place), NULL,
                             error);
    cima_hotpluggable_cpus_release(&slots);
    if (r > 0)
        return err_set(error, ERR_NOT_FOUND, "the machine has no free place for a processor");
    return r;
}

int cima_qmp_plug_cpu(struct cima_qmp *q, const char *id, struct err *error)
{
    int r;

    qmp_pin(q);
    r = plug_cpu(q, id, error);
    qmp_unpin(q);
    return r;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

/* 1: the job is over, with its error in *job_error; 0: it goes on. A job blocks QEMU's main loop
 * now and then: the question waits as long as the job may take. */
static int ask_job(struct cima_qmp *q, const char *id, int64_t until, struct err *job_error,
                   struct err *error)
{
    struct cima_qmp_call call = cima_cmd_query_jobs();
    _cleanup_json_ struct json *answer = NULL;
    struct cima_jobs jobs = {.json = NULL};
    const struct cima_job *mine = NULL;
    int over = 0, left = deadline_left(until);

    call.timeout_ms = left ? left : 1; /* 0 would be the usual time */
    if (cima_qmp_run(q, call, &answer, error) < 0 || cima_jobs_read(answer, &jobs, error) < 0)
        return -1;
    for (size_t i = 0; i < jobs.n; i++)
        if (streq(jobs.v[i].id, id))
            mine = &jobs.v[i];
    if (!mine)
        over = err_set(error, ERR_QEMU, "the job '%s' is not there any more", id);
    else if (streq(mine->status, "concluded"))
        over = 1;
    if (over > 0 && mine->error)
        err_set(job_error, ERR_QEMU, "QMP job '%s' failed: %s", id, mine->error);
    cima_jobs_release(&jobs);
    return over;
}

static int follow_job(struct cima_qmp *q, struct cima_qmp_watch *w, const char *id, int64_t until,
                      struct err *job_error, struct err *error)
{
    for (;;) {
        int over = ask_job(q, id, until, job_error, error);

        if (over)
            return over;
        if (cima_qmp_watch_wait(w, deadline_left(until), NULL, error) < 0)
            return -1;
    }
}

/* Nobody waits for it any more: it ends, and nothing of it is left in QEMU. */
static void abandon_job(struct cima_qmp *q, struct cima_qmp_watch *w, const char *id)
{
    int64_t until = deadline_in(2000);
    _cleanup_err_ struct err ignored = ERR_INIT, own = ERR_INIT;
    int cancel_fd = q->cancel_fd;
    struct cima_qmp_call call = cima_cmd_job_cancel(id);

    call.timeout_ms = 2000;
    q->cancel_fd = -1;
    cima_qmp_run(q, call, NULL, NULL);
    if (follow_job(q, w, id, until, &own, &ignored) > 0)
        cima_qmp_run(q, cima_cmd_job_dismiss(id), NULL, NULL);
    q->cancel_fd = cancel_fd;
}

int cima_qmp_run_job(struct cima_qmp *q, struct cima_qmp_call call, const char *id, int timeout_ms,
                     struct err *error)
{
    struct cima_qmp_watch *w = cima_qmp_watch_new(q, "JOB_STATUS_CHANGE", "id", id);
    _cleanup_err_ struct err e = ERR_INIT, job_error = ERR_INIT;
    int r;

    qmp_pin(q);
    r = cima_qmp_run(q, call, NULL, &e);

    if (r == 0) {
        r = follow_job(q, w, id, deadline_in(timeout_ms), &job_error, &e);
        if (r > 0)
            r = cima_qmp_run(q, cima_cmd_job_dismiss(id), NULL, &e);
        else if (q->state == CIMA_QMP_READY && !q->freed)
            abandon_job(q, w, id);
    }
    cima_qmp_watch_free(w);
    qmp_unpin(q);
    if (err_is_set(&job_error))
        return err_move(error, &job_error);
    return r < 0 ? err_move(error, &e) : 0;
}
