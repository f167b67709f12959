/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/helper.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "driver/qemu/follow.h"
#include "qemu/launch.h"
#include "sys/clock.h"
#include "sys/holders.h"
#include "sys/lock.h"
#include "sys/proc.h"
#include "sys/sock.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>

/* S1-34 has five looks, 200 ms apart; on a busy machine a helper that is well may take longer. */
#define LOOKS       5
#define LOOK_MS     4000
#define LISTEN_MS   250 /* from the socket's name to listen(): there is no event for it */
#define LISTEN_STEP 5
#define END_MS      5000
#define GRACE_MS    1500 /* they end with their machine, perhaps before we see its own end */
#define WORDS_MAX   4096

struct helper {
    char *name, *lock, *socket, *out, *err_out; /* paths */
    struct child child;                         /* ours; pid 0: not, or ended */
    int pidfd;         /* of ours, too: the loop takes the child's own; -1 */
    bool lost_already; /* ended before we took the machine over */
    struct loop_source *end, *grace;
    struct follow *follow_out, *follow_err;
    struct err why; /* how it has ended */
    struct qemu_helpers *all;
};

struct qemu_helpers {
    struct helper *v;
    size_t n;
    char *dir;
    struct loop *loop;
    qemu_helper_lost_fn *lost;
    void *arg;
};

/* ---- names ----------------------------------------------------------------------------------- */

int qemu_helper_number(const char *name)
{
    const char *dash = strrchr(name, '-');

    if (!dash || !dash[1] || strlen(dash + 1) > 6 ||
        strspn(dash + 1, "0123456789") != strlen(dash + 1))
        return -1;
    return atoi(dash + 1);
}

static bool is_virtiofsd(const char *name)
{
    return str_starts(name, "virtiofsd-") && qemu_helper_number(name) >= 0;
}

/* "virtiofsd instance #0"; allocated. */
static char *title(const char *name)
{
    return is_virtiofsd(name) ? xasprintf("virtiofsd instance #%d", qemu_helper_number(name))
                              : xstrdup(name);
}

static char *file_of(const char *dir, const char *name, const char *suffix)
{
    return xasprintf("%s/%s%s", dir, name, suffix);
}

static void init(struct helper *h, const char *dir, const char *name)
{
    *h = (struct helper){.name = xstrdup(name),
                         .lock = file_of(dir, name, ".lock"),
                         .socket = file_of(dir, name, ".sock"),
                         .out = file_of(dir, name, ".stdout.log"),
                         .err_out = file_of(dir, name, ".stderr.log"),
                         .child = CHILD_INIT,
                         .pidfd = -1};
}

static struct qemu_helpers *set_new(const char *dir, size_t n)
{
    struct qemu_helpers *s = xcalloc(1, sizeof(*s));

    s->v = xcalloc(n + 1, sizeof(*s->v));
    s->dir = xstrdup(dir);
    return s;
}

size_t qemu_helpers_count(const struct qemu_helpers *h)
{
    return h ? h->n : 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void unwatch(struct helper *h)
{
    h->end = loop_source_free(h->end);
    h->grace = loop_source_free(h->grace);
    follow_free(h->follow_out);
    follow_free(h->follow_err);
    h->follow_out = h->follow_err = NULL;
}

static void release(struct helper *h)
{
    unwatch(h);
    child_release(&h->child);
    if (h->pidfd >= 0)
        close(h->pidfd);
    free(h->name);
    free(h->lock);
    free(h->socket);
    free(h->out);
    free(h->err_out);
    err_clear(&h->why);
}

/* A daemon that has made processes for its sandbox may leave them behind: whoever still has the
 * lock is ended, too. */
static int end_one(struct helper *h)
{
    int status, r = 0;

    h->end = loop_source_free(h->end);
    if (h->pidfd >= 0) {
        r = pidfd_signal(h->pidfd, SIGKILL) < 0 && errno != ESRCH ? -1 : 0;
        if (pidfd_wait(h->pidfd, END_MS) > 0 && h->child.pid)
            pidfd_reap(h->pidfd, &status);
        h->child.pid = 0;
    }
    if (r == 0 && lock_probe(h->lock, NULL) > 0 && file_holders_kill(h->lock, END_MS) < 0) {
        errno = EBUSY;
        r = -1;
    }
    return r;
}

/* What says nothing is not kept. */
static void remove_if_empty(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
        unlink(path);
}

static void remove_traces(const struct helper *h)
{
    struct stat st;

    if (lstat(h->socket, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(h->socket);
    unlink(h->lock);
    remove_if_empty(h->out);
    remove_if_empty(h->err_out);
}

void qemu_helpers_end(struct qemu_helpers *s)
{
    for (size_t i = 0; s && i < s->n; i++) {
        struct helper *h = &s->v[i];

        if (end_one(h) < 0) {
            _cleanup_free_ char *who = title(h->name);

            log_warn("failed to kill %s: %s", who, strerror(errno));
        } else {
            remove_traces(h);
        }
        release(h);
    }
    if (s)
        s->n = 0;
}

void qemu_helpers_free(struct qemu_helpers *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        release(&s->v[i]);
    free(s->v);
    free(s->dir);
    free(s);
}

/* ---- starting -------------------------------------------------------------------------------- */

/* Its last words belong to the error. */
static void add_words(const struct helper *h, struct err *err)
{
    _cleanup_free_ char *words = qemu_log_tail(h->err_out, 0, WORDS_MAX);

    if (*words)
        err_detail(err, words);
}

static int never_created(struct helper *h, int status, struct err *err)
{
    _cleanup_free_ char *how = wait_status_text(status);

    h->child.pid = 0;
    if (is_virtiofsd(h->name))
        err_set(err, ERR_IO, "virtiofsd never created vhost socket: it %s", how);
    else
        err_set(err, ERR_IO, "%s never created its socket: it %s", h->name, how);
    add_words(h, err);
    err_hint(err, "see '%s'", h->err_out);
    return err_wrap(err, "%s", h->name);
}

static int never_appeared(const struct helper *h, struct err *err)
{
    err_set(err, ERR_TIMEOUT, "%ssocket '%s' never appeared", is_virtiofsd(h->name) ? "vhost " : "",
            h->socket);
    add_words(h, err);
    err_hint(err, "see '%s'", h->err_out);
    return err_wrap(err, "%s", h->name);
}

/* 1: it is there, 0: not yet. */
static int look(const struct helper *h)
{
    struct stat st;

    if (lstat(h->socket, &st) == 0)
        return 1;
    if (errno != ENOENT)
        log_warn("Failed to check for %ssocket: %s", is_virtiofsd(h->name) ? "vhost " : "",
                 strerror(errno));
    return 0;
}

/* Waits for a new name in the directory or the helper's end. 1: it has ended. */
static int wait_change(struct helper *h, int notify_fd, int timeout_ms, int *ret_status)
{
    struct pollfd p[] = {{.fd = h->child.pidfd, .events = POLLIN},
                         {.fd = notify_fd, .events = POLLIN}};
    char notices[4096];
    int r = poll(p, 2, timeout_ms);

    if (r > 0 && p[1].revents && read(notify_fd, notices, sizeof(notices)) < 0 && errno != EAGAIN)
        log_debug("inotify: %s", strerror(errno));
    return r > 0 && p[0].revents ? child_wait(&h->child, 0, ret_status) : 0;
}

/* One attempt: until the socket is there (1), the time is over (0) or it has ended (-1). */
static int attempt(struct helper *h, int notify_fd, int *ret_status)
{
    int64_t until = deadline_in(LOOK_MS);

    while (!look(h)) {
        int left = deadline_left(until);

        if (!left)
            return 0;
        if (wait_change(h, notify_fd, left, ret_status) == 1)
            return -1;
    }
    return 1;
}

static int await_listening(struct helper *h, struct err *err)
{
    int64_t until = deadline_in(LISTEN_MS);
    int status;

    while (deadline_left(until) && !unix_is_listening(h->socket))
        if (child_wait(&h->child, LISTEN_STEP, &status) == 1)
            return never_created(h, status, err);
    return 0;
}

static int await_socket(struct helper *h, int notify_fd, struct err *err)
{
    for (int i = 0; i < LOOKS; i++) {
        int status = 0, r;

        log_debug("Try waiting for %s to appear (attempt %d)", h->socket, i);
        r = attempt(h, notify_fd, &status);
        if (r > 0)
            return await_listening(h, err);
        if (r < 0)
            return never_created(h, status, err);
    }
    return never_appeared(h, err);
}

static int open_output(const char *path, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

    return fd < 0 ? err_set_errno(err, ERR_IO, "opening '%s' failed", path) : fd;
}

/* The lock says that it lives, its text says who it is. */
static void write_identity(int fd, pid_t pid)
{
    struct proc_id id;

    if (proc_id_of(pid, &id) < 0)
        return;
    _cleanup_free_ char *text = proc_id_format(&id);
    _cleanup_free_ char *line = xasprintf("%s\n", text);
    if (ftruncate(fd, 0) < 0 || pwrite(fd, line, strlen(line), 0) < 0)
        log_debug("the lock of process %d: %s", (int)pid, strerror(errno));
}

static int spawn_helper(struct helper *h, const struct strv *argv, const char *dir, struct err *err)
{
    _cleanup_strv_ struct strv env = STRV_INIT;
    _cleanup_close_ int lock = lock_take(h->lock, 0, err), out = -1, err_out = -1;
    struct spawn_fd fd = {.fd = lock, .target = 3};
    struct spawn s = SPAWN_INIT;

    if (lock < 0 || (out = open_output(h->out, err)) < 0 ||
        (err_out = open_output(h->err_out, err)) < 0)
        return -1;
    qemu_launch_env(/* desktop= */ false, &env);
    s.argv = (const char *const *)argv->v;
    s.env = (const char *const *)strv_argv(&env);
    s.cwd = dir;
    s.stdout_fd = out;
    s.stderr_fd = err_out;
    s.fds = &fd;
    s.n_fds = 1;
    s.flags = SPAWN_NEW_SESSION | SPAWN_NO_CORE;
    s.umask_ = 077;
    if (spawn_child(&s, &h->child, err) < 0)
        return -1;
    h->pidfd = pidfd_open_(h->child.pid);
    write_identity(lock, h->child.pid);
    return 0;
}

static int start_one(struct qemu_helpers *s, const struct qemu_helper *plan, int notify_fd,
                     struct err *err)
{
    struct helper *h = &s->v[s->n];
    _cleanup_free_ char *line = strv_to_shell(&plan->argv);

    init(h, s->dir, plan->name);
    free(h->socket);
    h->socket = xstrdup(plan->socket);
    log_debug(is_virtiofsd(h->name) ? "vhostCmd[%d].Args: %s" : "helper %d: %s",
              is_virtiofsd(h->name) ? qemu_helper_number(h->name) : (int)s->n, line);
    s->n++;
    if (spawn_helper(h, &plan->argv, s->dir, err) < 0)
        return err_wrap(err, "starting %s", h->name);
    return await_socket(h, notify_fd, err);
}

int qemu_helpers_start(const struct instance *inst, const struct qemu_helper *plan, size_t n,
                       struct qemu_helpers **ret, struct err *err)
{
    struct qemu_helpers *s = set_new(inst->dir, n);
    _cleanup_close_ int notify_fd = -1;

    qemu_helpers_sweep(inst);
    if (n)
        notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (notify_fd >= 0 && inotify_add_watch(notify_fd, inst->dir, IN_CREATE | IN_MOVED_TO) < 0)
        log_debug("inotify: %s", strerror(errno));
    for (size_t i = 0; i < n; i++)
        if (start_one(s, &plan[i], notify_fd, err) < 0) {
            qemu_helpers_end(s);
            qemu_helpers_free(s);
            return -1;
        }
    *ret = s;
    return 0;
}

/* ---- those of a machine that runs ------------------------------------------------------------ */

/* Names by their locks. */
static void find_names(const char *dir, struct strv *ret)
{
    _cleanup_strv_ struct strv files = STRV_INIT;

    if (dir_list(dir, &files, NULL) < 0)
        return;
    for (size_t i = 0; i < files.n; i++) {
        _cleanup_free_ char *name = xstrdup(files.v[i]);
        char *suffix = strrchr(name, '.');

        if (!suffix || !streq(suffix, ".lock"))
            continue;
        *suffix = '\0';
        if (is_virtiofsd(name) || streq(name, "swtpm"))
            strv_push(ret, name);
    }
}

/* The process that the lock's text names, or, when its agent was killed before it could write that,
 * whoever holds the lock. */
static int open_holder(const char *lock)
{
    _cleanup_free_ char *text = file_read(lock, 256, NULL, NULL);
    _cleanup_free_ pid_t *pids = NULL;
    pid_t *found = NULL;
    struct proc_id id;
    int fd = text && proc_id_parse(text, &id) == 0 ? proc_id_open(&id) : -1;

    if (fd < 0 && file_holders(lock, &found))
        fd = pidfd_open_(found[0]);
    pids = found;
    return fd;
}

struct qemu_helpers *qemu_helpers_adopt(const struct instance *inst)
{
    _cleanup_strv_ struct strv names = STRV_INIT;
    struct qemu_helpers *s;

    find_names(inst->dir, &names);
    s = set_new(inst->dir, names.n);
    for (size_t i = 0; i < names.n; i++) {
        struct helper *h = &s->v[s->n++];

        init(h, s->dir, names.v[i]);
        if (lock_probe(h->lock, NULL) > 0)
            h->pidfd = open_holder(h->lock);
        h->lost_already = h->pidfd < 0;
    }
    return s;
}

void qemu_helpers_sweep(const struct instance *inst)
{
    struct qemu_helpers *s = qemu_helpers_adopt(inst);

    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].pidfd >= 0)
            log_info("Ending %s, which an earlier machine has left behind", s->v[i].name);
    qemu_helpers_end(s);
    qemu_helpers_free(s);
}

/* ---- watching -------------------------------------------------------------------------------- */

static void on_grace(void *arg)
{
    struct helper *h = arg;

    h->grace = loop_source_free(h->grace);
    h->all->lost(h->all->arg, &h->why);
}

/* What the user is told: what is gone, and what brings it back. */
static void explain(struct helper *h, const char *how)
{
    _cleanup_free_ char *who = title(h->name);

    err_set(&h->why, ERR_QEMU, "%s %s while the machine runs: %s", who, how,
            is_virtiofsd(h->name) ? "its mount is gone from the guest"
                                  : "the guest's TPM does not work any more");
    add_words(h, &h->why);
    err_hint(&h->why,
             "QEMU can't take a new one while it runs: stop the instance and start it again "
             "(the log is '%s')",
             h->err_out);
}

/* S1-38. When the machine ends, too, nothing is lost: that is seen after a moment. */
static void has_ended(struct helper *h, const char *how, bool clean)
{
    h->end = loop_source_free(h->end);
    if (!clean) {
        _cleanup_free_ char *who = title(h->name);

        log_error("Error from %s: it %s", who, how);
    }
    explain(h, how);
    h->grace = loop_add_timer(h->all->loop, GRACE_MS, on_grace, h);
}

static void on_child_end(void *arg, int status)
{
    _cleanup_free_ char *how = wait_status_text(status);
    struct helper *h = arg;

    h->child.pid = 0;
    has_ended(h, how, status == 0);
}

static void on_stranger_end(void *arg)
{
    has_ended(arg, "has ended", /* clean= */ true);
}

static void watch_one(struct helper *h, struct loop *loop)
{
    _cleanup_free_ char *out = xasprintf("%s[stdout]", h->name);
    _cleanup_free_ char *err_out = xasprintf("%s[stderr]", h->name);

    h->follow_out = follow_new(loop, h->out, 0, out);
    h->follow_err = follow_new(loop, h->err_out, 0, err_out);
    if (h->child.pid)
        h->end = loop_add_child(loop, &h->child, on_child_end, h);
    else if (h->pidfd >= 0)
        h->end = loop_add_pidfd(loop, h->pidfd, on_stranger_end, h);
    else if (h->lost_already)
        has_ended(h, "has ended", /* clean= */ true);
}

void qemu_helpers_watch(struct qemu_helpers *s, struct loop *loop, qemu_helper_lost_fn *lost,
                        void *arg)
{
    s->loop = loop;
    s->lost = lost;
    s->arg = arg;
    for (size_t i = 0; i < s->n; i++) {
        s->v[i].all = s;
        watch_one(&s->v[i], loop);
    }
}
