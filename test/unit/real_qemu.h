/* SPDX-License-Identifier: Apache-2.0 */
/* The real QEMU, stopped before its first instruction (-S), with its monitor on a socket pair:
 * tests that need one skip where it is not installed. */
#ifndef CIMA_TEST_REAL_QEMU_H
#define CIMA_TEST_REAL_QEMU_H

#include "qemu/qemu.h"
#include <sys/types.h>

struct real_qemu {
    pid_t pid;
    struct cima_qmp *q;
    char dir[64]; /* empty, of its own */
};

/* Words of the command line behind -S -nodefaults -display none …, NULL at the end. Skips the test
 * when there is no QEMU. READY on return; handlers may be NULL. */
void real_qemu_start(struct real_qemu *r, const char *const *words,
                     const struct cima_qmp_handlers *h, void *arg, bool oob);
/* By quit; the exit status has to be 0. Removes the directory. */
void real_qemu_end(struct real_qemu *r);
/* A path in the directory; valid for a few calls. */
const char *real_qemu_path(const struct real_qemu *r, const char *name);

#endif
