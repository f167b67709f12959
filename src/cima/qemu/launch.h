/* SPDX-License-Identifier: Apache-2.0 */
/* Starting QEMU. It gets a session of its own (so neither a terminal's ^C nor its end reaches it),
 * an environment without secrets, no core dumps, files that only their owner may read, its standard
 * input from /dev/null and, besides the three standard ones, only the descriptors that are named.
 * No shell is involved.
 *
 *   struct cima_launch l = {.cmdline = machine};
 *   struct cima_process *qemu = cima_launch(&l, error);
 *
 * To manage the machine afterwards it needs a monitor: ask for one in the command line, as a
 * listening socket (cima_add_qmp_socket) or as a descriptor that it inherits. The machine does not
 * end with the program that has started it. A program that ignores SIGCHLD does not any more once it
 * has launched a QEMU. */
#ifndef CIMA_QEMU_LAUNCH_H
#define CIMA_QEMU_LAUNCH_H

#include "cima/qemu/cmdline.h"
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The number under which QEMU gets the first inherited descriptor. */
#define CIMA_LAUNCH_FIRST_FD 3
/* More are refused. */
#define CIMA_LAUNCH_MAX_FDS 1024
/* Bytes of standard error that are kept when it is captured; what comes after is dropped, QEMU goes
 * on. They are in memory. */
#define CIMA_LAUNCH_STDERR_LIMIT (16U << 20)

/* Whom QEMU runs as. Needs the privileges to become somebody else (CAP_SETUID, CAP_SETGID). */
struct cima_credentials {
    uid_t uid; /* real, effective and saved */
    gid_t gid;
    const gid_t *groups; /* exactly these supplementary groups */
    size_t n_groups;     /* 0: none at all */
};

/* A resource limit, as of setrlimit(2). Raising a hard limit needs CAP_SYS_RESOURCE. */
struct cima_rlimit {
    int resource;        /* RLIMIT_NOFILE, RLIMIT_MEMLOCK, … of <sys/resource.h> */
    uint64_t soft, hard; /* in the resource's unit; UINT64_MAX: unlimited */
};

enum cima_output {
    CIMA_OUTPUT_DEFAULT, /* standard output: CIMA_OUTPUT_NULL, standard error: CIMA_OUTPUT_CAPTURE */
    CIMA_OUTPUT_NULL,    /* /dev/null */
    CIMA_OUTPUT_FD,      /* a descriptor of the caller's, which stays open there */
    CIMA_OUTPUT_CAPTURE, /* kept for cima_process_stderr; only for standard error */
};

enum cima_launch_flags {
    CIMA_LAUNCH_GROUP_ONLY = 1 << 0, /* a process group of its own instead of a session */
    CIMA_LAUNCH_CORE_DUMPS = 1 << 1, /* core dumps as the caller's limit has it */
    CIMA_LAUNCH_DESKTOP = 1 << 2,    /* pass on what windows and sound need, see `env` */
    CIMA_LAUNCH_DIE_WITH_CALLER = 1 << 3, /* SIGKILL when the thread that launches ends */
};

enum cima_log_level {
    CIMA_LOG_INFO,
    CIMA_LOG_ERROR,
};

/* What to start and how. A member that is 0 or NULL has its default. */
struct cima_launch {
    /* A path as the caller sees it, or a name that is looked up in the caller's $PATH. NULL or "":
     * qemu-system-x86_64. */
    const char *program;
    /* The words behind the program's name, by one of these two: as parts, or as texts with a NULL
     * at the end. */
    const struct cima_cmdline *cmdline;
    const char *const *argv;

    /* Descriptors of the caller's that QEMU inherits: fds[0] becomes 3, fds[1] 4, …; those of
     * `cmdline` (cima_cmdline_inherit) come before them. They stay open in the caller and need not
     * have any flag. The same one may be there twice. */
    const int *fds;
    size_t n_fds; /* at most CIMA_LAUNCH_MAX_FDS */

    /* QEMU's working directory. NULL: the caller's. Entered as the new user. */
    const char *cwd;
    /* "NAME=value", …, NULL: the whole environment. NULL: of the caller's variables only PATH, HOME,
     * TMPDIR, LANG, LC_ALL, TZ, LD_LIBRARY_PATH and QEMU_MODULE_DIR; with CIMA_LAUNCH_DESKTOP also
     * DISPLAY, WAYLAND_DISPLAY, XAUTHORITY, XDG_RUNTIME_DIR, XDG_SESSION_TYPE,
     * DBUS_SESSION_BUS_ADDRESS, PULSE_SERVER, PULSE_COOKIE, PIPEWIRE_RUNTIME_DIR, SDL_VIDEODRIVER
     * and GDK_BACKEND. */
    const char *const *env;

    enum cima_output stdout_to, stderr_to;
    int stdout_fd, stderr_fd; /* with CIMA_OUTPUT_FD */

    const struct cima_credentials *user; /* NULL: the caller's */
    const struct cima_rlimit *limits;    /* the others stay the caller's */
    size_t n_limits;
    unsigned flags; /* enum cima_launch_flags */
    int umask_;     /* permission bits that new files don't get; 0: 077; -1: the caller's */

    /* Gets what happens, for a log: "launching qemu with: [-name x]", "Adding extra file [3 4]"
     * before the start, "Unable to launch qemu: why" when it fails. NULL: nobody is told. */
    void (*log)(void *arg, enum cima_log_level level, const char *text);
    void *log_arg;
};

/* A QEMU that has been started. It is known by a pidfd, so that no signal ever meets another
 * process. */
struct cima_process;

/* Starts QEMU and returns at once when its program runs (exec has happened). NULL with "not_found"
 * (no such program or working directory), "permission" (it may not be executed, or the credentials
 * or limits are not ours to set), "config" (a member of *l is wrong, or the command line can't be
 * written) or "io". The caller frees the process with cima_process_free. */
struct cima_process *cima_launch(const struct cima_launch *l, struct cima_error *error);

/* Its process id; also that of its process group. */
pid_t cima_process_pid(const struct cima_process *p);
/* To be polled: readable, or hung up, when QEMU has ended. Belongs to the process. Where the system
 * has no pidfds (Linux before 5.3, or under an old valgrind) it is a pipe that QEMU holds open as one
 * more descriptor: then only cima_process_wait is certain. */
int cima_process_pidfd(const struct cima_process *p);
/* Waits until it has ended, timeout_ms at most; 0: looks only; -1: for ever. Returns 1 when it has
 * ended, 0 when it still runs, -1 with "io". May be called again after the end. */
int cima_process_wait(struct cima_process *p, int timeout_ms, struct cima_error *error);
/* After its end: the exit code, or 128 + the signal that ended it, as a shell has it. -1 while
 * cima_process_wait has not seen the end. */
int cima_process_exit_code(const struct cima_process *p);
/* After its end: 0 when it ended by itself with exit code 0. Otherwise -1 with "qemu": how it ended,
 * its last lines as the detail, and a hint where they are known. -1 with "state" while it runs. */
int cima_process_result(const struct cima_process *p, struct cima_error *error);
/* What it has written to standard error so far: the first CIMA_LAUNCH_STDERR_LIMIT bytes, a NUL
 * among them as '?'. "" when it is not captured. The caller frees it with free(). */
char *cima_process_stderr(const struct cima_process *p);
/* Sends a signal: SIGTERM makes QEMU write out its disks and end, SIGKILL does not. Nothing happens
 * when it has ended. -1 with "permission" (after a change of user) or "io". */
int cima_process_kill(struct cima_process *p, int signal, struct cima_error *error);
/* Ends it: SIGTERM, after grace_ms (-1: never) SIGKILL; waits for the end. Safe to repeat. -1 as
 * cima_process_kill and cima_process_wait. */
int cima_process_cancel(struct cima_process *p, int grace_ms, struct cima_error *error);
/* Forgets it. A QEMU that still runs goes on, as a child of this program: when it ends it is the
 * program's to reap. NULL is allowed. */
void cima_process_free(struct cima_process *p);

/* Starts QEMU and waits for its end. cancel_fd: when it becomes readable (an eventfd, a timerfd, the
 * read end of a pipe) QEMU is ended: SIGTERM, after 5 s SIGKILL; -1: no such way. Returns 0 when
 * QEMU ended with exit code 0, whatever it wrote. Otherwise -1 with the errors of cima_launch, of
 * cima_process_result, or "interrupted" after a cancellation; the log gets "Unable to launch qemu: "
 * with the reason, then what QEMU wrote to standard error. *ret_stderr (which may be NULL) gets that
 * text in the case of a failure, "" after a success and when QEMU never ran; the caller frees it
 * with free(). */
int cima_launch_and_wait(const struct cima_launch *l, int cancel_fd, char **ret_stderr,
                         struct cima_error *error);

#ifdef __cplusplus
}
#endif
#endif
