/* SPDX-License-Identifier: Apache-2.0 */
/* Processes beside a machine: how they are started, awaited, watched, found again and ended. */
#include "driver/qemu/follow.h"
#include "driver/qemu/helper.h"
#include "log_capture.h"
#include "sys/clock.h"
#include "sys/holders.h"
#include "sys/lock.h"
#include "sys/proc.h"
#include "tmpdir.h"
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

struct set {
    char *dir;
    struct instance inst;
    struct loop *loop;
    struct qemu_helpers *helpers;
    struct err lost;
    unsigned n_lost;
};

static void set_up(struct set *s)
{
    char dir[] = "/tmp/cima-helper-XXXXXX";

    *s = (struct set){.loop = loop_new(NULL)};
    cr_assert(mkdtemp(dir));
    s->dir = xstrdup(dir);
    s->inst = (struct instance){.name = xstrdup("i"), .dir = xstrdup(dir)};
    capture_log(dir);
}

static void tear_down(struct set *s)
{
    qemu_helpers_end(s->helpers);
    qemu_helpers_free(s->helpers);
    loop_free(s->loop);
    instance_release(&s->inst);
    err_clear(&s->lost);
    dir_remove(s->dir, NULL);
    free(s->dir);
}

static char *file(const struct set *s, const char *name, const char *suffix)
{
    return xasprintf("%s/%s%s", s->dir, name, suffix);
}

static bool there(const struct set *s, const char *name, const char *suffix)
{
    _cleanup_free_ char *path = file(s, name, suffix);

    return path_exists(path);
}

static struct qemu_helper helper(const struct set *s, const char *name, const char *mode)
{
    _cleanup_free_ char *program =
        xasprintf("%s/helper-stub", getenv("builddir") ? getenv("builddir") : ".");
    _cleanup_free_ char *real = realpath(program, NULL);
    struct qemu_helper h = {.name = xstrdup(name), .argv = STRV_INIT};

    cr_assert(real, "%s is not built", program);
    h.socket = file(s, name, ".sock");
    strv_pushl(&h.argv, real, mode, "--socket-path", h.socket, NULL);
    return h;
}

/* Starts these; the error as one line, NULL when there is none. */
static char *start(struct set *s, const char *const *modes)
{
    struct qemu_helper plan[4] = {{0}};
    _cleanup_err_ struct err err = ERR_INIT;
    size_t n = 0;

    for (; modes[n]; n++) {
        _cleanup_free_ char *name = xasprintf("virtiofsd-%zu", n);

        plan[n] = helper(s, name, modes[n]);
    }
    int r = qemu_helpers_start(&s->inst, plan, n, &s->helpers, &err);
    for (size_t i = 0; i < n; i++) {
        free(plan[i].name);
        free(plan[i].socket);
        strv_release(&plan[i].argv);
    }
    return r < 0 ? err_text(&err) : NULL;
}

static void start_well(struct set *s, const char *const *modes)
{
    _cleanup_free_ char *text = start(s, modes);

    cr_assert_null(text, "%s", text);
}

static pid_t pid_of(const struct set *s, const char *name)
{
    _cleanup_free_ char *path = file(s, name, ".lock"), *text = file_read(path, 256, NULL, NULL);
    struct proc_id id;

    cr_assert(text && proc_id_parse(text, &id) == 0, "%s", text);
    cr_assert(proc_id_alive(&id));
    return id.pid;
}

static bool is_held(const struct set *s, const char *name)
{
    _cleanup_free_ char *path = file(s, name, ".lock");

    return lock_probe(path, NULL) > 0;
}

static void on_lost(void *arg, const struct err *why)
{
    struct set *s = arg;

    s->n_lost++;
    if (!err_is_set(&s->lost))
        err_copy(&s->lost, why);
    loop_quit(s->loop);
}

static void on_time(void *arg)
{
    loop_quit(((struct set *)arg)->loop);
}

static void run_for(struct set *s, int ms)
{
    struct loop_source *timer = loop_add_timer(s->loop, ms, on_time, s);

    loop_run(s->loop);
    loop_source_free(timer);
}

/* ---- starting -------------------------------------------------------------------------------- */

Test(helpers, S1_30_S1_33_one_after_the_other)
{
    struct set s;

    set_up(&s);
    start_well(&s, (const char *const[]){"run", "late", NULL});
    cr_assert_eq(qemu_helpers_count(s.helpers), 2);
    cr_assert(there(&s, "virtiofsd-0", ".sock") && there(&s, "virtiofsd-1", ".sock"));
    cr_assert_neq(pid_of(&s, "virtiofsd-0"), pid_of(&s, "virtiofsd-1"));
    expect_log(s.dir, "vhostCmd[0].Args: ");
    expect_log(s.dir, "vhostCmd[1].Args: ");
    tear_down(&s);
}

/* A process group of its own, and no descriptor but the lock. */
Test(helpers, S1_31_no_terminal_no_descriptors)
{
    struct set s;
    int status;

    set_up(&s);
    start_well(&s, (const char *const[]){"run", NULL});
    pid_t pid = pid_of(&s, "virtiofsd-0");
    cr_assert_eq(getpgid(pid), pid);
    cr_assert_eq(getsid(pid), pid);
    _cleanup_free_ char *fds = xasprintf("/proc/%d/fd", (int)pid);
    _cleanup_strv_ struct strv names = STRV_INIT;
    cr_assert_eq(dir_list(fds, &names, NULL), 0);
    /* the three standard ones, the lock, its own socket */
    cr_assert_leq(names.n, 5);
    cr_assert_eq(waitpid(pid, &status, WNOHANG), 0);
    tear_down(&s);
}

Test(helpers, S1_34_awaited)
{
    struct set s;

    set_up(&s);
    start_well(&s, (const char *const[]){"late", NULL});
    _cleanup_free_ char *text =
        xasprintf("Try waiting for %s/virtiofsd-0.sock to appear (attempt 0)", s.dir);
    expect_log(s.dir, text);
    tear_down(&s);
}

Test(helpers, S1_36_dies_before_its_socket)
{
    struct set s;

    set_up(&s);
    _cleanup_free_ char *text = start(&s, (const char *const[]){"run", "dies", NULL});
    cr_assert(text && strstr(text, "virtiofsd never created vhost socket: it exited with status 3"),
              "%s", text);
    cr_assert(strstr(text, "helper-stub: dies"), "its words: %s", text);
    cr_assert_not(is_held(&s, "virtiofsd-0"), "the first one is ended, too");
    cr_assert_not(there(&s, "virtiofsd-0", ".sock"));
    tear_down(&s);
}

Test(helpers, S1_36_ends_cleanly_before_its_socket)
{
    struct set s;

    set_up(&s);
    _cleanup_free_ char *text = start(&s, (const char *const[]){"bye", NULL});
    cr_assert(text && strstr(text, "never created vhost socket: it exited with status 0"), "%s",
              text);
    tear_down(&s);
}

Test(helpers, S1_37_silent)
{
    struct set s;

    set_up(&s);
    _cleanup_free_ char *text = start(&s, (const char *const[]){"silent", NULL});
    _cleanup_free_ char *wanted =
        xasprintf("vhost socket '%s/virtiofsd-0.sock' never appeared", s.dir);
    cr_assert(text && strstr(text, wanted), "%s", text);
    expect_log(s.dir, "(attempt 4)");
    expect_no_log(s.dir, "(attempt 5)");
    cr_assert_not(is_held(&s, "virtiofsd-0"));
    tear_down(&s);
}

/* The directory can't be looked into: said each time, and gone on with until the limit. */
Test(helpers, S1_35_socket_that_cant_be_looked_at)
{
    struct set s;
    struct qemu_helper plan;
    _cleanup_err_ struct err err = ERR_INIT;

    set_up(&s);
    plan = helper(&s, "virtiofsd-0", "silent");
    free(plan.socket);
    _cleanup_free_ char *in_the_way = file(&s, "file", "");
    cr_assert_eq(file_write_atomic(in_the_way, "x", 1, 0600, NULL), 0);
    plan.socket = xasprintf("%s/virtiofsd-0.sock", in_the_way);
    cr_assert_eq(qemu_helpers_start(&s.inst, &plan, 1, &s.helpers, &err), -1);
    expect_log(s.dir, "Failed to check for vhost socket: Not a directory");
    cr_assert(strstr(err.msg, "never appeared"), "%s", err.msg);
    free(plan.name);
    free(plan.socket);
    strv_release(&plan.argv);
    tear_down(&s);
}

Test(helpers, no_such_program)
{
    struct set s;
    struct qemu_helper plan;
    _cleanup_err_ struct err err = ERR_INIT;

    set_up(&s);
    plan = helper(&s, "swtpm", "run");
    free(plan.argv.v[0]);
    plan.argv.v[0] = xstrdup("/nonexistent/swtpm");
    cr_assert_eq(qemu_helpers_start(&s.inst, &plan, 1, &s.helpers, &err), -1);
    cr_assert_eq(err.kind, ERR_NOT_FOUND);
    _cleanup_free_ char *text = err_text(&err);
    cr_assert(strstr(text, "starting swtpm: ") && strstr(text, "/nonexistent/swtpm"), "%s", text);
    free(plan.name);
    free(plan.socket);
    strv_release(&plan.argv);
    tear_down(&s);
}

/* ---- output ---------------------------------------------------------------------------------- */

/* Lines, each with its name in front; one over 64 KiB is cut, and reading goes on. */
Test(helpers, S1_32_output_line_by_line)
{
    struct set s;

    set_up(&s);
    start_well(&s, (const char *const[]){"chatty", NULL});
    qemu_helpers_watch(s.helpers, s.loop, on_lost, &s);
    run_for(&s, 300);
    pid_t pid = pid_of(&s, "virtiofsd-0");
    qemu_helpers_end(s.helpers);
    cr_assert_neq(kill(pid, 0), 0);
    expect_log(s.dir, "virtiofsd-0[stderr]: helper-stub: chatty");
    expect_log(s.dir, "xxx […]");
    expect_log(s.dir, "virtiofsd-0[stderr]: after the long line");
    expect_log(s.dir, "virtiofsd-0[stdout]: on its output");
    /* The file has it whole. */
    _cleanup_free_ char *path = file(&s, "virtiofsd-0", ".stderr.log");
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_gt(st.st_size, 200000);
    tear_down(&s);
}

/* One that never stops writing does not hold us at the end. */
Test(helpers, S1_32_endless_words)
{
    _tmpdir_ char *dir = tmpdir_new();
    struct loop *loop = loop_new(NULL);
    struct follow *f;

    capture_log(dir);
    f = follow_new(loop, "/dev/zero", 0, "zero");
    cr_assert(f);
    follow_free(f);
    expect_log(dir, "zero: ????");
    loop_free(loop);
}

/* ---- while the machine runs ------------------------------------------------------------------ */

Test(helpers, S1_38_F42_dies_while_the_machine_runs)
{
    struct set s;

    set_up(&s);
    start_well(&s, (const char *const[]){"run", "run", NULL});
    qemu_helpers_watch(s.helpers, s.loop, on_lost, &s);
    kill(pid_of(&s, "virtiofsd-1"), SIGTERM);
    run_for(&s, 60000);
    expect_log(s.dir, "Error from virtiofsd instance #1: it was killed by signal 15");
    cr_assert_eq(s.n_lost, 1);
    cr_assert(strstr(s.lost.msg, "virtiofsd instance #1 was killed by signal 15"), "%s",
              s.lost.msg);
    cr_assert(strstr(s.lost.msg, "its mount is gone"), "%s", s.lost.msg);
    cr_assert(strstr(s.lost.hint, "stop the instance and start it again"), "%s", s.lost.hint);
    cr_assert(is_held(&s, "virtiofsd-0"), "the other one goes on");
    tear_down(&s);
}

/* Ends that come with the machine's own end are nothing that anybody has to know. */
Test(helpers, S1_38_end_with_the_machine)
{
    struct set s;

    set_up(&s);
    start_well(&s, (const char *const[]){"run", NULL});
    qemu_helpers_watch(s.helpers, s.loop, on_lost, &s);
    kill(pid_of(&s, "virtiofsd-0"), SIGKILL);
    run_for(&s, 200);
    qemu_helpers_end(s.helpers);
    run_for(&s, 2500);
    cr_assert_eq(s.n_lost, 0);
    tear_down(&s);
}

/* ---- the end --------------------------------------------------------------------------------- */

Test(helpers, S1_46_killed_with_everything_of_theirs)
{
    struct set s;

    set_up(&s);
    start_well(&s, (const char *const[]){"fork", "run", NULL});
    qemu_helpers_watch(s.helpers, s.loop, on_lost, &s);
    kill(pid_of(&s, "virtiofsd-1"), SIGKILL); /* already finished is fine */
    _cleanup_free_ char *lock = file(&s, "virtiofsd-0", ".lock");
    _cleanup_close_ int fd = open(lock, O_RDONLY | O_CLOEXEC);
    qemu_helpers_end(s.helpers);
    cr_assert_eq(flock(fd, LOCK_SH | LOCK_NB), 0, "a child of it still has the lock");
    cr_assert_not(there(&s, "virtiofsd-0", ".sock"));
    cr_assert_not(there(&s, "virtiofsd-0", ".lock"));
    cr_assert_not(there(&s, "virtiofsd-0", ".stdout.log"), "nothing was written there");
    expect_no_log(s.dir, "failed to kill");
    tear_down(&s);
}

/* ---- another agent --------------------------------------------------------------------------- */

/* The agent is killed, its machine goes on: the next one finds the helpers. */
Test(helpers, F01_found_again)
{
    struct set s;

    set_up(&s);
    start_well(&s, (const char *const[]){"run", "run", NULL});
    pid_t pid = pid_of(&s, "virtiofsd-0");
    qemu_helpers_free(s.helpers);
    s.helpers = qemu_helpers_adopt(&s.inst);
    cr_assert_eq(qemu_helpers_count(s.helpers), 2);
    qemu_helpers_watch(s.helpers, s.loop, on_lost, &s);
    kill(pid_of(&s, "virtiofsd-1"), SIGKILL);
    run_for(&s, 60000);
    cr_assert_eq(s.n_lost, 1);
    cr_assert(strstr(s.lost.msg, "virtiofsd instance #1"), "%s", s.lost.msg);
    qemu_helpers_end(s.helpers);
    cr_assert_eq(waitpid(pid, NULL, 0), pid, "a child of the test, not of the agent");
    cr_assert_not(there(&s, "virtiofsd-0", ".lock"));
    tear_down(&s);
}

/* One that ended while there was no agent. */
Test(helpers, F01_lost_meanwhile)
{
    struct set s;

    set_up(&s);
    start_well(&s, (const char *const[]){"run", NULL});
    pid_t pid = pid_of(&s, "virtiofsd-0");
    qemu_helpers_free(s.helpers);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    s.helpers = qemu_helpers_adopt(&s.inst);
    qemu_helpers_watch(s.helpers, s.loop, on_lost, &s);
    run_for(&s, 60000);
    cr_assert_eq(s.n_lost, 1);
    tear_down(&s);
}

/* Agent and machine are killed: the next start ends what is left, also when the agent did not get
 * to writing whom it has started. */
Test(helpers, F03_left_behind)
{
    struct set s;

    set_up(&s);
    start_well(&s, (const char *const[]){"run", "fork", NULL});
    pid_t pid = pid_of(&s, "virtiofsd-0");
    _cleanup_free_ char *lock = file(&s, "virtiofsd-0", ".lock");
    cr_assert_eq(truncate(lock, 0), 0);
    qemu_helpers_free(s.helpers);
    s.helpers = NULL;
    start_well(&s, (const char *const[]){"run", NULL});
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    cr_assert_neq(pid_of(&s, "virtiofsd-0"), pid);
    expect_log(s.dir, "Ending virtiofsd-0, which an earlier machine has left behind");
    cr_assert_not(is_held(&s, "virtiofsd-1"));
    tear_down(&s);
}

/* F04: what the lock's text says counts for nothing when the lock is free. */
Test(helpers, F04_another_process_gets_no_signal)
{
    struct set s;
    struct proc_id id;

    set_up(&s);
    pid_t other = fork();
    if (!other) {
        pause();
        _exit(0);
    }
    cr_assert_eq(proc_id_of(other, &id), 0);
    _cleanup_free_ char *text = proc_id_format(&id), *lock = file(&s, "swtpm", ".lock");
    cr_assert_eq(file_write_atomic(lock, text, strlen(text), 0600, NULL), 0);
    qemu_helpers_sweep(&s.inst);
    cr_assert_eq(waitpid(other, NULL, WNOHANG), 0, "it was killed");
    cr_assert_not(there(&s, "swtpm", ".lock"));
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    tear_down(&s);
}

/* S18: a file of somebody's with the name of a socket stays. */
Test(helpers, S18_only_sockets_are_removed)
{
    struct set s;

    set_up(&s);
    _cleanup_free_ char *lock = file(&s, "swtpm", ".lock"), *sock = file(&s, "swtpm", ".sock");
    cr_assert_eq(file_write_atomic(lock, "", 0, 0600, NULL), 0);
    cr_assert_eq(file_write_atomic(sock, "mine", 4, 0600, NULL), 0);
    qemu_helpers_sweep(&s.inst);
    cr_assert(there(&s, "swtpm", ".sock"));
    tear_down(&s);
}

Test(helpers, numbers)
{
    cr_assert_eq(qemu_helper_number("virtiofsd-12"), 12);
    cr_assert_eq(qemu_helper_number("swtpm"), -1);
    cr_assert_eq(qemu_helper_number("virtiofsd-"), -1);
    cr_assert_eq(qemu_helper_number("virtiofsd-1x"), -1);
    cr_assert_eq(qemu_helper_number("virtiofsd-99999999"), -1);
}
