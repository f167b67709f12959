/* SPDX-License-Identifier: Apache-2.0 */
/* Between fork and exec only async-signal-safe calls are made: everything that allocates or looks
 * something up (the program's path, /dev/null, the environment) is prepared before. A failure in
 * the child comes back over a pipe that the exec closes, as a stage and an errno. */
#include "sys/spawn.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sys/clock.h"
#include "sys/proc.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { STANDARD_FDS = 3, READ_CHUNK = 16384, DETAIL_LINES = 20, CHECKED_CAP = 1 << 16, LOOK_MS = 50 };

enum stage {
    STAGE_FDS,
    STAGE_SETTINGS,
    STAGE_LIMIT,
    STAGE_USER,
    STAGE_PARENT,
    STAGE_CWD,
    STAGE_EXEC
};

struct failure {
    enum stage stage;
    int errnum;
    int which; /* STAGE_LIMIT: the resource */
};

/* What the child needs, complete before the fork. */
struct preparation {
    const struct spawn *s;
    const char *program; /* path for execve */
    char *const *env;
    struct spawn_fd *map; /* all of them, the standard ones first */
    int *high;            /* room for the child's temporary duplicates */
    size_t n;
    int first_high; /* above every target */
    int fail_fd;
    int life_fd; /* stays open in the child; -1: none */
    pid_t parent;
};

/* ---- in the child ----------------------------------------------------------------------- */

static _Noreturn void child_fail_at(int fail_fd, enum stage stage, int which)
{
    struct failure f = {.stage = stage, .errnum = errno, .which = which};
    ssize_t n;

    do
        n = write(fail_fd, &f, sizeof(f));
    while (n < 0 && errno == EINTR);
    _exit(127);
}

static _Noreturn void child_fail(int fail_fd, enum stage stage)
{
    child_fail_at(fail_fd, stage, 0);
}

static void child_reset_signals(void)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    /* The kernel's struct sigaction of any architecture, all zero: SIG_DFL, no flags, no mask. */
    const uint64_t kernel_dfl[8] = {0};
    sigset_t none;

    /* libc keeps two signals for itself and refuses to touch them, but they too may have been
     * ignored by whoever started us. SIGKILL and SIGSTOP fail both ways, which means nothing. */
    for (int sig = 1; sig < NSIG; sig++)
        if (sigaction(sig, &dfl, NULL) < 0)
            syscall(SYS_rt_sigaction, sig, kernel_dfl, NULL, (size_t)(NSIG - 1) / 8);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A source may be another one's target: first all are duplicated out of the way, then each goes to
 * its place. Nothing else survives the exec. */
static void child_place_fds(const struct preparation *p, int *fail_fd)
{
    int moved = fcntl(*fail_fd, F_DUPFD_CLOEXEC, p->first_high), life = p->life_fd;

    if (moved < 0)
        child_fail(*fail_fd, STAGE_FDS);
    *fail_fd = moved;
    if (life >= 0 && (life = fcntl(life, F_DUPFD_CLOEXEC, p->first_high)) < 0)
        child_fail(*fail_fd, STAGE_FDS);
    for (size_t i = 0; i < p->n; i++) {
        p->high[i] = fcntl(p->map[i].fd, F_DUPFD_CLOEXEC, p->first_high);
        if (p->high[i] < 0)
            child_fail(*fail_fd, STAGE_FDS);
    }
    /* All of ours have close-on-exec anyway; this is for those of careless libraries. An old
     * kernel without the call is no error. */
    syscall(SYS_close_range, (unsigned)STANDARD_FDS, ~0U, CLOSE_RANGE_CLOEXEC);
    for (size_t i = 0; i < p->n; i++)
        if (dup2(p->high[i], p->map[i].target) < 0)
            child_fail(*fail_fd, STAGE_FDS);
    if (life >= 0 && fcntl(life, F_SETFD, 0) < 0)
        child_fail(*fail_fd, STAGE_FDS);
}

/* Limits first (raising one needs the privileges that go next), the user last. */
static void child_limits_and_user(const struct spawn *s, int fail_fd)
{
    const struct spawn_user *u = s->user;

    for (size_t i = 0; i < s->n_limits; i++) {
        const struct spawn_limit *l = &s->limits[i];
        const struct rlimit limit = {(rlim_t)l->soft, (rlim_t)l->hard};

        if (setrlimit((unsigned)l->resource, &limit) < 0)
            child_fail_at(fail_fd, STAGE_LIMIT, l->resource);
    }
    if (u && (setgroups(u->n_groups, u->groups) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 ||
              setresuid(u->uid, u->uid, u->uid) < 0))
        child_fail(fail_fd, STAGE_USER);
}

static void child_settings(const struct preparation *p, int fail_fd)
{
    const struct rlimit no_core = {0, 0};
    unsigned flags = p->s->flags;

    if ((flags & SPAWN_NEW_SESSION) && setsid() < 0)
        child_fail(fail_fd, STAGE_SETTINGS);
    if ((flags & SPAWN_NEW_GROUP) && !(flags & SPAWN_NEW_SESSION) && setpgid(0, 0) < 0)
        child_fail(fail_fd, STAGE_SETTINGS);
    if ((flags & SPAWN_NO_CORE) && setrlimit(RLIMIT_CORE, &no_core) < 0)
        child_fail(fail_fd, STAGE_SETTINGS);
    child_limits_and_user(p->s, fail_fd);
    /* Behind the change of user, which takes the signal back. */
    if (flags & SPAWN_DIE_WITH_PARENT) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
            child_fail(fail_fd, STAGE_SETTINGS);
        /* It may have died before the call. */
        if (getppid() != p->parent) {
            errno = ESRCH;
            child_fail(fail_fd, STAGE_PARENT);
        }
    }
    if (p->s->umask_ >= 0)
        umask((mode_t)p->s->umask_);
    if (p->s->cwd && chdir(p->s->cwd) < 0)
        child_fail(fail_fd, STAGE_CWD);
}

static _Noreturn void child_main(const struct preparation *p)
{
    int fail_fd = p->fail_fd;

    child_reset_signals();
    child_place_fds(p, &fail_fd);
    child_settings(p, fail_fd);
    execve(p->program, (char *const *)p->s->argv, p->env);
    child_fail(fail_fd, STAGE_EXEC);
}

/* ---- in the parent ---------------------------------------------------------------------- */

/* 0 when path may be executed, else the errno that says why not. */
static int check_program(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return EACCES;
    return access(path, X_OK) < 0 ? errno : 0;
}

/* The path of the program, NULL with errno: ENOENT, or EACCES when it is there but not for us. */
static char *search_path(const char *name)
{
    const char *path = getenv("PATH");
    int found_errno = ENOENT;

    if (strchr(name, '/')) {
        errno = check_program(name);
        return errno ? NULL : xstrdup(name);
    }
    if (str_empty(path))
        path = "/usr/local/bin:/usr/bin:/bin";
    _cleanup_strv_ struct strv dirs = STRV_INIT;
    strv_split(&dirs, path, ':');
    for (size_t i = 0; *name && i < dirs.n; i++) {
        /* An empty entry is the current directory, as in a shell. */
        _cleanup_free_ char *file = path_join(*dirs.v[i] ? dirs.v[i] : ".", name);
        int errnum = check_program(file);

        if (errnum == 0)
            return TAKE_PTR(file);
        if (errnum == EACCES && path_exists(file)) /* not: a directory that is closed to us */
            found_errno = EACCES;
    }
    errno = found_errno;
    return NULL;
}

char *find_program(const char *name)
{
    return search_path(name);
}

static enum err_kind errno_kind(int errnum)
{
    switch (errnum) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
        return ERR_PERMISSION;
    default:
        return ERR_IO;
    }
}

static int failure_to_err(const struct spawn *s, const struct failure *f, struct err *err)
{
    errno = f->errnum;
    switch (f->stage) {
    case STAGE_FDS:
        return err_set_errno(err, ERR_IO, "starting '%s': placing its file descriptors",
                             s->argv[0]);
    case STAGE_CWD:
        return err_set_errno(err, errno_kind(f->errnum),
                             "starting '%s': changing to the directory '%s'", s->argv[0], s->cwd);
    case STAGE_EXEC:
        return err_set_errno(err, errno_kind(f->errnum), "starting '%s'", s->argv[0]);
    case STAGE_LIMIT:
        return err_set_errno(err, errno_kind(f->errnum), "starting '%s': setting resource limit %d",
                             s->argv[0], f->which);
    case STAGE_USER:
        return err_set_errno(err, errno_kind(f->errnum), "starting '%s': becoming user %u, group %u",
                             s->argv[0], (unsigned)s->user->uid, (unsigned)s->user->gid);
    case STAGE_SETTINGS:
    case STAGE_PARENT:
        break;
    }
    return err_set_errno(err, ERR_IO, "starting '%s': preparing the process", s->argv[0]);
}

/* Where a pidfd can't be had the child must not stay behind. */
static void abandon(pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* Waits for the exec: 0 when it happened, else the child's failure. */
static int read_failure(int fd, struct failure *ret)
{
    ssize_t n;

    do
        n = read(fd, ret, sizeof(*ret));
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(*ret) ? -1 : 0;
}

static pid_t fork_child(const struct preparation *p)
{
    sigset_t all, old;

    /* No handler of ours may run in the child: it would act for the parent. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid_t pid = fork();
    if (pid == 0)
        child_main(p);
    int saved = errno;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = saved;
    return pid;
}

/* With SIGCHLD ignored (inherited, perhaps) the kernel would reap our children itself. */
static void ensure_children_wait(void)
{
    struct sigaction sa;

    if (sigaction(SIGCHLD, NULL, &sa) == 0 &&
        (sa.sa_handler == SIG_IGN || (sa.sa_flags & SA_NOCLDWAIT))) {
        sa = (struct sigaction){.sa_handler = SIG_DFL};
        sigaction(SIGCHLD, &sa, NULL);
    }
}

static bool pidfds_are_missing(void)
{
    int fd = pidfd_open_(getpid());

    if (fd < 0)
        return errno == ENOSYS;
    close(fd);
    return false;
}

static int start(struct preparation *p, struct child *ret, struct err *err)
{
    const char *name = p->s->argv[0];
    bool by_pid = (p->s->flags & SPAWN_PIDFD_OR_PIPE) && pidfds_are_missing();
    int pipe_fds[2], life_fds[2] = {-1, -1};
    struct failure failure;

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return err_set_errno(err, ERR_IO, "starting '%s'", name);
    _cleanup_close_ int read_end = pipe_fds[0];
    _cleanup_close_ int write_end = pipe_fds[1];
    if (by_pid && pipe2(life_fds, O_CLOEXEC) < 0)
        return err_set_errno(err, ERR_IO, "starting '%s'", name);
    _cleanup_close_ int life_here = life_fds[0];
    _cleanup_close_ int life_there = life_fds[1];

    p->fail_fd = write_end;
    p->life_fd = life_there;
    p->parent = getpid();
    ensure_children_wait();
    pid_t pid = fork_child(p);
    if (pid < 0)
        return err_set_errno(err, ERR_IO, "starting '%s'", name);
    close(TAKE_FD(write_end));
    /* Nobody else reaps this pid, so it is still our child. */
    _cleanup_close_ int pidfd = by_pid ? TAKE_FD(life_here) : pidfd_open_(pid);
    if (pidfd < 0) {
        err_set_errno(err, ERR_IO, "starting '%s': getting a pidfd", name);
        abandon(pid);
        return -1;
    }
    if (read_failure(read_end, &failure) < 0) {
        abandon(pid);
        return failure_to_err(p->s, &failure, err);
    }
    *ret = (struct child){.pid = pid, .pidfd = TAKE_FD(pidfd), .by_pid = by_pid};
    return 0;
}

int spawn_child(const struct spawn *s, struct child *ret, struct err *err)
{
    const int standard[STANDARD_FDS] = {s->stdin_fd, s->stdout_fd, s->stderr_fd};
    _cleanup_free_ struct spawn_fd *map = xcalloc(s->n_fds + STANDARD_FDS, sizeof(*map));
    _cleanup_free_ int *high = xcalloc(s->n_fds + STANDARD_FDS, sizeof(*high));
    _cleanup_free_ char *program = NULL, *absolute = NULL;
    _cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct preparation p = {.s = s,
                            .map = map,
                            .high = high,
                            .n = s->n_fds + STANDARD_FDS,
                            .env = s->env ? (char *const *)s->env : environ,
                            .first_high = STANDARD_FDS,
                            .fail_fd = -1,
                            .life_fd = -1};

    if (null_fd < 0)
        return err_set_errno(err, ERR_IO, "opening /dev/null");
    for (int i = 0; i < STANDARD_FDS; i++)
        map[i] = (struct spawn_fd){standard[i] >= 0 ? standard[i] : null_fd, i};
    for (size_t i = 0; i < s->n_fds; i++) {
        if (s->fds[i].target < STANDARD_FDS)
            return err_set(err, ERR_INTERNAL, "starting '%s': fd target %d is not 3 or more",
                           s->argv[0], s->fds[i].target);
        map[STANDARD_FDS + i] = s->fds[i];
        if (s->fds[i].target >= p.first_high)
            p.first_high = s->fds[i].target + 1;
    }
    if (s->flags & SPAWN_SEARCH_PATH) {
        program = search_path(s->argv[0]);
        if (!program && errno == ENOENT && !strchr(s->argv[0], '/'))
            return err_set(err, ERR_NOT_FOUND, "starting '%s': no such program in $PATH",
                           s->argv[0]);
        if (!program)
            return err_set_errno(err, errno_kind(errno), "starting '%s'", s->argv[0]);
        /* Found from here; the child is somewhere else by then. */
        if (*program != '/' && s->cwd && (absolute = realpath(program, NULL))) {
            free(program);
            program = TAKE_PTR(absolute);
        }
    }
    p.program = program ? program : s->argv[0];
    return start(&p, ret, err);
}

void child_release(struct child *c)
{
    if (c->pidfd >= 0)
        close(c->pidfd);
    *c = (struct child)CHILD_INIT;
}

int child_kill(const struct child *c, int sig)
{
    /* A child that has not been reaped keeps its number. */
    int r = c->by_pid ? kill(c->pid, sig) : pidfd_signal(c->pidfd, sig);

    return r == 0 || errno == ESRCH ? 0 : -1;
}

/* The status as waitpid would have given it. */
static int status_of(const siginfo_t *info)
{
    if (info->si_code == CLD_EXITED)
        return (info->si_status & 0xff) << 8;
    return (info->si_status & 0x7f) | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

static int reap(idtype_t type, id_t id, int *ret_status)
{
    siginfo_t info = {0};
    int r;

    do
        r = waitid(type, id, &info, WEXITED | WNOHANG);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return -1;
    if (info.si_pid == 0)
        return 0;
    *ret_status = status_of(&info);
    return 1;
}

int pidfd_reap(int pidfd, int *ret_status)
{
    return reap(P_PIDFD, (id_t)pidfd, ret_status);
}

/* The pipe may say too early that the child has ended (it closes its descriptors first), and too
 * late (a child of its own holds them as well): it shortens the wait, no more. */
static int wait_by_pid(const struct child *c, int timeout_ms, int *ret_status)
{
    int64_t until = deadline_in(timeout_ms);

    for (;;) {
        int r = reap(P_PID, (id_t)c->pid, ret_status), left = deadline_left(until);

        if (r != 0 || left == 0)
            return r;
        if (left < 0 || left > LOOK_MS)
            left = LOOK_MS;
        if (pidfd_wait(c->pidfd, left) == 1)
            poll(NULL, 0, 1);
    }
}

int child_wait(struct child *c, int timeout_ms, int *ret_status)
{
    int status = 0;
    int r = c->by_pid ? wait_by_pid(c, timeout_ms, &status) : pidfd_wait(c->pidfd, timeout_ms);

    if (r == 1 && !c->by_pid)
        r = pidfd_reap(c->pidfd, &status);
    if (r == 1 && ret_status)
        *ret_status = status;
    return r;
}

char *wait_status_text(int status)
{
    if (WIFEXITED(status))
        return xasprintf("exited with status %d", WEXITSTATUS(status));
    if (WIFSIGNALED(status))
        return xasprintf("was killed by signal %d (%s)%s", WTERMSIG(status),
                         strsignal(WTERMSIG(status)), WCOREDUMP(status) ? ", core dumped" : "");
    return xasprintf("ended with wait status 0x%x", (unsigned)status);
}

int wait_status_exit_code(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : 255;
}

/* ---- run to the end --------------------------------------------------------------------- */

void run_result_release(struct run_result *r)
{
    sbuf_release(&r->out);
    sbuf_release(&r->err_out);
    r->status = 0;
}

struct capture {
    int fd; /* -1 after the end of file */
    struct sbuf *to;
    size_t cap;
};

/* Reads what is there; closes at the end of file. */
static void capture_read(struct capture *c)
{
    char chunk[READ_CHUNK];

    while (c->fd >= 0) {
        ssize_t n = read(c->fd, chunk, sizeof(chunk));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close(TAKE_FD(c->fd));
            return;
        }
        size_t room = c->cap - c->to->len;
        sbuf_add(c->to, chunk, (size_t)n < room ? (size_t)n : room);
    }
}

/* Until the child has ended: 1; 0 at the timeout, -1 with errno. What its own children may write
 * later is nobody's concern. */
static int capture_until_end(const struct child *child, struct capture *c, int timeout_ms)
{
    int64_t deadline = deadline_in(timeout_ms);

    for (;;) {
        struct pollfd p[] = {
            {.fd = child->pidfd, .events = POLLIN},
            {.fd = c[0].fd, .events = POLLIN}, /* negative: poll skips it */
            {.fd = c[1].fd, .events = POLLIN},
        };
        int n = poll(p, ARRAY_SIZE(p), deadline_left(deadline));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        /* Also before the check for the end: the last words are in the pipe by then. */
        capture_read(&c[0]);
        capture_read(&c[1]);
        if (p[0].revents)
            return 1;
        if (n == 0)
            return 0;
    }
}

/* The input as a file without a name: whoever reads it at whatever pace, nobody gets SIGPIPE. */
static int input_file(const char *input, struct err *err)
{
    _cleanup_close_ int fd = memfd_create("input", MFD_CLOEXEC);

    if (fd < 0 || fd_write_all(fd, input, strlen(input)) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return err_set_errno(err, ERR_IO, "preparing a program's input");
    return TAKE_FD(fd);
}

/* A pipe whose read end does not block. */
static int capture_pipe(struct capture *c, int *ret_write_end, struct err *err)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_set_errno(err, ERR_IO, "making a pipe");
    c->fd = fds[0];
    *ret_write_end = fds[1];
    if (fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
        return err_set_errno(err, ERR_IO, "making a pipe");
    return 0;
}

static void kill_all_of(const struct spawn *s, const struct child *c)
{
    /* Not reaped yet, so the group's number can't have got a new owner. */
    if (s->flags & (SPAWN_NEW_GROUP | SPAWN_NEW_SESSION))
        kill(-c->pid, SIGKILL);
    child_kill(c, SIGKILL);
}

static int run_with_pipes(struct spawn *s, struct capture *captures, int timeout_ms,
                          int *ret_status, struct err *err)
{
    _cleanup_close_ int out_end = -1;
    _cleanup_close_ int err_end = -1;
    _cleanup_child_ struct child child = CHILD_INIT;

    if (capture_pipe(&captures[0], &out_end, err) < 0 ||
        capture_pipe(&captures[1], &err_end, err) < 0)
        return -1;
    s->stdout_fd = out_end;
    s->stderr_fd = err_end;
    if (spawn_child(s, &child, err) < 0)
        return -1;
    close(TAKE_FD(out_end));
    close(TAKE_FD(err_end));
    int ended = capture_until_end(&child, captures, timeout_ms);
    int saved = errno;
    if (ended != 1)
        kill_all_of(s, &child);
    if (child_wait(&child, -1, ret_status) < 0 && ended == 1) {
        ended = -1;
        saved = errno;
    }
    if (ended == 0)
        return err_set(err, ERR_TIMEOUT, "'%s' did not end within %d ms", s->argv[0], timeout_ms);
    if (ended < 0) {
        errno = saved;
        return err_set_errno(err, ERR_IO, "waiting for '%s'", s->argv[0]);
    }
    return 0;
}

int run_capture(const struct spawn *s, const char *input, size_t cap, int timeout_ms,
                struct run_result *ret, struct err *err)
{
    _cleanup_run_result_ struct run_result result = {0};
    _cleanup_close_ int input_fd = -1;
    struct capture captures[] = {
        {.fd = -1, .to = &result.out, .cap = cap},
        {.fd = -1, .to = &result.err_out, .cap = cap},
    };
    struct spawn copy = *s;

    if (input) {
        input_fd = input_file(input, err);
        if (input_fd < 0)
            return -1;
        copy.stdin_fd = input_fd;
    }
    int r = run_with_pipes(&copy, captures, timeout_ms, &result.status, err);
    cleanup_close_p(&captures[0].fd);
    cleanup_close_p(&captures[1].fd);
    if (r < 0) {
        if (err && err->kind == ERR_TIMEOUT && result.err_out.len)
            err_detail(err, sbuf_str(&result.err_out));
        return -1;
    }
    *ret = result;
    result = (struct run_result){0};
    return 0;
}

/* The last lines of a program's output: that is where it says why it gave up. */
static const char *last_lines(const char *text, size_t lines)
{
    const char *p = text + strlen(text);

    while (p > text && p[-1] == '\n')
        p--;
    for (; p > text; p--)
        if (p[-1] == '\n' && --lines == 0)
            break;
    return p;
}

int run_result_check(const struct run_result *r, const char *program, struct err *err)
{
    if (r->status == 0)
        return 0;
    _cleanup_free_ char *how = wait_status_text(r->status);
    err_set(err, ERR_IO, "'%s' %s", program, how);
    return err_detail(err, last_lines(sbuf_str(&r->err_out), DETAIL_LINES));
}

int run_checked(const struct spawn *s, int timeout_ms, struct err *err)
{
    _cleanup_run_result_ struct run_result r = {0};

    if (run_capture(s, NULL, CHECKED_CAP, timeout_ms, &r, err) < 0)
        return -1;
    return run_result_check(&r, s->argv[0], err);
}
