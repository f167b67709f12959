/* SPDX-License-Identifier: Apache-2.0 */
/* What runs along with a machine: its VNC display, its place in a user-v2 network, and the key that
 * an installation of Windows waits for. */
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "driver/qemu/usernet.h"
#include "driver/qemu/vm_internal.h"
#include "driver/qemu/vnc.h"
#include "driver/qemu/windows.h"
#include "sys/clock.h"
#include <errno.h>
#include <limits.h>

/* S1-H3: the firmware shows its words for some five seconds, some seconds after the start. */
enum { KEY_MS = 1000, KEY_PRESSES = 30 };

/* ---- VNC ------------------------------------------------------------------------------------- */

/* Nobody can look at the machine, which goes on; unless it is on its way out. Consumes err. */
static void vnc_failed(struct vm *vm, struct err *err)
{
    if (vm->asked || vm_has_ended(vm)) {
        err_clear(err);
        return;
    }
    err_wrap(err, "the VNC display");
    if (!err->hint)
        err_hint(err, "restart the instance, or set `video.display: none`");
    if (vm->cb.degraded)
        vm->cb.degraded(vm->arg, err);
    err_clear(err);
}

static void on_vnc(void *arg, const struct json *ret, const struct err *refused)
{
    _cleanup_free_ char *display = NULL, *service = NULL, *password = NULL;
    _cleanup_err_ struct err err = ERR_INIT;
    struct vm *vm = arg;

    if (refused)
        err_copy(&err, refused);
    if (refused || vnc_display_of(ret, &display, &service, &err) < 0 ||
        vnc_write_display(&vm->inst, display, &err) < 0) {
        vnc_failed(vm, &err);
        return;
    }
    password = instance_path(&vm->inst, INST_VNC_PASSWORD);
    if (service)
        log_info("VNC server running at %s <vnc://%.*s:%s>", display,
                 (int)(strrchr(display, ':') - display), display, service);
    else
        log_info("VNC server running at %s", display);
    log_info("VNC Display: %s", display);
    log_info("VNC Password: in '%s'", password);
}

static void on_vnc_password(void *arg, const struct json *ret, const struct err *refused)
{
    _cleanup_err_ struct err err = ERR_INIT;

    (void)ret;
    if (!refused)
        return;
    err_copy(&err, refused);
    vnc_failed(arg, &err);
}

/* S1-43: for a QEMU that can't read it from a file. Until then nobody gets in. */
static void tell_password(struct vm *vm)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *password = vnc_read_password(&vm->inst, &err);
    struct cima_qmp_call call = {
        .command = "change-vnc-password", .done = on_vnc_password, .arg = vm};

    if (!password) {
        vnc_failed(vm, &err);
        return;
    }
    call.args = json_object_new();
    json_set_str(call.args, "password", password);
    cima_qmp_send(vm->qmp, &call, monotonic_ms());
}

void vm_extra_ready(struct vm *vm)
{
    struct cima_qmp_call query = {.command = "query-vnc", .done = on_vnc, .arg = vm};

    if (!vm->extra.o.vnc)
        return;
    if (vm->extra.o.vnc_by_command)
        tell_password(vm);
    cima_qmp_send(vm->qmp, &query, monotonic_ms());
}

/* ---- Windows --------------------------------------------------------------------------------- */

static void stop_pressing(struct vm *vm)
{
    vm->extra.keys = loop_source_free(vm->extra.keys);
}

static void on_key_time(void *arg)
{
    struct vm *vm = arg;
    struct cima_qmp_call call = {.command = "send-key"};

    if (!vm->qmp || vm->extra.presses++ >= KEY_PRESSES) {
        stop_pressing(vm);
        return;
    }
    call.args = windows_enter_key();
    qemu_vm_send(vm, &call);
    loop_timer_restart(vm->extra.keys, KEY_MS);
}

/* The installation boots from the CD once: later starts must not. */
static void press_enter(struct vm *vm)
{
    _cleanup_err_ struct err err = ERR_INIT;

    log_info("Pressing Enter for \"Press any key to boot from CD or DVD\"");
    if (windows_mark_installation(&vm->inst, &err) < 0)
        log_warn("%s, ignoring: the next start presses the key again", err.msg);
    vm->extra.keys = loop_add_timer(vm->loop, 0, on_key_time, vm);
}

/* ---- the user-v2 network --------------------------------------------------------------------- */

/* S1-41: an error ends the machine, which nobody could reach. */
static void on_usernet(void *arg, const char *address, const struct err *err)
{
    struct vm *vm = arg;

    if (!err) {
        log_debug("the guest is %s in its network", address);
        return;
    }
    vm_enter(vm);
    vm_fail(vm, err);
    vm_leave(vm);
}

void vm_extra_up(struct vm *vm)
{
    struct usernet_target *t = vm->extra.o.usernet;

    if (t) {
        vm->extra.o.usernet = NULL;
        t->ssh_port = vm->ssh_port;
        vm->extra.usernet = usernet_new(t, vm->loop, on_usernet, vm);
    }
    if (vm->extra.o.press_enter)
        press_enter(vm);
}

/* ---- data disks ------------------------------------------------------------------------------ */

/* They are free for other machines now. A link that names another instance is not ours. */
void qemu_unlock_disks(const struct instance *inst, const struct strv *locks)
{
    char owner[PATH_MAX];

    for (size_t i = 0; i < locks->n; i++) {
        const char *lock = locks->v[i];
        ssize_t n = readlink(lock, owner, sizeof(owner) - 1);

        owner[n > 0 ? n : 0] = '\0';
        if (streq(owner, inst->dir) && unlink(lock) < 0)
            log_warn("unlocking a disk: removing '%s' failed: %s", lock, strerror(errno));
    }
}

/* ---- the rest of its life -------------------------------------------------------------------- */

void vm_extra_event(struct vm *vm, enum vm_event ev)
{
    if (ev == VM_EVENT_RESET)
        stop_pressing(vm); /* it has booted, and boots from its disk now */
}

void vm_extra_shutdown(struct vm *vm)
{
    stop_pressing(vm);
    if (vm->extra.usernet)
        usernet_unexpose(vm->extra.usernet);
}

void vm_extra_gone(struct vm *vm)
{
    stop_pressing(vm);
    if (vm->extra.usernet)
        usernet_end(vm->extra.usernet);
    qemu_unlock_disks(&vm->inst, &vm->extra.o.disk_locks);
}

void vm_extra_release(struct vm *vm)
{
    stop_pressing(vm);
    usernet_free(vm->extra.usernet);
    usernet_target_free(vm->extra.o.usernet);
    strv_release(&vm->extra.o.disk_locks);
}
