/* SPDX-License-Identifier: Apache-2.0 */
#include "real_qemu.h"
#include "base/mem.h"
#include "base/strv.h"
#include "cima/qemu/commands.h"
#include "sys/clock.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define BINARY "qemu-system-x86_64"
/* Also on a machine with much else to do. */
#define PATIENCE_MS 120000

static bool is_installed(void)
{
    _cleanup_free_ char *path = xstrdup(getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    char *save = NULL;

    for (char *dir = strtok_r(path, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
        _cleanup_free_ char *file = xasprintf("%s/%s", dir, BINARY);

        if (access(file, X_OK) == 0)
            return true;
    }
    return false;
}

static void run_qemu(int fd, const char *const *words)
{
    _cleanup_free_ char *chardev = xasprintf("socket,id=qmp,fd=%d", fd);
    static const char *const first[] = {BINARY,     "-S",   "-nodefaults", "-no-user-config",
                                        "-display", "none", "-chardev"};
    struct strv argv = STRV_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(first); i++)
        strv_push(&argv, first[i]);
    strv_push(&argv, chardev);
    strv_push(&argv, "-mon");
    strv_push(&argv, "chardev=qmp,mode=control");
    for (; *words; words++)
        strv_push(&argv, *words);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fcntl(fd, F_SETFD, 0);
    execvp(BINARY, strv_argv(&argv));
    _exit(127);
}

void real_qemu_start(struct real_qemu *r, const char *const *words,
                     const struct cima_qmp_handlers *h, void *arg, bool oob)
{
    _cleanup_err_ struct err err = ERR_INIT;
    int pair[2];

    if (!is_installed())
        cr_skip_test("there is no %s here", BINARY);
    snprintf(r->dir, sizeof(r->dir), "/tmp/cima-qmp.XXXXXX");
    cr_assert(mkdtemp(r->dir));
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    r->pid = fork();
    cr_assert_geq(r->pid, 0);
    if (r->pid == 0)
        run_qemu(pair[1], words);
    close(pair[1]);
    r->q = cima_qmp_new(pair[0], h, arg, PATIENCE_MS, monotonic_ms());
    if (oob)
        cima_qmp_want_oob(r->q);
    cr_assert_eq(cima_qmp_wait_ready(r->q, PATIENCE_MS, &err), 0, "%s", err.msg);
}

void real_qemu_end(struct real_qemu *r)
{
    _cleanup_free_ char *remove = xasprintf("%s/", r->dir);
    _cleanup_err_ struct err err = ERR_INIT;
    int status = -1;

    cr_assert_eq(cima_qmp_run(r->q, cima_cmd_quit(), NULL, &err), 0, "%s", err.msg);
    cima_qmp_free(r->q);
    cr_assert_eq(waitpid(r->pid, &status, 0), r->pid);
    cr_assert_eq(status, 0);
    if (fork() == 0) {
        execlp("rm", "rm", "-rf", remove, (char *)NULL);
        _exit(127);
    }
    wait(&status);
}

const char *real_qemu_path(const struct real_qemu *r, const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % ARRAY_SIZE(paths)];

    snprintf(path, sizeof(paths[0]), "%s/%s", r->dir, name);
    return path;
}
