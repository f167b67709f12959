/* SPDX-License-Identifier: Apache-2.0 */
#include "instance/instance.h"
#include "base/mem.h"
#include "driver/driver.h"
#include "hostagent/client.h"
#include "instance/internal.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include "sys/proc.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>

/* HA-90: the agent gives the guest three minutes, then ends the machine itself. */
enum { AGENT_STOP_MS = 190 * 1000, GONE_MS = 10 * 1000, TICK_MS = 250 };
/* With force: an agent whose machine was killed may still clean up after itself. */
enum { AGENT_GRACE_MS = 2000, AGENT_ASK_MS = 100, KILL_MS = 5000 };
/* An agent that is well answers in a thousandth of that; one that still makes seed and machine may
 * be busy with it for a moment. */
enum { ANSWER_MS = 2000, ANSWER_STARTING_MS = 15 * 1000 };

static int not_running(const struct instance *i, struct err *err)
{
    err_set(err, ERR_STATE,
            "instance `%s`: expected status `Running`, got `Stopped` (maybe use `cima stop -f`?)",
            i->name);
    return err_hint(err, "nothing of it is running; `cima start %s` starts it", i->name);
}

/* Waits until neither machine nor agent lives. */
static bool wait_gone(const struct instance *i, int timeout_ms)
{
    int64_t deadline = deadline_in(timeout_ms);

    for (;;) {
        _cleanup_instance_state_ struct instance_state st = {0};

        instance_state_read(i, &st);
        if (!inst_is_alive(&st))
            return true;
        if (monotonic_ms() >= deadline)
            return false;
        poll(NULL, 0, 20);
    }
}

/* ---- graceful -------------------------------------------------------------------------------- */

/* What the agent had to do differently: its last words. */
static void tell_last_event(const struct instance *i, const struct inst_report *r)
{
    _cleanup_event_ struct event e = EVENT_INIT;

    if (inst_last_event(i, &e) < 0 || !e.exiting || !e.error)
        return;
    _cleanup_free_ char *text = err_line(e.error);
    inst_note(r, LOG_WARN, "%s", text);
}

/* An agent that runs the instance and does not answer would let us wait for minutes. The machine
 * can do without it: another one takes over. */
static int replace_hanging_agent(const struct instance *i, const struct inst_report *r,
                                 struct err *err)
{
    _cleanup_event_ struct event e = EVENT_INIT;
    _cleanup_err_ struct err why = ERR_INIT;
    uint16_t port;

    if (inst_last_event(i, &e) < 0 ||
        agent_info(i, e.running ? ANSWER_MS : ANSWER_STARTING_MS, &port, &why) == 0 ||
        why.kind != ERR_TIMEOUT)
        return 0;
    inst_note(r, LOG_WARN, "The host agent of `%s` does not respond; replacing it", i->name);
    return agent_kill(i, KILL_MS, err);
}

/* How long a graceful stop may take. */
struct patience {
    int64_t limit_ms; /* what the person has said; 0: nothing */
    int64_t deadline; /* of that; INT64_MAX without */
};

/* Asked a second time the agent kills its machine. An agent that does not even do that is killed
 * with it. */
static int end_by_force(const struct instance *i, int pidfd, const struct patience *p,
                        const struct inst_report *r, struct err *err)
{
    inst_note(r, LOG_WARN,
              "The instance %s did not shut down within %lld s: its machine is ended by force",
              i->name, (long long)(p->limit_ms / 1000));
    if (pidfd_signal(pidfd, SIGINT) == 0 && pidfd_wait(pidfd, KILL_MS) > 0)
        return 0;
    return inst_kill_if_alive(i, r, err);
}

/* A command that was interrupted has asked the agent already. Asked again it would kill its machine.
 */
static bool is_ending(const struct instance *i)
{
    _cleanup_event_ struct event e = EVENT_INIT;

    return inst_last_event(i, &e) == 0 && (e.exiting || e.stage >= STAGE_STOPPING);
}

static int interrupted_error(const struct instance *i, struct err *err)
{
    err_set(err, ERR_INTERRUPTED, "interrupted: instance `%s` goes on shutting down", i->name);
    return err_hint(err, "`cima stop %s` waits for it again, `cima stop -f %s` kills the machine",
                    i->name, i->name);
}

/* Asks the agent once and waits for its end. */
static int end_agent(const struct instance *i, const struct patience *p,
                     const struct inst_report *r, struct err *err)
{
    _cleanup_close_ int pidfd = agent_open(i);
    _cleanup_err_ struct err why = ERR_INIT;
    int64_t deadline = deadline_in(AGENT_STOP_MS);

    if (pidfd < 0 ||
        (!is_ending(i) && agent_stop(i, 0, &why) < 0 && why.kind == ERR_STATE))
        return 0; /* killed a moment ago */
    if (err_is_set(&why) && why.kind != ERR_TIMEOUT)
        return err_move(err, &why);
    while (pidfd_wait(pidfd, TICK_MS) <= 0) {
        int64_t now = monotonic_ms();

        if (now >= p->deadline)
            return end_by_force(i, pidfd, p, r, err);
        if (now >= deadline && !p->limit_ms)
            return err_set(err, ERR_TIMEOUT,
                           "instance `%s`: did not receive an event with the "
                           "`exiting` status within %d s",
                           i->name, AGENT_STOP_MS / 1000);
        if (r->interrupted && r->interrupted(r->arg))
            return interrupted_error(i, err);
        if (r->tick)
            r->tick(r->arg);
    }
    return 0;
}

static int stop_by_agent(const struct inst_env *env, const struct instance *i,
                         const struct patience *p, const struct inst_report *r, struct err *err)
{
    _cleanup_instance_state_ struct instance_state st = {0};

    inst_state_read(i, &st);
    if (!inst_is_alive(&st))
        return not_running(i, err);
    if (inst_has_agent(&st) && !st.agent_foreign && replace_hanging_agent(i, r, err) < 0)
        return -1;
    inst_note(r, LOG_INFO, "Shutting down the instance %s", i->name);
    inst_step(r, "shutting down, waiting for the guest");
    /* Twice: the first agent may have been killed while, or just before, we asked it. */
    for (int round = 0; round < 2; round++) {
        if (inst_readopt_locked(env, i, r, err) < 0 || end_agent(i, p, r, err) < 0)
            return err->hint ? -1 : err_hint(err, "`cima stop -f %s` kills the machine", i->name);
        if (wait_gone(i, round ? GONE_MS : 500)) {
            tell_last_event(i, r);
            return 0;
        }
    }
    err_set(err, ERR_TIMEOUT, "the host agent of instance `%s` has ended, its machine has not",
            i->name);
    return err_hint(err, "`cima stop -f %s` kills the machine", i->name);
}

/* Somebody holds the lock. When that is a start that waits for its machine, we may end the start:
 * its agent tells it. Otherwise it is busy. */
static int interrupt_start(const struct instance *i, const struct patience *p,
                           const struct inst_report *r, struct err *busy, struct err *err)
{
    _cleanup_event_ struct event e = EVENT_INIT;
    _cleanup_instance_state_ struct instance_state st = {0};

    instance_state_read(i, &st);
    if (!inst_has_agent(&st) || st.agent_foreign || inst_last_event(i, &e) < 0 || e.running ||
        e.exiting || e.stage >= STAGE_STOPPING)
        return err_move(err, busy);
    inst_step(r, "ending the start");
    return end_agent(i, p, r, err);
}

static int stop_graceful(const struct inst_env *env, const struct instance *i,
                         const struct patience *p, const struct inst_report *r, struct err *err)
{
    _cleanup_err_ struct err busy = ERR_INIT;
    _cleanup_close_ int lock = inst_lock(i, 0, &busy);

    if (lock < 0 && busy.kind == ERR_BUSY) {
        if (interrupt_start(i, p, r, &busy, err) < 0)
            return -1;
        /* The start ends now that its agent has. */
        lock = inst_lock(i, GONE_MS, err);
        if (lock < 0)
            return -1;
    } else if (lock < 0) {
        return err_move(err, &busy);
    } else if (stop_by_agent(env, i, p, r, err) < 0) {
        return -1;
    }
    instance_sweep_runtime(i);
    inst_note(r, LOG_INFO, "The instance %s has shut down", i->name);
    return 0;
}

/* ---- force ----------------------------------------------------------------------------------- */

static pid_t driver_pid(const struct instance *i)
{
    _cleanup_free_ char *path = instance_path(i, INST_QEMU_PID);
    pid_t pid = lock_posix_holder(path);

    return pid > 0 ? pid : 0;
}

/* The pidfd is opened before the lock is looked at again: a pid that was reused in between holds no
 * lock, and is left alone (F04). 0 also when there is no machine. */
static int kill_machine(const struct instance *i, struct err *err)
{
    pid_t pid = driver_pid(i);
    _cleanup_close_ int pidfd = pid > 0 ? pidfd_open_(pid) : -1;

    if (pidfd < 0 || driver_pid(i) != pid)
        return 0;
    if (pidfd_signal(pidfd, SIGKILL) < 0 && errno != ESRCH)
        return err_set_errno(err, ERR_PERMISSION, "cannot kill the machine of `%s` (pid %d)",
                             i->name, (int)pid);
    if (pidfd_wait(pidfd, KILL_MS) > 0)
        return 0;
    err_set(err, ERR_TIMEOUT, "the machine of `%s` (pid %d) does not end, even when killed",
            i->name, (int)pid);
    return err_hint(err, "it hangs in the kernel, mostly on its disk");
}

/* Its machine killed, an agent ends by itself and cleans up; that is worth a moment. When we saw no
 * machine there may be one so young that it has no lock yet: only the agent knows it, and kills it
 * when it is asked twice. */
static int kill_agent(const struct instance *i, bool machine_killed, struct err *err)
{
    _cleanup_close_ int pidfd = agent_open(i);

    if (pidfd < 0)
        return 0;
    for (int asked = 0; !machine_killed && asked < 2; asked++)
        if (pidfd_signal(pidfd, SIGINT) < 0 || (!asked && pidfd_wait(pidfd, AGENT_ASK_MS) > 0))
            break;
    return pidfd_wait(pidfd, AGENT_GRACE_MS) > 0 ? 0 : agent_kill(i, KILL_MS, err);
}

int inst_kill(const struct instance *i, const struct inst_report *r, struct err *err)
{
    _cleanup_instance_state_ struct instance_state st = {0};

    inst_state_read(i, &st);
    if (!st.driver_pid)
        inst_note(r, LOG_INFO, "The machine of `%s` is not running", i->name);
    /* Without a machine the agent is about to start one: it goes first. Twice, because it may have
     * got that far between our looks. */
    for (int round = 0; round < 2; round++) {
        _cleanup_instance_state_ struct instance_state now = {0};

        inst_state_read(i, &now); /* one that was being born can be seen now */
        bool machine = now.driver_pid > 0;

        if (kill_machine(i, err) < 0 || kill_agent(i, machine, err) < 0)
            return -1;
    }
    if (!wait_gone(i, KILL_MS)) {
        err_set(err, ERR_STATE, "instance `%s` still has a running process", i->name);
        return err_hint(err, "is somebody else starting it? try again");
    }
    driver_sweep(i);
    return 0;
}

int inst_kill_if_alive(const struct instance *i, const struct inst_report *r, struct err *err)
{
    _cleanup_instance_state_ struct instance_state st = {0};

    inst_state_read(i, &st);
    return inst_is_alive(&st) ? inst_kill(i, r, err) : 0;
}

/* Force does not respect a lock whose holder only waits, but it does not work beside another force
 * or a start that is about to spawn: killing the processes ends the waiting, then the lock is free.
 */
static int stop_force(const struct instance *i, const struct inst_report *r, struct err *err)
{
    _cleanup_close_ int lock = inst_lock(i, 0, NULL);

    if (inst_kill(i, r, err) < 0)
        return -1;
    if (lock < 0) {
        lock = inst_lock(i, KILL_MS, err);
        if (lock < 0 || inst_kill(i, r, err) < 0)
            return -1;
    }
    instance_sweep_runtime(i);
    inst_note(r, LOG_INFO, "The instance %s has been stopped by force", i->name);
    return 0;
}

int inst_stop(const struct inst_env *env, const struct instance *i, bool force,
              const struct inst_report *r, struct err *err)
{
    return force ? stop_force(i, r, err) : inst_stop_within(env, i, 0, r, err);
}

int inst_stop_within(const struct inst_env *env, const struct instance *i, int64_t limit_ms,
                     const struct inst_report *r, struct err *err)
{
    const struct patience p = {
        .limit_ms = limit_ms,
        .deadline = limit_ms > 0 ? monotonic_ms() + limit_ms : INT64_MAX,
    };

    return stop_graceful(env, i, &p, r, err);
}
