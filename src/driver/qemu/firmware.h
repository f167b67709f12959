/* SPDX-License-Identifier: Apache-2.0 */
/* Finding UEFI firmware: code for the first flash chip and, where a matching one is known, an empty
 * variable store to copy (SD-13 to SD-15, B-FIRMWARE). */
#ifndef CIMA_DRIVER_QEMU_FIRMWARE_H
#define CIMA_DRIVER_QEMU_FIRMWARE_H

#include "base/diag.h"
#include "config/config.h"
#include "store/store.h"

struct qemu_firmware {
    char *code, *code_format;
    char *vars, *vars_format; /* template; NULL: none */
};

#define QEMU_FIRMWARE_INIT                                                                         \
    {                                                                                              \
        NULL, NULL, NULL, NULL                                                               \
    }
#define _cleanup_qemu_firmware_ _cleanup_(qemu_firmware_release)
void qemu_firmware_release(struct qemu_firmware *f);

struct qemu_firmware_search {
    const char *root; /* put in front of every path that is looked at; "" but in tests */
    enum arch arch;
    const char *home;    /* the user's */
    const char *exe;     /* full path of the QEMU binary: its share/qemu is searched */
    const char *machine; /* full machine type, for firmware descriptors; may be NULL */
    const struct instance *inst;
    const struct config_instance *cfg; /* firmware.images */
    /* Puts the file of an entry of firmware.images at `to`; NULL: they are passed over. */
    int (*fetch)(void *arg, const struct config_firmware_image *image, const char *to,
                 struct err *err);
    void *fetch_arg;
};

/* The order: the instance's own file; firmware.images, of which the first one that can be had
 * becomes the instance's own file, and the others are warnings in notes; ~/.local/share/qemu and share/qemu beside
 * the binary (edk2-ARCH-code.fd); firmware descriptors (~/.config/qemu/firmware,
 * /etc/qemu/firmware, /usr/share/qemu/firmware, as QEMU's docs/interop/firmware.json says);
 * well-known places. A broken descriptor is skipped with a warning in notes (F17). Paths that are
 * handed back do not have the root in front. None found: ERR_NOT_FOUND, with every place that was
 * tried as detail. */
int qemu_firmware_find(const struct qemu_firmware_search *s, struct qemu_firmware *ret,
                       struct diags *notes, struct err *err);

#endif
