/* SPDX-License-Identifier: Apache-2.0 */
#include "instance/instance.h"
#include "instance/internal.h"

/* How long a forced delete waits for a command that works on the instance. */
enum { FORCE_WAIT_MS = 5000 };

static int check_stopped(const struct inst_env *env, const struct instance *i, struct err *err)
{
    _cleanup_instance_state_ struct instance_state st = {0};
    _cleanup_config_ struct config config = CONFIG_INIT;

    inst_state_read(i, &st);
    if (inst_is_alive(&st)) {
        err_set(err, ERR_STATE, "instance `%s`: expected status `Stopped`, got `Running`", i->name);
        return err_hint(err, "`cima stop %s` first, or `cima delete -f %s`", i->name, i->name);
    }
    /* Nobody can tell what a broken directory is: it might hold what somebody wants to keep. */
    if (instance_load_config(env->store, i, env->host, &config, NULL, err) < 0)
        return err_hint(err, "`cima delete -f %s` deletes it all the same", i->name);
    return 0;
}

int inst_delete(const struct inst_env *env, struct instance *i, bool force,
                const struct inst_report *r, struct err *err)
{
    _cleanup_close_ int lock = -1;

    if (inst_check_protected(i, "delete", "removal", err) < 0)
        return -1;
    if (force && inst_kill_if_alive(i, r, err) < 0)
        return -1;
    lock = inst_lock(i, force ? FORCE_WAIT_MS : 0, err);
    if (lock < 0 || inst_check_protected(i, "delete", "removal", err) < 0)
        return -1;
    if (force ? inst_kill_if_alive(i, r, err) < 0 : check_stopped(env, i, err) < 0)
        return -1;
    return store_delete(env->store, i, err);
}
