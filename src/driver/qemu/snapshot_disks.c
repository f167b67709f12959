/* SPDX-License-Identifier: Apache-2.0 */
/* Which disks a snapshot is made of: all that the guest can write to. QEMU decides so for a running
 * machine, and one that was taken while it was stopped must be the same thing. */
#include "base/fs.h"
#include "base/mem.h"
#include "driver/qemu/foreign.h"
#include "driver/qemu/gather.h"
#include "driver/qemu/gather_disks.h"
#include "driver/qemu/snapshot.h"
#include "driver/qemu/tools.h"

#define SNAPSHOT_FORMAT "qcow2"

void snapshot_disks_release(struct snapshot_disks *d)
{
    for (size_t i = 0; i < d->n; i++) {
        free(d->v[i].node);
        free(d->v[i].path);
        free(d->v[i].format);
        json_free(d->v[i].snapshots);
    }
    free(d->v);
    *d = (struct snapshot_disks)SNAPSHOT_DISKS_INIT;
}

static struct snapshot_disk *add(struct snapshot_disks *d, const char *node, const char *path,
                                 const char *format)
{
    d->v = xreallocarray(d->v, d->n + 1, sizeof(*d->v));
    d->v[d->n] = (struct snapshot_disk){
        .node = xstrdup0(node), .path = xstrdup(path), .format = xstrdup(format)};
    return &d->v[d->n++];
}

/* ---- of a running machine -------------------------------------------------------------------- */

static int from_monitor(const struct driver_monitor *m, struct snapshot_disks *ret,
                        struct err *err)
{
    _cleanup_json_ struct json *list = NULL;

    if (m->execute(m->arg, "query-block", NULL, /* timeout_ms= */ -1, &list, err) < 0)
        return -1;
    for (size_t i = 0; i < json_len(list); i++) {
        const struct json *in = json_get(json_at(list, i), "inserted");
        const struct json *image = json_get(in, "image");
        const char *node = json_get_str(in, "node-name"), *driver = json_get_str(in, "drv");
        const char *file = json_get_str(in, "file");

        if (!node || !driver || json_get_bool(in, "ro", true))
            continue;
        struct snapshot_disk *d = add(ret, node, file ? file : node, driver);
        if (json_is_array(json_get(image, "snapshots")))
            d->snapshots = json_copy(json_get(image, "snapshots"));
    }
    if (!ret->n)
        return err_set(err, ERR_STATE, "the machine has no disk that could have snapshots");
    return 0;
}

/* ---- of one that does not run ---------------------------------------------------------------- */

static int read_file(struct snapshot_disk *d, struct err *err)
{
    _cleanup_json_ struct json *info = NULL;

    if (!streq(d->format, SNAPSHOT_FORMAT))
        return 0; /* snapshot_disks_check tells it where it matters */
    info = snapshot_image_info(d->path, err);
    if (!info)
        return -1;
    if (json_is_array(json_get(info, "snapshots")))
        d->snapshots = json_copy(json_get(info, "snapshots"));
    return 0;
}

/* What they are was kept at the first start; one that is new is looked at, and kept by its start. */
static int add_data_disks(const struct driver_ctx *ctx, const struct json *frozen,
                          struct snapshot_disks *ret, struct err *err)
{
    const struct json *kept = json_get(frozen, "dataDisks");
    _cleanup_json_ struct json *formats =
        json_is_object(kept) ? json_copy(kept) : json_object_new();
    const struct qemu_disk_search s = {
        .store = ctx->store, .inst = ctx->inst, .cfg = ctx->cfg, .formats = formats};
    struct qemu_plan_disk *disks = NULL;
    unsigned n = ctx->cfg->additional_disks_count;

    if (!n)
        return 0;
    if (qemu_find_disks(&s, &disks, err) < 0)
        return -1;
    for (unsigned i = 0; i < n; i++)
        add(ret, NULL, disks[i].path, disks[i].format);
    qemu_plan_disks_free(disks, n);
    return 0;
}

static int from_files(const struct driver_ctx *ctx, struct snapshot_disks *ret, struct err *err)
{
    _cleanup_qemu_facts_ struct qemu_facts f = QEMU_FACTS_INIT;
    _cleanup_free_ char *disk = qemu_disk_path(ctx->inst);
    _cleanup_free_ char *vars = instance_path(ctx->inst, INST_EFI_VARS);

    if (qemu_gather_disk(ctx, &f, err) < 0)
        return -1;
    add(ret, NULL, disk, f.in.disk_format);
    if (add_data_disks(ctx, f.frozen, ret, err) < 0)
        return -1;
    if (path_exists(vars))
        add(ret, NULL, vars, SNAPSHOT_FORMAT); /* the plan makes it so */
    for (size_t i = 0; i < ret->n; i++)
        if (read_file(&ret->v[i], err) < 0)
            return -1;
    return 0;
}

int snapshot_disks_read(const struct driver_ctx *ctx, const struct driver_monitor *m,
                        struct snapshot_disks *ret, struct err *err)
{
    struct snapshot_disks d = SNAPSHOT_DISKS_INIT;

    if ((m ? from_monitor(m, &d, err) : from_files(ctx, &d, err)) < 0) {
        snapshot_disks_release(&d);
        return -1;
    }
    *ret = d;
    return 0;
}

/* ---- what they can --------------------------------------------------------------------------- */

int snapshot_disks_check(const struct driver_ctx *ctx, const struct snapshot_disks *d,
                         struct err *err)
{
    for (size_t i = 0; i < d->n; i++) {
        if (streq(d->v[i].format, SNAPSHOT_FORMAT))
            continue;
        err_set(err, ERR_UNSUPPORTED,
                "instance `%s` can't have snapshots: its disk '%s' has the format %s, which has "
                "none",
                ctx->inst->name, d->v[i].path, d->v[i].format);
        return err_hint(err, "with the instance stopped, `qemu-img convert -O qcow2` makes a disk "
                             "that can have some");
    }
    return 0;
}

const struct json *snapshot_disk_find(const struct snapshot_disk *d, const char *tag)
{
    for (size_t i = 0; i < json_len(d->snapshots); i++)
        if (streq0(json_get_str(json_at(d->snapshots, i), "name"), tag))
            return json_at(d->snapshots, i);
    return NULL;
}
