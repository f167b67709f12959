/* SPDX-License-Identifier: Apache-2.0 */
/* Inside this room: an instance whose machine somebody wants to work with. */
#ifndef CIMA_INSTANCE_MACHINE_H
#define CIMA_INSTANCE_MACHINE_H

#include "instance/internal.h"
#include "instance/tools.h"

/* The way to the monitor through the host agent. */
struct inst_machine {
    struct driver_ctx ctx; /* ctx.cfg NULL: the YAML can't be read (any more) */
    struct config config;
    const struct driver *driver;
    struct driver_monitor monitor;
    bool runs; /* monitor is there; else nothing lives */
};
#define INST_MACHINE_INIT                                                                          \
    {                                                                                              \
        .config = CONFIG_INIT                                                                      \
    }
void inst_machine_release(struct inst_machine *m);
#define _cleanup_inst_machine_ _cleanup_(inst_machine_release)

/* ERR_STATE while it is starting or ending. The machine must stay where it is in memory. */
int inst_machine_open(const struct inst_env *env, const struct instance *i,
                      struct inst_machine *ret, struct err *err);
/* As above, and ERR_STATE when it does not run; `what` is what a stopped one does not have. */
int inst_machine_open_running(const struct inst_env *env, const struct instance *i,
                              const char *what, struct inst_machine *ret, struct err *err);
/* ERR_STATE: "instance `x` is not running: it has no WHAT". */
int inst_machine_not_running(const struct instance *i, const char *what, struct err *err);

#endif
