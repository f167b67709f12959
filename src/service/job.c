/* SPDX-License-Identifier: Apache-2.0 */
#include "service/job.h"
#include "base/fs.h"
#include "base/mem.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define STDERR_LINE_CAP 512
#define KILL_AFTER_MS 2000
/* A grandchild may keep our pipes open after the program has ended: don't wait for it for long. */
#define DRAIN_MS 500

struct job {
    struct job_spec spec;
    struct loop *loop;
    struct child child;
    int stdin_fd; /* our end when keep_stdin_open */
    struct loop_source *exit, *out, *err_out, *timer;
    bool exited;
    int wait_status;
    char *errors[JOB_STDERR_LINES]; /* ring */
    unsigned n_errors;
};

static void release(struct job *j)
{
    loop_source_free(j->exit);
    loop_source_free(j->out);
    loop_source_free(j->err_out);
    loop_source_free(j->timer);
    if (j->stdin_fd >= 0)
        close(j->stdin_fd);
    for (size_t i = 0; i < JOB_STDERR_LINES; i++)
        free(j->errors[i]);
    child_release(&j->child);
    free(j);
}

static char *errors_text(const struct job *j)
{
    struct sbuf s = SBUF_INIT;
    unsigned first = j->n_errors > JOB_STDERR_LINES ? j->n_errors - JOB_STDERR_LINES : 0;

    for (unsigned i = first; i < j->n_errors; i++) {
        if (s.len)
            sbuf_addch(&s, '\n');
        sbuf_addstr(&s, j->errors[i % JOB_STDERR_LINES]);
    }
    return sbuf_detach(&s);
}

static void finish(struct job *j)
{
    struct job_spec spec = j->spec;
    int status = j->wait_status;
    _cleanup_free_ char *errors = errors_text(j);

    release(j);
    spec.ended(spec.arg, status, errors);
}

static void finish_when_over(struct job *j)
{
    if (j->exited && !j->out && !j->err_out)
        finish(j);
}

static void on_drained(void *arg)
{
    finish(arg);
}

static void on_exit_status(void *arg, int wait_status)
{
    struct job *j = arg;

    j->exited = true;
    j->wait_status = wait_status;
    j->exit = loop_source_free(j->exit);
    j->timer = loop_source_free(j->timer);
    j->timer = loop_add_timer(j->loop, DRAIN_MS, on_drained, j);
    finish_when_over(j);
}

static void on_line(void *arg, const char *line, size_t len)
{
    struct job *j = arg;

    if (line) {
        if (j->spec.line)
            j->spec.line(j->spec.arg, line, len);
        return;
    }
    j->out = loop_source_free(j->out);
    finish_when_over(j);
}

static void on_error_line(void *arg, const char *line, size_t len)
{
    struct job *j = arg;
    struct sbuf s = SBUF_INIT;

    if (!line) {
        j->err_out = loop_source_free(j->err_out);
        finish_when_over(j);
        return;
    }
    while (len && line[len - 1] == '\r')
        len--;
    if (!len)
        return;
    sbuf_add_printable(&s, line, len);
    char **slot = &j->errors[j->n_errors++ % JOB_STDERR_LINES];
    free(*slot);
    *slot = sbuf_detach(&s);
}

/* A file in memory: the child reads it at its own pace and nothing has to be written from the
 * loop. */
static int input_file(const char *text, struct err *err)
{
    _cleanup_close_ int fd = memfd_create("input", MFD_CLOEXEC);

    if (fd < 0)
        return err_set_errno(err, ERR_IO, "could not make a file in memory");
    if (fd_write_all(fd, text, strlen(text)) || lseek(fd, 0, SEEK_SET) < 0)
        return err_set_errno(err, ERR_IO, "could not write a file in memory");
    return TAKE_FD(fd);
}

/* Returns the read end; the write end stays in j. */
static int input_pipe(struct job *j, const char *text, struct err *err)
{
    int fds[2];

    assert(strlen(text) <= JOB_OPEN_INPUT_MAX); /* fits in a pipe: the write can't block */
    if (pipe2(fds, O_CLOEXEC))
        return err_set_errno(err, ERR_IO, "could not make a pipe");
    j->stdin_fd = fds[1];
    if (fd_write_all(fds[1], text, strlen(text))) {
        close(fds[0]);
        return err_set_errno(err, ERR_IO, "could not write to a pipe");
    }
    return fds[0];
}

static int spawn_with_pipes(struct job *j, int *ret_out, int *ret_err, struct err *err)
{
    _cleanup_close_ int in = -1, out_r = -1, out_w = -1, err_r = -1, err_w = -1;
    int fds[2];

    if (j->spec.input) {
        in = j->spec.keep_stdin_open ? input_pipe(j, j->spec.input, err)
                                     : input_file(j->spec.input, err);
        if (in < 0)
            return -1;
    }
    if (pipe2(fds, O_CLOEXEC))
        return err_set_errno(err, ERR_IO, "could not make a pipe");
    out_r = fds[0], out_w = fds[1];
    if (pipe2(fds, O_CLOEXEC))
        return err_set_errno(err, ERR_IO, "could not make a pipe");
    err_r = fds[0], err_w = fds[1];

    struct spawn sp = SPAWN_INIT;
    sp.argv = j->spec.argv;
    sp.stdin_fd = in;
    sp.stdout_fd = out_w;
    sp.stderr_fd = err_w;
    /* A group of its own: ^C on a foreground agent is for the agent, which ends jobs in order. */
    sp.flags = SPAWN_SEARCH_PATH | SPAWN_NEW_GROUP | SPAWN_NO_CORE;
    if (spawn_child(&sp, &j->child, err))
        return -1;
    *ret_out = TAKE_FD(out_r);
    *ret_err = TAKE_FD(err_r);
    return 0;
}

struct job *job_start(struct loop *loop, const struct job_spec *spec, struct err *err)
{
    struct job *j = xcalloc(1, sizeof(*j));
    int out = -1, err_out = -1;

    j->spec = *spec;
    j->loop = loop;
    j->child = (struct child)CHILD_INIT;
    j->stdin_fd = -1;
    if (spawn_with_pipes(j, &out, &err_out, err)) {
        release(j);
        return NULL;
    }
    /* argv and input are the caller's and may go away now. */
    j->spec.argv = NULL;
    j->spec.input = NULL;
    j->exit = loop_add_child(loop, &j->child, on_exit_status, j);
    j->out = loop_add_lines(loop, out, spec->line_cap ? spec->line_cap : STDERR_LINE_CAP, on_line, j);
    j->err_out = loop_add_lines(loop, err_out, STDERR_LINE_CAP, on_error_line, j);
    return j;
}

static void on_kill_time(void *arg)
{
    struct job *j = arg;

    j->timer = loop_source_free(j->timer);
    kill(j->child.pid, SIGKILL);
}

void job_close_input(struct job *j)
{
    if (j->stdin_fd >= 0)
        close(j->stdin_fd);
    j->stdin_fd = -1;
}

void job_terminate(struct job *j)
{
    job_close_input(j);
    if (j->exited || j->timer)
        return;
    kill(j->child.pid, SIGTERM);
    j->timer = loop_add_timer(j->loop, KILL_AFTER_MS, on_kill_time, j);
}

struct job *job_free(struct job *j)
{
    if (!j)
        return NULL;
    if (!j->exited) {
        pid_t pid = j->child.pid;

        /* Our child and not reaped yet, so the pid is still its own. */
        j->exit = loop_source_free(j->exit);
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    release(j);
    return NULL;
}
