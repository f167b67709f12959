/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's table: gather facts, build the plan, execute it. */
#include "driver/qemu/qemu.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "driver/qemu/disk.h"
#include "driver/qemu/foreign.h"
#include "driver/qemu/gather.h"
#include "driver/qemu/start.h"
#include "driver/qemu/tools.h"
#include "sys/sock.h"

struct driver_plan {
    struct qemu_plan *qemu;
    int port_fd;         /* keeps the ssh port that was chosen; -1: the YAML names it */
    struct json *frozen; /* to be kept in cima.json at the start; NULL: it is there already */
};

/* What is kept as being there must be there at every start; another image may have been without. */
static void keep_file(struct json *frozen, const char *fact, bool there)
{
    json_del(frozen, fact);
    if (there)
        json_set_bool(frozen, fact, true);
}

static int create_disk(const struct driver_ctx *ctx, const struct image_result *image,
                       struct json *facts, struct err *err)
{
    _cleanup_(diags_release) struct diags notes = DIAGS_INIT;
    _cleanup_qemu_facts_ struct qemu_facts f = QEMU_FACTS_INIT;
    uint64_t minimum = 0;
    int made;

    if (qemu_gather_binary(ctx, &f, err) < 0 ||
        qemu_gather_firmware(ctx, &f, &notes, err) < 0)
        return -1;
    for (size_t i = 0; i < notes.n; i++)
        log_diag(&notes.v[i]);
    made = qemu_disk_create(ctx->inst, &image->info, config_disk_bytes(ctx->cfg), &minimum, err);
    if (made < 0)
        return -1;
    if (made) {
        json_set_str(f.frozen, "diskFormat", "qcow2");
        json_del(f.frozen, "diskMinimum");
        if (minimum)
            json_set_int(f.frozen, "diskMinimum", (int64_t)minimum);
        qemu_keep_disk_asked(ctx, &f);
    }
    keep_file(f.frozen, "kernel", image->has_kernel);
    keep_file(f.frozen, "initrd", image->has_initrd);
    json_set(facts, "qemu", TAKE_PTR(f.frozen));
    return 0;
}

static int check_disk(const struct driver_ctx *ctx, struct err *err)
{
    _cleanup_qemu_facts_ struct qemu_facts f = QEMU_FACTS_INIT;
    _cleanup_free_ char *disk = qemu_disk_path(ctx->inst);

    if (!path_exists(disk))
        return 0;
    return qemu_gather_disk(ctx, &f, err) < 0 ? -1 : qemu_plan_check_disk(&f.in, err);
}

static int plan(const struct driver_ctx *ctx, struct driver_plan **ret, struct diags *notes,
                struct err *err)
{
    _cleanup_qemu_facts_ struct qemu_facts f = QEMU_FACTS_INIT;
    _cleanup_close_ int port_fd = -1;
    struct qemu_plan *p;

    if (qemu_gather(ctx, &f, notes, err) < 0)
        return -1;
    if (!ctx->cfg->ssh.local_port && (port_fd = tcp_reserve_port(&f.in.ssh_port, err)) < 0)
        return -1;
    if (qemu_plan_build(&f.in, &p, notes, err) < 0)
        return -1;
    qemu_keep_disk_asked(ctx, &f);
    *ret = xcalloc(1, sizeof(**ret));
    (*ret)->port_fd = TAKE_FD(port_fd);
    (*ret)->qemu = p;
    if (f.frozen_changed)
        (*ret)->frozen = TAKE_PTR(f.frozen);
    return 0;
}

static char *plan_text(const struct driver_plan *p)
{
    return strv_to_shell(&p->qemu->argv);
}

static void plan_free(struct driver_plan *p)
{
    if (!p)
        return;
    qemu_plan_free(p->qemu);
    json_free(p->frozen);
    if (p->port_fd >= 0)
        close(p->port_fd);
    free(p);
}

/* What was chosen now is what later starts find (an instance that Lima made has nothing kept). */
static int keep(const struct driver_ctx *ctx, const struct json *frozen, struct err *err)
{
    _cleanup_json_ struct json *all = instance_facts_read(ctx->inst, err);

    if (!all)
        return -1;
    json_set(all, "qemu", json_copy(frozen));
    return instance_facts_write(ctx->inst, all, err);
}

static int start(const struct driver_ctx *ctx, const struct driver_plan *p, struct loop *loop,
                 const struct vm_callbacks *cb, void *arg, struct vm **ret, struct err *err)
{
    if (p->frozen && keep(ctx, p->frozen, err) < 0)
        return -1;
    return qemu_start(ctx, p->qemu, p->port_fd, loop, cb, arg, ret, err);
}

static int adopt(const struct driver_ctx *ctx, struct loop *loop, const struct vm_callbacks *cb,
                 void *arg, struct vm **ret, struct err *err)
{
    return qemu_adopt(ctx, loop, cb, arg, ret, err);
}

const struct driver qemu_driver = {
    .name = "qemu",
    .create_disk = create_disk,
    .check_disk = check_disk,
    .plan = plan,
    .plan_text = plan_text,
    .plan_free = plan_free,
    .start = start,
    .adopt = adopt,
    .shutdown = qemu_vm_shutdown,
    .kill = qemu_vm_kill,
    .pid = qemu_vm_pid,
    .vm_free = qemu_vm_free,
    .sweep = qemu_sweep,
    .tools = &qemu_tools,
};
