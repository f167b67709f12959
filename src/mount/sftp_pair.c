/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/sftp_pair.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define LINE_CAP 512
#define KILL_AFTER_MS 2000
/* What is left of stderr when both are over; a process that somebody else keeps open may not hold
 * us. */
#define DRAIN_MS 500

struct side {
    struct child child;
    struct loop_source *exit;
    bool over;
};

struct sftp_pair {
    struct sftp_pair_spec spec;
    struct loop *loop;
    struct side ssh, server;
    struct loop_source *errors, *timer;
    int ssh_status;
};

/* ---- the server -------------------------------------------------------------------------------- */

char *sftp_server_find(struct err *err)
{
    static const char *const places[] = {
        "/usr/lib/openssh/sftp-server",     /* Debian, Ubuntu */
        "/usr/libexec/openssh/sftp-server", /* Fedora, RHEL */
        "/usr/lib/ssh/sftp-server",         /* Arch, Alpine, openSUSE */
        "/usr/libexec/ssh/sftp-server",     /* openSUSE */
        "/usr/libexec/sftp-server",         /* Guix, BSDs */
        "/usr/lib64/misc/sftp-server",      /* Gentoo */
        "sftp-server",
    };
    const char *set = getenv("CIMA_SFTP_SERVER");

    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        char *path = find_program(str_empty(set) ? places[i] : set);

        if (path)
            return path;
        if (!str_empty(set))
            break;
    }
    err_set(err, ERR_NOT_FOUND, "the host has no sftp-server%s%s", str_empty(set) ? "" : " at ",
            str_empty(set) ? "" : set);
    err_hint(err, "install the package 'openssh-sftp-server' (Debian, Ubuntu) or 'openssh-server', "
                  "or set CIMA_SFTP_SERVER to its path");
    return NULL;
}

/* ---- life -------------------------------------------------------------------------------------- */

static void release(struct sftp_pair *p)
{
    loop_source_free(p->ssh.exit);
    loop_source_free(p->server.exit);
    loop_source_free(p->errors);
    loop_source_free(p->timer);
    child_release(&p->ssh.child);
    child_release(&p->server.child);
    free(p);
}

static void finish(void *arg)
{
    struct sftp_pair *p = arg;
    struct sftp_pair_spec spec = p->spec;
    int status = p->ssh_status;

    release(p);
    spec.ended(spec.arg, status);
}

static void kill_side(struct side *side, int sig)
{
    if (side->child.pid && !side->over)
        kill(side->child.pid, sig); /* not reaped yet, so the pid is its own */
}

static void on_kill_time(void *arg)
{
    struct sftp_pair *p = arg;

    p->timer = loop_source_free(p->timer);
    kill_side(&p->ssh, SIGKILL);
    kill_side(&p->server, SIGKILL);
}

void sftp_pair_terminate(struct sftp_pair *p)
{
    kill_side(&p->ssh, SIGTERM);
    kill_side(&p->server, SIGTERM);
    if (!p->timer)
        p->timer = loop_add_timer(p->loop, KILL_AFTER_MS, on_kill_time, p);
}

/* One without the other is of no use. */
static void side_over(struct sftp_pair *p, struct side *side)
{
    side->over = true;
    side->exit = loop_source_free(side->exit);
    if (!p->ssh.over || !p->server.over) {
        sftp_pair_terminate(p);
        return;
    }
    loop_source_free(p->timer);
    p->timer = loop_add_timer(p->loop, p->errors ? DRAIN_MS : 0, finish, p);
}

static void on_ssh_exit(void *arg, int wait_status)
{
    struct sftp_pair *p = arg;

    p->ssh_status = wait_status;
    side_over(p, &p->ssh);
}

static void on_server_exit(void *arg, int wait_status)
{
    struct sftp_pair *p = arg;

    (void)wait_status;
    side_over(p, &p->server);
}

static void on_line(void *arg, const char *line, size_t len)
{
    struct sftp_pair *p = arg;

    if (line) {
        p->spec.line(p->spec.arg, line, len);
        return;
    }
    p->errors = loop_source_free(p->errors);
    if (p->ssh.over && p->server.over)
        finish(p);
}

static int make_pipe(int *ret_read, int *ret_write, struct err *err)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC))
        return err_set_errno(err, ERR_IO, "could not make a pipe");
    *ret_read = fds[0];
    *ret_write = fds[1];
    return 0;
}

/* They go with the agent: the next one makes the mounts anew, and could not look after these. */
static int spawn_side(struct side *side, const char *const *argv, int in, int out, int err_out,
                      struct err *err)
{
    struct spawn sp = SPAWN_INIT;

    sp.argv = argv;
    sp.stdin_fd = in;
    sp.stdout_fd = out;
    sp.stderr_fd = err_out;
    sp.flags = SPAWN_SEARCH_PATH | SPAWN_NEW_GROUP | SPAWN_NO_CORE | SPAWN_DIE_WITH_PARENT;
    return spawn_child(&sp, &side->child, err);
}

static int spawn_both(struct sftp_pair *p, int *ret_errors, struct err *err)
{
    _cleanup_close_ int up_r = -1, up_w = -1, down_r = -1, down_w = -1, err_r = -1, err_w = -1;

    if (make_pipe(&up_r, &up_w, err) || make_pipe(&down_r, &down_w, err) ||
        make_pipe(&err_r, &err_w, err) ||
        spawn_side(&p->server, p->spec.server_argv, up_r, down_w, err_w, err))
        return -1;
    if (spawn_side(&p->ssh, p->spec.ssh_argv, down_r, up_w, err_w, err)) {
        kill(p->server.child.pid, SIGKILL);
        child_wait(&p->server.child, -1, NULL);
        return -1;
    }
    *ret_errors = TAKE_FD(err_r);
    return 0;
}

struct sftp_pair *sftp_pair_start(struct loop *loop, const struct sftp_pair_spec *spec,
                                  struct err *err)
{
    struct sftp_pair *p = xcalloc(1, sizeof(*p));
    int errors = -1;

    p->spec = *spec;
    p->loop = loop;
    p->ssh.child = p->server.child = (struct child)CHILD_INIT;
    if (spawn_both(p, &errors, err)) {
        release(p);
        return NULL;
    }
    p->spec.ssh_argv = p->spec.server_argv = NULL; /* the caller's, and may go away now */
    p->ssh.exit = loop_add_child(loop, &p->ssh.child, on_ssh_exit, p);
    p->server.exit = loop_add_child(loop, &p->server.child, on_server_exit, p);
    p->errors = loop_add_lines(loop, errors, LINE_CAP, on_line, p);
    return p;
}

static void reap(struct side *side)
{
    if (side->over)
        return;
    side->exit = loop_source_free(side->exit);
    kill(side->child.pid, SIGKILL);
    while (waitpid(side->child.pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

struct sftp_pair *sftp_pair_free(struct sftp_pair *p)
{
    if (!p)
        return NULL;
    reap(&p->ssh);
    reap(&p->server);
    release(p);
    return NULL;
}
