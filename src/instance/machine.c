/* SPDX-License-Identifier: Apache-2.0 */
#include "instance/machine.h"
#include "base/mem.h"
#include "hostagent/client.h"
#include "sys/proc.h"

/* An agent that is well answers in a thousandth of that. */
enum { ANSWER_MS = 3000 };

void inst_machine_release(struct inst_machine *m)
{
    driver_monitor_close(&m->monitor);
    config_release(&m->config);
}

/* ---- ways to the monitor --------------------------------------------------------------------- */

static int agent_execute(void *arg, const char *command, struct json *args, int timeout_ms,
                         struct json **ret, struct err *err)
{
    _cleanup_json_ struct json *given = args;

    return agent_monitor(arg, command, given, timeout_ms, ret, err);
}

static int through_agent(struct inst_machine *m, const struct instance *i, struct err *err)
{
    _cleanup_err_ struct err why = ERR_INIT;
    uint16_t port;

    if (agent_info(i, ANSWER_MS, &port, &why) < 0) {
        err_move(err, &why);
        return err_hint(err, "`cima restart %s` replaces the host agent", i->name);
    }
    m->monitor = (struct driver_monitor){.execute = agent_execute, .arg = (void *)(uintptr_t)i};
    return 0;
}

static int directly(struct inst_machine *m, const struct instance *i,
                    const struct instance_state *st, struct err *err)
{
    if (m->driver->tools->open(i, &m->monitor, err) == 0)
        return 0;
    if (err && err->kind == ERR_BUSY && st->agent_foreign) {
        _cleanup_free_ char *exe = proc_exe(st->agent_pid);

        err_hint(err, "the instance is supervised by another program: %s (pid %d)",
                 exe ? exe : "its name can't be seen", (int)st->agent_pid);
    }
    return -1;
}

/* ---- what there is --------------------------------------------------------------------------- */

/* The YAML may have been broken since the machine was started. */
static int find_driver(const struct inst_env *env, const struct instance *i, bool runs,
                       struct inst_machine *m, struct err *err)
{
    _cleanup_err_ struct err why = ERR_INIT;

    m->ctx = (struct driver_ctx){.store = env->store, .inst = i, .host = env->host};
    if (instance_load_config(env->store, i, env->host, &m->config, NULL, &why) == 0) {
        m->ctx.cfg = &m->config.v;
        m->driver = inst_driver(m->ctx.cfg, err);
    } else if (runs) {
        m->driver = driver_find(driver_names()[0]);
    } else {
        return err_move(err, &why);
    }
    if (m->driver && !m->driver->tools)
        return err_set(err, ERR_UNSUPPORTED, "the driver '%s' can't do that", m->driver->name);
    return m->driver ? 0 : -1;
}

static int in_between(const struct instance *i, struct err *err)
{
    err_set(err, ERR_STATE, "instance `%s` is just starting or ending", i->name);
    return err_hint(err, "try again in a moment; `cima list %s` shows its status", i->name);
}

int inst_machine_open(const struct inst_env *env, const struct instance *i,
                      struct inst_machine *ret, struct err *err)
{
    _cleanup_instance_state_ struct instance_state st = {0};

    inst_state_read(i, &st);
    if (find_driver(env, i, st.driver_pid > 0, ret, err) < 0)
        return -1;
    if (!st.driver_pid)
        return inst_has_agent(&st) ? in_between(i, err) : 0;
    if ((inst_has_agent(&st) && !st.agent_foreign ? through_agent(ret, i, err)
                                                  : directly(ret, i, &st, err)) < 0)
        return -1;
    ret->runs = true;
    return 0;
}

int inst_machine_not_running(const struct instance *i, const char *what, struct err *err)
{
    err_set(err, ERR_STATE, "instance `%s` is not running: it has no %s", i->name, what);
    return err_hint(err, "`cima start %s` starts it", i->name);
}

int inst_machine_open_running(const struct inst_env *env, const struct instance *i,
                              const char *what, struct inst_machine *ret, struct err *err)
{
    if (!inst_has_machine(i)) {
        _cleanup_instance_state_ struct instance_state st = {0};

        instance_state_read(i, &st);
        return inst_has_agent(&st) ? in_between(i, err) : inst_machine_not_running(i, what, err);
    }
    if (inst_machine_open(env, i, ret, err) < 0)
        return -1;
    return ret->runs ? 0 : inst_machine_not_running(i, what, err);
}

bool inst_has_machine(const struct instance *i)
{
    _cleanup_instance_state_ struct instance_state st = {0};

    inst_state_read(i, &st);
    return st.driver_pid > 0;
}
