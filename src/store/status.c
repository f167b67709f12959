/* SPDX-License-Identifier: Apache-2.0 */
/* Status by kernel locks. A number in a pid file says nothing: after a crash or a reboot it may be
 * anybody's (F03 to F05). The one number that is looked at is ha.pid of an instance that Lima's
 * host agent runs, because that program takes no lock; there the process itself must tell that it
 * is the agent of this very instance. */
#include "store/store.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include "sys/proc.h"
#include <errno.h>
#include <time.h>

#define BOOT_MAX 65536

static const char *const inst_status_names[] = {
    [INST_UNINITIALIZED] = "Uninitialized",
    [INST_INSTALLING] = "Installing",
    [INST_BROKEN] = "Broken",
    [INST_STOPPED] = "Stopped",
    [INST_RUNNING] = "Running",
};
ENUM_STRINGS_DEFINE(inst_status, INST_STATUS_COUNT)

void instance_state_release(struct instance_state *st)
{
    free(st->condition);
    strv_release(&st->errors);
    *st = (struct instance_state){.status = INST_UNINITIALIZED};
}

/* The number in a pid file; 0 when there is none that could be a pid. */
static pid_t read_pid(const char *path)
{
    _cleanup_free_ char *text = file_read(path, 64, NULL, NULL);
    if (!text)
        return 0;
    text[strcspn(text, " \t\r\n")] = '\0';
    uint64_t pid;
    if (parse_uint(text, INT32_MAX, &pid) < 0 || pid < 2)
        return 0;
    return (pid_t)pid;
}

/* Words of /proc/PID/cmdline. */
static void read_cmdline(pid_t pid, struct strv *ret)
{
    _cleanup_free_ char *path = xasprintf("/proc/%ld/cmdline", (long)pid);
    size_t len = 0;
    _cleanup_free_ char *text = file_read(path, 1u << 20, &len, NULL);
    for (size_t at = 0; text && at < len; at += strlen(text + at) + 1)
        strv_push(ret, text + at);
}

/* Is pid `limactl … hostagent … NAME`, run by us, for this directory? */
static bool is_lima_agent(const struct instance *i, const char *pid_file, pid_t pid)
{
    _cleanup_free_ char *proc = xasprintf("/proc/%ld", (long)pid);
    struct stat st;
    if (stat(proc, &st) < 0 || st.st_uid != geteuid())
        return false;
    _cleanup_strv_ struct strv words = STRV_INIT;
    read_cmdline(pid, &words);
    if (words.n < 3 || !strv_contains(&words, "hostagent") ||
        !streq(words.v[words.n - 1], i->name) || streq(path_basename(words.v[0]), "cima"))
        return false;
    /* Lima names the pid file of the instance; a home of another place has an agent of its own. */
    for (size_t k = 1; k + 1 < words.n; k++)
        if (streq(words.v[k], "--pidfile") || streq(words.v[k], "-p")) {
            struct stat theirs, ours;
            return stat(words.v[k + 1], &theirs) == 0 && stat(pid_file, &ours) == 0 &&
                   theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
        }
    return false;
}

/* Is there a living agent? Its pid may be unknown for the moment between its lock and its writing.
 */
static bool find_agent(const struct instance *i, struct instance_state *st)
{
    _cleanup_free_ char *lock = instance_path(i, INST_HA_LOCK);
    _cleanup_free_ char *pid_file = instance_path(i, INST_HA_PID);
    pid_t holder = 0;
    if (lock_probe(lock, &holder) > 0) {
        st->agent_pid = holder > 0 ? holder : read_pid(pid_file);
        return true;
    }
    pid_t pid = read_pid(pid_file);
    if (!pid || !is_lima_agent(i, pid_file, pid))
        return false;
    st->agent_pid = pid;
    st->agent_foreign = true;
    return true;
}

/* NULL, or why the instance can't be used whatever runs. */
static char *yaml_problem(const struct instance *i)
{
    _cleanup_free_ char *path = instance_path(i, INST_LIMA_YAML);
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? xasprintf("'%s' is missing", path)
                               : xasprintf("cannot read '%s': %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return xasprintf("'%s' is not a regular file", path);
    if (st.st_size == 0)
        return xasprintf("'%s' is empty", path);
    if (access(path, R_OK) < 0)
        return xasprintf("cannot read '%s': %s", path, strerror(errno));
    return NULL;
}

static bool newer(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/* With an agent and no QEMU: has QEMU been there under this agent already? QEMU's log is begun anew
 * at each start, after the agent has taken its lock (or written its pid file). */
static bool machine_was_started(const struct instance *i, bool foreign)
{
    _cleanup_free_ char *since = instance_path(i, foreign ? INST_HA_PID : INST_HA_LOCK);
    _cleanup_free_ char *log = instance_path(i, INST_SERIAL_LOG);
    struct stat a, b;
    return stat(since, &a) == 0 && stat(log, &b) == 0 && newer(&b.st_mtim, &a.st_mtim);
}

bool instance_settle(const struct instance *i, int wait_ms)
{
    _cleanup_free_ char *birth = instance_path(i, INST_QEMU_LOCK);
    _cleanup_free_ char *pid_file = instance_path(i, INST_QEMU_PID);
    int64_t deadline = deadline_in(wait_ms);

    while (lock_probe(birth, NULL) > 0 && lock_posix_holder(pid_file) == 0) {
        if (deadline_left(deadline) == 0)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return true;
}

static void set_condition(struct instance_state *st, const char *condition)
{
    if (!st->condition)
        st->condition = xstrdup(condition);
}

/* What the agent has left of a machine that ended by itself. */
static void tell_crash(const struct instance *i, struct instance_state *st)
{
    _cleanup_free_ char *path = instance_path(i, INST_BOOT);
    size_t len = 0;
    _cleanup_free_ char *text = file_read(path, BOOT_MAX, &len, NULL);
    _cleanup_json_ struct json *boot = text ? json_parse(text, len, path, NULL) : NULL;
    const char *end = boot ? json_get_str(boot, "end") : NULL;

    if (!end)
        return;
    set_condition(st, "crashed");
    strv_push(&st->errors, end);
}

static void judge(const struct instance *i, bool agent, struct instance_state *st)
{
    if (agent && st->driver_pid) {
        st->status = INST_RUNNING;
    } else if (agent) {
        st->status = INST_BROKEN;
        set_condition(st, machine_was_started(i, st->agent_foreign) ? "stopping" : "starting");
        strv_push(&st->errors, "host agent is running but driver is not");
    } else if (st->driver_pid) {
        st->status = INST_BROKEN;
        set_condition(st, "agent lost");
        strv_push(&st->errors, "qemu driver is running but host agent is not");
    } else {
        /* QEMU removes its pid file when it ends by itself. */
        _cleanup_free_ char *pid_file = instance_path(i, INST_QEMU_PID);
        st->status = INST_STOPPED;
        if (path_exists(pid_file))
            set_condition(st, "crashed");
        tell_crash(i, st);
    }
}

void instance_state_read(const struct instance *i, struct instance_state *ret)
{
    struct instance_state st = {.status = INST_UNINITIALIZED};
    _cleanup_free_ char *qemu_pid = instance_path(i, INST_QEMU_PID);
    bool agent = find_agent(i, &st);
    pid_t driver = lock_posix_holder(qemu_pid);
    st.driver_pid = driver > 0 ? driver : 0;
    judge(i, agent, &st);
    char *problem = yaml_problem(i);
    if (problem) {
        st.status = INST_BROKEN;
        strv_push_consume(&st.errors, problem);
    }
    *ret = st;
}
