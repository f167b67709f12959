/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU as a process: with our terminal until it ends (S0-47, S0-48), or in the background. */
#include "run/internal.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "qemu/launch.h"
#include "sys/clock.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <termios.h>

#define MONITOR_MS 60000
#define LAST_WORDS 8192
#define PIPE_BYTES 65536

/* ---- the terminal ---------------------------------------------------------------------------- */

/* QEMU makes the terminal raw and restores it; one that is killed can't. */
struct terminal {
    bool known;
    struct termios was;
};

static void terminal_save(struct terminal *t)
{
    t->known = tcgetattr(STDIN_FILENO, &t->was) == 0;
}

static void terminal_restore(const struct terminal *t)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, was;
    int flags;

    if (!t->known)
        return;
    /* Also from the background, where this would stop us. */
    sigaction(SIGTTOU, &ignore, &was);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &t->was);
    sigaction(SIGTTOU, &was, NULL);
    flags = fcntl(STDIN_FILENO, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK))
        (void)fcntl(STDIN_FILENO, F_SETFL, flags & ~O_NONBLOCK);
}

/* ---- in front -------------------------------------------------------------------------------- */

/* Signals that would end us: QEMU ends first. */
static int open_signals(sigset_t *ret_was, struct err *err)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, ret_was);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd >= 0)
        return fd;
    sigprocmask(SIG_SETMASK, ret_was, NULL);
    return err_set_errno(err, ERR_IO, "cannot wait for signals");
}

/* The keys of the terminal reach QEMU without us; what was sent to us alone is passed on, and is an
 * order when it comes again. */
static void pass_on(int signals, const struct child *qemu, int *ret_ended_by)
{
    struct signalfd_siginfo s;

    while (read(signals, &s, sizeof(s)) == (ssize_t)sizeof(s)) {
        if (s.ssi_code == SI_KERNEL && s.ssi_signo != SIGHUP)
            continue;
        child_kill(qemu, *ret_ended_by ? SIGKILL : SIGTERM);
        *ret_ended_by = (int)s.ssi_signo;
    }
}

/* What QEMU writes to its standard error: seen by us, so that a hint can be given in the end. */
struct words {
    int fd;
    bool shown; /* on our own standard error, as it comes */
    struct sbuf last;
};

/* Takes what is there, but no more than a pipe holds: signals have their turn, too. */
static void words_take(struct words *w)
{
    char part[4096];
    ssize_t n = 0;

    for (size_t sum = 0; sum < PIPE_BYTES; sum += (size_t)n) {
        n = read(w->fd, part, sizeof(part));
        if (n <= 0)
            break;
        if (w->shown)
            (void)fd_write_all(STDERR_FILENO, part, (size_t)n);
        mem_show_nul(part, (size_t)n);
        sbuf_add(&w->last, part, (size_t)n);
        if (w->last.len > LAST_WORDS)
            sbuf_consume(&w->last, w->last.len - LAST_WORDS);
    }
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        close(w->fd);
        w->fd = -1; /* which poll passes over */
    }
}

/* Waits for the end of QEMU. *ret_ended_by: the signal that asked us for it, 0: none. */
static int wait_for_end(int signals, struct child *qemu, struct words *words, int *ret_status,
                        int *ret_ended_by, struct err *err)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                               {.fd = qemu->pidfd, .events = POLLIN},
                               {.fd = words->fd, .events = POLLIN}};

        if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
            if (errno == EINTR)
                continue;
            return err_set_errno(err, ERR_IO, "cannot wait for QEMU");
        }
        if (fds[0].revents)
            pass_on(signals, qemu, ret_ended_by);
        if (fds[2].revents)
            words_take(words);
        if (fds[1].revents && child_wait(qemu, 0, ret_status) == 1)
            break;
    }
    if (words->fd >= 0)
        words_take(words);
    return 0;
}

static int report_end(const struct run_plan *p, int status, int ended_by, const struct words *words,
                      struct err *err)
{
    _cleanup_free_ char *how = wait_status_text(status);
    const char *last = sbuf_str(&words->last), *hint = qemu_death_hint(last);

    if (ended_by)
        return err_set(err, ERR_INTERRUPTED, "ended by signal %d (%s)", ended_by,
                       strsignal(ended_by));
    if (wait_status_exit_code(status) == 0)
        return 0;
    err_set(err, ERR_QEMU, "'%s' %s", p->argv.v[0], how);
    if (!words->shown && *last)
        err_detail(err, qemu_last_lines(last));
    return hint ? err_hint(err, "%s", hint) : -1;
}

/* Starts QEMU; *ret_words: the other end of its standard error. With a window nothing else is
 * attached. */
static int spawn_in_front(const struct run_plan *p, struct child *ret, int *ret_words,
                          struct err *err)
{
    _cleanup_strv_ struct strv argv = STRV_INIT;
    struct spawn s = SPAWN_INIT;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_set_errno(err, ERR_IO, "cannot make a pipe");
    strv_extend(&argv, &p->argv);
    s.argv = (const char *const *)strv_argv(&argv);
    s.flags = SPAWN_DIE_WITH_PARENT | SPAWN_NO_CORE;
    s.umask_ = 077;
    s.stderr_fd = fds[1];
    if (!p->gui) {
        s.stdin_fd = STDIN_FILENO;
        s.stdout_fd = STDOUT_FILENO;
    }
    int r = spawn_child(&s, ret, err);

    close(fds[1]);
    (void)fd_set_nonblock(fds[0], true);
    *ret_words = fds[0];
    return r;
}

int run_in_front(const struct run_plan *p, struct err *err)
{
    _cleanup_child_ struct child qemu = CHILD_INIT;
    struct words words = {.fd = -1, .shown = !p->gui, .last = SBUF_INIT};
    struct terminal terminal;
    sigset_t mask;
    int status = 0, ended_by = 0, r;

    fflush(stdout);
    _cleanup_close_ int signals = open_signals(&mask, err);
    if (signals < 0)
        return -1;
    terminal_save(&terminal);
    r = spawn_in_front(p, &qemu, &words.fd, err);
    if (r == 0) {
        r = wait_for_end(signals, &qemu, &words, &status, &ended_by, err);
        terminal_restore(&terminal);
    }
    sigprocmask(SIG_SETMASK, &mask, NULL);
    if (r == 0)
        r = report_end(p, status, ended_by, &words, err);
    if (words.fd >= 0)
        close(words.fd);
    sbuf_release(&words.last);
    return r;
}

/* ---- in the background ----------------------------------------------------------------------- */

/* Its monitor answers when everything has been set up. */
static int await_monitor(const struct run_plan *p, struct err *err)
{
    int fd = unix_connect(p->monitor_socket, MONITOR_MS, err);

    if (fd < 0)
        return -1;
    _cleanup_qmp_ struct cima_qmp *q = cima_qmp_new(fd, NULL, NULL, MONITOR_MS, monotonic_ms());
    return cima_qmp_wait_ready(q, MONITOR_MS, err);
}

static int failed_start(const struct run_plan *p, struct child *qemu, struct err *why,
                        struct err *err)
{
    _cleanup_free_ char *words = NULL, *how = NULL;
    const char *hint;
    int status;

    if (child_wait(qemu, 2000, &status) != 1) {
        child_kill(qemu, SIGKILL);
        child_wait(qemu, -1, &status);
        err_move(err, why);
        return err_wrap(err, "starting '%s'", p->argv.v[0]);
    }
    how = wait_status_text(status);
    err_set(err, ERR_QEMU, "'%s' %s", p->argv.v[0], how);
    words = qemu_log_tail(p->qemu_log, 0, LAST_WORDS);
    if (!str_empty(words))
        err_detail(err, words);
    hint = qemu_death_hint(words);
    return hint ? err_hint(err, "%s", hint) : -1;
}

static int spawn_background(const struct run_plan *p, struct child *ret, struct err *err)
{
    _cleanup_strv_ struct strv argv = STRV_INIT;
    struct spawn s = SPAWN_INIT;
    _cleanup_close_ int log = open(
        p->qemu_log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (log < 0)
        return err_set_errno(err, ERR_IO, "cannot make '%s'", p->qemu_log);
    /* Made here, so that they are private from the beginning (B-SOCKETS) and never waited for. */
    _cleanup_close_ int console = unix_listen(p->console_socket, 1, err);
    _cleanup_close_ int monitor = console < 0 ? -1 : unix_listen(p->monitor_socket, 1, err);
    if (monitor < 0)
        return -1;
    const struct spawn_fd fds[] = {{console, p->console_fd}, {monitor, p->monitor_fd}};

    strv_extend(&argv, &p->argv);
    s.argv = (const char *const *)strv_argv(&argv);
    s.stdout_fd = s.stderr_fd = log;
    s.fds = fds;
    s.n_fds = ARRAY_SIZE(fds);
    s.flags = SPAWN_NEW_SESSION | SPAWN_NO_CORE;
    s.umask_ = 077;
    return spawn_child(&s, ret, err);
}

int run_in_background(const struct run_plan *p, pid_t *ret_pid, struct err *err)
{
    _cleanup_child_ struct child qemu = CHILD_INIT;
    _cleanup_err_ struct err why = ERR_INIT;

    if (spawn_background(p, &qemu, err) < 0)
        return -1;
    if (await_monitor(p, &why) < 0) {
        failed_start(p, &qemu, &why, err);
        (void)unlink(p->console_socket);
        (void)unlink(p->monitor_socket);
        return -1;
    }
    *ret_pid = qemu.pid;
    return 0;
}
