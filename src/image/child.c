/* SPDX-License-Identifier: Apache-2.0 */
#include "image/child.h"
#include "image/helperio.h"
#include "image/internal.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include "sys/helper.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define TICK_MS    100
#define ERRORS_MAX 2048

struct pipe_ends {
    int read, write;
};

/* For what we tell it: a socket, because writing to a pipe that nobody reads any more would raise
 * SIGPIPE. */
static int make_socket(struct pipe_ends *ret, struct err *err)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return err_set_errno(err, ERR_IO, "cannot make a socket");
    *ret = (struct pipe_ends){fds[0], fds[1]};
    return 0;
}

static int make_pipe(struct pipe_ends *ret, struct err *err)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_set_errno(err, ERR_IO, "cannot make a pipe");
    *ret = (struct pipe_ends){fds[0], fds[1]};
    return 0;
}

static void close_pipe(struct pipe_ends *p)
{
    cleanup_close_p(&p->read);
    cleanup_close_p(&p->write);
}

int child_io_start(const char *const *argv, int stdin_fd, int out_fd, int lock_fd,
                   const struct image_report *report, struct child_io *ret, struct err *err)
{
    _cleanup_(close_pipe) struct pipe_ends in = {-1, -1}, out = {-1, -1};
    _cleanup_free_ char *program = helper_path(argv[0], err);
    _cleanup_strv_ struct strv args = STRV_INIT;
    const struct spawn_fd extra[] = {{out_fd, 3}, {lock_fd, 4}};
    struct spawn s = SPAWN_INIT;
    struct child child = CHILD_INIT;
    if (!program || make_pipe(&out, err) < 0 || (stdin_fd < 0 && make_socket(&in, err) < 0))
        return -1;
    _cleanup_close_ int errors = memfd_create("stderr", MFD_CLOEXEC);
    strv_push(&args, program);
    for (size_t i = 1; argv[i]; i++)
        strv_push(&args, argv[i]);
    s.argv = (const char *const *)strv_argv(&args);
    s.stdin_fd = stdin_fd < 0 ? in.read : stdin_fd;
    s.stdout_fd = out.write;
    s.stderr_fd = errors;
    s.fds = extra;
    s.n_fds = out_fd < 0 ? 0 : lock_fd < 0 ? 1 : 2;
    s.flags = SPAWN_NEW_GROUP | SPAWN_DIE_WITH_PARENT | SPAWN_NO_CORE;
    if (spawn_child(&s, &child, err) < 0)
        return err_wrap(err, "the helper program '%s'", argv[0]);
    *ret = (struct child_io){.name = argv[0],
                             .child = child,
                             .in = TAKE_FD(in.write),
                             .out = TAKE_FD(out.read),
                             .errors = TAKE_FD(errors),
                             .report = report};
    return 0;
}

void child_io_release(struct child_io *c)
{
    int status;
    cleanup_close_p(&c->in);
    cleanup_close_p(&c->out);
    cleanup_close_p(&c->errors);
    if (c->child.pid > 0) {
        (void)child_kill(&c->child, SIGKILL);
        (void)child_wait(&c->child, -1, &status);
    }
    child_release(&c->child);
    sbuf_release(&c->buf);
}

int child_io_send(const struct child_io *c, const char *text, size_t len, struct err *err)
{
    while (len) {
        ssize_t n = send(c->in, text, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set_errno(err, ERR_IO, "cannot talk to the helper program '%s'", c->name);
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Waits for output. 1 some is there, 0 a tick has passed. */
static int wait_output(const struct child_io *c)
{
    struct pollfd p = {.fd = c->out, .events = POLLIN};
    return poll(&p, 1, TICK_MS) > 0;
}

static char *whole_line(struct child_io *c)
{
    sbuf_consume(&c->buf, c->eaten);
    c->eaten = 0;
    char *end = c->buf.len ? memchr(c->buf.buf, '\n', c->buf.len) : NULL;
    if (!end)
        return NULL;
    *end = '\0';
    c->eaten = (size_t)(end - c->buf.buf) + 1;
    return c->buf.buf;
}

char *child_io_line(struct child_io *c, void (*tick)(void *arg), void *arg, struct err *err)
{
    for (;;) {
        char *line = whole_line(c);
        if (image_go_on(c->report, err) < 0)
            return NULL;
        if (line)
            return line;
        if (c->buf.len > HELPER_LINE_MAX) {
            err_set(err, ERR_PROTOCOL, "the helper program '%s' speaks nonsense", c->name);
            return NULL;
        }
        if (!wait_output(c)) {
            if (tick)
                tick(arg);
            continue;
        }
        ssize_t n = read(c->out, sbuf_reserve(&c->buf, HELPER_LINE_MAX), HELPER_LINE_MAX);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return NULL;
        sbuf_grown(&c->buf, (size_t)n);
    }
}

const char *child_io_value(const char *line, const char *word)
{
    size_t n = strlen(word);
    return strncmp(line, word, n) == 0 && line[n] == ' ' ? line + n + 1 : NULL;
}

static void name_subject(const char *subject, struct err *err)
{
    if (subject)
        err_wrap(err, "'%s'", subject);
}

bool child_io_failed(const char *line, const char *subject, enum err_kind kind, struct err *err)
{
    const char *text = child_io_value(line, "fail");
    if (text) {
        err_set(err, kind, "%s", text);
        name_subject(subject, err);
        return true;
    }
    text = child_io_value(line, "errno");
    if (!text)
        return false;
    char *rest;
    long number = strtol(text, &rest, 10);
    errno = number > 0 && number < 4096 ? (int)number : EIO;
    err_set_errno(err, ERR_IO, "%s", rest + (*rest == ' '));
    name_subject(subject, err);
    return true;
}

int child_io_died(struct child_io *c, struct err *err)
{
    int status = 0;
    char text[ERRORS_MAX + 1];
    if (child_wait(&c->child, 5000, &status) <= 0)
        return err_set(err, ERR_INTERNAL, "the helper program '%s' closed its output", c->name);
    c->child.pid = 0;
    _cleanup_free_ char *how = wait_status_text(status);
    err_set(err, ERR_IO, "the helper program '%s' %s", c->name, how);
    ssize_t n = pread(c->errors, text, ERRORS_MAX, 0);
    text[n > 0 ? n : 0] = '\0';
    return *text ? err_detail(err, text) : -1;
}
