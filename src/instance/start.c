/* SPDX-License-Identifier: Apache-2.0 */
#include "instance/instance.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include "hostagent/client.h"
#include "instance/internal.h"
#include "service/serial.h"
#include "ssh/ssh.h"
#include "sys/proc.h"

enum { TICK_MS = 250, ADOPT_MS = 30 * 1000, READOPT_LOCK_MS = 10 * 1000, ANSWER_MS = 1000,
       END_MS = 5000 };

/* ---- following the agent --------------------------------------------------------------------- */

enum { FOLLOW_UP = 1, FOLLOW_ENDED, FOLLOW_INTERRUPTED };

struct follow {
    const struct inst_report *r;
    bool port_is_enough; /* the machine is known to the agent; no need for RUNNING */
    bool degraded;
    enum stage stage;
    char *waiting;    /* what the agent waits for, in its words */
    struct err error; /* the agent's own, when it gave one */
    struct strv errors;
};

static void keep_errors(struct follow *f, const struct event *e)
{
    if (e->error && !err_is_set(&f->error))
        err_copy(&f->error, e->error);
    for (size_t i = 0; i < e->errors.n; i++)
        if (!strv_contains(&f->errors, e->errors.v[i]))
            strv_push(&f->errors, e->errors.v[i]);
}

static int on_event(void *arg, const struct event *e)
{
    struct follow *f = arg;

    f->stage = e->stage;
    free(f->waiting);
    f->waiting = xstrdup0(e->waiting);
    if (f->r->event)
        f->r->event(f->r->arg, e);
    if (e->exiting || (e->running && e->degraded))
        keep_errors(f, e);
    if (e->exiting)
        return FOLLOW_ENDED;
    f->degraded = e->degraded;
    return e->running || (f->port_is_enough && e->ssh_local_port) ? FOLLOW_UP : 0;
}

static int on_tick(void *arg)
{
    struct follow *f = arg;

    if (f->r->tick)
        f->r->tick(f->r->arg);
    return f->r->interrupted && f->r->interrupted(f->r->arg) ? FOLLOW_INTERRUPTED : 0;
}

static int ended_error(const struct instance *i, struct follow *f, struct err *err)
{
    _cleanup_free_ char *log = instance_path(i, INST_HA_STDERR);

    if (err_is_set(&f->error)) {
        err_move(err, &f->error);
    } else if (f->errors.n) {
        err_set(err, ERR_STATE, "exiting: %s", f->errors.v[f->errors.n - 1]);
    } else {
        err_set(err, ERR_STATE, "instance `%s` was stopped while it was starting", i->name);
        return err_hint(err, "`cima start %s` starts it again", i->name);
    }
    if (!err->hint)
        err_hint(err, "see '%s'", log);
    return -1;
}

static int degraded_error(const struct instance *i, struct follow *f, struct err *err)
{
    _cleanup_free_ char *log = instance_path(i, INST_HA_STDERR);

    inst_note(f->r, LOG_WARN,
              "DEGRADED. The VM seems running, but file sharing and port forwarding may not work. "
              "(hint: see \"%s\")",
              log);
    if (err_is_set(&f->error))
        err_move(err, &f->error);
    else
        err_set(err, ERR_GUEST, "degraded: %s", f->errors.n ? f->errors.v[0] : "no reason given");
    for (size_t k = 1; k < f->errors.n; k++)
        err_detail(err, f->errors.v[k]);
    if (!err->hint)
        err_hint(err,
                 "the machine is left running: `cima shell %s` to look, `cima stop %s` to end it",
                 i->name, i->name);
    return -1;
}

static int timeout_error(const struct instance *i, const struct follow *f, int64_t timeout_ms,
                         struct err *err)
{
    err_set(err, ERR_TIMEOUT,
            "instance `%s`: did not receive an event with the `running` status within %lld s: its "
            "last stage was '%s'%s%s",
            i->name, (long long)(timeout_ms / 1000), stage_to_string(f->stage),
            str_empty(f->waiting) ? "" : "; now: ", str_empty(f->waiting) ? "" : f->waiting);
    err_hint(err, "it goes on starting: `cima start %s` waits again, `cima stop %s` ends it",
             i->name, i->name);
    serial_add_tail(i, err);
    return -1;
}

static int interrupted_error(const struct instance *i, struct err *err)
{
    err_set(err, ERR_INTERRUPTED, "interrupted: instance `%s` goes on starting in the background",
            i->name);
    return err_hint(err, "`cima start %s` waits for it again, `cima stop %s` ends it", i->name,
                    i->name);
}

static void follow_release(struct follow *f)
{
    err_clear(&f->error);
    strv_release(&f->errors);
    free(f->waiting);
}

/* *ret_died (may be NULL): the agent ended without a last word, so somebody has killed it. */
static int follow(const struct instance *i, int64_t timeout_ms, bool port_is_enough,
                  const struct inst_report *r, bool *ret_died, struct err *err)
{
    _cleanup_(follow_release) struct follow f = {.r = r, .port_is_enough = port_is_enough};
    _cleanup_err_ struct err why = ERR_INIT;

    switch (agent_follow(i, timeout_ms, on_event, on_tick, TICK_MS, &f, &why)) {
    case FOLLOW_UP:
        return f.degraded && !port_is_enough ? degraded_error(i, &f, err) : 0;
    case FOLLOW_ENDED:
        return ended_error(i, &f, err);
    case FOLLOW_INTERRUPTED:
        return interrupted_error(i, err);
    default:
        if (why.kind == ERR_TIMEOUT)
            return timeout_error(i, &f, timeout_ms, err);
        if (ret_died)
            *ret_died = why.kind == ERR_STATE;
        return err_move(err, &why);
    }
}

/* ---- before the start ------------------------------------------------------------------------ */

const struct driver *inst_driver(const struct config_instance *cfg, struct err *err)
{
    const struct driver *d = driver_find(cfg->vm_type);
    _cleanup_sbuf_ struct sbuf names = SBUF_INIT;

    if (d)
        return d;
    for (size_t i = 0; driver_names()[i]; i++)
        sbuf_addf(&names, "%s%s", i ? ", " : "", driver_names()[i]);
    err_set(err, ERR_UNSUPPORTED, "there is no driver for vmType '%s'", cfg->vm_type);
    err_hint(err, "set vmType to one of: %s", sbuf_str(&names));
    return NULL;
}

int inst_try_plan(const struct driver_ctx *ctx, const struct inst_report *r, struct err *err)
{
    const struct driver *d = inst_driver(ctx->cfg, err);
    _cleanup_diags_ struct diags notes = DIAGS_INIT;
    struct driver_plan *plan = NULL;

    if (!d)
        return -1;
    int ret = d->plan(ctx, &plan, &notes, err);
    inst_warnings(r, &notes);
    if (ret == 0)
        d->plan_free(plan);
    return ret;
}

static int check(const struct inst_env *env, const struct instance *i, const struct inst_report *r,
                 struct err *err)
{
    _cleanup_config_ struct config config = CONFIG_INIT;
    _cleanup_diags_ struct diags warnings = DIAGS_INIT;
    struct driver_ctx ctx = {
        .store = env->store,
        .inst = i,
        .cfg = &config.v,
        .host = env->host,
    };

    if (inst_finish_reset(i, r, err) < 0 ||
        instance_load_config(env->store, i, env->host, &config, &warnings, err) < 0)
        return -1;
    if (!r->config_told)
        inst_warnings(r, &warnings);
    inst_note(r, LOG_INFO, "Starting the instance `%s` with internal VM driver `%s`", i->name,
              config.v.vm_type);
    inst_pending(&config.v, r);
    if (ssh_check_program(err) < 0 || inst_ensure_disk(env, i, &config.v, r, err) < 0)
        return -1;
    return inst_try_plan(&ctx, r, err);
}

/* Nothing lives. What a crash has left behind goes; whoever was there is gone. */
static void sweep(const struct instance *i, const struct inst_report *r)
{
    static const enum inst_file marks[] = {INST_HA_PID, INST_HA_SOCK, INST_QEMU_PID, INST_QMP_SOCK};
    bool stale = false;

    for (size_t k = 0; k < ARRAY_SIZE(marks); k++) {
        _cleanup_free_ char *path = instance_path(i, marks[k]);
        struct stat st;

        stale = stale || lstat(path, &st) == 0;
    }
    if (!stale)
        return;
    instance_sweep_runtime(i);
    inst_note(r, LOG_INFO,
              "The instance `%s` was not shut down properly; cleaned up its stale state", i->name);
}

/* ---- start ----------------------------------------------------------------------------------- */

static bool agent_has_ended(const struct instance *i, int wait_ms)
{
    _cleanup_close_ int pidfd = agent_open(i);

    return pidfd < 0 || pidfd_wait(pidfd, wait_ms) > 0;
}

static int spawn_and_follow(const struct inst_env *env, const struct instance *i,
                            int64_t timeout_ms, bool port_is_enough, const struct inst_report *r,
                            struct err *err)
{
    inst_step(r, "starting the host agent");
    if (agent_spawn(env->self, i, env->debug, timeout_ms, err) < 0)
        return -1;
    if (follow(i, timeout_ms, port_is_enough, r, NULL, err) == 0)
        return 0;
    /* One that has said its last word is gone a moment later: nobody is to find it after us. */
    _cleanup_event_ struct event e = EVENT_INIT;
    if (inst_last_event(i, &e) == 0 && e.exiting)
        (void)agent_has_ended(i, END_MS);
    return -1;
}

/* The machine has ended, by itself or killed: its agent has seen it, or is about to, and ends. */
static bool ends_without_machine(const struct instance *i, const struct instance_state *st,
                                 const struct event *e)
{
    return !st->driver_pid && !st->agent_foreign &&
           (e->running || e->exiting || e->stage == STAGE_STOPPING) && agent_has_ended(i, END_MS);
}

/* An agent that was killed holds its lock for a moment longer: ask it. One that hangs lives. */
static bool agent_lives(const struct instance *i, const struct inst_report *r)
{
    _cleanup_err_ struct err err = ERR_INIT;
    uint16_t port;

    if (agent_info(i, ANSWER_MS, &port, &err) == 0) {
        _cleanup_instance_state_ struct instance_state st = {0};

        /* So soon after its machine was killed the agent may not have seen it. */
        instance_state_read(i, &st);
        return st.driver_pid > 0;
    }
    /* A socket takes connections until the last trace of a killed agent is gone. */
    if (err.kind != ERR_TIMEOUT || agent_has_ended(i, 0))
        return false;
    inst_note(r, LOG_WARN, "The host agent of `%s` does not respond; `cima restart %s` replaces it",
              i->name, i->name);
    return true;
}

static int ending_error(const struct instance *i, const struct instance_state *st, struct err *err)
{
    err_set(err, ERR_BUSY, "instance `%s` is busy: its host agent (pid %d) is shutting it down",
            i->name, (int)st->agent_pid);
    return err_hint(err, "try again in a moment");
}

/* An agent lives: running already, still starting (we wait with it), or on its way out. */
static int start_beside_agent(const struct instance *i, const struct instance_state *st,
                              int64_t timeout_ms, const struct inst_report *r,
                              enum inst_start_result *ret, bool *ret_died, struct err *err)
{
    _cleanup_event_ struct event e = EVENT_INIT;
    bool known = inst_last_event(i, &e) == 0;

    if (known && ends_without_machine(i, st, &e)) {
        *ret_died = true;
        return -1;
    }
    if (streq0(st->condition, "stopping") || (known && (e.exiting || e.stage == STAGE_STOPPING)))
        return ending_error(i, st, err);
    *ret = INST_START_ALREADY_RUNNING;
    if (!st->agent_foreign && known && e.running && !agent_lives(i, r)) {
        /* What it has written is history. */
        *ret_died = agent_has_ended(i, END_MS);
        return *ret_died ? -1 : ending_error(i, st, err);
    }
    if (st->agent_foreign || (known && e.running)) {
        if (known && e.degraded)
            inst_note(r, LOG_WARN, "The instance `%s` is degraded: %s", i->name,
                      e.errors.n ? e.errors.v[0] : "no reason given");
        return 0;
    }
    *ret = INST_START_STARTED;
    inst_note(r, LOG_INFO, "The instance `%s` is starting already; waiting for it", i->name);
    return follow(i, timeout_ms, false, r, ret_died, err);
}

static int start_without_agent(const struct inst_env *env, const struct instance *i,
                               int64_t timeout_ms, const struct inst_report *r,
                               enum inst_start_result *ret, struct err *err)
{
    _cleanup_instance_state_ struct instance_state st = {0};

    inst_state_read(i, &st);
    if (st.driver_pid) {
        inst_note(r, LOG_INFO,
                  "The host agent of `%s` is gone, its machine (pid %d) is not: taking "
                  "it over",
                  i->name, (int)st.driver_pid);
        *ret = INST_START_READOPTED;
        return spawn_and_follow(env, i, timeout_ms, false, r, err);
    }
    sweep(i, r);
    if (check(env, i, r, err) < 0)
        return -1;
    *ret = INST_START_STARTED;
    return spawn_and_follow(env, i, timeout_ms, false, r, err);
}

int inst_start(const struct inst_env *env, const struct instance *i, int64_t timeout_ms,
               const struct inst_report *r, enum inst_start_result *ret, struct err *err)
{
    _cleanup_instance_state_ struct instance_state st = {0};
    _cleanup_err_ struct err why = ERR_INIT;
    _cleanup_close_ int lock = inst_lock(i, 0, err);
    bool died = false;

    if (lock < 0)
        return -1;
    inst_state_read(i, &st);
    if (!inst_has_agent(&st))
        return start_without_agent(env, i, timeout_ms, r, ret, err);
    if (start_beside_agent(i, &st, timeout_ms, r, ret, &died, &why) == 0)
        return 0;
    /* The agent we were with was killed: we are the next command, which takes over. */
    if (!died)
        return err_move(err, &why);
    return start_without_agent(env, i, timeout_ms, r, ret, err);
}

int inst_start_prepare(const struct inst_env *env, const struct instance *i,
                       const struct inst_report *r, struct err *err)
{
    _cleanup_instance_state_ struct instance_state st = {0};
    _cleanup_close_ int lock = inst_lock(i, 0, err);

    if (lock < 0)
        return -1;
    inst_state_read(i, &st);
    if (inst_has_agent(&st)) {
        err_set(err, ERR_STATE, "instance `%s` seems running (host agent pid %d)", i->name,
                (int)st.agent_pid);
        return err_hint(err, "`cima stop %s` first", i->name);
    }
    if (!st.driver_pid) {
        sweep(i, r);
        if (check(env, i, r, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- taking over ----------------------------------------------------------------------------- */

int inst_readopt_locked(const struct inst_env *env, const struct instance *i,
                        const struct inst_report *r, struct err *err)
{
    _cleanup_instance_state_ struct instance_state st = {0};

    inst_state_read(i, &st);
    if (!st.driver_pid || inst_has_agent(&st))
        return 0;
    inst_note(r, LOG_INFO,
              "The host agent of `%s` is gone, its machine (pid %d) is not: taking it "
              "over",
              i->name, (int)st.driver_pid);
    if (spawn_and_follow(env, i, ADOPT_MS, true, r, err) < 0)
        return err_wrap(err, "cannot take over the machine of instance `%s`", i->name);
    return 0;
}

int inst_readopt(const struct inst_env *env, const struct instance *i, const struct inst_report *r,
                 struct err *err)
{
    _cleanup_close_ int lock = inst_lock(i, READOPT_LOCK_MS, err);

    if (lock < 0)
        return -1;
    return inst_readopt_locked(env, i, r, err);
}
