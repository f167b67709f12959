/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "sys/clock.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>

#define PIECE      4096
#define WAITING_MAX 65536 /* input that the guest has not taken yet */
#define QUIET_MS   2000

struct session {
    int fd, key, signals;
    bool is_terminal, input_over;
    struct termios saved;
    struct sbuf waiting;
    int64_t quiet_from; /* when something last went through, after the end of input */
    enum terminal_end end;
    int signo;
};

/* ---- the key --------------------------------------------------------------------------------- */

int terminal_parse_key(const char *text, int *ret, struct err *err)
{
    const char *c = text;

    if (streq(text, "none")) {
        *ret = -1;
        return 0;
    }
    if (*c == '^')
        c++;
    else if (strncasecmp(c, "ctrl-", 5) == 0)
        c += 5;
    else
        c = "";
    int upper = *c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c;
    if (upper < '@' || upper > '_' || c[1]) {
        err_set(err, ERR_USAGE, "'%s' is no key to detach with", text);
        return err_hint(err, "one of ctrl-a to ctrl-z, ctrl-], ctrl-\\, ctrl-^, ctrl-_, or none");
    }
    *ret = upper - '@';
    return 0;
}

char *terminal_key_name(int key)
{
    return xasprintf("Ctrl-%c", key + '@');
}

/* ---- the terminal ---------------------------------------------------------------------------- */

static int make_raw(struct session *s, struct err *err)
{
    struct termios raw = s->saved;

    cfmakeraw(&raw);
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
        return err_set_errno(err, ERR_IO, "could not change the mode of the terminal");
    return 0;
}

static void restore(const struct session *s)
{
    if (s->is_terminal)
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &s->saved);
}

/* Signals become readable, so that none ends us with the terminal in raw mode. */
static int catch_signals(sigset_t *ret_old, struct err *err)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
        sigaddset(&set, caught[i]);
    if (sigprocmask(SIG_BLOCK, &set, ret_old) < 0)
        return err_set_errno(err, ERR_IO, "could not block signals");
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        err_set_errno(err, ERR_IO, "could not wait for signals");
        sigprocmask(SIG_SETMASK, ret_old, NULL);
    }
    return fd;
}

/* Returns 1 when we are to end. */
static int on_signal(struct session *s, struct err *err)
{
    struct signalfd_siginfo info;

    if (read(s->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return 0;
    if (info.ssi_signo != SIGTSTP) {
        s->end = TERMINAL_SIGNAL;
        s->signo = (int)info.ssi_signo;
        return 1;
    }
    /* Somebody stops us (not by a key: that goes to the guest). */
    restore(s);
    raise(SIGSTOP);
    return s->is_terminal && make_raw(s, err) < 0 ? -1 : 0;
}

/* ---- input ----------------------------------------------------------------------------------- */

/* Returns 1 when the key was pressed. What the guest does not take any more is dropped, so that the
 * key is always seen. */
static int take_input(struct session *s, const char *data, size_t len)
{
    const char *key = s->is_terminal && s->key >= 0 ? memchr(data, s->key, len) : NULL;

    if (key)
        len = (size_t)(key - data);
    if (s->waiting.len + len <= WAITING_MAX)
        sbuf_add(&s->waiting, data, len);
    return key != NULL;
}

static int on_input(struct session *s)
{
    char buf[PIECE];
    ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n <= 0) {
        s->input_over = true;
        s->quiet_from = monotonic_ms();
        if (!s->is_terminal)
            return 0;
    }
    if (n <= 0 || take_input(s, buf, (size_t)n)) {
        s->end = TERMINAL_DETACHED;
        return 1;
    }
    return 0;
}

/* 1: the other side is gone. */
static int flush(struct session *s)
{
    ssize_t n = send(s->fd, s->waiting.buf, s->waiting.len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n > 0) {
        sbuf_consume(&s->waiting, (size_t)n);
        s->quiet_from = monotonic_ms(); /* the answer to that is yet to come */
    }
    if (n >= 0 || errno == EAGAIN || errno == EINTR)
        return 0;
    s->end = TERMINAL_CLOSED;
    return 1;
}

/* ---- output ---------------------------------------------------------------------------------- */

static int on_output(struct session *s, struct err *err)
{
    char buf[PIECE];
    ssize_t n = recv(s->fd, buf, sizeof(buf), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        s->end = TERMINAL_CLOSED;
        return 1;
    }
    s->quiet_from = monotonic_ms();
    if (fd_write_all(STDOUT_FILENO, buf, (size_t)n) == 0)
        return 0;
    if (errno == EPIPE) { /* who reads has seen enough */
        s->end = TERMINAL_DETACHED;
        return 1;
    }
    return err_set_errno(err, ERR_IO, "could not write what comes from the console");
}

/* ---- the loop -------------------------------------------------------------------------------- */

static bool wants_input(const struct session *s)
{
    return !s->input_over && (s->is_terminal || s->waiting.len < WAITING_MAX - PIECE);
}

/* Returns 1 when it is over. */
static int turn(struct session *s, struct err *err)
{
    struct pollfd p[] = {
        {.fd = s->signals, .events = POLLIN},
        {.fd = s->fd, .events = (short)(POLLIN | (s->waiting.len ? POLLOUT : 0))},
        {.fd = wants_input(s) ? STDIN_FILENO : -1, .events = POLLIN},
    };
    bool lingering = s->input_over && !s->waiting.len;
    int64_t left = lingering ? s->quiet_from + QUIET_MS - monotonic_ms() : -1;
    int r = 0;

    if (lingering && left <= 0) {
        s->end = TERMINAL_DETACHED;
        return 1;
    }
    if (poll(p, ARRAY_SIZE(p), (int)left) < 0)
        return errno == EINTR ? 0 : err_set_errno(err, ERR_IO, "could not wait for the console");
    if (p[0].revents)
        r = on_signal(s, err);
    if (!r && p[1].revents & (POLLIN | POLLHUP | POLLERR))
        r = on_output(s, err);
    if (!r && p[2].revents)
        r = on_input(s);
    if (r <= 0 && s->waiting.len && flush(s))
        r = 1;
    return r;
}

int terminal_attach(int fd, int key, enum terminal_end *ret, int *ret_signal, struct err *err)
{
    struct session s = {.fd = fd, .key = key};
    sigset_t old;
    int r;

    s.signals = catch_signals(&old, err);
    if (s.signals < 0)
        return -1;
    s.is_terminal = tcgetattr(STDIN_FILENO, &s.saved) == 0;
    r = s.is_terminal ? make_raw(&s, err) : 0;
    while (r == 0)
        r = turn(&s, err);
    restore(&s);
    close(s.signals);
    sigprocmask(SIG_SETMASK, &old, NULL);
    sbuf_release(&s.waiting);
    if (r < 0)
        return -1;
    *ret = s.end;
    *ret_signal = s.signo;
    return 0;
}
