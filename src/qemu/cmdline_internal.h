/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a command line are known by. */
#ifndef CIMA_QEMU_CMDLINE_INTERNAL_H
#define CIMA_QEMU_CMDLINE_INTERNAL_H

#include "cima/qemu/cmdline.h"

/* The id of part i; NULL for a part without. *ret_class: the kind of thing of which it has to be
 * the only one, "device", "network", …; the same kind is the same pointer. */
const char *part_id(const struct cima_cmdline *c, size_t i, const char **ret_class);

#endif
