/* SPDX-License-Identifier: Apache-2.0 */
/* Starting and waiting for processes. The children are small shell scripts. */
#include "base/mem.h"
#include "sys/clock.h"
#include "sys/proc.h"
#include "sys/spawn.h"
#include "tmpdir.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define SH(script) ((const char *const[]){"/bin/sh", "-c", script, NULL})

/* LONG: ms for what has to happen, on any machine. */
enum { CAP = 1 << 16, LONG = 240000 };

/* What a script prints, run with everything else as in s. */
static char *output_of(struct spawn s, const char *script)
{
    _cleanup_run_result_ struct run_result r = {0};
    _cleanup_err_ struct err e = ERR_INIT;
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};

    s.argv = argv;
    cr_assert_eq(run_capture(&s, NULL, CAP, LONG, &r, &e), 0, "%s", e.msg);
    cr_assert_eq(r.status, 0, "%s: %s", script, sbuf_str(&r.err_out));
    return sbuf_detach(&r.out);
}

Test(spawn, exit_status_and_both_outputs)
{
    _cleanup_run_result_ struct run_result r = {0};
    struct spawn s = SPAWN_INIT;

    s.argv = SH("echo out; echo err >&2; exit 3");
    cr_assert_eq(run_capture(&s, NULL, CAP, LONG, &r, NULL), 0);
    cr_assert_str_eq(sbuf_str(&r.out), "out\n");
    cr_assert_str_eq(sbuf_str(&r.err_out), "err\n");
    cr_assert_eq(wait_status_exit_code(r.status), 3);
}

Test(spawn, S09_arguments_arrive_as_they_are)
{
    const char *const argv[] = {
        "/bin/sh", "-c", "printf '<%s>' \"$@\"", "sh", "a b", "$(id)", "", "new\nline",
        "'\"\\",   NULL};
    _cleanup_run_result_ struct run_result r = {0};
    struct spawn s = SPAWN_INIT;

    s.argv = argv;
    cr_assert_eq(run_capture(&s, NULL, CAP, LONG, &r, NULL), 0);
    cr_assert_str_eq(sbuf_str(&r.out), "<a b><$(id)><><new\nline><'\"\\>");
}

Test(spawn, missing_program)
{
    struct spawn s = SPAWN_INIT;
    struct child c = CHILD_INIT;
    _cleanup_err_ struct err e = ERR_INIT;

    s.argv = (const char *const[]){"/no/such/program", NULL};
    cr_assert_eq(spawn_child(&s, &c, &e), -1);
    cr_assert_eq(e.kind, ERR_NOT_FOUND);
    cr_assert_str_eq(e.msg, "starting '/no/such/program': no such file or directory");
    err_clear(&e);
    s.argv = (const char *const[]){"no-such-program-anywhere", NULL};
    s.flags = SPAWN_SEARCH_PATH;
    cr_assert_eq(spawn_child(&s, &c, &e), -1);
    cr_assert_eq(e.kind, ERR_NOT_FOUND);
    cr_assert_eq(c.pid, 0);
    cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "no zombie is left");
    cr_assert_eq(errno, ECHILD);
}

Test(spawn, program_that_may_not_be_executed)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "tool");
    struct spawn s = SPAWN_INIT;
    struct child c = CHILD_INIT;
    _cleanup_err_ struct err e = ERR_INIT;

    cr_assert_eq(file_write_atomic(path, "#!/bin/sh\n", 10, 0644, NULL), 0);
    s.argv = (const char *const[]){path, NULL};
    cr_assert_eq(spawn_child(&s, &c, &e), -1);
    cr_assert_eq(e.kind, ERR_PERMISSION);
    err_clear(&e);
    setenv("PATH", dir, 1);
    s.argv = (const char *const[]){"tool", NULL};
    s.flags = SPAWN_SEARCH_PATH;
    cr_assert_eq(spawn_child(&s, &c, &e), -1);
    cr_assert_eq(e.kind, ERR_PERMISSION);
}

Test(spawn, program_is_searched_in_path)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "tool");
    _cleanup_free_ char *search = xasprintf("/no/such/dir:%s:/bin", dir);
    _cleanup_run_result_ struct run_result r = {0};
    struct spawn s = SPAWN_INIT;

    cr_assert_eq(file_write_atomic(path, "#!/bin/sh\necho found", 20, 0755, NULL), 0);
    setenv("PATH", search, 1);
    _cleanup_free_ char *found = find_program("tool");
    _cleanup_free_ char *direct = find_program(path);
    cr_assert_str_eq(found, path);
    cr_assert_str_eq(direct, path);
    cr_assert_null(find_program("no-such-tool"));
    cr_assert_null(find_program(dir), "a directory is no program");
    cr_assert_null(find_program(""));
    s.argv = (const char *const[]){"tool", NULL};
    s.flags = SPAWN_SEARCH_PATH;
    cr_assert_eq(run_capture(&s, NULL, CAP, LONG, &r, NULL), 0);
    cr_assert_str_eq(sbuf_str(&r.out), "found\n");
}

Test(spawn, bad_working_directory)
{
    struct spawn s = SPAWN_INIT;
    struct child c = CHILD_INIT;
    _cleanup_err_ struct err e = ERR_INIT;

    s.argv = SH("true");
    s.cwd = "/no/such/dir";
    cr_assert_eq(spawn_child(&s, &c, &e), -1);
    cr_assert_not_null(strstr(e.msg, "/no/such/dir"), "%s", e.msg);
    cr_assert_eq(e.kind, ERR_NOT_FOUND);
}

Test(spawn, settings_reach_the_child)
{
    struct spawn s = SPAWN_INIT;

    s.cwd = "/";
    s.umask_ = 0027;
    s.flags = SPAWN_NO_CORE;
    s.env = (const char *const[]){"ONLY=this", NULL};
    _cleanup_free_ char *out = output_of(s, "pwd; umask; ulimit -c; echo $ONLY $HOME");
    cr_assert_str_eq(out, "/\n0027\n0\nthis\n");
}

Test(spawn, sessions_and_groups)
{
    struct spawn s = SPAWN_INIT;
    /* Fields of stat: pid (1), process group (5), session (6). */
    static const char script[] = "read -r p c st pp pg se rest </proc/self/stat; "
                                 "set -- $$ $pg $se; echo $1 $2 $3";
    static const struct {
        unsigned flags;
        bool own_group, own_session;
    } t[] = {
        {0, false, false},
        {SPAWN_NEW_GROUP, true, false},
        {SPAWN_NEW_SESSION, true, true},
        {SPAWN_NEW_GROUP | SPAWN_NEW_SESSION, true, true},
    };

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        int pid = 0, group = 0, session = 0;

        s.flags = t[i].flags;
        _cleanup_free_ char *out = output_of(s, script);
        cr_assert_eq(sscanf(out, "%d %d %d", &pid, &group, &session), 3, "%s", out);
        cr_expect_eq(group == pid, t[i].own_group, "row %zu: %s", i, out);
        cr_expect_eq(session == pid, t[i].own_session, "row %zu: %s", i, out);
    }
}

Test(spawn, signals_are_reset)
{
    struct spawn s = SPAWN_INIT;
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    _cleanup_free_ char *out =
        output_of(s, "grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -d '\\t'");
    cr_assert_str_eq(out, "SigBlk:0000000000000000\nSigIgn:0000000000000000\n");
    sigprocmask(SIG_SETMASK, NULL, &set);
    cr_assert(sigismember(&set, SIGTERM), "our own mask is as it was");
}

Test(spawn, ignored_sigchld_does_not_lose_the_status)
{
    _cleanup_run_result_ struct run_result r = {0};
    struct spawn s = SPAWN_INIT;

    signal(SIGCHLD, SIG_IGN);
    s.argv = SH("exit 5");
    cr_assert_eq(run_capture(&s, NULL, CAP, LONG, &r, NULL), 0);
    cr_assert_eq(wait_status_exit_code(r.status), 5);
}

/* ---- file descriptors ------------------------------------------------------------------- */

static int file_with(const char *dir, const char *text)
{
    _cleanup_free_ char *path = path_join(dir, text);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    cr_assert_geq(fd, 0);
    cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
    cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

Test(spawn, H16_only_listed_fds_reach_the_child)
{
    _tmpdir_ char *dir = tmpdir_new();
    struct spawn s = SPAWN_INIT;
    _cleanup_close_ int a = file_with(dir, "a");
    int careless = open("/dev/null", O_RDONLY); /* without close-on-exec */
    struct spawn_fd fds[] = {{a, 7}};

    s.fds = fds;
    s.n_fds = 1;
    _cleanup_free_ char *out = output_of(s, "cat <&7; for i in /proc/self/fd/*; do "
                                            "printf ' %s' ${i##*/}; done");
    /* 3 or so is the directory that the glob itself reads. */
    cr_assert(str_starts(out, "a 0 1 2 "), "%s", out);
    cr_assert_not_null(strstr(out, " 7"), "%s", out);
    cr_assert_leq(strlen(out), strlen("a 0 1 2 3 7"), "%s", out);
    cr_assert_geq(fcntl(a, F_GETFD), FD_CLOEXEC, "ours stays as it was");
    close(careless);
}

Test(spawn, fds_may_swap_and_collide)
{
    _tmpdir_ char *dir = tmpdir_new();
    struct spawn s = SPAWN_INIT;
    int a = file_with(dir, "aaa"), b = file_with(dir, "bbb"), c = file_with(dir, "ccc");
    /* A cycle, and one source twice. */
    struct spawn_fd fds[] = {{a, b}, {b, c}, {c, a}, {a, 60}};
    _cleanup_free_ char *script =
        xasprintf("cat /proc/self/fd/%d /proc/self/fd/%d /proc/self/fd/%d "
                  "/proc/self/fd/60",
                  a, b, c);

    s.fds = fds;
    s.n_fds = ARRAY_SIZE(fds);
    _cleanup_free_ char *out = output_of(s, script);
    cr_assert_str_eq(out, "cccaaabbbaaa");
}

Test(spawn, standard_fds_may_be_sources_of_each_other)
{
    _cleanup_child_ struct child c = CHILD_INIT;
    struct spawn s = SPAWN_INIT;
    int fds[2], status = -1;
    char buf[64];

    /* As a daemon's: our own 0 to 2 are the pipe. */
    cr_assert_eq(pipe(fds), 0);
    int saved_out = dup(1);
    dup2(fds[1], 1);
    s.stdout_fd = 2;
    s.stderr_fd = 1;
    s.argv = SH("echo on-stderr >&2");
    int r = spawn_child(&s, &c, NULL);
    dup2(saved_out, 1);
    cr_assert_eq(r, 0);
    cr_assert_eq(child_wait(&c, LONG, &status), 1);
    ssize_t n = read(fds[0], buf, sizeof(buf) - 1);
    cr_assert_gt(n, 0);
    buf[n] = '\0';
    cr_assert_str_eq(buf, "on-stderr\n");
}

Test(spawn, bad_fds_are_errors)
{
    struct spawn s = SPAWN_INIT;
    struct child c = CHILD_INIT;
    _cleanup_err_ struct err e = ERR_INIT;
    struct spawn_fd low = {0, 2}, closed = {999, 5};

    s.argv = SH("true");
    s.n_fds = 1;
    s.fds = &low;
    cr_assert_eq(spawn_child(&s, &c, &e), -1);
    cr_assert_eq(e.kind, ERR_INTERNAL);
    err_clear(&e);
    s.fds = &closed;
    cr_assert_eq(spawn_child(&s, &c, &e), -1);
    cr_assert_eq(e.kind, ERR_IO);
}

Test(spawn, stdin_is_empty_unless_given)
{
    struct spawn s = SPAWN_INIT;
    _cleanup_run_result_ struct run_result r = {0};
    _cleanup_free_ char *out = output_of(s, "wc -c");
    _cleanup_free_ char *big = xmalloc(1000001);

    cr_assert_str_eq(out, "0\n");
    memset(big, 'x', 1000000);
    big[1000000] = '\0';
    s.argv = SH("head -c 3; wc -c");
    cr_assert_eq(run_capture(&s, big, CAP, LONG, &r, NULL), 0);
    cr_assert(str_starts(sbuf_str(&r.out), "xxx"), "%s", sbuf_str(&r.out));
    run_result_release(&r);
    s.argv = SH("exec true"); /* reads nothing of it: no SIGPIPE here */
    cr_assert_eq(run_capture(&s, big, CAP, LONG, &r, NULL), 0);
    cr_assert_eq(r.status, 0);
}

/* ---- ends ------------------------------------------------------------------------------- */

Test(spawn, output_over_the_cap_is_read_and_dropped)
{
    _cleanup_run_result_ struct run_result r = {0};
    struct spawn s = SPAWN_INIT;

    s.argv = SH("head -c 3000000 /dev/zero | tr '\\0' x; head -c 200000 /dev/zero >&2; exit 0");
    cr_assert_eq(run_capture(&s, NULL, 1000, LONG, &r, NULL), 0);
    cr_assert_eq(r.status, 0);
    cr_assert_eq(r.out.len, 1000);
    cr_assert_eq(r.err_out.len, 1000);
}

Test(spawn, timeout_kills_the_whole_group)
{
    struct spawn s = SPAWN_INIT;
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "pid"), *pid = NULL;
    struct proc_id id;

    s.argv = SH("echo so far >&2; sleep 1000 & echo $! > new; mv new pid; wait");
    s.cwd = dir;
    s.flags = SPAWN_NEW_GROUP;
    /* On a busy machine the script may come to its last command only within a longer time. */
    for (int ms = 500; !pid; ms *= 4) {
        _cleanup_run_result_ struct run_result r = {0};
        _cleanup_err_ struct err e = ERR_INIT;

        cr_assert_lt(ms, LONG, "the script does not come to its end");
        cr_assert_eq(run_capture(&s, NULL, CAP, ms, &r, &e), -1);
        cr_assert_eq(e.kind, ERR_TIMEOUT);
        pid = file_read(path, 100, NULL, NULL);
        if (pid)
            cr_assert_str_eq(e.detail, "so far");
    }
    /* The sleep is not ours to reap: wait until it is gone or a zombie of somebody's. */
    for (int64_t end = deadline_in(LONG);
         proc_id_of((pid_t)atoi(pid), &id) == 0 && deadline_left(end);)
        usleep(10000);
    cr_assert_eq(proc_id_of((pid_t)atoi(pid), &id), -1);
}

Test(spawn, end_does_not_wait_for_a_daemon_that_keeps_the_pipe)
{
    _cleanup_run_result_ struct run_result r = {0};
    struct spawn s = SPAWN_INIT;
    int pid = 0;

    s.argv = SH("sleep 1000 & echo $! last words"); /* longer than we would wait */
    cr_assert_eq(run_capture(&s, NULL, CAP, LONG, &r, NULL), 0);
    cr_assert(sscanf(sbuf_str(&r.out), "%d", &pid) == 1 && pid > 1, "%s", sbuf_str(&r.out));
    cr_assert_eq(kill(pid, SIGKILL), 0, "it is not there any more");
    cr_assert(str_ends(sbuf_str(&r.out), " last words\n"), "%s", sbuf_str(&r.out));
}

Test(spawn, kill_and_wait)
{
    _cleanup_child_ struct child c = CHILD_INIT;
    struct spawn s = SPAWN_INIT;
    int status = 0;

    s.argv = SH("exec sleep 60");
    cr_assert_eq(spawn_child(&s, &c, NULL), 0);
    cr_assert_gt(c.pid, 0);
    cr_assert_neq(fcntl(c.pidfd, F_GETFD) & FD_CLOEXEC, 0);
    cr_assert_eq(child_wait(&c, 0, &status), 0);
    cr_assert_eq(child_wait(&c, 50, &status), 0);
    cr_assert_eq(child_kill(&c, SIGTERM), 0);
    cr_assert_eq(child_wait(&c, LONG, &status), 1);
    _cleanup_free_ char *text = wait_status_text(status);
    cr_assert_str_eq(text, "was killed by signal 15 (Terminated)");
    cr_assert_eq(wait_status_exit_code(status), 128 + 15);
    cr_assert_eq(child_kill(&c, SIGTERM), 0, "it has ended: success");
    cr_assert_eq(child_wait(&c, 0, &status), -1, "reaped already");
}

Test(spawn, status_texts)
{
    static const struct {
        int status;
        const char *text;
        int code;
    } t[] = {
        {0, "exited with status 0", 0},
        {1 << 8, "exited with status 1", 1},
        {255 << 8, "exited with status 255", 255},
        {9, "was killed by signal 9 (Killed)", 137},
        {11 | 0x80, "was killed by signal 11 (Segmentation fault), core dumped", 139},
    };

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        _cleanup_free_ char *text = wait_status_text(t[i].status);

        cr_expect_str_eq(text, t[i].text);
        cr_expect_eq(wait_status_exit_code(t[i].status), t[i].code);
    }
}

Test(spawn, checked_run_tells_what_the_program_said)
{
    struct spawn s = SPAWN_INIT;
    _cleanup_err_ struct err e = ERR_INIT;

    s.argv = SH("true");
    cr_assert_eq(run_checked(&s, LONG, &e), 0);
    s.argv = SH("i=0; while [ $i -lt 50 ]; do echo line $i >&2; i=$((i+1)); done; exit 4");
    cr_assert_eq(run_checked(&s, LONG, &e), -1);
    cr_assert_eq(e.kind, ERR_IO);
    cr_assert_str_eq(e.msg, "'/bin/sh' exited with status 4");
    cr_assert(str_starts(e.detail, "line 30\n"), "%s", e.detail);
    cr_assert(str_ends(e.detail, "\nline 49"), "%s", e.detail);
}

Test(spawn, child_dies_with_its_parent)
{
    struct spawn s = SPAWN_INIT;
    struct proc_id id;
    int fds[2];
    pid_t grandchild = 0;

    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    pid_t middle = fork();
    if (middle == 0) {
        struct child c = CHILD_INIT;

        s.argv = SH("exec sleep 60");
        s.flags = SPAWN_DIE_WITH_PARENT;
        if (spawn_child(&s, &c, NULL) < 0 || write(fds[1], &c.pid, sizeof(c.pid)) < 0)
            _exit(1);
        pause();
        _exit(0);
    }
    cr_assert_eq(read(fds[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
    _cleanup_close_ int pidfd = pidfd_open_(grandchild);
    cr_assert_geq(pidfd, 0);
    cr_assert_eq(proc_id_of(grandchild, &id), 0);
    kill(middle, SIGKILL);
    cr_assert_eq(waitpid(middle, NULL, 0), middle);
    cr_assert_eq(pidfd_wait(pidfd, LONG), 1);
    cr_assert_not(proc_id_alive(&id));
}

Test(spawn, many_in_a_row_leave_nothing_open)
{
    struct spawn s = SPAWN_INIT;
    int before = dup(0);

    close(before);
    s.argv = (const char *const[]){"/bin/true", NULL};
    for (int i = 0; i < 50; i++)
        cr_assert_eq(run_checked(&s, LONG, NULL), 0);
    s.argv = (const char *const[]){"/no/such", NULL};
    for (int i = 0; i < 50; i++)
        cr_assert_eq(run_checked(&s, LONG, NULL), -1);
    int after = dup(0);
    cr_assert_eq(after, before);
    close(after);
}
