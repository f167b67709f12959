/* SPDX-License-Identifier: Apache-2.0 */
#include "home.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "hostagent/logs.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <time.h>

static const char yaml[] = "images:\n- location: /nonexistent/image.qcow2\n"
                           "mounts: []\n"
                           "user: {name: lima, uid: 1000}\n"
                           "containerd: {system: false, user: false}\n";

static const char *directory(const char *variable)
{
    const char *dir = getenv(variable);

    return dir ? dir : ".";
}

static void set_environment(struct home *h)
{
    _cleanup_free_ char *cache = path_join(h->dir, "cache");
    _cleanup_free_ char *stub = xasprintf("%s/test/fake/ssh-stub", directory("srcdir"));

    _cleanup_free_ char *cwd = getcwd(NULL, 0);
    _cleanup_free_ char *full_stub = path_normalise(cwd, stub);
    _cleanup_free_ char *libexec = path_normalise(cwd, directory("builddir"));
    setenv("CIMA_HOME", h->dir, 1);
    setenv("XDG_CACHE_HOME", cache, 1);
    setenv("CIMA_LIBEXEC", libexec, 1);
    setenv("SSH", full_stub, 1);
    setenv("SSH_STUB_DIR", h->dir, 1);
    unsetenv("FAKE_DRIVER");
    unsetenv("FAKE_AGENT");
    h->self = path_join(libexec, "fake_hostagent");
}

void home_setup(struct home *h)
{
    char template[] = "/tmp/cima-ha.XXXXXX";
    static const char *const dirs[] = {"_config", "x", "guest/run", "guest/mnt"};
    struct err err = ERR_INIT;

    *h = (struct home){.dir = NULL};
    cr_assert_not_null(mkdtemp(template));
    h->dir = xstrdup(template);
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        _cleanup_free_ char *path = path_join(h->dir, dirs[i]);
        cr_assert_eq(dir_make(path, 0700, &err), 0);
    }
    set_environment(h);
    signal(SIGPIPE, SIG_IGN);
    log_set_level(getenv("TEST_VERBOSE") ? LOG_TRACE : LOG_FATAL);
    h->store = (struct store){.home = h->dir, .cache = h->dir};
    h->inst = (struct instance){.name = xstrdup("x"), .dir = path_join(h->dir, "x")};
    home_write(h, "x/lima.yaml", yaml);
    home_write(h, "_config/user", "a private key\n");
    home_write(h, "_config/user.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJmVeXSlM7Rq2sIKyBvFkMIDzvTxAsrQSuFBRvTDxmyJ lima\n");
    home_write(h, "guest/run/lima-ssh-ready", "any\n");
    home_write(h, "guest/run/lima-boot-done", "any\n");
    home_write(h, "mode", "any-boot\n");
}

/* An agent that a sanitizer has found something in says so in its log. */
static void check_sanitizers(struct home *h)
{
    static const char *const words[] = {"AddressSanitizer", "LeakSanitizer", "runtime error:"};
    _cleanup_free_ char *log = home_read(h, INST_HA_STDERR);

    for (size_t i = 0; log && i < ARRAY_SIZE(words); i++)
        cr_expect_null(strstr(log, words[i]), "%s", log);
}

void home_teardown(struct home *h)
{
    pid_t machine = home_machine(h);

    check_sanitizers(h);
    if (getenv("TEST_VERBOSE")) {
        _cleanup_free_ char *log = home_read(h, INST_HA_STDERR);
        _cleanup_free_ char *events = home_read(h, INST_HA_STDOUT);
        fprintf(stderr, "---- agent log\n%s---- events\n%s", log ? log : "", events ? events : "");
    }
    agent_kill(&h->inst, 1000, NULL);
    if (machine > 0)
        kill(machine, SIGKILL);
    dir_remove(h->dir, NULL);
    free(h->self);
    instance_release(&h->inst);
    free(h->dir);
}

void home_write(struct home *h, const char *name, const char *text)
{
    _cleanup_free_ char *path = path_join(h->dir, name);
    struct err err = ERR_INIT;

    cr_assert_eq(file_write_atomic(path, text, strlen(text), 0600, &err), 0, "%s", err.msg);
}

char *home_read(struct home *h, enum inst_file file)
{
    _cleanup_free_ char *path = instance_path(&h->inst, file);

    return file_read(path, 1 << 20, NULL, NULL);
}

bool home_has(struct home *h, enum inst_file file)
{
    _cleanup_free_ char *path = instance_path(&h->inst, file);
    struct stat st;

    return lstat(path, &st) == 0;
}

static int on_event(void *arg, const struct event *e)
{
    struct event *ret = arg;

    if (!e->running && !e->exiting)
        return 0;
    _cleanup_free_ char *json = event_to_json(e);
    cr_assert_eq(event_parse(json, strlen(json), ret, NULL), 0);
    return 1;
}

void home_wait_up(struct home *h, struct event *ret)
{
    struct err err = ERR_INIT;
    int r = agent_follow(&h->inst, LONG_MS, on_event, NULL, 0, ret, &err);

    cr_assert_eq(r, 1, "%s", err.msg);
}

void home_start(struct home *h, struct event *ret)
{
    struct err err = ERR_INIT;

    cr_assert_eq(agent_spawn(h->self, &h->inst, false, 0, &err), 0, "%s", err.msg);
    home_wait_up(h, ret);
    cr_assert(ret->running, "%s", ret->error ? ret->error->msg : "no error");
}

void home_stop(struct home *h)
{
    struct err err = ERR_INIT;

    cr_assert_eq(agent_stop(&h->inst, LONG_MS, &err), 0, "%s", err.msg);
}

pid_t home_agent(struct home *h)
{
    _cleanup_instance_state_ struct instance_state st = {0};

    instance_state_read(&h->inst, &st);
    return st.agent_pid;
}

pid_t home_machine(struct home *h)
{
    _cleanup_free_ char *path = instance_path(&h->inst, INST_QEMU_PID);

    return lock_posix_holder(path);
}

pid_t home_wait_machine(struct home *h)
{
    int64_t end = monotonic_ms() + LONG_MS;
    const struct timespec nap = {0, 1000000};
    pid_t pid;

    while ((pid = home_machine(h)) <= 0) {
        cr_assert_lt(monotonic_ms(), end, "there is no machine");
        nanosleep(&nap, NULL);
    }
    return pid;
}

void home_kill(pid_t pid, int sig)
{
    cr_assert_gt(pid, 1); /* 0 would be ourselves */
    cr_assert_eq(kill(pid, sig), 0);
}

void home_wait_gone(pid_t pid)
{
    int64_t end = monotonic_ms() + LONG_MS;
    const struct timespec nap = {0, 5000000};

    for (;;) {
        _cleanup_free_ char *path = xasprintf("/proc/%d/stat", (int)pid);
        _cleanup_free_ char *stat = file_read(path, 4096, NULL, NULL);
        const char *state = stat ? strrchr(stat, ')') : NULL;

        if (!state || state[2] == 'Z')
            return;
        cr_assert_lt(monotonic_ms(), end, "process %d does not end", (int)pid);
        nanosleep(&nap, NULL);
    }
}

void home_last_event(struct home *h, struct event *ret)
{
    struct event_log log = EVENT_LOG_INIT;
    struct event e = EVENT_INIT;

    cr_assert_eq(event_log_open(&log, &h->inst, NULL), 0);
    while (event_log_next(&log, &e) > 0) {
        event_release(ret);
        *ret = e;
        e = (struct event)EVENT_INIT;
    }
    event_log_close(&log);
}

void home_vm_event(struct home *h, const char *name)
{
    home_write(h, "x/fake-event", name);
    home_kill(home_agent(h), SIGUSR2);
}
