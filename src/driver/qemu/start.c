/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/start.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "driver/qemu/disk.h"
#include "driver/qemu/helper.h"
#include "driver/qemu/usernet.h"
#include "driver/qemu/vnc.h"
#include "driver/qemu/windows.h"
#include "qemu/launch.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include "sys/proc.h"
#include "sys/sock.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>

#define CONNECT_MS 5000
#define BIRTH_MS   20000
#define LOG_MAX    (4 << 20)

/* ---- steps ----------------------------------------------------------------------------------- */

static int do_step(const struct qemu_step *s, struct err *err)
{
    switch (s->kind) {
    case QEMU_STEP_MKDIR:
        return dir_make(s->path, (mode_t)s->mode, err);
    case QEMU_STEP_REMOVE:
        if (unlink(s->path) < 0 && errno != ENOENT)
            return err_set_errno(err, ERR_IO, "removing '%s' failed", s->path);
        return 0;
    case QEMU_STEP_VARS:
        return qemu_disk_copy_vars(s->from, s->format, s->path, err);
    case QEMU_STEP_LINK:
        if (symlink(s->from, s->path) < 0 && errno != EEXIST)
            return err_set_errno(err, ERR_IO, "linking '%s' to '%s' failed", s->path, s->from);
        return 0;
    case QEMU_STEP_GROW:
        return qemu_disk_grow(s->path, s->format, s->size, err);
    }
    return 0;
}

struct running {
    struct qemu_helpers *helpers;
    int *fds; /* parallel to the plan's; -1: none */
    size_t n_fds;
    int log_fd;
    int lock_fd; /* qemu.lock */
};

/* ---- sockets --------------------------------------------------------------------------------- */

static int open_socket(const struct qemu_plan_fd *f, struct err *err)
{
    int fd;

    if (f->listen)
        return unix_listen(f->path, 1, err);
    fd = unix_connect(f->path, CONNECT_MS, err);
    if (fd < 0) {
        err_wrap(err, "field `%s`", f->field);
        return err_hint(err, "start the program that listens there first, or take `%s` out",
                        f->field);
    }
    fd_set_nonblock(fd, false);
    return fd;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Closes what QEMU has inherited; after a failure also ends the helpers. */
static void let_go(struct running *r, bool failed)
{
    for (size_t i = 0; i < r->n_fds; i++)
        if (r->fds[i] >= 0)
            close(r->fds[i]);
    if (failed) {
        qemu_helpers_end(r->helpers);
        qemu_helpers_free(r->helpers);
    }
    if (r->log_fd >= 0)
        close(r->log_fd);
    if (r->lock_fd >= 0)
        close(r->lock_fd);
    free(r->fds);
}

static int open_log(const struct instance *inst, int64_t *ret_offset, struct err *err)
{
    _cleanup_free_ char *path = instance_path(inst, INST_QEMU_LOG);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    off_t end;

    if (fd < 0)
        return err_set_errno(err, ERR_IO, "opening '%s' failed", path);
    end = lseek(fd, 0, SEEK_END);
    if (end > LOG_MAX && ftruncate(fd, 0) == 0)
        end = 0;
    *ret_offset = end > 0 ? end : 0;
    return fd;
}

static int not_alone(const struct instance *inst, pid_t pid, struct err *err)
{
    return err_set(err, ERR_STATE, "QEMU of '%s' is running already (pid %d)", inst->name,
                   (int)pid);
}

/* Before anything of a machine that runs is touched. The lock is for QEMU, which inherits it: from
 * its birth on nobody else can be started, even if we are killed before it has locked its pid file.
 * Helpers do not get it. */
static int lock_machine(const struct instance *inst, struct err *err)
{
    _cleanup_free_ char *path = instance_path(inst, INST_QEMU_LOCK);
    _cleanup_free_ char *pidfile = instance_path(inst, INST_QEMU_PID);
    int64_t until = deadline_in(BIRTH_MS);

    for (;;) {
        pid_t pid = lock_posix_holder(pidfile);
        _cleanup_err_ struct err why = ERR_INIT;

        if (pid > 0)
            return not_alone(inst, pid, err);
        int fd = lock_take(path, 0, &why);
        if (fd < 0 && why.kind == ERR_BUSY && deadline_left(until) > 0)
            continue; /* one that is being born, or that has just ended */
        if (fd < 0 && why.kind == ERR_BUSY) {
            /* Not QEMU, which would hold its pid file too: a process that it has left behind. */
            err_set(err, ERR_BUSY, "a process that an earlier machine of '%s' has left behind "
                                   "still holds '%s'", inst->name, path);
            return err_hint(err, "`fuser -v %s` shows which; end it and start again", path);
        }
        if (fd < 0)
            return err_move(err, &why);
        /* One that is not of ours holds the lock of its pid file alone. */
        pid = lock_posix_holder(pidfile);
        if (pid <= 0)
            return fd;
        close(fd);
        return not_alone(inst, pid, err);
    }
}

static int prepare(const struct driver_ctx *ctx, const struct qemu_plan *plan, bool vnc,
                   struct running *r, struct err *err)
{
    /* Its daemon is asked first: without it QEMU would have nothing to connect to. */
    _cleanup_(usernet_target_freep) struct usernet_target *usernet = usernet_target_of(ctx, 0);

    if (usernet && usernet_target_check(usernet, err) < 0)
        return -1;
    for (size_t i = 0; i < plan->n_steps; i++)
        if (do_step(&plan->steps[i], err) < 0)
            return -1;
    if ((vnc && vnc_make_password(ctx->inst, err) < 0) ||
        qemu_helpers_start(ctx->inst, plan->helpers, plan->n_helpers, &r->helpers, err) < 0)
        return -1;
    for (; r->n_fds < plan->n_fds; r->n_fds++) {
        r->fds[r->n_fds] = open_socket(&plan->fds[r->n_fds], err);
        if (r->fds[r->n_fds] < 0)
            return -1;
    }
    return 0;
}

/* What the machine has beside itself, out of its configuration. */
static struct vm_extra_options extra_of(const struct driver_ctx *ctx, uint16_t ssh_port)
{
    struct vm_extra_options o = {
        .usernet = usernet_target_of(ctx, ssh_port),
        .vnc = streq0(ctx->cfg->video.display, "vnc"),
        .press_enter = windows_wants_key(ctx->inst, ctx->cfg),
    };

    for (unsigned i = 0; i < ctx->cfg->additional_disks_count; i++) {
        _cleanup_free_ char *dir = store_disk_dir(ctx->store, ctx->cfg->additional_disks[i].name);

        strv_push_consume(&o.disk_locks, path_join(dir, "in_use_by"));
    }
    return o;
}

static void extra_release(struct vm_extra_options *o)
{
    usernet_target_free(o->usernet);
    strv_release(&o->disk_locks);
}

/* Does the command line say where QEMU finds the password of its display (B-VNC)? */
static bool reads_password(const struct strv *argv)
{
    for (size_t i = 0; i < argv->n; i++)
        if (strstr(argv->v[i], "password-secret="))
            return true;
    return false;
}

static int launch(const struct instance *inst, const struct qemu_plan *plan,
                  const struct running *r, struct child *ret, struct err *err)
{
    _cleanup_free_ int *fds = xcalloc(plan->n_fds + 1, sizeof(*fds));
    const struct cima_launch l = {.program = plan->argv.v[0],
                                  .argv = (const char *const *)plan->argv.v + 1,
                                  .fds = fds,
                                  .n_fds = plan->n_fds + 1,
                                  .cwd = inst->dir,
                                  .stdout_to = CIMA_OUTPUT_FD,
                                  .stderr_to = CIMA_OUTPUT_FD,
                                  .stdout_fd = r->log_fd,
                                  .stderr_fd = r->log_fd,
                                  .flags = plan->desktop ? CIMA_LAUNCH_DESKTOP : 0};
    _cleanup_free_ char *line = strv_to_shell(&plan->argv);

    for (size_t i = 0; i < plan->n_fds; i++) {
        assert(plan->fds[i].fd == (int)i + CIMA_LAUNCH_FIRST_FD); /* as the plan counts them */
        fds[i] = r->fds[i];
    }
    fds[plan->n_fds] = r->lock_fd;
    log_info("Starting QEMU (hint: to watch the boot progress, see \"%s/serial*.log\")", inst->dir);
    log_debug("QEMU: %s", line);
    return qemu_launch_child(&l, -1, ret, err);
}

int qemu_start(const struct driver_ctx *ctx, const struct qemu_plan *plan, int port_fd,
               struct loop *loop, const struct vm_callbacks *cb, void *arg, struct vm **ret,
               struct err *err)
{
    const struct instance *inst = ctx->inst;
    struct vm_start s = {.inst = inst,
                         .loop = loop,
                         .cb = cb,
                         .arg = arg,
                         .child = CHILD_INIT,
                         .pidfd = -1,
                         .port_fd = -1,
                         .ssh_port = plan->ssh_port,
                         .extra = extra_of(ctx, plan->ssh_port)};
    struct running r = {.fds = xcalloc(plan->n_fds + 1, sizeof(*r.fds)),
                        .log_fd = -1,
                        .lock_fd = lock_machine(inst, err)};
    bool failed = r.lock_fd < 0;

    if (!failed) {
        r.log_fd = open_log(inst, &s.log_offset, err);
        failed = r.log_fd < 0 || prepare(ctx, plan, s.extra.vnc, &r, err) < 0 ||
                 launch(inst, plan, &r, &s.child, err) < 0;
        if (failed)
            err_wrap(err, "starting QEMU");
    }
    let_go(&r, failed);
    if (failed) {
        if (r.lock_fd >= 0) { /* else they are those of another machine */
            qemu_unlock_disks(inst, &s.extra.disk_locks);
            vnc_remove_files(inst);
        }
        extra_release(&s.extra);
        return -1;
    }
    s.helpers = r.helpers;
    s.extra.vnc_by_command = s.extra.vnc && !reads_password(&plan->argv);
    s.port_fd = port_fd >= 0 ? fcntl(port_fd, F_DUPFD_CLOEXEC, 3) : -1;
    *ret = qemu_vm_new(&s, err);
    return 0;
}

int qemu_adopt(const struct driver_ctx *ctx, struct loop *loop, const struct vm_callbacks *cb,
               void *arg, struct vm **ret, struct err *err)
{
    const struct instance *inst = ctx->inst;
    uint16_t ssh_port = (uint16_t)ctx->cfg->ssh.local_port;
    _cleanup_free_ char *pidfile = instance_path(inst, INST_QEMU_PID);
    pid_t pid = lock_posix_holder(pidfile);
    struct vm_start s = {.inst = inst,
                         .loop = loop,
                         .cb = cb,
                         .arg = arg,
                         .child = CHILD_INIT,
                         .pid = pid,
                         .pidfd = -1,
                         .port_fd = -1,
                         .ssh_port = ssh_port,
                         .log_offset = INT64_MAX};
    struct vm *vm;

    if (pid <= 0)
        return err_set(err, ERR_STATE, "no QEMU of '%s' is running", inst->name);
    s.pidfd = pidfd_open_(pid);
    /* Still the holder now: so the descriptor is that process. */
    if (s.pidfd < 0 || lock_posix_holder(pidfile) != pid) {
        if (s.pidfd >= 0)
            close(s.pidfd);
        return err_set(err, ERR_STATE, "QEMU of '%s' ended while it was looked at", inst->name);
    }
    s.helpers = qemu_helpers_adopt(inst);
    s.extra = extra_of(ctx, ssh_port);
    s.extra.press_enter = false;
    vm = qemu_vm_new(&s, err);
    if (!vm)
        return err_wrap(err, "taking over the running QEMU of '%s'", inst->name);
    *ret = vm;
    return 0;
}

void qemu_sweep(const struct instance *inst)
{
    _cleanup_free_ char *pidfile = instance_path(inst, INST_QEMU_PID);

    if (lock_posix_holder(pidfile) > 0)
        return;
    qemu_helpers_sweep(inst);
    vnc_remove_files(inst);
}
