/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots inside the disk files of a machine that does not run, through qemu-img. */
#ifndef CIMA_DRIVER_QEMU_SNAPSHOT_H
#define CIMA_DRIVER_QEMU_SNAPSHOT_H

#include "json/json.h"

/* What `qemu-img info` says of a qcow2 file; also of one that a machine uses. NULL on error. */
struct json *snapshot_image_info(const char *path, struct err *err);
/* One operation on a qcow2 file that nobody uses: "-c" (create), "-a" (apply), "-d" (delete). */
int snapshot_image_change(const char *path, const char *operation, const char *tag,
                          struct err *err);

#endif
