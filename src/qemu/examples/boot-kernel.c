/* SPDX-License-Identifier: Apache-2.0 */
/* Boots a Linux kernel with an initial RAM disk, shows its serial console on standard output until a
 * text appears there, and ends the machine over QMP.
 *
 *   cc boot-kernel.c -o boot-kernel $(pkg-config --cflags --libs cima-qemu)
 *   ./boot-kernel /boot/vmlinuz initrd.img "login:" "console=ttyS0 quiet"
 *
 * The console and the monitor are socket pairs: QEMU inherits one end of each, so that nothing has
 * a name in the file system and nobody else can connect. */
#define _GNU_SOURCE
#include <cima/qemu/qemu.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BOOT_SECONDS = 600, QMP_MS = 60000, END_MS = 60000 };

struct request {
    const char *kernel, *initrd, *text, *params;
};

/* The machine as typed values. What is wrong with one is an error that names its field. */
static struct cima_cmdline *describe(const struct request *r, int console, int monitor,
                                     struct cima_error *error)
{
    /* "kvm" in front of it is used where it can be. */
    static const char *const accelerations[] = {"tcg", NULL};
    const struct cima_legacy_serial serial = {
        .chardev = {.id = "console", .backend = CIMA_CHAR_SOCKET, .fd = console},
    };
    const struct cima_rng rng = {.object = "random", .place = {.id = "rng0"}};
    const struct cima_device devices[] = {
        {.kind = CIMA_DEVICE_LEGACY_SERIAL, .is.as_legacy_serial = &serial},
        {.kind = CIMA_DEVICE_RNG, .is.as_rng = &rng},
    };
    const struct cima_qmp_socket qmp = {.fd = monitor};
    const struct cima_config machine = {
        .identity = {.name = "boot-kernel"},
        .machine = {.type = "q35", .accelerations = accelerations},
        .cpu = {.model = "max"},
        .memory = {.size = 512U << 20},
        .smp = {.cpus = 1},
        .devices = devices,
        .n_devices = sizeof(devices) / sizeof(devices[0]),
        .qmp_sockets = &qmp,
        .n_qmp_sockets = 1,
        .kernel = {.path = r->kernel, .initrd = r->initrd, .params = r->params},
        .knobs = {.no_user_config = true, .no_defaults = true, .no_graphic = true,
                  .no_reboot = true},
        .sandbox = {.on = true, .deny_obsolete = true, .deny_elevate_privileges = true,
                    .deny_spawn = true, .deny_resource_control = true},
    };

    return cima_config_cmdline(&machine, NULL, error);
}

static void say(void *arg, enum cima_log_level level, const char *text)
{
    (void)arg;
    (void)level;
    fprintf(stderr, "%s\n", text);
}

static struct cima_process *start(const struct request *r, int console, int monitor,
                                  struct cima_error *error)
{
    struct cima_cmdline *c = describe(r, console, monitor, error);
    const struct cima_launch launch = {.cmdline = c, .log = say};
    struct cima_process *qemu = c ? cima_launch(&launch, error) : NULL;

    cima_cmdline_free(c);
    return qemu;
}

/* Copies the console to standard output until the text was there: 0. -1 when QEMU or the time has
 * ended before. */
static int watch_console(int console, const char *text)
{
    char seen[8192];
    size_t n = 0, keep = strlen(text);
    time_t until = time(NULL) + BOOT_SECONDS;

    while (time(NULL) < until) {
        struct pollfd p = {.fd = console, .events = POLLIN};
        ssize_t got;

        if (poll(&p, 1, 1000) <= 0)
            continue;
        got = read(console, seen + n, sizeof(seen) - 1 - n);
        if (got <= 0)
            return -1;
        fwrite(seen + n, 1, (size_t)got, stdout);
        fflush(stdout);
        for (size_t i = n; i < n + (size_t)got; i++)
            if (!seen[i])
                seen[i] = '?';
        n += (size_t)got;
        seen[n] = '\0';
        if (strstr(seen, text))
            return 0;
        /* The text may begin in what was there and end in what comes. */
        if (n > keep) {
            memmove(seen, seen + n - keep, keep);
            n = keep;
        }
    }
    return -1;
}

/* Asks how the machine is, and ends it. */
static int quit(int monitor, struct cima_error *error)
{
    struct cima_qmp *q;
    struct cima_status status = {0};
    struct timespec now;
    int r = -1;

    clock_gettime(CLOCK_MONOTONIC, &now);
    q = cima_qmp_new(monitor, NULL, NULL, 0, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    if (cima_qmp_wait_ready(q, QMP_MS, error) == 0 && cima_query_status(q, &status, error) == 0) {
        fprintf(stderr, "\nstate: %s\n", status.state);
        r = cima_qmp_run(q, cima_cmd_quit(), NULL, error);
    }
    cima_status_release(&status);
    cima_qmp_free(q);
    return r;
}

static int boot(const struct request *r, struct cima_error *error)
{
    enum { CONSOLE, MONITOR, OURS = 0, QEMUS = 1 };
    int pairs[2][2];
    struct cima_process *qemu;
    int result = -1;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[CONSOLE]) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[MONITOR]) < 0) {
        perror("socketpair");
        return -1;
    }
    qemu = start(r, pairs[CONSOLE][QEMUS], pairs[MONITOR][QEMUS], error);
    /* Only QEMU has them now: when it ends, ours are at their end, too. */
    close(pairs[CONSOLE][QEMUS]);
    close(pairs[MONITOR][QEMUS]);
    if (!qemu) {
        close(pairs[CONSOLE][OURS]);
        close(pairs[MONITOR][OURS]);
        return -1;
    }
    if (watch_console(pairs[CONSOLE][OURS], r->text) < 0) {
        fprintf(stderr, "\nthe text '%s' did not appear\n", r->text);
        close(pairs[MONITOR][OURS]);
    } else {
        result = quit(pairs[MONITOR][OURS], error); /* closes the monitor */
    }
    close(pairs[CONSOLE][OURS]);
    if (result == 0 && cima_process_wait(qemu, END_MS, error) == 1)
        result = cima_process_result(qemu, error);
    else
        cima_process_cancel(qemu, 1000, NULL);
    if (result < 0) {
        char *words = cima_process_stderr(qemu);

        fputs(words, stderr);
        free(words);
    }
    cima_process_free(qemu);
    return result;
}

int main(int argc, char **argv)
{
    struct cima_error *error = cima_error_new();
    int result;

    if (argc < 4) {
        fprintf(stderr, "usage: %s KERNEL INITRD TEXT [PARAMETERS]\n", argv[0]);
        cima_error_free(error);
        return 2;
    }
    result = boot(&(struct request){.kernel = argv[1], .initrd = argv[2], .text = argv[3],
                                    .params = argc > 4 ? argv[4] : "console=ttyS0"},
                  error);
    if (cima_error_is_set(error)) {
        char *message = cima_error_message(error);

        fprintf(stderr, "%s: %s: %s\n", argv[0], cima_error_kind(error), message);
        if (cima_error_hint(error))
            fprintf(stderr, "hint: %s\n", cima_error_hint(error));
        free(message);
    }
    cima_error_free(error);
    return result == 0 ? 0 : 1;
}
