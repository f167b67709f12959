/* SPDX-License-Identifier: Apache-2.0 */
/* Times a round trip over QMP (query-status): through the blocking client of libcima-qemu, and by a
 * bare socket client that writes a fixed text and reads to the end of the line. Both talk to the
 * same QEMU, over a monitor each, in turns of BATCH.
 *
 * usage: qmptime QEMU TURNS     prints "CIMA BARE" for every turn, in nanoseconds for a round trip
 */
#include "base/mem.h"
#include "base/parse.h"
#include "cima/qemu/commands.h"
#include "qemu/qemu.h"
#include "sys/clock.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum { BATCH = 200, PATIENCE_MS = 60000 };

static void fail(const char *what)
{
    fprintf(stderr, "qmptime: %s\n", what);
    exit(1);
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static pid_t start(char *binary, int cima_fd, int bare_fd)
{
    char a[64], b[64];
    char *const argv[] = {binary,        "-M",
                          "none",        "-S",
                          "-nodefaults", "-no-user-config",
                          "-display",    "none",
                          "-chardev",    a,
                          "-mon",        "chardev=a,mode=control",
                          "-chardev",    b,
                          "-mon",        "chardev=b,mode=control",
                          NULL};
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(a, sizeof(a), "socket,id=a,fd=%d", cima_fd);
    snprintf(b, sizeof(b), "socket,id=b,fd=%d", bare_fd);
    fcntl(cima_fd, F_SETFD, 0);
    fcntl(bare_fd, F_SETFD, 0);
    execvp(binary, argv);
    _exit(127);
}

/* ---- the bare client ------------------------------------------------------------------------- */

static void bare_read_line(int fd)
{
    char line[4096];

    for (;;) {
        ssize_t n = read(fd, line, sizeof(line));

        if (n <= 0)
            fail("the bare client was closed");
        if (line[n - 1] == '\n')
            return;
    }
}

static void bare_round_trip(int fd, const char *command)
{
    size_t len = strlen(command);

    if (write(fd, command, len) != (ssize_t)len)
        fail("the bare client can't write");
    bare_read_line(fd);
}

static double bare_batch(int fd)
{
    double begun = now_ns();

    for (int i = 0; i < BATCH; i++)
        bare_round_trip(fd, "{\"execute\":\"query-status\"}\n");
    return (now_ns() - begun) / BATCH;
}

/* ---- ours ------------------------------------------------------------------------------------ */

static double cima_batch(struct cima_qmp *q)
{
    double begun = now_ns();

    for (int i = 0; i < BATCH; i++) {
        struct cima_status s;

        if (cima_query_status(q, &s, NULL) < 0)
            fail("query-status failed");
        cima_status_release(&s);
    }
    return (now_ns() - begun) / BATCH;
}

int main(int argc, char **argv)
{
    _cleanup_qmp_ struct cima_qmp *q = NULL;
    int cima[2], bare[2];
    uint64_t turns;
    pid_t pid;

    if (argc != 3 || parse_uint(argv[2], 100000, &turns) < 0)
        fail("usage: qmptime QEMU TURNS");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, cima) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, bare) < 0)
        fail("no sockets");
    pid = start(argv[1], cima[1], bare[1]);
    close(cima[1]);
    close(bare[1]);
    q = cima_qmp_new(cima[0], NULL, NULL, PATIENCE_MS, monotonic_ms());
    if (pid < 0 || cima_qmp_wait_ready(q, PATIENCE_MS, NULL) < 0)
        fail("QEMU does not answer");
    bare_read_line(bare[0]);
    bare_round_trip(bare[0], "{\"execute\":\"qmp_capabilities\"}\n");
    cima_batch(q);
    bare_batch(bare[0]);
    for (uint64_t i = 0; i < turns; i++) {
        double mine = cima_batch(q);

        printf("%.0f %.0f\n", mine, bare_batch(bare[0]));
    }
    cima_qmp_run(q, cima_cmd_quit(), NULL, NULL);
    waitpid(pid, NULL, 0);
    return 0;
}
