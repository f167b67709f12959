/* SPDX-License-Identifier: Apache-2.0 */
/* Starting QEMU: a session of its own, an environment without secrets, no core dumps, files made
 * private, and only the descriptors that are named. */
#ifndef CIMA_QEMU_LAUNCH_H
#define CIMA_QEMU_LAUNCH_H

#include "base/strv.h"
#include "sys/spawn.h"

struct cima_launch {
    const struct strv *argv;    /* argv[0] is the program */
    const struct spawn_fd *fds; /* what argv speaks of by number */
    size_t n_fds;
    int log_fd;      /* stdout and stderr; -1: /dev/null */
    const char *cwd; /* NULL: ours */
    bool desktop;    /* pass on what a window or sound needs (DISPLAY, PULSE_SERVER, …) */
};

/* The child outlives us unless it is ended. Errors as spawn_child. */
int cima_launch(const struct cima_launch *l, struct child *ret, struct err *err);
/* The environment that QEMU gets: the variables that it needs, out of ours. */
void qemu_launch_env(bool desktop, struct strv *ret);

/* The last lines (at most max bytes) that were written to path from offset on; "" when there are
 * none. Caller frees. */
char *qemu_log_tail(const char *path, int64_t offset, size_t max);
/* What a person can do about QEMU's last words; NULL when nothing is known. Static text. */
const char *qemu_death_hint(const char *last_words);

#endif
