/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/vm.h"
#include "base/log.h"
#include "base/mem.h"
#include "driver/qemu/follow.h"
#include "driver/qemu/helper.h"
#include "driver/qemu/vm_internal.h"
#include "driver/qemu/vnc.h"
#include "qemu/launch.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include "sys/proc.h"
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#define GREETING_MS        60000
#define POWERDOWN_FIRST_MS 5000
#define POWERDOWN_AGAIN_MS 15000
#define POWERDOWN_MS       180000
#define QUIT_MS            5000
#define LAST_WORDS_MAX     4096

/* ---- life ------------------------------------------------------------------------------------ */

static void destroy(struct vm *vm)
{
    struct loop_source **sources[] = {&vm->end, &vm->monitor, &vm->deadline, &vm->timer,
                                      &vm->repeat};

    for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
        *sources[i] = loop_source_free(*sources[i]);
    cima_qmp_free(vm->qmp);
    vm_load_release(vm);
    vm_extra_release(vm);
    qemu_helpers_free(vm->helpers);
    follow_free(vm->words);
    if (vm->pidfd >= 0)
        close(vm->pidfd);
    if (vm->port_fd >= 0)
        close(vm->port_fd);
    instance_release(&vm->inst);
    err_clear(&vm->failure);
    free(vm);
}

void qemu_vm_free(struct vm *vm)
{
    if (!vm)
        return;
    if (vm->busy)
        vm->freed = true; /* by whoever is on the stack */
    else
        destroy(vm);
}

void vm_enter(struct vm *vm)
{
    vm->busy++;
}

void vm_leave(struct vm *vm)
{
    if (--vm->busy == 0 && vm->freed)
        destroy(vm);
}

pid_t qemu_vm_pid(const struct vm *vm)
{
    return vm->pid;
}

void qemu_vm_set_limits(struct vm *vm, const struct qemu_vm_limits *limits)
{
    vm->limits = *limits;
    if (vm->qmp && cima_qmp_state(vm->qmp) != CIMA_QMP_READY)
        cima_qmp_set_step(vm->qmp, limits->greeting, monotonic_ms());
}

/* ---- the end --------------------------------------------------------------------------------- */

static void remove_files(const struct vm *vm)
{
    static const enum inst_file files[] = {INST_QEMU_PID,     INST_QMP_SOCK,     INST_SERIAL_SOCK,
                                           INST_SERIALP_SOCK, INST_SERIALV_SOCK};
    _cleanup_free_ char *pidfile = instance_path(&vm->inst, INST_QEMU_PID);

    if (lock_posix_holder(pidfile) > 0)
        return; /* another one has started meanwhile */
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        _cleanup_free_ char *path = instance_path(&vm->inst, files[i]);

        unlink(path);
    }
    vnc_remove_files(&vm->inst);
}

/* QEMU's last words, and the field of the YAML that they come from. */
static const char *death_hint(const char *last_words)
{
    static const struct {
        const char *words, *hint;
    } known[] = {
        {"Could not set up host forwarding rule",
         "the port is in use: change ssh.localPort, or 0 for a free one"},
        {"failed to initialize kvm", "set CIMA_QEMU_ACCEL=tcg to run without KVM"},
        {"failed to set MSR", "KVM does not work on this machine: set CIMA_QEMU_ACCEL=tcg"},
        {"Cannot allocate memory", "lower `memory` in the instance's YAML"},
        {"cannot set up guest memory", "lower `memory` in the instance's YAML"},
        {"-display vnc=",
         "see `video.vnc.display`: an address and a number, such as 127.0.0.1:0,to=9"},
        {"invalid option", "this QEMU does not know an option: is it the right version, and is "
                           "`vmOpts.qemu.extraArgs` as it should be?"},
        {"not a valid device model name",
         "install the missing part of QEMU, or another version; or see `vmOpts.qemu.extraArgs`"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strstr(last_words, known[i].words))
            return known[i].hint;
    return qemu_death_hint(last_words);
}

/* Why it ended, in an error with its last words; left empty when the end is in order. */
static void explain_end(struct vm *vm, int status, struct err *err)
{
    _cleanup_free_ char *log = instance_path(&vm->inst, INST_QEMU_LOG), *words = NULL, *how = NULL;
    bool early = vm->state == VM_STARTING;
    bool killed = status == -1 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

    /* When it ended by itself although we had given it up, its own reason is the better one. */
    if (err_is_set(&vm->failure) && killed) {
        err_move(err, &vm->failure);
    } else if (vm->forced) {
        err_set(err, ERR_GUEST,
                "the guest did not power itself off, the machine was ended by force");
        err_hint(err, "what it did not write to its disk is lost");
        return;
    } else if (vm->asked || (killed && status == -1 && vm->guest_shutdown) ||
               (status == 0 && (vm->guest_shutdown || !early))) {
        return;
    } else {
        how = status == -1 ? xstrdup("has ended unexpectedly") : wait_status_text(status);
        err_set(err, ERR_QEMU, early ? "QEMU %s before the machine ran" : "QEMU %s", how);
    }
    words = qemu_log_tail(log, vm->log_offset, LAST_WORDS_MAX);
    if (*words) {
        err_detail(err, words);
        if (death_hint(words) && !err->hint)
            err_hint(err, "%s", death_hint(words));
    }
    if (!err->hint)
        err_hint(err, "see '%s'", log);
}

/* S1-53, S1-56 */
static void log_exit(const struct vm *vm, int status)
{
    _cleanup_free_ char *how = status > 0 ? wait_status_text(status) : NULL;

    if (!vm->asked)
        return; /* whoever did not ask for it will tell the user */
    if (vm->state == VM_KILL && !vm->ended_before_kill)
        log_info("QEMU has exited, after killing forcibly");
    else
        log_info("QEMU has exited%s%s", how ? ": it " : "", how ? how : "");
}

static void gone(struct vm *vm, int status)
{
    _cleanup_err_ struct err err = ERR_INIT;

    vm_enter(vm);
    if (vm->qmp)
        vm_pump(vm); /* what it said last: was it the guest's wish? */
    if (!vm->freed) {
        explain_end(vm, status, &err);
        log_exit(vm, status);
        vm->state = VM_GONE;
        vm->monitor = loop_source_free(vm->monitor);
        vm->deadline = loop_source_free(vm->deadline);
        vm->timer = loop_source_free(vm->timer);
        vm->repeat = loop_source_free(vm->repeat);
        cima_qmp_free(vm->qmp);
        vm->qmp = NULL;
        vm_extra_gone(vm);
        qemu_helpers_end(vm->helpers);
        vm->words = (follow_free(vm->words), NULL);
        remove_files(vm);
        if (vm->cb.exited)
            vm->cb.exited(vm->arg, status, err_is_set(&err) ? &err : NULL);
    }
    vm_leave(vm);
}

static void on_child_end(void *arg, int wait_status)
{
    gone(arg, wait_status);
}

static void on_stranger_end(void *arg)
{
    gone(arg, -1);
}

bool vm_has_ended(const struct vm *vm)
{
    return pidfd_wait(vm->pidfd, 0) > 0;
}

static void do_kill(struct vm *vm)
{
    if (vm->state == VM_GONE)
        return;
    vm->ended_before_kill = vm_has_ended(vm);
    if (vm->ended_before_kill)
        log_info("QEMU has already exited");
    vm->state = VM_KILL;
    vm->timer = loop_source_free(vm->timer);
    vm->repeat = loop_source_free(vm->repeat);
    if (pidfd_signal(vm->pidfd, SIGKILL) < 0 && errno != ESRCH)
        log_warn("failed to kill QEMU: %s", strerror(errno));
}

void qemu_vm_kill(struct vm *vm)
{
    vm->asked = true;
    do_kill(vm);
}

void vm_fail(struct vm *vm, const struct err *why)
{
    if (vm->asked || vm->state == VM_GONE || err_is_set(&vm->failure))
        return;
    err_copy(&vm->failure, why);
    if (pidfd_signal(vm->pidfd, SIGKILL) < 0 && errno != ESRCH)
        log_warn("failed to kill QEMU: %s", strerror(errno));
}

void vm_force(struct vm *vm)
{
    vm->forced = !vm->guest_shutdown && !vm_has_ended(vm);
    do_kill(vm);
}

/* ---- ending it in order ---------------------------------------------------------------------- */

static void on_kill_time(void *arg)
{
    struct vm *vm = arg;

    log_warn("QEMU did not follow `quit`, forcibly killing QEMU");
    do_kill(vm);
}

static void on_powerdown_limit(void *arg)
{
    struct vm *vm = arg;
    struct cima_qmp_call quit = {.command = "quit"};

    if (vm_has_ended(vm)) {
        log_info("QEMU has already exited"); /* S1-54: its end is in the loop */
        return;
    }
    log_warn("QEMU did not exit in %dm%ds, forcibly killing QEMU", vm->limits.powerdown / 60000,
             vm->limits.powerdown / 1000 % 60);
    vm->repeat = loop_source_free(vm->repeat);
    vm->forced = !vm->guest_shutdown;
    if (!vm->qmp || cima_qmp_state(vm->qmp) != CIMA_QMP_READY) {
        do_kill(vm);
        return;
    }
    vm->state = VM_QUIT;
    vm_enter(vm);
    cima_qmp_send(vm->qmp, &quit, monotonic_ms());
    vm_pump(vm);
    if (!vm->freed && vm->state == VM_QUIT) {
        loop_source_free(vm->timer);
        vm->timer = loop_add_timer(vm->loop, vm->limits.quit, on_kill_time, vm);
    }
    vm_leave(vm);
}

static void on_powerdown_sent(void *arg, const struct json *ret, const struct err *err)
{
    struct vm *vm = arg;
    _cleanup_free_ char *sock = NULL;

    (void)ret;
    if (!err || vm->state != VM_POWERDOWN || vm->reconnects || vm_has_ended(vm))
        return; /* of a second connection: the end of it says why */
    if (err->kind == ERR_TIMEOUT) {
        log_debug("%s", err->msg); /* the button is pressed again, and there is the limit */
        return;
    }
    sock = instance_path(&vm->inst, INST_QMP_SOCK);
    log_warn("failed to send system_powerdown command via the QMP socket '%s', forcibly killing "
             "QEMU: %s",
             sock, err->msg);
    vm_force(vm);
}

static void press_button(struct vm *vm)
{
    struct cima_qmp_call call = {.command = "system_powerdown",
                            .timeout_ms = VM_MONITOR_MS,
                            .done = on_powerdown_sent,
                            .arg = vm};

    log_info("Sending QMP system_powerdown command");
    vm_enter(vm);
    cima_qmp_send(vm->qmp, &call, monotonic_ms());
    vm_pump(vm);
    vm_leave(vm);
}

/* A guest that was still booting did not see the first one. */
static void on_press_again(void *arg)
{
    struct vm *vm = arg;

    if (vm->state != VM_POWERDOWN || !vm->qmp)
        return;
    if (!vm->guest_shutdown)
        press_button(vm);
    if (vm->state == VM_POWERDOWN)
        loop_timer_restart(vm->repeat, vm->limits.powerdown_again);
}

void vm_power_down(struct vm *vm)
{
    loop_source_free(vm->repeat);
    vm->repeat = loop_add_timer(vm->loop, vm->limits.powerdown_first, on_press_again, vm);
    press_button(vm);
}

void qemu_vm_shutdown(struct vm *vm)
{
    if (vm->state == VM_GONE)
        log_info("QEMU wait channel was closed: QEMU has already exited"); /* S1-52 */
    if (vm->state != VM_STARTING && vm->state != VM_UP)
        return;
    log_info("Shutting down QEMU with the power button");
    vm->asked = true;
    vm_extra_shutdown(vm);
    vm->state = VM_POWERDOWN;
    loop_source_free(vm->timer);
    vm->timer = loop_add_timer(vm->loop, vm->limits.powerdown, on_powerdown_limit, vm);
    if (vm_monitor_lost(vm))
        vm_reconnect(vm);
    else
        vm_power_down(vm);
}

/* ---- the beginning --------------------------------------------------------------------------- */

static void on_helper_lost(void *arg, const struct err *why)
{
    struct vm *vm = arg;

    if (vm->asked || vm_has_ended(vm))
        return; /* it went with its machine */
    vm_enter(vm);
    if (vm->cb.degraded)
        vm->cb.degraded(vm->arg, why);
    vm_leave(vm);
}

static struct vm *make(const struct vm_start *s)
{
    struct vm *vm = xcalloc(1, sizeof(*vm));
    bool ours = s->child.pid > 0;

    vm->inst = (struct instance){.name = xstrdup(s->inst->name), .dir = xstrdup(s->inst->dir)};
    vm->loop = s->loop;
    vm->cb = *s->cb;
    vm->arg = s->arg;
    vm->child = s->child;
    vm->pid = ours ? s->child.pid : s->pid;
    vm->pidfd = ours ? pidfd_open_(s->child.pid) : s->pidfd;
    vm->helpers = s->helpers;
    vm->extra.o = s->extra;
    vm->log_offset = s->log_offset;
    vm->ssh_port = s->ssh_port;
    vm->port_fd = s->port_fd;
    vm->limits = (struct qemu_vm_limits){.greeting = GREETING_MS,
                                         .powerdown_first = POWERDOWN_FIRST_MS,
                                         .powerdown_again = POWERDOWN_AGAIN_MS,
                                         .powerdown = POWERDOWN_MS,
                                         .quit = QUIT_MS};
    return vm;
}

struct vm *qemu_vm_new(const struct vm_start *s, struct err *err)
{
    struct vm *vm = make(s);
    _cleanup_free_ char *log = instance_path(&vm->inst, INST_QEMU_LOG);
    _cleanup_err_ struct err lost = ERR_INIT;

    if (s->child.pid > 0) {
        vm->end = loop_add_child(vm->loop, &vm->child, on_child_end, vm);
        vm->words = follow_new(vm->loop, log, vm->log_offset, "qemu[stderr]");
        if (vm_connect_monitor(vm, &lost) < 0)
            vm_fail(vm, &lost);
    } else {
        if (vm_adopt_monitor(vm, err) < 0) {
            destroy(vm);
            return NULL;
        }
        vm->end = loop_add_pidfd(vm->loop, vm->pidfd, on_stranger_end, vm);
    }
    if (vm->helpers)
        qemu_helpers_watch(vm->helpers, vm->loop, on_helper_lost, vm);
    if (vm->qmp)
        vm_watch_monitor(vm);
    /* The first step from the loop: callbacks never come out of start() itself. */
    vm_wake(vm);
    return vm;
}
