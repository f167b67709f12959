/* SPDX-License-Identifier: Apache-2.0 */
/* The one way to start a process. No shell; fds reach the child only through the explicit list;
 * an exec failure comes back as an error of the parent (exec-failure pipe); the child is known by
 * its pidfd, so signals never hit a recycled pid. */
#ifndef CIMA_SYS_SPAWN_H
#define CIMA_SYS_SPAWN_H

#include "base/err.h"
#include "base/sbuf.h"
#include "base/strv.h"
#include <sys/types.h>

struct spawn_fd {
    int fd;     /* ours; stays open here */
    int target; /* number in the child, 3 and up */
};

/* Becoming somebody else needs CAP_SETUID and CAP_SETGID. */
struct spawn_user {
    uid_t uid;
    gid_t gid;
    const gid_t *groups; /* exactly these supplementary ones; NULL with 0: none */
    size_t n_groups;
};

struct spawn_limit {
    int resource; /* RLIMIT_NOFILE, … */
    uint64_t soft, hard; /* UINT64_MAX: unlimited */
};

enum spawn_flags {
    SPAWN_NEW_SESSION = 1 << 0, /* setsid: outlives the terminal, gets no ^C */
    SPAWN_NEW_GROUP = 1 << 1,   /* process group of its own */
    SPAWN_DIE_WITH_PARENT = 1 << 2, /* SIGKILL when the spawning thread's process ends */
    SPAWN_SEARCH_PATH = 1 << 3, /* argv[0] is looked up in $PATH, from our directory */
    SPAWN_NO_CORE = 1 << 4,     /* RLIMIT_CORE 0 */
    /* Where pidfds are missing (Linux before 5.3, valgrind) a pipe that the child holds open stands
     * in: one more descriptor there, and pidfd_reap can't be used. Otherwise that is an error. */
    SPAWN_PIDFD_OR_PIPE = 1 << 5,
};

struct spawn {
    const char *const *argv;      /* argv[0] is the program */
    const char *const *env;       /* NULL: ours */
    const char *cwd;              /* NULL: ours */
    int stdin_fd, stdout_fd, stderr_fd; /* -1: /dev/null */
    const struct spawn_fd *fds;
    size_t n_fds;
    unsigned flags;
    int umask_;                   /* -1: ours */
    const struct spawn_user *user; /* NULL: ours; taken on before cwd is entered */
    const struct spawn_limit *limits;
    size_t n_limits;
};

#define SPAWN_INIT \
    {.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .umask_ = -1}

struct child {
    pid_t pid; /* 0: none */
    int pidfd; /* readable when it has ended */
    bool by_pid; /* pidfd is the pipe of SPAWN_PIDFD_OR_PIPE */
};

#define CHILD_INIT {0, -1, false}
#define _cleanup_child_ _cleanup_(child_release)

/* Signal dispositions and mask are reset in the child. ERR_NOT_FOUND when the program does not
 * exist, ERR_PERMISSION when it may not be executed. */
int spawn_child(const struct spawn *s, struct child *ret, struct err *err);
/* Closes the pidfd; does not end the process. */
void child_release(struct child *c);
/* 0 sent, 0 also when it has ended already; -1 and errno otherwise. */
int child_kill(const struct child *c, int sig);
/* Waits for its end at most timeout_ms (-1: for ever). Returns 1 when ended (status as of
 * waitpid), 0 at the timeout, -1 with errno. */
int child_wait(struct child *c, int timeout_ms, int *ret_status);
/* Reaps the child behind pidfd if it has ended. 1 reaped, 0 still running, -1 errno. */
int pidfd_reap(int pidfd, int *ret_status);
/* "exited with status 1", "was killed by signal 9 (Killed)". Caller frees. */
char *wait_status_text(int status);
/* 0-255 for an exit, 128 + signal for a signal. */
int wait_status_exit_code(int status);

struct run_result {
    int status;           /* of waitpid */
    struct sbuf out, err_out; /* captured, each capped; the rest is read and dropped */
};

#define _cleanup_run_result_ _cleanup_(run_result_release)
void run_result_release(struct run_result *r);
/* Runs to the end with stdin from `input` (NULL: /dev/null) and both outputs captured up to cap
 * bytes each. At the timeout (ms, -1: none) the child is killed: ERR_TIMEOUT. A non-zero exit is
 * not an error here. */
int run_capture(const struct spawn *s, const char *input, size_t cap, int timeout_ms,
                struct run_result *ret, struct err *err);
/* -1 for a program that did not exit with 0: ERR_IO with the last lines of its stderr as detail. */
int run_result_check(const struct run_result *r, const char *program, struct err *err);
/* Both; what it says besides is dropped. */
int run_checked(const struct spawn *s, int timeout_ms, struct err *err);
/* Full path of a program in $PATH, NULL when it is not there. A name with a slash is only checked.
 * Caller frees. */
char *find_program(const char *name);

#endif
