/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_driver.h"
#include "fake_tools.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include "sys/lock.h"
#include "sys/proc.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct driver_plan {
    int nothing;
};

struct vm {
    const struct driver_ctx *ctx;
    const struct vm_callbacks *cb;
    void *arg;
    pid_t pid;
    int pidfd; /* of an adopted one */
    bool asked;
    struct loop_source *end, *ready, *event;
};

static bool mode_is(const char *mode)
{
    return streq0(getenv("FAKE_DRIVER"), mode);
}

/* ---- the machine --------------------------------------------------------------------------------- */

static _Noreturn void machine_greet(int listener)
{
    for (;;) {
        static const char greeting[] = "SSH-2.0-fake\r\n";
        int c = accept(listener, NULL, NULL);

        if (c >= 0) {
            fd_write_all(c, greeting, strlen(greeting));
            close(c);
        }
    }
}

static void on_poweroff(int signo)
{
    (void)signo;
    _exit(0);
}

static _Noreturn void machine_main(const char *pid_path, int listener, uint16_t port)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char text[64];

    dup2(listener, 3);
    close_range(4, ~0U, 0);
    setsid();
    signal(SIGTERM, mode_is("stubborn") ? SIG_IGN : on_poweroff);
    signal(SIGUSR1, on_poweroff);
    signal(SIGINT, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    if (mode_is("die"))
        _exit(1);
    int fd = open(pid_path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0)
        _exit(2);
    /* The second line is ours: the port, for who adopts. */
    snprintf(text, sizeof(text), "%d\n%u\n", (int)getpid(), port);
    if (ftruncate(fd, 0) || pwrite(fd, text, strlen(text), 0) < 0)
        _exit(2);
    int null = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3; i++)
        dup2(null, i);
    machine_greet(3);
}

static int listen_anywhere(uint16_t *ret_port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 16) ||
        getsockname(fd, (struct sockaddr *)&addr, &len))
        abort();
    *ret_port = ntohs(addr.sin_port);
    return fd;
}

static uint16_t read_port(const struct driver_ctx *ctx)
{
    _cleanup_free_ char *path = instance_path(ctx->inst, INST_QEMU_PID);
    _cleanup_free_ char *text = file_read(path, 64, NULL, NULL);
    char *second = text ? strchr(text, '\n') : NULL;

    return second ? (uint16_t)atoi(second + 1) : 0;
}

/* ---- the driver ---------------------------------------------------------------------------------- */

static int fake_plan(const struct driver_ctx *ctx, struct driver_plan **ret, struct diags *notes,
                     struct err *err)
{
    (void)ctx;
    if (mode_is("plan")) {
        err_set(err, ERR_QEMU, "the fake plan does not work");
        return err_hint(err, "use another one");
    }
    diags_add(notes, DIAG_WARNING, NULL, "a note of the plan");
    *ret = xcalloc(1, sizeof(**ret));
    return 0;
}

static char *fake_plan_text(const struct driver_plan *plan)
{
    (void)plan;
    return xstrdup("fake -machine none");
}

static void fake_plan_free(struct driver_plan *plan)
{
    free(plan);
}

static void on_ready(void *arg)
{
    struct vm *vm = arg;
    uint16_t port = read_port(vm->ctx);

    if (!port) {
        loop_timer_restart(vm->ready, 10);
        return;
    }
    vm->ready = loop_source_free(vm->ready);
    vm->cb->running(vm->arg, port);
}

static void report_end(struct vm *vm, int status)
{
    _cleanup_err_ struct err err = ERR_INIT;

    vm->ready = loop_source_free(vm->ready);
    if (!vm->asked && status != 0) {
        _cleanup_free_ char *text = status == -1 ? xstrdup("has ended") : wait_status_text(status);

        err_set(&err, ERR_QEMU, "the fake machine %s", text);
    }
    vm->cb->exited(vm->arg, status, err_is_set(&err) ? &err : NULL);
}

static void on_child_end(void *arg, int status)
{
    report_end(arg, status);
}

static void on_adopted_end(void *arg)
{
    report_end(arg, -1);
}

/* No event of the loop comes in between. */
static void end_now(struct vm *vm)
{
    kill(vm->pid, SIGKILL);
    vm->end = loop_source_free(vm->end);
    waitpid(vm->pid, NULL, 0);
    report_end(vm, 0);
}

static void on_event(void *arg, int signo)
{
    static const char *const names[] = {
        [VM_EVENT_POWERDOWN] = "powerdown",
        [VM_EVENT_RESET] = "reset", [VM_EVENT_PAUSED] = "paused", [VM_EVENT_RESUMED] = "resumed",
        [VM_EVENT_GUEST_PANICKED] = "panic", [VM_EVENT_IO_ERROR] = "io-error"};
    struct vm *vm = arg;
    _cleanup_free_ char *path = path_join(vm->ctx->inst->dir, "fake-event");
    _cleanup_free_ char *text = file_read(path, 64, NULL, NULL);

    (void)signo;
    for (size_t i = 0; text && i < ARRAY_SIZE(names); i++)
        if (streq(text, names[i]))
            vm->cb->event(vm->arg, (enum vm_event)i, NULL);
}

static struct vm *vm_new(const struct driver_ctx *ctx, struct loop *loop,
                         const struct vm_callbacks *cb, void *arg, pid_t pid)
{
    struct vm *vm = xcalloc(1, sizeof(*vm));

    vm->ctx = ctx;
    vm->cb = cb;
    vm->arg = arg;
    vm->pid = pid;
    vm->pidfd = -1;
    fake_tools_end = end_now;
    fake_tools_loop = loop;
    vm->ready = loop_add_timer(loop, 0, on_ready, vm);
    vm->event = loop_add_signal(loop, SIGUSR2, on_event, vm);
    return vm;
}

static int fake_start(const struct driver_ctx *ctx, const struct driver_plan *plan,
                      struct loop *loop, const struct vm_callbacks *cb, void *arg, struct vm **ret,
                      struct err *err)
{
    _cleanup_free_ char *path = instance_path(ctx->inst, INST_QEMU_PID);
    struct child child = CHILD_INIT;
    uint16_t port = 0;

    (void)plan;
    if (mode_is("start"))
        return err_set(err, ERR_QEMU, "the fake machine does not start");
    int listener = listen_anywhere(&port);
    /* It listens to signals before the machine shows that it is there. */
    *ret = vm_new(ctx, loop, cb, arg, 0);
    child.pid = fork();
    if (child.pid == 0)
        machine_main(path, listener, port);
    close(listener);
    child.pidfd = pidfd_open_(child.pid);
    (*ret)->pid = child.pid;
    (*ret)->end = loop_add_child(loop, &child, on_child_end, *ret);
    return 0;
}

static int fake_adopt(const struct driver_ctx *ctx, struct loop *loop,
                      const struct vm_callbacks *cb, void *arg, struct vm **ret, struct err *err)
{
    _cleanup_free_ char *path = instance_path(ctx->inst, INST_QEMU_PID);
    pid_t pid = lock_posix_holder(path);

    if (pid <= 0)
        return err_set(err, ERR_QEMU, "the fake machine is gone");
    *ret = vm_new(ctx, loop, cb, arg, pid);
    (*ret)->pidfd = pidfd_open_(pid);
    (*ret)->end = loop_add_pidfd(loop, (*ret)->pidfd, on_adopted_end, *ret);
    return 0;
}

static void fake_shutdown(struct vm *vm)
{
    vm->asked = true;
    kill(vm->pid, SIGTERM);
}

static void fake_kill(struct vm *vm)
{
    vm->asked = true;
    kill(vm->pid, SIGKILL);
}

static pid_t fake_pid(const struct vm *vm)
{
    return vm->pid;
}

static void fake_vm_free(struct vm *vm)
{
    loop_source_free(vm->end);
    loop_source_free(vm->ready);
    loop_source_free(vm->event);
    if (vm->pidfd >= 0)
        close(vm->pidfd);
    free(vm);
}

const struct driver fake_driver = {
    .name = "fake",
    .plan = fake_plan,
    .plan_text = fake_plan_text,
    .plan_free = fake_plan_free,
    .start = fake_start,
    .adopt = fake_adopt,
    .shutdown = fake_shutdown,
    .kill = fake_kill,
    .pid = fake_pid,
    .vm_free = fake_vm_free,
    .tools = &fake_driver_tools,
};
