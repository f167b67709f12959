/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots (SD-70 to SD-74): inside the qcow2 files, of a running machine with its memory.
 *
 *              running, QEMU 6.0 and later   running, older    stopped
 *   create     snapshot-save                 savevm            qemu-img snapshot -c
 *   apply      snapshot-load                 loadvm            qemu-img snapshot -a
 *   delete     snapshot-delete               delvm             qemu-img snapshot -d
 *   list       query-block                   query-block       qemu-img info
 *
 * QEMU finds out late that it can't go back: then the disks have gone back already, and the machine
 * has not. So what can be known is asked before. */
#include "driver/qemu/snapshot.h"
#include "base/mem.h"
#include "driver/qemu/tools.h"

#define BOOT_NODE "boot-disk"
#define ANSWER_MS 10000

/* ---- list ------------------------------------------------------------------------------------ */

static struct driver_snapshot *by_tag(struct driver_snapshots *s, const char *tag)
{
    for (size_t i = 0; i < s->n; i++)
        if (streq(s->v[i].tag, tag))
            return &s->v[i];
    s->v = xreallocarray(s->v, s->n + 1, sizeof(*s->v));
    s->v[s->n] = (struct driver_snapshot){.tag = xstrdup(tag)};
    return &s->v[s->n++];
}

/* Nanoseconds; the numbers are out of the image: 0 for what no clock shows. */
static int64_t clock_of(const struct json *item)
{
    const int64_t second = 1000000000;
    int64_t sec = json_get_int(item, "vm-clock-sec", 0);
    int64_t nsec = json_get_int(item, "vm-clock-nsec", 0);

    if (sec < 0 || sec >= INT64_MAX / second || nsec < 0 || nsec >= second)
        return 0;
    return sec * second + nsec;
}

static void add(struct driver_snapshots *s, const struct json *item)
{
    const char *tag = json_get_str(item, "name"), *id = json_get_str(item, "id");
    int64_t size = json_get_int(item, "vm-state-size", 0), clock = clock_of(item);

    if (!tag)
        return;
    struct driver_snapshot *sn = by_tag(s, tag);
    if (!sn->id) {
        sn->id = xstrdup(id ? id : "");
        sn->date = json_get_int(item, "date-sec", 0);
    }
    /* The disk with the memory is the one that knows. */
    if (size > 0 || !sn->vm_clock)
        sn->vm_clock = clock;
    if (size > 0)
        sn->vm_size = (uint64_t)size;
}

static int by_date(const void *a, const void *b)
{
    const struct driver_snapshot *x = a, *y = b;

    return x->date != y->date ? (x->date < y->date ? -1 : 1) : strcmp(x->tag, y->tag);
}

static void collect(const struct snapshot_disks *d, struct driver_snapshots *ret)
{
    for (size_t i = 0; i < d->n; i++)
        for (size_t k = 0; k < json_len(d->v[i].snapshots); k++)
            add(ret, json_at(d->v[i].snapshots, k));
    for (size_t k = 0; k < ret->n; k++)
        for (size_t i = 0; i < d->n; i++)
            if (!snapshot_disk_find(&d->v[i], ret->v[k].tag))
                strv_push(&ret->v[k].missing, d->v[i].path);
    if (ret->n)
        qsort(ret->v, ret->n, sizeof(*ret->v), by_date);
}

int qemu_snapshot_list(const struct driver_ctx *ctx, const struct driver_monitor *m,
                       struct driver_snapshots *ret, struct err *err)
{
    _cleanup_snapshot_disks_ struct snapshot_disks d = SNAPSHOT_DISKS_INIT;

    if (snapshot_disks_read(ctx, m, &d, err) < 0)
        return -1;
    *ret = (struct driver_snapshots)DRIVER_SNAPSHOTS_INIT;
    collect(&d, ret);
    return 0;
}

/* ---- what stands in the way of a running machine --------------------------------------------- */

/* "… VirtFS export path '/home/u' is mounted in the guest using mount_tag 'mount0'" */
static bool add_export(struct sbuf *out, const char *reason)
{
    static const char before[] = "export path '";
    const char *path = strstr(reason, before), *end;

    if (!strstr(reason, "VirtFS") || !path)
        return false;
    path += strlen(before);
    end = strstr(path, "' is mounted");
    sbuf_addstr(out, out->len ? ", '" : "'");
    sbuf_add(out, path, end ? (size_t)(end - path) : strlen(path));
    sbuf_addch(out, '\'');
    return true;
}

static int blocked(const struct driver_ctx *ctx, const char *mounts, const char *other,
                   struct err *err)
{
    if (*mounts) {
        err_set(err, ERR_STATE,
                "the memory of a running machine can't be saved or restored while its 9p mounts "
                "are in use: %s",
                mounts);
        return err_hint(err,
                        "unmount them in the guest, or stop the instance first (`cima stop %s`: "
                        "then its disks alone are in the snapshot), or use `mountType: "
                        "reverse-sshfs`",
                        ctx->inst->name);
    }
    err_set(err, ERR_STATE, "the state of the running machine can't be saved or restored: %s",
            other);
    return err_hint(err, "`cima stop %s` first: then its disks alone are in the snapshot",
                    ctx->inst->name);
}

/* What QEMU says of a migration holds for the state in a snapshot as well. */
static int check_blockers(const struct driver_ctx *ctx, const struct driver_monitor *m,
                          struct err *err)
{
    _cleanup_json_ struct json *info = NULL;
    _cleanup_sbuf_ struct sbuf mounts = SBUF_INIT;
    const char *other = NULL;

    if (m->execute(m->arg, "query-migrate", NULL, ANSWER_MS, &info, err) < 0)
        return -1;
    const struct json *reasons = json_get(info, "blocked-reasons");
    for (size_t i = 0; i < json_len(reasons); i++) {
        const char *reason = json_str(json_at(reasons, i));

        if (reason && !add_export(&mounts, reason) && !other)
            other = reason;
    }
    return mounts.len || other ? blocked(ctx, sbuf_str(&mounts), other, err) : 0;
}

static bool is_running(const struct driver_monitor *m)
{
    _cleanup_json_ struct json *status = NULL;
    _cleanup_err_ struct err ignored = ERR_INIT;

    return m->execute(m->arg, "query-status", NULL, ANSWER_MS, &status, &ignored) < 0 ||
           json_get_bool(status, "running", true);
}

/* ---- doing it to a running machine ----------------------------------------------------------- */

static const char *vmstate_node(const struct snapshot_disks *d, const char *tag)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct json *item = snapshot_disk_find(&d->v[i], tag);

        if (item ? json_get_int(item, "vm-state-size", 0) > 0 : streq(d->v[i].node, BOOT_NODE))
            return d->v[i].node;
    }
    return d->v[0].node;
}

struct running_op {
    const char *job, *line; /* QEMU's names for it */
    bool with_state;
};

static int change_running(const struct driver_monitor *m, const struct snapshot_disks *d,
                          const struct running_op *op, const char *tag, struct err *err)
{
    int jobs = snapshot_jobs_known(m, err);

    if (jobs < 0)
        return -1;
    if (jobs)
        return snapshot_job_run(m, op->job, d, op->with_state ? vmstate_node(d, tag) : NULL, tag,
                                err);
    _cleanup_free_ char *quoted = qemu_hmp_quote(tag), *text = NULL;
    _cleanup_free_ char *line = xasprintf("%s %s", op->line, quoted);
    text = qemu_hmp(m, line, err);
    if (!text)
        return -1;
    /* It says something only when something is wrong (SD-74). */
    return *text ? err_set(err, ERR_QEMU, "QEMU says: %s", text) : 0;
}

/* ---- doing it to files ----------------------------------------------------------------------- */

/* From every disk of the first n that has it; goes on after an error, which is the first one. */
static int delete_from(const struct snapshot_disks *d, size_t n, const char *tag, bool made_now,
                       struct err *err)
{
    struct err first = ERR_INIT;

    for (size_t i = 0; i < n; i++) {
        struct err e = ERR_INIT;

        if (!made_now && !snapshot_disk_find(&d->v[i], tag))
            continue;
        if (snapshot_image_change(d->v[i].path, "-d", tag, &e) < 0) {
            if (err_is_set(&first))
                err_clear(&e);
            else
                err_move(&first, &e);
        }
    }
    return err_is_set(&first) ? err_move(err, &first) : 0;
}

static int create_in_files(const struct snapshot_disks *d, const char *tag, struct err *err)
{
    for (size_t i = 0; i < d->n; i++)
        if (snapshot_image_change(d->v[i].path, "-c", tag, err) < 0) {
            (void)delete_from(d, i, tag, true, NULL);
            return -1;
        }
    return 0;
}

static int apply_to_files(const struct driver_ctx *ctx, const struct snapshot_disks *d,
                          const char *tag, struct err *err)
{
    for (size_t i = 0; i < d->n; i++)
        if (snapshot_image_change(d->v[i].path, "-a", tag, err) < 0)
            return i == 0 ? -1
                          : err_hint(err,
                                     "other disks of `%s` have gone back already: apply it again "
                                     "when this one is mended",
                                     ctx->inst->name);
    return 0;
}

/* ---- the operations -------------------------------------------------------------------------- */

int qemu_snapshot_create(const struct driver_ctx *ctx, const struct driver_monitor *m,
                         const char *tag, struct err *err)
{
    static const struct running_op op = {"snapshot-save", "savevm", true};
    _cleanup_snapshot_disks_ struct snapshot_disks d = SNAPSHOT_DISKS_INIT;

    if (snapshot_disks_read(ctx, m, &d, err) < 0 || snapshot_disks_check(ctx, &d, err) < 0)
        return -1;
    if (!m)
        return create_in_files(&d, tag, err);
    return check_blockers(ctx, m, err) < 0 ? -1 : change_running(m, &d, &op, tag, err);
}

/* Every disk must have it, and for a running machine one of them its memory. */
static int check_whole(const struct driver_ctx *ctx, const struct snapshot_disks *d,
                       const char *tag, bool running, struct err *err)
{
    bool state = false;

    for (size_t i = 0; i < d->n; i++) {
        const struct json *item = snapshot_disk_find(&d->v[i], tag);

        if (!item)
            return err_set(err, ERR_STATE,
                           "snapshot '%s' can't be applied: the disk '%s' does not have it", tag,
                           d->v[i].path);
        state = state || json_get_int(item, "vm-state-size", 0) > 0;
    }
    if (!running || state)
        return 0;
    err_set(err, ERR_STATE,
            "snapshot '%s' was taken while the instance was stopped: there is no state in it to "
            "which a running machine could go back", tag);
    return err_hint(err, "`cima stop %s` first, and start it after the snapshot is applied",
                    ctx->inst->name);
}

static int explain_failed_load(const struct driver_ctx *ctx, const struct driver_monitor *m,
                               bool was_running, struct err *err)
{
    if (was_running && !is_running(m))
        err_hint(err,
                 "the machine stands still now, its disks may be those of the snapshot: `cima stop "
                 "-f %s` and `cima start %s` boot from them",
                 ctx->inst->name, ctx->inst->name);
    return -1;
}

int qemu_snapshot_apply(const struct driver_ctx *ctx, const struct driver_monitor *m,
                        const char *tag, struct err *err)
{
    static const struct running_op op = {"snapshot-load", "loadvm", true};
    _cleanup_snapshot_disks_ struct snapshot_disks d = SNAPSHOT_DISKS_INIT;

    if (snapshot_disks_read(ctx, m, &d, err) < 0 || snapshot_disks_check(ctx, &d, err) < 0 ||
        check_whole(ctx, &d, tag, m != NULL, err) < 0)
        return -1;
    if (!m)
        return apply_to_files(ctx, &d, tag, err);
    if (check_blockers(ctx, m, err) < 0)
        return -1;
    bool was_running = is_running(m);
    if (change_running(m, &d, &op, tag, err) < 0)
        return explain_failed_load(ctx, m, was_running, err);
    return 0;
}

/* QEMU wants the name on all the disks that it is told. */
static void keep_those_with(struct snapshot_disks *d, const char *tag)
{
    struct snapshot_disks kept = SNAPSHOT_DISKS_INIT, gone = SNAPSHOT_DISKS_INIT;

    kept.v = xcalloc(d->n + 1, sizeof(*kept.v));
    gone.v = xcalloc(d->n + 1, sizeof(*gone.v));
    for (size_t i = 0; i < d->n; i++) {
        struct snapshot_disks *to = snapshot_disk_find(&d->v[i], tag) ? &kept : &gone;

        to->v[to->n++] = d->v[i];
    }
    free(d->v);
    *d = kept;
    snapshot_disks_release(&gone);
}

int qemu_snapshot_delete(const struct driver_ctx *ctx, const struct driver_monitor *m,
                         const char *tag, struct err *err)
{
    static const struct running_op op = {"snapshot-delete", "delvm", false};
    _cleanup_snapshot_disks_ struct snapshot_disks d = SNAPSHOT_DISKS_INIT;

    if (snapshot_disks_read(ctx, m, &d, err) < 0)
        return -1;
    keep_those_with(&d, tag);
    if (!d.n)
        return err_set(err, ERR_NOT_FOUND, "no disk has a snapshot '%s'", tag);
    return m ? change_running(m, &d, &op, tag, err) : delete_from(&d, d.n, tag, false, err);
}
