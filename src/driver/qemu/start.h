/* SPDX-License-Identifier: Apache-2.0 */
/* From a plan to a process, and back to a process that is there already. */
#ifndef CIMA_DRIVER_QEMU_START_H
#define CIMA_DRIVER_QEMU_START_H

#include "driver/qemu/plan.h"
#include "driver/qemu/vm.h"

/* Executes the plan: steps, helpers, sockets, QEMU. What was started is ended when a later part
 * fails. port_fd keeps the plan's ssh port (tcp_reserve_port) and stays the caller's; -1: none. */
int qemu_start(const struct driver_ctx *ctx, const struct qemu_plan *plan, int port_fd,
               struct loop *loop, const struct vm_callbacks *cb, void *arg, struct vm **ret,
               struct err *err);
/* The process that holds the pid file's lock. ERR_STATE when there is none; otherwise what keeps
 * its monitor from answering. */
int qemu_adopt(const struct driver_ctx *ctx, struct loop *loop, const struct vm_callbacks *cb,
               void *arg, struct vm **ret, struct err *err);
/* Helpers and VNC files of a machine that is gone. */
void qemu_sweep(const struct instance *inst);

#endif
