/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the virtiofsd that is written in Rust (SD-50). The older one in C, which came with QEMU,
 * has other options and wants to be root. */
#ifndef CIMA_DRIVER_QEMU_GATHER_VIRTIOFSD_H
#define CIMA_DRIVER_QEMU_GATHER_VIRTIOFSD_H

#include "base/strv.h"

struct qemu_virtiofsd {
    char *path;     /* NULL: none that can be used */
    bool read_only; /* it knows --readonly */
    char *problem;  /* what was found and why it is of no use, in lines; NULL: nothing was found */
};

#define QEMU_VIRTIOFSD_INIT                                                                        \
    {                                                                                              \
        NULL, false, NULL                                                                          \
    }
void qemu_virtiofsd_release(struct qemu_virtiofsd *v);

/* Looks into the descriptions of vhost-user programs (share/qemu/vhost-user under ~/.local, the
 * prefix of the QEMU binary exe, and /usr), then at the usual places; the first program that answers
 * `--version` as it should is taken. root: put in front of every directory; "" but in tests. */
void qemu_find_virtiofsd(const char *root, const char *home, const char *exe,
                         struct qemu_virtiofsd *ret);

#endif
