/* SPDX-License-Identifier: Apache-2.0 */
/* The processes beside a machine (virtiofsd, swtpm): started before it, gone with it.
 *
 * Who is alive is known by a kernel lock, as everywhere: each helper inherits a descriptor that
 * holds the flock on NAME.lock in the instance's directory, in which its identity is written. So an
 * agent that takes a machine over finds its helpers, and nothing of an earlier machine is left
 * behind, whoever was killed when.
 *
 * A helper that ends while its machine runs is not started again: QEMU (7.2, and no later one is
 * known that does) never connects to a vhost-user file system or a TPM a second time. With
 * `reconnect=` on the character device vhost-user-fs does not even start ("Failed to set msg
 * fds … vhost_backend_init failed: Protocol error"), and without it a new virtiofsd on the same
 * socket gets no connection. What it served is gone until the machine is started again, and that
 * is what the user is told. */
#ifndef CIMA_DRIVER_QEMU_HELPER_H
#define CIMA_DRIVER_QEMU_HELPER_H

#include "driver/qemu/plan.h"
#include "sys/loop.h"

struct qemu_helpers;

/* Starts them one after the other and waits for each one's socket (S1-33 to S1-37). Those of an
 * earlier machine are ended first: only with the machine's lock held. When one fails the others are
 * ended. */
int qemu_helpers_start(const struct instance *inst, const struct qemu_helper *plan, size_t n,
                       struct qemu_helpers **ret, struct err *err);
/* Those of a machine that runs. */
struct qemu_helpers *qemu_helpers_adopt(const struct instance *inst);
size_t qemu_helpers_count(const struct qemu_helpers *h);

/* A helper has ended although its machine runs; why is complete, with the next step. */
typedef void qemu_helper_lost_fn(void *arg, const struct err *why);
/* From now on their ends are noticed from the loop (S1-38), and what they write goes to the debug
 * log (S1-32). lost() may end and free them. */
void qemu_helpers_watch(struct qemu_helpers *h, struct loop *loop, qemu_helper_lost_fn *lost,
                        void *arg);
/* SIGKILL (S1-46), waits for their ends, removes their sockets and locks. What can't be ended is a
 * warning in the log. Again: nothing. NULL is allowed. */
void qemu_helpers_end(struct qemu_helpers *h);
/* Lets go of them without ending them. NULL is allowed. */
void qemu_helpers_free(struct qemu_helpers *h);
/* Ends what a machine that does not live any more has left behind, when nobody is left to do it. */
void qemu_helpers_sweep(const struct instance *inst);

/* "-N", the suffix of a name: the number of the mount; -1: none. */
int qemu_helper_number(const char *name);

#endif
