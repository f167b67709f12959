/* SPDX-License-Identifier: Apache-2.0 */
/* A started QEMU, for programs without a supervisor of their own. Its standard error is a file
 * without a name rather than a pipe: nobody has to read it for QEMU to go on, and it is whole at any
 * time, also when QEMU writes more than a pipe holds. A seal keeps it from growing past the limit. */
#include "base/mem.h"
#include "base/sbuf.h"
#include "qemu/launch.h"
#include "sys/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { CANCEL_GRACE_MS = 5000, LAST_LINES = 20, LAST_BYTES = 4096 };

struct cima_process {
    struct child child;
    pid_t pid;
    int words; /* what standard error goes to; -1: it is not captured */
    bool ended;
    int status; /* of waitpid, when it has ended */
};

/* A file that takes the limit's bytes at the places where QEMU's descriptor is. Where that is, is
 * the length so far, because the two share the position. */
static int words_new(struct err *err)
{
    _cleanup_close_ int fd = memfd_create("qemu-stderr", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, CIMA_LAUNCH_STDERR_LIMIT) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        return err_set_errno(err, ERR_IO, "launching QEMU: making room for its messages");
    return TAKE_FD(fd);
}

static void tell_failure(const struct cima_launch *l, const struct err *why, const char *words)
{
    _cleanup_free_ char *message = err_message(why);
    _cleanup_sbuf_ struct sbuf line = SBUF_INIT;

    if (!l->log)
        return;
    sbuf_addf(&line, "Unable to launch qemu: %s", message);
    l->log(l->log_arg, CIMA_LOG_ERROR, sbuf_str(&line));
    if (*words)
        l->log(l->log_arg, CIMA_LOG_ERROR, words);
}

struct cima_process *cima_launch(const struct cima_launch *l, struct err *error)
{
    _cleanup_err_ struct err why = ERR_INIT;
    struct cima_process *p = xcalloc(1, sizeof(*p));
    bool capture = l->stderr_to == CIMA_OUTPUT_DEFAULT || l->stderr_to == CIMA_OUTPUT_CAPTURE;

    p->child = (struct child)CHILD_INIT;
    p->words = -1;
    /* First: a descriptor that is closed may have the number of the next one that is opened. */
    if (qemu_launch_check(l, &why) == 0 && capture)
        p->words = words_new(&why);
    if (err_is_set(&why) ||
        qemu_launch_with(l, p->words, SPAWN_PIDFD_OR_PIPE, &p->child, &why) < 0) {
        tell_failure(l, &why, "");
        err_move(error, &why);
        cima_process_free(p);
        return NULL;
    }
    p->pid = p->child.pid;
    return p;
}

void cima_process_free(struct cima_process *p)
{
    if (!p)
        return;
    if (p->words >= 0)
        close(p->words);
    child_release(&p->child);
    free(p);
}

pid_t cima_process_pid(const struct cima_process *p)
{
    return p->pid;
}

int cima_process_pidfd(const struct cima_process *p)
{
    return p->child.pidfd;
}

int cima_process_wait(struct cima_process *p, int timeout_ms, struct err *error)
{
    int r;

    if (p->ended)
        return 1;
    r = child_wait(&p->child, timeout_ms, &p->status);
    p->ended = r == 1;
    return r < 0 ? err_set_errno(error, ERR_IO, "waiting for QEMU") : r;
}

int cima_process_exit_code(const struct cima_process *p)
{
    return p->ended ? wait_status_exit_code(p->status) : -1;
}

/* All of it so far; caller frees. */
static char *words_read(int fd)
{
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_CUR) : 0;
    size_t max = end > 0 ? (size_t)end : 0, n = 0;
    char *text;

    if (max > CIMA_LAUNCH_STDERR_LIMIT)
        max = CIMA_LAUNCH_STDERR_LIMIT;
    text = xmalloc(max + 1);
    while (n < max) {
        ssize_t got = pread(fd, text + n, max - n, (off_t)n);

        if (got <= 0)
            break;
        n += (size_t)got;
    }
    mem_show_nul(text, n);
    text[n] = '\0';
    return text;
}

const char *qemu_last_lines(const char *text)
{
    const char *end = text + strlen(text), *p = end;
    size_t lines = LAST_LINES;

    while (p > text && p[-1] == '\n')
        p--;
    for (; p > text && end - p < LAST_BYTES; p--)
        if (p[-1] == '\n' && --lines == 0)
            break;
    return p;
}

char *cima_process_stderr(const struct cima_process *p)
{
    return words_read(p->words);
}

int cima_process_result(const struct cima_process *p, struct err *error)
{
    _cleanup_free_ char *how = NULL, *words = NULL;

    if (!p->ended)
        return err_set(error, ERR_STATE, "QEMU (pid %d) still runs", (int)p->pid);
    if (p->status == 0)
        return 0;
    how = wait_status_text(p->status);
    words = cima_process_stderr(p);
    err_set(error, ERR_QEMU, "QEMU %s", how);
    if (!*words)
        return -1;
    err_detail(error, qemu_last_lines(words));
    if (qemu_death_hint(words))
        err_hint(error, "%s", qemu_death_hint(words));
    return -1;
}

int cima_process_kill(struct cima_process *p, int signal, struct err *error)
{
    if (p->ended || child_kill(&p->child, signal) == 0)
        return 0;
    return err_set_errno(error, errno == EPERM ? ERR_PERMISSION : ERR_IO,
                         "sending signal %d to QEMU (pid %d)", signal, (int)p->pid);
}

int cima_process_cancel(struct cima_process *p, int grace_ms, struct err *error)
{
    int r;

    if (p->ended)
        return 0;
    if (cima_process_kill(p, SIGTERM, error) < 0)
        return -1;
    r = cima_process_wait(p, grace_ms, error);
    if (r == 0 && cima_process_kill(p, SIGKILL, error) < 0)
        return -1;
    if (r == 0)
        r = cima_process_wait(p, -1, error);
    return r < 0 ? -1 : 0;
}

/* ---- to its end ------------------------------------------------------------------------------ */

/* 1: QEMU has ended; 0: somebody wants its end; -1: error. */
static int await_end(struct cima_process *p, int cancel_fd, struct err *error)
{
    for (;;) {
        struct pollfd fds[] = {
            {.fd = cima_process_pidfd(p), .events = POLLIN},
            {.fd = cancel_fd, .events = POLLIN}, /* negative: poll skips it */
        };

        if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
            if (errno == EINTR)
                continue;
            return err_set_errno(error, ERR_IO, "waiting for QEMU");
        }
        if (fds[0].revents)
            return cima_process_wait(p, -1, error);
        if (fds[1].revents)
            return 0;
    }
}

static int run_to_the_end(struct cima_process *p, int cancel_fd, struct err *error)
{
    int r = await_end(p, cancel_fd, error);

    if (r < 0)
        return -1;
    if (r == 1)
        return cima_process_result(p, error);
    if (cima_process_cancel(p, CANCEL_GRACE_MS, error) < 0)
        return -1;
    return err_set(error, ERR_INTERRUPTED, "QEMU was told to end before it did so by itself");
}

int cima_launch_and_wait(const struct cima_launch *l, int cancel_fd, char **ret_stderr,
                         struct err *error)
{
    _cleanup_err_ struct err why = ERR_INIT;
    _cleanup_free_ char *words = xstrdup("");
    struct cima_process *p = NULL;
    int r = -1;

    if (cancel_fd >= 0 && fcntl(cancel_fd, F_GETFD) < 0)
        err_set_errno(&why, ERR_CONFIG, "launching QEMU: `cancel_fd`");
    else
        p = cima_launch(l, &why);
    if (p)
        r = run_to_the_end(p, cancel_fd, &why);
    if (p && r < 0) {
        if (!p->ended) /* nobody else could end it now */
            cima_process_cancel(p, CANCEL_GRACE_MS, NULL);
        free(words);
        words = cima_process_stderr(p);
        tell_failure(l, &why, words);
    }
    cima_process_free(p);
    if (ret_stderr)
        *ret_stderr = TAKE_PTR(words);
    if (r < 0)
        return err_move(error, &why);
    return 0;
}
