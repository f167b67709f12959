/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/copy_service.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "ssh/failure.h"
#include "ssh/ssh.h"
#include "sys/sock.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define MISSING "cima:missing"
#define COPY_MS 60000
#define CHUNK 65536
#define ERRORS_MAX 4096

/* $1: the file. The user's rights first, then root's. */
static const char copy_script[] = "if [ -r \"$1\" ] && [ ! -d \"$1\" ]; then exec cat \"$1\"; fi\n"
                                  "if [ -e \"$1\" ] || sudo -n test -e \"$1\" 2>/dev/null; then\n"
                                  "    exec sudo -n cat \"$1\"\n"
                                  "fi\n"
                                  "echo " MISSING " >&2\n"
                                  "exit 1\n";

struct copy_service {
    struct service base;
    struct ssh_target target;
    unsigned at;        /* index in cfg->copyToHost */
    bool *copied;
    struct child child;
    struct loop_source *exit, *out, *errors, *limit;
    int out_fd;
    int wait_status;
    bool running, held, missing, too_large, timed_out;
    struct sbuf data, error_text;
};

static void next(struct copy_service *s);

static struct copy_service *self(struct service *base)
{
    return (struct copy_service *)base;
}

static const struct config_copy_to_host *current(const struct copy_service *s)
{
    return &s->base.host->cfg->copy_to_host[s->at];
}

/* ---- one file ---------------------------------------------------------------------------------- */

static void end_fetch(struct copy_service *s)
{
    s->exit = loop_source_free(s->exit);
    s->out = loop_source_free(s->out);
    s->errors = loop_source_free(s->errors);
    s->limit = loop_source_free(s->limit);
    if (s->out_fd >= 0)
        close(s->out_fd);
    s->out_fd = -1;
    child_release(&s->child);
    s->child = (struct child)CHILD_INIT;
    sbuf_release(&s->data);
    sbuf_release(&s->error_text);
}

static void give_up(struct copy_service *s, struct err *err)
{
    struct service_host *h = s->base.host;

    err_wrap(err, "failed to copy `%s` of the guest to `%s`", current(s)->guest, current(s)->host);
    h->degraded(h, copy_service.name, err);
}

static int store_file(struct copy_service *s, struct err *err)
{
    _cleanup_free_ char *dir = path_dirname(current(s)->host);

    if (!path_exists(dir) && dir_make(dir, 0700, err))
        return -1;
    return file_write_atomic(current(s)->host, sbuf_str(&s->data), s->data.len, 0600, err);
}

static int judge(struct copy_service *s, struct err *err)
{
    if (s->too_large)
        return err_set(err, ERR_UNSUPPORTED, "it has more than %d MiB", COPY_BYTES_MAX >> 20);
    if (s->timed_out)
        return err_set(err, ERR_TIMEOUT, "it did not come within %d s", COPY_MS / 1000);
    if (s->missing)
        return err_set(err, ERR_NOT_FOUND, "it is not there");
    if (!WIFEXITED(s->wait_status) || WEXITSTATUS(s->wait_status) != 0) {
        _cleanup_free_ char *why =
            s->error_text.len ? xstrdup(s->error_text.buf)
                              : ssh_exit_problem(&s->target, s->wait_status, "");
        return err_set(err, ERR_GUEST, "%s", why);
    }
    return store_file(s, err);
}

static void fetched(struct copy_service *s)
{
    const struct config_copy_to_host *c = current(s);
    struct err err = ERR_INIT;

    s->running = false;
    if (s->missing && c->skip_if_missing == TRI_TRUE) {
        log_info("copyToHost: `%s` is not in the guest, skipped", c->guest);
    } else if (judge(s, &err)) {
        give_up(s, &err);
    } else {
        s->copied[s->at] = true;
        log_info("Copied \"%s\" of the guest to \"%s\"", c->guest, c->host);
    }
    end_fetch(s);
    s->at++;
    next(s);
}

static void fetched_when_over(struct copy_service *s)
{
    if (!s->exit && !s->out && !s->errors)
        fetched(s);
}

static void kill_child(struct copy_service *s)
{
    if (s->exit)
        kill(s->child.pid, SIGKILL); /* not reaped yet, so the pid is its own */
}

static void on_output(void *arg, int fd, unsigned events)
{
    struct copy_service *s = arg;
    ssize_t n = read(fd, sbuf_reserve(&s->data, CHUNK), CHUNK);

    (void)events;
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n > 0 && s->data.len + (size_t)n <= COPY_BYTES_MAX) {
        sbuf_grown(&s->data, (size_t)n);
        return;
    }
    if (n > 0) {
        s->too_large = true;
        kill_child(s);
    }
    s->out = loop_source_free(s->out);
    fetched_when_over(s);
}

static void on_error_line(void *arg, const char *line, size_t len)
{
    struct copy_service *s = arg;

    if (!line) {
        s->errors = loop_source_free(s->errors);
        fetched_when_over(s);
    } else if (len == strlen(MISSING) && memcmp(line, MISSING, len) == 0) {
        s->missing = true;
    } else if (len && s->error_text.len < ERRORS_MAX) {
        if (s->error_text.len)
            sbuf_addstr(&s->error_text, "; ");
        sbuf_add_printable(&s->error_text, line, len);
    }
}

static void on_exit_status(void *arg, int wait_status)
{
    struct copy_service *s = arg;

    s->exit = loop_source_free(s->exit);
    s->wait_status = wait_status;
    fetched_when_over(s);
}

static void on_limit(void *arg)
{
    struct copy_service *s = arg;

    s->limit = loop_source_free(s->limit);
    s->timed_out = true;
    kill_child(s);
}

static int fetch_argv(struct copy_service *s, struct strv *ret, struct err *err)
{
    struct sbuf command = SBUF_INIT;

    sbuf_addstr(&command, "sh -c ");
    sbuf_add_shell_quoted(&command, copy_script);
    sbuf_addstr(&command, " cat ");
    sbuf_add_shell_quoted(&command, current(s)->guest);
    if (ssh_base_argv(&s->target, SSH_MASTER_USE, ret, err)) {
        sbuf_release(&command);
        return -1;
    }
    strv_pushl(ret, "-T", s->target.host, NULL);
    strv_push_consume(ret, sbuf_detach(&command));
    return 0;
}

static int begin_fetch(struct copy_service *s, struct err *err)
{
    struct loop *loop = s->base.host->loop;
    _cleanup_strv_ struct strv argv = STRV_INIT;
    int out[2], errors[2];

    s->missing = s->too_large = s->timed_out = false;
    if (fetch_argv(s, &argv, err))
        return -1;
    if (pipe2(out, O_CLOEXEC))
        return err_set_errno(err, ERR_IO, "could not make a pipe");
    if (pipe2(errors, O_CLOEXEC)) {
        close(out[0]);
        close(out[1]);
        return err_set_errno(err, ERR_IO, "could not make a pipe");
    }
    struct spawn sp = SPAWN_INIT;
    sp.argv = (const char *const *)strv_argv(&argv);
    sp.stdout_fd = out[1];
    sp.stderr_fd = errors[1];
    sp.flags = SPAWN_SEARCH_PATH | SPAWN_NEW_GROUP | SPAWN_NO_CORE | SPAWN_DIE_WITH_PARENT;
    int r = spawn_child(&sp, &s->child, err);
    close(out[1]);
    close(errors[1]);
    if (r < 0) {
        close(out[0]);
        close(errors[0]);
        return -1;
    }
    s->running = true;
    s->out_fd = out[0];
    fd_set_nonblock(out[0], true);
    s->exit = loop_add_child(loop, &s->child, on_exit_status, s);
    s->out = loop_add_fd(loop, out[0], LOOP_READ, on_output, s);
    s->errors = loop_add_lines(loop, errors[0], 512, on_error_line, s);
    s->limit = loop_add_timer(loop, COPY_MS, on_limit, s);
    return 0;
}

static void next(struct copy_service *s)
{
    struct service_host *h = s->base.host;

    while (s->at < h->cfg->copy_to_host_count) {
        struct err err = ERR_INIT;

        if (begin_fetch(s, &err) == 0)
            return;
        give_up(s, &err);
        s->at++;
    }
    if (s->held) {
        s->held = false;
        h->release(h, STAGE_RUNNING);
    }
}

/* ---- as a service ------------------------------------------------------------------------------ */

static struct service *copy_create(struct service_host *h)
{
    if (!h->cfg->copy_to_host_count || h->cfg->plain == TRI_TRUE)
        return NULL;
    struct copy_service *s = xcalloc(1, sizeof(*s));
    s->base = (struct service){.type = &copy_service, .host = h};
    s->copied = xcalloc(h->cfg->copy_to_host_count, sizeof(*s->copied));
    s->child = (struct child)CHILD_INIT;
    s->out_fd = -1;
    return &s->base;
}

static void copy_start(struct service *base)
{
    struct copy_service *s = self(base);
    struct service_host *h = base->host;

    ssh_target_init(&s->target, h->store, h->inst, h->cfg, h->ssh_port);
    s->held = true;
    h->hold(h, STAGE_RUNNING);
    next(s);
}

static void end_now(struct copy_service *s)
{
    if (s->exit) {
        pid_t pid = s->child.pid;

        s->exit = loop_source_free(s->exit);
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    end_fetch(s);
    s->running = false;
}

static void copy_stop(struct service *base)
{
    struct copy_service *s = self(base);
    const struct config_instance *c = base->host->cfg;

    if (s->running)
        end_now(s);
    for (unsigned i = 0; i < c->copy_to_host_count; i++)
        if (s->copied[i] && c->copy_to_host[i].delete_on_stop == TRI_TRUE) {
            if (unlink(c->copy_to_host[i].host) && errno != ENOENT)
                log_warn("could not remove '%s': %s", c->copy_to_host[i].host, strerror(errno));
            s->copied[i] = false;
        }
}

static void copy_free(struct service *base)
{
    struct copy_service *s = self(base);

    if (s->running)
        end_now(s);
    free(s->copied);
    ssh_target_release(&s->target);
    free(s);
}

const struct service_type copy_service = {
    .name = "copyToHost",
    .start_at = STAGE_BOOT_DONE,
    .create = copy_create,
    .start = copy_start,
    .stop = copy_stop,
    .free = copy_free,
};
