/* SPDX-License-Identifier: Apache-2.0 */
/* Status by kernel locks (HA-91, F01 to F05, F10): every combination of a living agent, a living
 * QEMU and what may lie around. The holders are child processes. */
#include "store/store.h"
#include "store_fixture.h"
#include "sys/lock.h"
#include "sys/proc.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

TestSuite(status, .timeout = 600);

/* A child that does something and then stays until it is killed. */
struct holder {
    pid_t pid;
};

static void holder_release(struct holder *h)
{
    if (h->pid > 0) {
        kill(h->pid, SIGKILL);
        waitpid(h->pid, NULL, 0);
    }
    h->pid = 0;
}
#define _holder_ _cleanup_(holder_release)

static struct holder hold(void (*take)(const char *path), const char *path)
{
    int ready[2];
    char c;
    cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
    struct holder h = {fork()};
    if (h.pid == 0) {
        take(path);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    cr_assert_eq(read(ready[0], &c, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return h;
}

static void take_flock(const char *path)
{
    if (lock_take(path, 0, NULL) < 0)
        _exit(1);
}

/* As QEMU's -pidfile. */
static void take_posix(const char *path)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || fcntl(fd, F_SETLK, &l) < 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0)
        _exit(1);
}

static struct holder hold_agent(const struct instance *in)
{
    _cleanup_free_ char *path = instance_path(in, INST_HA_LOCK);
    return hold(take_flock, path);
}

static struct holder hold_qemu(const struct instance *in)
{
    _cleanup_free_ char *path = instance_path(in, INST_QEMU_PID);
    return hold(take_posix, path);
}

static void expect_state(const struct instance *in, enum inst_status status, const char *condition,
                         const char *error)
{
    _cleanup_instance_state_ struct instance_state st = {0};
    instance_state_read(in, &st);
    cr_expect_eq(st.status, status, "%s", inst_status_to_string(st.status));
    cr_expect(streq0(st.condition, condition), "condition %s, not %s", st.condition, condition);
    if (error)
        cr_expect(st.errors.n > 0 && strstr(st.errors.v[0], error), "errors: %s",
                  st.errors.n ? st.errors.v[0] : "none");
    else
        cr_expect_eq(st.errors.n, 0, "error: %s", st.errors.n ? st.errors.v[0] : "");
}

Test(status, stopped)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    expect_state(&in, INST_STOPPED, NULL, NULL);
}

Test(status, running)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    _holder_ struct holder agent = hold_agent(&in), qemu = hold_qemu(&in);
    expect_state(&in, INST_RUNNING, NULL, NULL);
    _cleanup_instance_state_ struct instance_state st = {0};
    instance_state_read(&in, &st);
    cr_expect_eq(st.agent_pid, agent.pid);
    cr_expect_eq(st.driver_pid, qemu.pid);
    cr_expect(!st.agent_foreign);
}

Test(status, starting_and_stopping)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    put_in(&in, INST_SERIAL_LOG, "of the last run");
    usleep(20000);
    _holder_ struct holder agent = hold_agent(&in);
    cr_assert_gt(agent.pid, 0);
    expect_state(&in, INST_BROKEN, "starting", "host agent is running but driver is not");
    usleep(20000);
    put_in(&in, INST_SERIAL_LOG, "of this run");
    expect_state(&in, INST_BROKEN, "stopping", "host agent is running but driver is not");
}

Test(status, F01_agent_lost)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    _holder_ struct holder agent = hold_agent(&in), qemu = hold_qemu(&in);
    cr_assert_gt(qemu.pid, 0);
    holder_release(&agent);
    expect_state(&in, INST_BROKEN, "agent lost", "qemu driver is running but host agent is not");
}

Test(status, F03_both_killed)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    _holder_ struct holder agent = hold_agent(&in), qemu = hold_qemu(&in);
    holder_release(&agent);
    holder_release(&qemu);
    expect_state(&in, INST_STOPPED, "crashed", NULL);
}

Test(status, F04_pid_files_of_living_strangers)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    _cleanup_free_ char *self = xasprintf("%ld\n", (long)getpid());
    const char *const pids[] = {self, "1\n", "0\n", "-1\n", "garbage", "99999999999999999999\n",
                                ""};
    for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
        put_in(&in, INST_HA_PID, pids[i]);
        put_in(&in, INST_QEMU_PID, pids[i]);
        put_in(&in, INST_HA_LOCK, pids[i]);
        expect_state(&in, INST_STOPPED, "crashed", NULL);
    }
}

/* `sh -c 'read x' …` has the arguments of a host agent in its command line and waits. */
static struct holder fake_lima_agent(const char *pidfile, const char *name)
{
    struct holder h = {fork()};
    if (h.pid == 0) {
        int fds[2];
        if (pipe(fds) < 0 || dup2(fds[0], 0) < 0)
            _exit(1);
        execl("/bin/sh", "limactl", "-c", "read x", "limactl", "hostagent", "--pidfile", pidfile,
              "--socket", "/x", name, (char *)NULL);
        _exit(1);
    }
    _cleanup_free_ char *text = xasprintf("%ld\n", (long)h.pid);
    _cleanup_free_ char *path = xasprintf("/proc/%ld/cmdline", (long)h.pid);
    put_file(pidfile, text);
    /* Until it is that program. */
    bool there = false;
    for (int i = 0; i < 24000 && !there; i++) {
        size_t len = 0;
        _cleanup_free_ char *words = file_read(path, 4096, &len, NULL);
        there = words && memmem(words, len, "--pidfile", strlen("--pidfile"));
        if (!there)
            usleep(10000);
    }
    cr_assert(there, "it has not become a shell");
    return h;
}

Test(status, agent_of_lima)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    _cleanup_free_ char *pidfile = instance_path(&in, INST_HA_PID);
    _holder_ struct holder agent = fake_lima_agent(pidfile, "vm");
    expect_state(&in, INST_BROKEN, "starting", "host agent is running but driver is not");
    _holder_ struct holder qemu = hold_qemu(&in);
    cr_assert_gt(qemu.pid, 0);
    expect_state(&in, INST_RUNNING, NULL, NULL);
    _cleanup_instance_state_ struct instance_state st = {0};
    instance_state_read(&in, &st);
    cr_expect_eq(st.agent_pid, agent.pid);
    cr_expect(st.agent_foreign);
}

Test(status, agent_of_lima_for_another_instance)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    _cleanup_instance_ struct instance other = make_instance(&f, "other");
    _cleanup_free_ char *theirs = instance_path(&other, INST_HA_PID);
    /* A stale number here that happens to be the agent of another one, of another name and of ours.
     */
    static const char *const names[] = {"other", "vm"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _holder_ struct holder agent = fake_lima_agent(theirs, names[i]);
        _cleanup_free_ char *text = xasprintf("%ld\n", (long)agent.pid);
        put_in(&in, INST_HA_PID, text);
        expect_state(&in, INST_STOPPED, NULL, NULL);
    }
}

Test(status, F10_broken_directories)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    _cleanup_free_ char *yaml = instance_path(&in, INST_LIMA_YAML);
    put_file(yaml, "");
    expect_state(&in, INST_BROKEN, NULL, "is empty");
    cr_assert_eq(unlink(yaml), 0);
    expect_state(&in, INST_BROKEN, NULL, "is missing");
    cr_assert_eq(mkdir(yaml, 0700), 0);
    expect_state(&in, INST_BROKEN, NULL, "not a regular file");
}

Test(status, names_go_both_ways)
{
    for (int i = 0; i < INST_STATUS_COUNT; i++) {
        enum inst_status back;
        cr_assert_eq(inst_status_from_string(inst_status_to_string((enum inst_status)i), &back), 0);
        cr_expect_eq((int)back, i);
    }
}

Test(status, reading_it_takes_no_time)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    struct timespec a, b;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (int i = 0; i < 1000; i++) {
        _cleanup_instance_state_ struct instance_state st = {0};
        instance_state_read(&in, &st);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    double ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
    cr_log_info("1000 states in %.1f ms", ms);
    /* Of the processor, whoever else uses it. Lima needs 0.35 s for its list of 1000; the rest is for
     * sanitizers and slow machines. */
    cr_expect_lt(ms, 20000.0);
}
