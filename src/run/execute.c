/* SPDX-License-Identifier: Apache-2.0 */
/* The plan, executed: what is to be made, the processes beside QEMU, QEMU. What was made for a
 * machine that then can't start is taken away again, as long as no guest has seen it. */
#include "run/internal.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "cidata/cidata.h"
#include "cidata/seedstream.h"
#include "sys/clock.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#define QEMU_IMG_MS      (10 * 60 * 1000)
#define SOCKET_MS        10000
#define HELPER_END_MS    3000
#define LISTEN_MS        250

/* A file or directory that we made, as it was then. */
struct made {
    const char *path;
    struct stat st;
};

struct execution {
    const struct run_plan *plan;
    struct child *helpers; /* one per helper of the plan; pid 0: not started */
    struct made *made;     /* to take away after a failure; room for one per step */
    size_t n_made;
};

/* ---- steps ----------------------------------------------------------------------------------- */

/* If there is something by now. */
static void add_made(struct execution *x, const char *path)
{
    struct made m = {.path = path};

    if (lstat(path, &m.st) == 0)
        x->made[x->n_made++] = m;
}

static int make_disk(const struct run_step *s, struct err *err)
{
    struct spawn command = SPAWN_INIT;
    _cleanup_strv_ struct strv argv = STRV_INIT;

    strv_extend(&argv, &s->argv);
    _cleanup_free_ char *line = strv_to_shell(&argv);
    log_debug("Creating new qemu disk [%s] format %s", s->path, s->format);
    log_debug("%s", line);
    command.argv = (const char *const *)strv_argv(&argv);
    command.flags = SPAWN_DIE_WITH_PARENT | SPAWN_NO_CORE;
    command.umask_ = 077;
    if (run_checked(&command, QEMU_IMG_MS, err) == 0)
        return 0;
    return err_wrap(err, "Error creating disk [%s] format %s", s->path, s->format);
}

/* Metadata as linuxkit's guests look for it: a CD with one file, `config` (S0-L4). */
static int make_iso(const struct run_step *s, struct err *err)
{
    _cleanup_free_ char *read = NULL;
    struct cidata_file file = {.name = (char *)"config", .mode = 0644};
    const struct cidata disc = {.v = &file, .n = 1};

    file.data = s->text;
    file.len = s->text ? strlen(s->text) : 0;
    if (s->from) {
        read = file_read(s->from, SEED_DATA_MAX, &file.len, err);
        if (!read)
            return err_wrap(err, "--data-file");
        file.data = read;
    }
    return cidata_write_iso(&disc, s->path, err);
}

static int do_step(const struct run_step *s, struct err *err)
{
    switch (s->kind) {
    case RUN_STEP_SAY:
        log_info("%s", s->text);
        return 0;
    case RUN_STEP_DIR:
        if (dir_make(s->path, 0700, err) < 0)
            return err_wrap(err, "Could not create state directory");
        return 0;
    case RUN_STEP_DISK:
        return make_disk(s, err);
    case RUN_STEP_ISO:
        return make_iso(s, err);
    case RUN_STEP_MAC:
        return file_write_atomic(s->path, s->text, strlen(s->text), 0600, err);
    }
    return 0;
}

static int do_steps(struct execution *x, struct err *err)
{
    for (size_t i = 0; i < x->plan->n_steps; i++) {
        const struct run_step *s = &x->plan->steps[i];
        bool there = !s->path || path_exists(s->path);
        int r = do_step(s, err);

        if (!there)
            add_made(x, s->path);
        if (r < 0)
            return -1;
    }
    return 0;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* In reverse, so that a directory is empty when its turn comes; one that is not stays, and so does a
 * disk into which something was written. */
static void take_away(struct execution *x)
{
    for (size_t i = x->n_made; i-- > 0;) {
        const struct made *m = &x->made[i];
        struct stat now;

        if (S_ISDIR(m->st.st_mode))
            (void)rmdir(m->path);
        else if (lstat(m->path, &now) == 0 && now.st_ino == m->st.st_ino &&
                 now.st_size == m->st.st_size && same_time(&now.st_mtim, &m->st.st_mtim))
            (void)unlink(m->path);
    }
}

/* ---- helpers --------------------------------------------------------------------------------- */

static bool find_socket(const char *path, struct stat *ret)
{
    return lstat(path, ret) == 0 && S_ISSOCK(ret->st_mode);
}

/* Is there a socket that is not the one of a run before? */
static bool has_new_socket(const char *path, const struct stat *old)
{
    struct stat st;

    return find_socket(path, &st) &&
           (st.st_ino != old->st_ino || st.st_ctim.tv_sec != old->st_ctim.tv_sec ||
            st.st_ctim.tv_nsec != old->st_ctim.tv_nsec);
}

static void add_log(const char *path, struct err *err)
{
    _cleanup_free_ char *text = file_read(path, 64u << 10, NULL, NULL);

    if (!str_empty(text))
        err_detail(err, text);
}

/* Waits for its socket; its end is an error, whatever its status (S1-36). */
static int await_helper(const struct run_helper *h, struct child *child, const struct stat *old,
                        struct err *err)
{
    int64_t until = deadline_in(SOCKET_MS);
    int status;

    while (!has_new_socket(h->socket, old)) {
        if (child_wait(child, 20, &status) == 1) {
            _cleanup_free_ char *how = wait_status_text(status);

            child->pid = 0;
            err_set(err, ERR_IO, "virtiofsd never created vhost socket '%s': it %s", h->socket,
                    how);
            add_log(h->log, err);
            return -1;
        }
        if (deadline_left(until) == 0) {
            err_set(err, ERR_TIMEOUT, "vhost socket '%s' never appeared", h->socket);
            add_log(h->log, err);
            return -1;
        }
    }
    /* From its name to listen(): QEMU asks once. */
    until = deadline_in(LISTEN_MS);
    while (!unix_is_listening(h->socket) && deadline_left(until) > 0)
        poll(NULL, 0, 5);
    return 0;
}

static int start_helper(struct execution *x, size_t i, struct err *err)
{
    const struct run_helper *h = &x->plan->helpers[i];
    _cleanup_close_ int log =
        open(h->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    _cleanup_strv_ struct strv argv = STRV_INIT;
    struct spawn s = SPAWN_INIT;
    struct stat old;

    if (log < 0)
        return err_set_errno(err, ERR_IO, "cannot make '%s'", h->log);
    /* virtiofsd itself replaces it, unless another one uses it. */
    if (!find_socket(h->socket, &old))
        old = (struct stat){0};
    strv_extend(&argv, &h->argv);
    s.argv = (const char *const *)strv_argv(&argv);
    s.stdout_fd = s.stderr_fd = log;
    s.umask_ = 077;
    /* Not with us on the terminal: ^C is for the guest. In the background it ends when QEMU hangs
     * up. */
    s.flags = SPAWN_NO_CORE | SPAWN_NEW_SESSION;
    if (!x->plan->detached)
        s.flags |= SPAWN_DIE_WITH_PARENT;
    _cleanup_free_ char *line = strv_to_shell(&argv);
    log_debug("%s", line);
    if (spawn_child(&s, &x->helpers[i], err) < 0)
        return -1;
    return await_helper(h, &x->helpers[i], &old, err);
}

static int start_helpers(struct execution *x, struct err *err)
{
    for (size_t i = 0; i < x->plan->n_helpers; i++)
        if (start_helper(x, i, err) < 0)
            return err_wrap(err, "sharing a directory");
    return 0;
}

/* They end by themselves when QEMU does; at the latest now. */
static void end_helpers(struct execution *x)
{
    struct stat st;
    int status;

    for (size_t i = 0; i < x->plan->n_helpers; i++) {
        struct child *c = &x->helpers[i];

        if (!c->pid)
            continue;
        child_kill(c, SIGTERM);
        if (child_wait(c, HELPER_END_MS, &status) != 1) {
            child_kill(c, SIGKILL);
            child_wait(c, -1, &status);
        }
        if (find_socket(x->plan->helpers[i].socket, &st))
            (void)unlink(x->plan->helpers[i].socket);
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Before anything is made. */
static int check_socket(const char *path, struct err *err)
{
    if (!path || strlen(path) <= UNIX_PATH_LIMIT)
        return 0;
    err_set(err, ERR_USAGE, "the socket path '%s' is too long: %zu bytes, %d are allowed", path,
            strlen(path), UNIX_PATH_LIMIT);
    return err_hint(err, "name a state directory with a shorter path: --state");
}

static int check(const struct run_plan *p, struct err *err)
{
    if (check_socket(p->console_socket, err) < 0)
        return -1;
    for (size_t i = 0; i < p->n_helpers; i++)
        if (check_socket(p->helpers[i].socket, err) < 0)
            return -1;
    if (p->kvm_problem) {
        err_set(err, ERR_UNSUPPORTED, "acceleration by KVM was asked for: %s", p->kvm_problem);
        return err_hint(err, "--accel tcg does without it, --accel kvm:tcg when there is none");
    }
    if (p->state_holder > 0 && p->pid_file) {
        err_set(err, ERR_BUSY, "state directory '%s' is in use by another QEMU (pid %d)", p->state,
                (int)p->state_holder);
        return err_hint(err, "name another one: --state");
    }
    return 0;
}

/* QEMU can't say why a helper hung up: the last words of those that did. */
static void add_last_words(struct execution *x, struct err *err)
{
    int status;

    for (size_t i = 0; i < x->plan->n_helpers; i++)
        if (err->kind == ERR_QEMU && x->helpers[i].pid &&
            child_wait(&x->helpers[i], 200, &status) == 1) {
            x->helpers[i].pid = 0;
            if (wait_status_exit_code(status) != 0)
                add_log(x->plan->helpers[i].log, err);
        }
}

static int execute(struct execution *x, pid_t *ret_pid, struct err *err)
{
    int r;

    if (do_steps(x, err) < 0 || start_helpers(x, err) < 0) {
        end_helpers(x);
        take_away(x);
        return -1;
    }
    r = x->plan->detached ? run_in_background(x->plan, ret_pid, err) : run_in_front(x->plan, err);
    if (r < 0)
        add_last_words(x, err);
    if (r < 0 || !x->plan->detached)
        end_helpers(x);
    /* It could not begin, or nothing has come of it. */
    if (r < 0 && err->kind != ERR_INTERRUPTED)
        take_away(x);
    return r;
}

int run_execute(const struct run_plan *p, pid_t *ret_pid, struct err *err)
{
    struct execution x = {.plan = p};
    _cleanup_free_ char *line = strv_to_shell(&p->argv);

    if (check(p, err) < 0)
        return -1;
    log_debug("%s", line); /* S0-46 */
    x.helpers = xcalloc(p->n_helpers + 1, sizeof(*x.helpers));
    x.made = xcalloc(p->n_steps + 1, sizeof(*x.made));
    for (size_t i = 0; i < p->n_helpers; i++)
        x.helpers[i] = (struct child)CHILD_INIT;
    int r = execute(&x, ret_pid, err);
    for (size_t i = 0; i < p->n_helpers; i++)
        child_release(&x.helpers[i]);
    free(x.helpers);
    free(x.made);
    return r;
}
