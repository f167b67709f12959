/* SPDX-License-Identifier: Apache-2.0 */
#include "instance/internal.h"

/* How long a reset waits for a command that works on the instance and whose processes it ended. */
enum { LOCK_WAIT_MS = 5000 };

int inst_finish_reset(const struct instance *i, const struct inst_report *r, struct err *err)
{
    if (!instance_reset_pending(i))
        return 0;
    inst_note(r, LOG_INFO, "Finishing the factory reset of `%s`, which was interrupted", i->name);
    return instance_reset(i, err);
}

int inst_factory_reset(const struct instance *i, const struct inst_report *r, struct err *err)
{
    _cleanup_close_ int lock = -1;

    /* What it runs is thrown away with its disk, so nobody waits for its guest. */
    if (inst_check_protected(i, "reset", "factory-reset", err) < 0 ||
        inst_kill_if_alive(i, r, err) < 0)
        return -1;
    lock = inst_lock(i, LOCK_WAIT_MS, err);
    if (lock < 0 || inst_check_protected(i, "reset", "factory-reset", err) < 0 ||
        inst_kill_if_alive(i, r, err) < 0)
        return -1;
    inst_step(r, "removing the disk and the state");
    if (instance_reset(i, err) < 0)
        return err_wrap(err, "the factory reset of instance `%s` is not complete", i->name);
    return 0;
}
