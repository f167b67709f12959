/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor of a machine: connecting, coming up, events, commands of others. */
#include "base/log.h"
#include "base/mem.h"
#include "driver/qemu/vm_internal.h"
#include "qemu/qmp_message.h"
#include "sys/clock.h"
#include "sys/sock.h"
#include <poll.h>

#define LOST_MONITOR_MS 2000
#define RETRY_MS        100
#define GUEST_SSH_PORT  22

/* ---- the monitor ----------------------------------------------------------------------------- */

static const struct cima_qmp_handlers handlers;

int vm_connect_monitor(struct vm *vm, struct err *err)
{
    _cleanup_free_ char *sock = instance_path(&vm->inst, INST_QMP_SOCK);
    int fd = unix_connect(sock, VM_MONITOR_MS, err);

    if (fd < 0)
        return err_wrap(err, "opening QEMU's monitor");
    vm->qmp = cima_qmp_new(fd, &handlers, vm, vm->limits.greeting, monotonic_ms());
    return 0;
}

int vm_adopt_monitor(struct vm *vm, struct err *err)
{
    if (vm_connect_monitor(vm, err) < 0)
        return -1;
    vm_enter(vm);
    if (cima_qmp_wait_ready(vm->qmp, VM_MONITOR_MS, err) < 0) {
        vm->busy--;
        return err_wrap(err, "QEMU's monitor");
    }
    vm->busy--;
    return 0;
}

/* S1-49, S1-50: is nobody there, or does nobody answer? */
static void give_up(struct vm *vm, const char *what, const struct err *why)
{
    _cleanup_free_ char *sock = instance_path(&vm->inst, INST_QMP_SOCK);

    log_warn("failed to %s the QMP socket '%s', forcibly killing QEMU: %s", what, sock, why->msg);
    vm_force(vm);
}

/* Nothing tells when there is room in the queue of a socket: it is tried again. */
static void on_reconnect(void *arg)
{
    struct vm *vm = arg;
    _cleanup_free_ char *sock = instance_path(&vm->inst, INST_QMP_SOCK);
    _cleanup_err_ struct err err = ERR_INIT;
    int fd = unix_connect(sock, /* timeout_ms= */ 0, &err);

    if (fd >= 0) {
        vm->reconnects = true;
        vm->qmp = cima_qmp_new(fd, &handlers, vm, VM_MONITOR_MS, monotonic_ms());
        vm_watch_monitor(vm);
        vm_power_down(vm);
    } else if (err.kind == ERR_TIMEOUT && monotonic_ms() < vm->reconnect_until) {
        loop_timer_restart(vm->repeat, RETRY_MS);
    } else {
        give_up(vm, "open", &err);
    }
}

bool vm_monitor_lost(const struct vm *vm)
{
    return !vm->qmp || cima_qmp_state(vm->qmp) == CIMA_QMP_DEAD;
}

void vm_reconnect(struct vm *vm)
{
    vm->monitor = loop_source_free(vm->monitor);
    cima_qmp_free(vm->qmp);
    vm->qmp = NULL;
    vm->reconnect_until = deadline_in(VM_MONITOR_MS);
    vm->repeat = loop_defer(vm->loop, on_reconnect, vm);
}

/* The start can't succeed any more. */
static void fail_start(struct vm *vm, enum err_kind kind, const char *text)
{
    _cleanup_err_ struct err why = ERR_INIT;

    err_set(&why, kind, "%s", text);
    if (vm->state == VM_STARTING)
        vm_fail(vm, &why);
}

/* ---- coming up ------------------------------------------------------------------------------- */

void vm_tell_event(struct vm *vm, enum vm_event ev, const char *detail)
{
    if (vm->cb.event)
        vm->cb.event(vm->arg, ev, detail);
}

static void check_up(struct vm *vm)
{
    if (vm->state != VM_STARTING || !vm->status_known || !vm->port_known)
        return;
    vm->state = VM_UP;
    vm->timer = loop_source_free(vm->timer);
    if (vm->port_fd >= 0)
        close(vm->port_fd); /* QEMU listens there now */
    vm->port_fd = -1;
    if (vm->cb.running)
        vm->cb.running(vm->arg, vm->ssh_port);
    if (!vm->freed)
        vm_extra_up(vm);
}

static void on_status(void *arg, const struct json *ret, const struct err *err)
{
    struct vm *vm = arg;
    const char *status = json_get_str(ret, "status");

    if (err) {
        fail_start(vm, err->kind, err->msg);
        return;
    }
    vm->status_known = true;
    check_up(vm);
    if (!vm->freed && status && !json_get_bool(ret, "running", true))
        vm_tell_event(vm, VM_EVENT_PAUSED, status);
}

static void on_usernet(void *arg, const struct json *ret, const struct err *err)
{
    struct vm *vm = arg;
    uint16_t port = ret && json_str(ret) ? qmp_usernet_port(json_str(ret), GUEST_SSH_PORT) : 0;

    if (err) {
        fail_start(vm, err->kind, err->msg);
        return;
    }
    if (port)
        vm->ssh_port = port;
    if (!vm->ssh_port) {
        fail_start(vm, ERR_QEMU, "QEMU does not tell which port it forwards to the guest's ssh server");
        return;
    }
    vm->port_known = true;
    check_up(vm);
}

static void ask_state(struct vm *vm)
{
    struct cima_qmp_call status = {
        .command = "query-status", .done = on_status, .arg = vm};
    struct cima_qmp_call usernet = {.command = "human-monitor-command",
                               .args = json_object_new(),
                               .done = on_usernet,
                               .arg = vm};

    json_set_str(usernet.args, "command-line", "info usernet");
    cima_qmp_send(vm->qmp, &usernet, monotonic_ms());
    cima_qmp_send(vm->qmp, &status, monotonic_ms());
}

static void on_ready(void *arg, const struct json *greeting)
{
    struct vm *vm = arg;

    (void)greeting;
    vm->reconnects = false;
    if (vm->asked)
        return; /* nobody waits for it to come up */
    ask_state(vm);
    vm_extra_ready(vm);
}

static void on_io_error(struct vm *vm, const struct json *data)
{
    const char *device = json_get_str(data, "node-name"), *reason = json_get_str(data, "reason");
    _cleanup_free_ char *text =
        xasprintf("%s: %s%s", device ? device : "a disk", reason ? reason : "input/output error",
                  json_get_bool(data, "nospace", false) ? " (no space left on the host)" : "");

    vm_tell_event(vm, VM_EVENT_IO_ERROR, text);
}

static void on_event(void *arg, const struct cima_qmp_event *e)
{
    static const struct {
        const char *name;
        enum vm_event ev;
    } plain[] = {{"POWERDOWN", VM_EVENT_POWERDOWN},
                 {"RESET", VM_EVENT_RESET},
                 {"STOP", VM_EVENT_PAUSED},
                 {"RESUME", VM_EVENT_RESUMED},
                 {"GUEST_PANICKED", VM_EVENT_GUEST_PANICKED}};
    const char *name = e->name;
    struct vm *vm = arg;

    log_debug("QMP event %s", name);
    vm_load_event(vm, e);
    if (streq(name, "SHUTDOWN"))
        vm->guest_shutdown = true;
    else if (streq(name, "BLOCK_IO_ERROR"))
        on_io_error(vm, e->data);
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        /* A machine that has shut down stops: nobody paused it. */
        if (streq(name, plain[i].name) && !(plain[i].ev == VM_EVENT_PAUSED && vm->guest_shutdown)) {
            vm_extra_event(vm, plain[i].ev);
            vm_tell_event(vm, plain[i].ev, NULL);
            return;
        }
}

static void on_lost_monitor(void *arg)
{
    fail_start(arg, ERR_QEMU, "QEMU closed its monitor before the machine ran");
}

static void on_closed(void *arg, const struct err *why)
{
    struct vm *vm = arg;

    log_debug("QMP: %s", why->msg);
    if (vm->reconnects && vm->state == VM_POWERDOWN && !vm_has_ended(vm)) {
        give_up(vm, "connect to", why);
    } else if (vm->state == VM_POWERDOWN && why->kind != ERR_QEMU && !vm_has_ended(vm)) {
        log_warn("the QMP connection is lost, forcibly killing QEMU: %s", why->msg);
        vm_force(vm);
    } else if (vm->state == VM_STARTING && why->kind == ERR_QEMU) {
        /* The end of the process, if it is one, follows and knows more. Not the first time when a
         * second connection was tried. */
        loop_source_free(vm->timer);
        vm->timer = loop_add_timer(vm->loop, LOST_MONITOR_MS, on_lost_monitor, vm);
    } else {
        fail_start(vm, why->kind, why->msg);
    }
}

/* ---- between the loop and the client --------------------------------------------------------- */

static void on_deadline(void *arg)
{
    struct vm *vm = arg;

    vm_enter(vm);
    vm_pump(vm);
    vm_leave(vm);
}

static void on_monitor(void *arg, int fd, unsigned events)
{
    (void)fd;
    (void)events;
    on_deadline(arg);
}

void vm_pump(struct vm *vm)
{
    int64_t now = monotonic_ms(), next;

    if (vm->qmp)
        cima_qmp_process(vm->qmp, now);
    if (vm->freed || !vm->qmp || vm->state == VM_GONE)
        return;
    if (cima_qmp_fd(vm->qmp) < 0)
        vm->monitor = loop_source_free(vm->monitor);
    else if (vm->monitor)
        loop_fd_want(vm->monitor, LOOP_READ | (cima_qmp_wants(vm->qmp) & POLLOUT ? LOOP_WRITE : 0U));
    next = cima_qmp_deadline(vm->qmp);
    if (next < 0) {
        vm->deadline = loop_source_free(vm->deadline);
        return;
    }
    next = next > now ? next - now : 0;
    if (vm->deadline)
        loop_timer_restart(vm->deadline, next);
    else
        vm->deadline = loop_add_timer(vm->loop, next, on_deadline, vm);
}

void vm_watch_monitor(struct vm *vm)
{
    vm->monitor = loop_add_fd(vm->loop, cima_qmp_fd(vm->qmp), LOOP_READ, on_monitor, vm);
}

void vm_wake(struct vm *vm)
{
    if (vm->deadline)
        loop_timer_restart(vm->deadline, 0);
    else
        vm->deadline = loop_add_timer(vm->loop, 0, on_deadline, vm);
}

uint64_t qemu_vm_send(struct vm *vm, const struct cima_qmp_call *call)
{
    uint64_t number = 0;

    if (vm->qmp && vm->state != VM_GONE) {
        number = vm_is_load(call) ? vm_load_send(vm, call)
                                  : cima_qmp_send(vm->qmp, call, monotonic_ms());
        vm_wake(vm);
    }
    return number;
}

void qemu_vm_cancel(struct vm *vm, uint64_t number)
{
    if (vm->qmp)
        cima_qmp_cancel(vm->qmp, number);
    vm_load_cancelled(vm, number);
}

static void on_skipped(void *arg, const char *why)
{
    (void)arg;
    log_warn("QMP: %s, ignoring", why);
}

static const struct cima_qmp_handlers handlers = {
    .ready = on_ready, .event = on_event, .closed = on_closed, .skipped = on_skipped};
