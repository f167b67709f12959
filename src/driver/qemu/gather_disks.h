/* SPDX-License-Identifier: Apache-2.0 */
/* Data disks (additionalDisks): where they are, what they are, who has them (SD-16). */
#ifndef CIMA_DRIVER_QEMU_GATHER_DISKS_H
#define CIMA_DRIVER_QEMU_GATHER_DISKS_H

#include "driver/qemu/plan.h"

struct qemu_disk_search {
    const char *root; /* put in front of every path that is looked at; NULL but in tests */
    const struct store *store;
    const struct instance *inst;
    const struct config_instance *cfg;
    /* name → format, as it was at first: later the content belongs to guests (S02). What is new is
     * added. */
    struct json *formats;
};

/* One entry per additionalDisks entry, in order. A disk that is not there is ERR_NOT_FOUND, one that
 * a running machine of another instance has is ERR_BUSY; one that would make QEMU open other files
 * is refused (S01). */
int qemu_find_disks(const struct qemu_disk_search *s, struct qemu_plan_disk **ret, struct err *err);
void qemu_plan_disks_free(struct qemu_plan_disk *disks, size_t n); /* NULL is allowed */

#endif
