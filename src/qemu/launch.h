/* SPDX-License-Identifier: Apache-2.0 */
/* Starting QEMU, for the driver: it has a loop of its own and keeps QEMU's words in a file. */
#ifndef CIMA_QEMU_LAUNCH_ROOM_H
#define CIMA_QEMU_LAUNCH_ROOM_H

#include "base/strv.h"
#include "cima/qemu/launch.h"
#include "sys/spawn.h"

/* Is every member right? ERR_CONFIG names the one that is not. */
int qemu_launch_check(const struct cima_launch *l, struct err *err);
/* As cima_launch, and gives the child away. captured: where standard error goes with
 * CIMA_OUTPUT_CAPTURE; -1: the launch must say something else. */
int qemu_launch_child(const struct cima_launch *l, int captured, struct child *ret,
                      struct err *err);
/* The same with further flags of spawn.h. */
int qemu_launch_with(const struct cima_launch *l, int captured, unsigned spawn_flags,
                     struct child *ret, struct err *err);
/* The environment that QEMU gets: the variables that it needs, out of ours. */
void qemu_launch_env(bool desktop, struct strv *ret);

/* Where the last lines of a text begin. */
const char *qemu_last_lines(const char *text);

/* The last lines (at most max bytes) that were written to path from offset on; "" when there are
 * none. Caller frees. */
char *qemu_log_tail(const char *path, int64_t offset, size_t max);
/* What a person can do about QEMU's last words; NULL when nothing is known. Static text. */
const char *qemu_death_hint(const char *last_words);

#endif
