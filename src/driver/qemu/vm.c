/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/vm.h"
#include "base/log.h"
#include "base/mem.h"
#include "qemu/launch.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include "sys/proc.h"
#include "sys/sock.h"
#include "qemu/qmp_message.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#define GREETING_MS        60000
#define POWERDOWN_FIRST_MS 5000
#define POWERDOWN_AGAIN_MS 15000
#define POWERDOWN_MS       180000
#define QUIT_MS            5000
#define MONITOR_MS         5000
#define LOST_MONITOR_MS    2000
#define LAST_WORDS_MAX     4096
#define GUEST_SSH_PORT     22

enum vm_state { VM_STARTING, VM_UP, VM_POWERDOWN, VM_QUIT, VM_KILL, VM_GONE };

struct vm {
    struct instance inst;
    struct loop *loop;
    struct vm_callbacks cb;
    void *arg;
    enum vm_state state;
    pid_t pid;
    struct child child;
    int pidfd; /* of ours: a second one to signal through; of others: the only one */
    struct child *helpers;
    size_t n_helpers;
    struct loop_source *end, *monitor, *deadline, *timer, *repeat;
    struct cima_qmp *qmp;
    struct qemu_vm_limits limits;
    int64_t log_offset;
    uint16_t ssh_port;
    int port_fd; /* keeps it until QEMU listens there; -1: none */
    bool status_known, port_known; /* what running() waits for */
    bool guest_shutdown;           /* the guest or we ended it in order */
    bool asked;                    /* shutdown() or kill() */
    bool forced;                   /* the guest did not follow shutdown() */
    struct err failure;            /* what we ended it for */
    unsigned busy;
    bool freed;
};

static void pump(struct vm *vm);
static void on_monitor(void *arg, int fd, unsigned events);

/* ---- life ------------------------------------------------------------------------------------ */

static void free_port(struct vm *vm)
{
    if (vm->port_fd >= 0)
        close(vm->port_fd);
    vm->port_fd = -1;
}

static void destroy(struct vm *vm)
{
    struct loop_source **sources[] = {&vm->end, &vm->monitor, &vm->deadline, &vm->timer,
                                      &vm->repeat};

    for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
        *sources[i] = loop_source_free(*sources[i]);
    cima_qmp_free(vm->qmp);
    for (size_t i = 0; i < vm->n_helpers; i++)
        child_release(&vm->helpers[i]);
    free(vm->helpers);
    if (vm->pidfd >= 0)
        close(vm->pidfd);
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

/* Around everything that calls back. */
static void enter(struct vm *vm)
{
    vm->busy++;
}

static void leave(struct vm *vm)
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
                                           INST_SERIALP_SOCK, INST_SERIALV_SOCK, INST_VNC_DISPLAY,
                                           INST_VNC_PASSWORD};
    _cleanup_free_ char *pidfile = instance_path(&vm->inst, INST_QEMU_PID);

    if (lock_posix_holder(pidfile) > 0)
        return; /* another one has started meanwhile */
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        _cleanup_free_ char *path = instance_path(&vm->inst, files[i]);

        unlink(path);
    }
}

/* Those that the machine was connected to end by themselves; others would wait for ever. */
static void end_helpers(struct vm *vm)
{
    int status;

    for (size_t i = 0; i < vm->n_helpers; i++) {
        child_kill(&vm->helpers[i], SIGKILL);
        child_wait(&vm->helpers[i], -1, &status);
        child_release(&vm->helpers[i]);
    }
    vm->n_helpers = 0;
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
        if (qemu_death_hint(words) && !err->hint)
            err_hint(err, "%s", qemu_death_hint(words));
    }
    if (!err->hint)
        err_hint(err, "see '%s'", log);
}

static void gone(struct vm *vm, int status)
{
    _cleanup_err_ struct err err = ERR_INIT;

    enter(vm);
    if (vm->qmp)
        pump(vm); /* what it said last: was it the guest's wish? */
    if (!vm->freed) {
        explain_end(vm, status, &err);
        if (vm->asked)
            log_info(vm->state == VM_KILL ? "QEMU has exited, after killing forcibly"
                                          : "QEMU has exited");
        vm->state = VM_GONE;
        vm->monitor = loop_source_free(vm->monitor);
        vm->deadline = loop_source_free(vm->deadline);
        vm->timer = loop_source_free(vm->timer);
        vm->repeat = loop_source_free(vm->repeat);
        cima_qmp_free(vm->qmp);
        vm->qmp = NULL;
        end_helpers(vm);
        remove_files(vm);
        if (vm->cb.exited)
            vm->cb.exited(vm->arg, status, err_is_set(&err) ? &err : NULL);
    }
    leave(vm);
}

static void on_child_end(void *arg, int wait_status)
{
    gone(arg, wait_status);
}

static void on_stranger_end(void *arg)
{
    gone(arg, -1);
}

/* The process has ended, and the loop has not told us yet (F19). */
static bool has_ended(const struct vm *vm)
{
    return pidfd_wait(vm->pidfd, 0) > 0;
}

static void do_kill(struct vm *vm)
{
    if (vm->state == VM_GONE)
        return;
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

/* The start can't succeed any more: ends the process; exited() will say why. */
static void fail(struct vm *vm, enum err_kind kind, const char *why)
{
    if (vm->state != VM_STARTING || err_is_set(&vm->failure))
        return;
    err_set(&vm->failure, kind, "%s", why);
    if (pidfd_signal(vm->pidfd, SIGKILL) < 0 && errno != ESRCH)
        log_warn("failed to kill QEMU: %s", strerror(errno));
}

/* ---- the monitor ----------------------------------------------------------------------------- */

static const struct cima_qmp_handlers handlers;

static int connect_monitor(struct vm *vm, struct err *err)
{
    _cleanup_free_ char *sock = instance_path(&vm->inst, INST_QMP_SOCK);
    int fd = unix_connect(sock, MONITOR_MS, err);

    if (fd < 0)
        return err_wrap(err, "opening QEMU's monitor");
    vm->qmp = cima_qmp_new(fd, &handlers, vm, vm->limits.greeting, monotonic_ms());
    return 0;
}

/* After a reconnect: the handshake is waited for here, so that a monitor which does not answer is
 * the caller's error and not the machine's end. */
static int adopt_monitor(struct vm *vm, struct err *err)
{
    if (connect_monitor(vm, err) < 0)
        return -1;
    enter(vm);
    if (cima_qmp_wait_ready(vm->qmp, MONITOR_MS, err) < 0) {
        vm->busy--;
        return err_wrap(err, "QEMU's monitor");
    }
    vm->busy--;
    return 0;
}

/* The monitor as it is, or a new connection to it when that was lost. */
static int reconnect(struct vm *vm)
{
    _cleanup_free_ char *sock = instance_path(&vm->inst, INST_QMP_SOCK);
    _cleanup_err_ struct err err = ERR_INIT;

    if (vm->qmp && cima_qmp_state(vm->qmp) != CIMA_QMP_DEAD)
        return 0;
    vm->monitor = loop_source_free(vm->monitor);
    cima_qmp_free(vm->qmp);
    vm->qmp = NULL;
    if (adopt_monitor(vm, &err) < 0) {
        log_warn("failed to connect to the QMP socket '%s', forcibly killing QEMU: %s", sock,
                 err.msg);
        return -1;
    }
    vm->monitor = loop_add_fd(vm->loop, cima_qmp_fd(vm->qmp), LOOP_READ, on_monitor, vm);
    return 0;
}

/* What was asked for does not happen: the machine is killed, unless it is gone already. */
static void force(struct vm *vm)
{
    vm->forced = !vm->guest_shutdown && !has_ended(vm);
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

    if (has_ended(vm))
        return;
    log_warn("QEMU did not exit in %dm%ds, forcibly killing QEMU", vm->limits.powerdown / 60000,
             vm->limits.powerdown / 1000 % 60);
    vm->repeat = loop_source_free(vm->repeat);
    vm->forced = !vm->guest_shutdown;
    if (!vm->qmp || cima_qmp_state(vm->qmp) != CIMA_QMP_READY) {
        do_kill(vm);
        return;
    }
    vm->state = VM_QUIT;
    enter(vm);
    cima_qmp_send(vm->qmp, &quit, monotonic_ms());
    pump(vm);
    if (!vm->freed && vm->state == VM_QUIT) {
        loop_source_free(vm->timer);
        vm->timer = loop_add_timer(vm->loop, vm->limits.quit, on_kill_time, vm);
    }
    leave(vm);
}

static void on_powerdown_sent(void *arg, const struct json *ret, const struct err *err)
{
    struct vm *vm = arg;
    _cleanup_free_ char *sock = NULL;

    (void)ret;
    if (!err || vm->state != VM_POWERDOWN || has_ended(vm))
        return;
    if (err->kind == ERR_TIMEOUT) {
        log_debug("%s", err->msg); /* the button is pressed again, and there is the limit */
        return;
    }
    sock = instance_path(&vm->inst, INST_QMP_SOCK);
    log_warn("failed to send system_powerdown command via the QMP socket '%s', forcibly killing "
             "QEMU: %s",
             sock, err->msg);
    force(vm);
}

static void press_button(struct vm *vm)
{
    struct cima_qmp_call call = {.command = "system_powerdown",
                            .timeout_ms = MONITOR_MS,
                            .done = on_powerdown_sent,
                            .arg = vm};

    log_info("Sending QMP system_powerdown command");
    enter(vm);
    cima_qmp_send(vm->qmp, &call, monotonic_ms());
    pump(vm);
    leave(vm);
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

void qemu_vm_shutdown(struct vm *vm)
{
    if (vm->state != VM_STARTING && vm->state != VM_UP)
        return;
    log_info("Shutting down QEMU with the power button");
    vm->asked = true;
    if (reconnect(vm) < 0) {
        force(vm);
        return;
    }
    vm->state = VM_POWERDOWN;
    loop_source_free(vm->timer);
    vm->timer = loop_add_timer(vm->loop, vm->limits.powerdown, on_powerdown_limit, vm);
    vm->repeat = loop_add_timer(vm->loop, vm->limits.powerdown_first, on_press_again, vm);
    press_button(vm);
}

/* ---- coming up ------------------------------------------------------------------------------- */

static void tell_event(struct vm *vm, enum vm_event ev, const char *detail)
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
    free_port(vm); /* QEMU listens there now */
    if (vm->cb.running)
        vm->cb.running(vm->arg, vm->ssh_port);
}

static void on_status(void *arg, const struct json *ret, const struct err *err)
{
    struct vm *vm = arg;
    const char *status = json_get_str(ret, "status");

    if (err) {
        fail(vm, err->kind, err->msg);
        return;
    }
    vm->status_known = true;
    check_up(vm);
    if (!vm->freed && status && !json_get_bool(ret, "running", true))
        tell_event(vm, VM_EVENT_PAUSED, status);
}

static void on_usernet(void *arg, const struct json *ret, const struct err *err)
{
    struct vm *vm = arg;
    uint16_t port = ret && json_str(ret) ? qmp_usernet_port(json_str(ret), GUEST_SSH_PORT) : 0;

    if (err) {
        fail(vm, err->kind, err->msg);
        return;
    }
    if (port)
        vm->ssh_port = port;
    if (!vm->ssh_port) {
        fail(vm, ERR_QEMU, "QEMU does not tell which port it forwards to the guest's ssh server");
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
    (void)greeting;
    ask_state(arg);
}

static void on_io_error(struct vm *vm, const struct json *data)
{
    const char *device = json_get_str(data, "node-name"), *reason = json_get_str(data, "reason");
    _cleanup_free_ char *text =
        xasprintf("%s: %s%s", device ? device : "a disk", reason ? reason : "input/output error",
                  json_get_bool(data, "nospace", false) ? " (no space left on the host)" : "");

    tell_event(vm, VM_EVENT_IO_ERROR, text);
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
    if (streq(name, "SHUTDOWN"))
        vm->guest_shutdown = true;
    else if (streq(name, "BLOCK_IO_ERROR"))
        on_io_error(vm, e->data);
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        /* A machine that has shut down stops: nobody paused it. */
        if (streq(name, plain[i].name) && !(plain[i].ev == VM_EVENT_PAUSED && vm->guest_shutdown)) {
            tell_event(vm, plain[i].ev, NULL);
            return;
        }
}

static void on_lost_monitor(void *arg)
{
    fail(arg, ERR_QEMU, "QEMU closed its monitor before the machine ran");
}

static void on_closed(void *arg, const struct err *why)
{
    struct vm *vm = arg;

    log_debug("QMP: %s", why->msg);
    if (vm->state == VM_POWERDOWN && why->kind != ERR_QEMU && !has_ended(vm)) {
        log_warn("the QMP connection is lost, forcibly killing QEMU: %s", why->msg);
        force(vm);
    } else if (vm->state == VM_STARTING && why->kind == ERR_QEMU) {
        /* The end of the process, if it is one, follows and knows more. */
        vm->timer = loop_add_timer(vm->loop, LOST_MONITOR_MS, on_lost_monitor, vm);
    } else {
        fail(vm, why->kind, why->msg);
    }
}

/* ---- between the loop and the client --------------------------------------------------------- */

static void on_deadline(void *arg)
{
    struct vm *vm = arg;

    enter(vm);
    pump(vm);
    leave(vm);
}

static void on_monitor(void *arg, int fd, unsigned events)
{
    (void)fd;
    (void)events;
    on_deadline(arg);
}

/* Lets the client work, then waits for what it wants. The caller has entered. */
static void pump(struct vm *vm)
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

/* The next step from the loop, at once. */
static void wake(struct vm *vm)
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
        number = cima_qmp_send(vm->qmp, call, monotonic_ms());
        wake(vm);
    }
    return number;
}

void qemu_vm_cancel(struct vm *vm, uint64_t number)
{
    if (vm->qmp)
        cima_qmp_cancel(vm->qmp, number);
}

static void on_skipped(void *arg, const char *why)
{
    (void)arg;
    log_warn("QMP: %s, ignoring", why);
}

static const struct cima_qmp_handlers handlers = {
    .ready = on_ready, .event = on_event, .closed = on_closed, .skipped = on_skipped};

struct vm *qemu_vm_new(const struct vm_start *s, struct err *err)
{
    struct vm *vm = xcalloc(1, sizeof(*vm));
    _cleanup_err_ struct err lost = ERR_INIT;
    bool ours = s->child.pid > 0;

    vm->inst = (struct instance){.name = xstrdup(s->inst->name), .dir = xstrdup(s->inst->dir)};
    vm->loop = s->loop;
    vm->cb = *s->cb;
    vm->arg = s->arg;
    vm->child = s->child;
    vm->pid = ours ? s->child.pid : s->pid;
    vm->pidfd = ours ? pidfd_open_(s->child.pid) : s->pidfd;
    vm->helpers = s->helpers;
    vm->n_helpers = s->n_helpers;
    vm->log_offset = s->log_offset;
    vm->ssh_port = s->ssh_port;
    vm->port_fd = s->port_fd;
    vm->limits = (struct qemu_vm_limits){.greeting = GREETING_MS,
                                         .powerdown_first = POWERDOWN_FIRST_MS,
                                         .powerdown_again = POWERDOWN_AGAIN_MS,
                                         .powerdown = POWERDOWN_MS,
                                         .quit = QUIT_MS};
    if (ours) {
        vm->end = loop_add_child(vm->loop, &vm->child, on_child_end, vm);
        if (connect_monitor(vm, &lost) < 0)
            fail(vm, lost.kind, lost.msg);
    } else {
        if (adopt_monitor(vm, err) < 0) {
            destroy(vm);
            return NULL;
        }
        vm->end = loop_add_pidfd(vm->loop, vm->pidfd, on_stranger_end, vm);
    }
    if (vm->qmp)
        vm->monitor = loop_add_fd(vm->loop, cima_qmp_fd(vm->qmp), LOOP_READ, on_monitor, vm);
    /* The first step from the loop: callbacks never come out of start() itself. */
    vm->deadline = loop_add_timer(vm->loop, 0, on_deadline, vm);
    return vm;
}
