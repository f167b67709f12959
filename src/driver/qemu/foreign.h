/* SPDX-License-Identifier: Apache-2.0 */
/* Disks of instances that another program (Lima) has made: what they are is found out once, before
 * the first start here, and kept from then on. */
#ifndef CIMA_DRIVER_QEMU_FOREIGN_H
#define CIMA_DRIVER_QEMU_FOREIGN_H

#include "image/image.h"

/* The disk's file: `disk`, or `diffdisk` where that is all there is (SD-65). Caller frees. */
char *qemu_disk_path(const struct instance *inst);
/* `diffdisk` is to get the name `disk`, which is not there. */
bool qemu_disk_is_old(const struct instance *inst);
/* `basedisk` is an installation ISO, which is to get the name `iso`. */
bool qemu_iso_is_old(const struct instance *inst);
/* image_inspect_fd of a disk, which nobody can fetch again when it is damaged. */
int qemu_disk_inspect(int fd, const char *path, struct image_info *ret, struct err *err);
/* Format of a disk that nothing is known of, from the open file (S02: only before its content is in
 * the guest's hands here). One that refers to another file is refused (S01), but for a qcow2 on the
 * image in its own directory, which is complete in itself. Static text; NULL with err. */
const char *qemu_disk_foreign_format(const struct instance *inst, int fd, const char *path,
                                     struct err *err);

#endif
