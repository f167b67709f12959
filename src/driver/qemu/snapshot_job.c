/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot-save, snapshot-load and snapshot-delete of QEMU's monitor: each starts a job. The monitor
 * answers nothing while the job works (seen with QEMU 7.2: not even the command that began it), so
 * that the first look finds it concluded. Where it goes on behind our back it is looked at again:
 * the monitor is somebody else's, through whom its events don't come. */
#include "base/mem.h"
#include "driver/qemu/tools.h"
#include "sys/clock.h"
#include <poll.h>
#include <unistd.h>

#define JOB_PREFIX "cima-snapshot-"
#define LOOK_MS    50
#define ANSWER_MS  10000

int snapshot_jobs_known(const struct driver_monitor *m, struct err *err)
{
    _cleanup_json_ struct json *list = NULL;

    if (m->execute(m->arg, "query-commands", NULL, ANSWER_MS, &list, err) < 0)
        return -1;
    for (size_t i = 0; i < json_len(list); i++)
        if (streq0(json_get_str(json_at(list, i), "name"), "snapshot-save"))
            return 1;
    return 0;
}

static void dismiss(const struct driver_monitor *m, const char *id)
{
    _cleanup_err_ struct err ignored = ERR_INIT;
    struct json *args = json_object_new();

    json_set_str(args, "id", id);
    (void)m->execute(m->arg, "job-dismiss", args, ANSWER_MS, NULL, &ignored);
}

/* The job in QEMU's list; jobs of commands that were killed meanwhile are taken out of it. */
static int look(const struct driver_monitor *m, const char *id, struct json **ret, struct err *err)
{
    _cleanup_json_ struct json *list = NULL;

    if (m->execute(m->arg, "query-jobs", NULL, /* timeout_ms= */ -1, &list, err) < 0)
        return -1;
    *ret = NULL;
    for (size_t i = 0; i < json_len(list); i++) {
        struct json *job = json_at(list, i);
        const char *name = json_get_str(job, "id");

        if (streq0(name, id))
            *ret = json_ref(job);
        else if (name && str_starts(name, JOB_PREFIX) &&
                 streq0(json_get_str(job, "status"), "concluded"))
            dismiss(m, name);
    }
    return 0;
}

static int wait_for(const struct driver_monitor *m, const char *id, struct err *err)
{
    for (;;) {
        _cleanup_json_ struct json *job = NULL;

        if (look(m, id, &job, err) < 0)
            return -1;
        if (!job)
            return err_set(err, ERR_QEMU, "QEMU does not know what became of it");
        if (streq0(json_get_str(job, "status"), "concluded")) {
            const char *why = json_get_str(job, "error");

            dismiss(m, id);
            return why ? err_set(err, ERR_QEMU, "QEMU says: %s", why) : 0;
        }
        poll(NULL, 0, LOOK_MS);
    }
}

int snapshot_job_run(const struct driver_monitor *m, const char *command,
                     const struct snapshot_disks *d, const char *vmstate, const char *tag,
                     struct err *err)
{
    _cleanup_free_ char *id =
        xasprintf(JOB_PREFIX "%d-%lld", (int)getpid(), (long long)monotonic_ms());
    struct json *args = json_object_new(), *devices = json_array_new();

    for (size_t i = 0; i < d->n; i++)
        json_append(devices, json_string_new(d->v[i].node));
    json_set_str(args, "job-id", id);
    json_set_str(args, "tag", tag);
    json_set_str(args, "vmstate", vmstate); /* snapshot-delete has none */
    json_set(args, "devices", devices);
    if (m->execute(m->arg, command, args, /* timeout_ms= */ -1, NULL, err) < 0)
        return -1;
    return wait_for(m, id, err);
}
