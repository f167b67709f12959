/* SPDX-License-Identifier: Apache-2.0 */
/* Disk files of an instance. Formats are always named, never guessed (S02). */
#ifndef CIMA_DRIVER_QEMU_DISK_H
#define CIMA_DRIVER_QEMU_DISK_H

#include "image/image.h"
#include "store/store.h"

/* Makes `disk` out of what image_prepare left: a qcow2 overlay on `image` (named relatively, so
 * that the directory can be moved) of at least `bytes`; for an ISO, which becomes `iso`, an empty
 * qcow2 (SD-61). Returns 1 when it was made, 0 when there is one already, which is left alone.
 * *ret_minimum: size of the image, 0 for an ISO. */
int qemu_disk_create(const struct instance *inst, const struct image_info *image, uint64_t bytes,
                     uint64_t *ret_minimum, struct err *err);
/* Enlarges a disk that nobody has open (SD-64). */
int qemu_disk_grow(const char *path, const char *format, uint64_t bytes, struct err *err);
/* Copies a variable store into a new qcow2 file. */
int qemu_disk_copy_vars(const char *from, const char *from_format, const char *to, struct err *err);

#endif
